use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Answer, Harness};

const MIB: usize = 1024 * 1024;

/// Waits for the server to end the connection, and gives what it said before.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut said));
    // A reset is an end, too.
    let _ = read.await.expect("the server ends the connection");
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn a_body_may_be_one_mebibyte_and_no_byte_more() {
    let server = Harness::start().await;
    let body = |size_bytes: usize| {
        let frame = json!({"Unknown": ""}).to_string();
        frame
            .replace("\"\"", &format!("\"{}\"", "x".repeat(size_bytes - frame.len())))
            .into_bytes()
    };
    assert_eq!(body(MIB).len(), MIB);
    assert_eq!(server.send("ListKeys", &body(MIB)).await.status, 200);
    let said = server
        .send("ListKeys", &body(MIB + 1))
        .await
        .is_error(413, "RequestEntityTooLargeException");
    assert_eq!(said.as_deref(), Some("The request exceeds the limit of 1048576 bytes."));
}

#[tokio::test]
async fn a_chunked_body_is_counted_as_it_comes() {
    let server = Harness::dev().await;
    let mut stream = server.connect().await;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {}\r\nX-Amz-Target: TrentService.ListKeys\r\nContent-Type: application/x-amz-json-1.1\r\n\
         Transfer-Encoding: chunked\r\n\r\n",
        server.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for _ in 0..17 {
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    Answer::read(&mut stream)
        .await
        .unwrap()
        .is_error(413, "RequestEntityTooLargeException");
}

#[tokio::test]
async fn after_a_body_whose_end_two_headers_tell_nothing_more_is_read() {
    let server = Harness::dev().await;
    for headers in [
        "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 7\r\n",
    ] {
        let mut stream = server.connect().await;
        let request = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: TrentService.ListKeys\r\n\
             Content-Type: application/x-amz-json-1.1\r\n{headers}\r\n2\r\n{{}}\r\n0\r\n\r\n\
             GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let said = until_closed(&mut stream).await;
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{said}");
        assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    }
}

#[tokio::test]
async fn who_never_reads_his_answers_is_cut_off() {
    let server = Harness::with(|config| {
        config.auth = bulla_server::AuthMode::Dev;
        config.limits.idle = Duration::from_millis(150);
    })
    .await;
    let mut stream = server.connect().await;
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(64);
    let flood = async { while stream.write_all(request.as_bytes()).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(20), flood)
        .await
        .expect("the server ends the connection");
    assert_eq!(server.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn headers_that_trickle_end_the_connection() {
    let server = Harness::with(|config| config.limits.header_read = Duration::from_millis(100)).await;
    let mut stream = server.connect().await;
    stream.write_all(b"POST / HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let trickle = async {
        // Each byte comes well within the limit; all of them together do not.
        while writer.write_all(b"X-Slow: 1\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut said = Vec::new();
    tokio::select! {
        result = reader.read_to_end(&mut said) => drop(result),
        () = trickle => {}
        () = tokio::time::sleep(Duration::from_secs(20)) => panic!("the connection is still open"),
    }
    assert!(said.is_empty());
}

#[tokio::test]
async fn a_connection_that_says_nothing_ends() {
    let server = Harness::with(|config| config.limits.header_read = Duration::from_millis(100)).await;
    assert_eq!(until_closed(&mut server.connect().await).await, "");
}

#[tokio::test]
async fn an_idle_connection_outlives_the_time_for_headers_and_ends_after_its_own() {
    let server = Harness::with(|config| {
        config.limits.header_read = Duration::from_millis(20);
        config.limits.idle = Duration::from_millis(400);
    })
    .await;
    let mut stream = server.connect().await;
    let request = server.signed("ListKeys", b"{}");
    for _ in 0..2 {
        stream.write_all(&request).await.unwrap();
        assert_eq!(Answer::read(&mut stream).await.unwrap().status, 200);
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    assert_eq!(until_closed(&mut stream).await, "");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_answered() {
    let server = Harness::with(|config| config.limits.body_read = Duration::from_millis(100)).await;
    let request = server.signed("ListKeys", b"{}");
    let mut stream = server.connect().await;
    stream.write_all(&request[..request.len() - 1]).await.unwrap();
    Answer::read(&mut stream)
        .await
        .unwrap()
        .is_error(408, "RequestTimeoutException");
}

#[tokio::test]
async fn bodies_together_take_no_more_memory_than_they_may() {
    let server = Harness::with(|config| {
        config.limits.body_memory_bytes = MIB;
        config.limits.body_read = Duration::from_millis(800);
    })
    .await;
    let large = json!({"Unknown": "x".repeat(900 * 1024)}).to_string();
    let request = server.signed("ListKeys", large.as_bytes());
    let head = |bytes: &[u8]| {
        bytes
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .map_or(0, |at| at + 4)
    };
    let mut hoarder = server.connect().await;
    // More than one piece of it, so that its share is taken.
    hoarder.write_all(&request[..head(&request) + 200_000]).await.unwrap();
    let mut waiting = server.connect().await;
    let sent = async {
        waiting.write_all(&request).await.unwrap();
        Answer::read(&mut waiting).await.unwrap()
    };
    let early = tokio::time::timeout(Duration::from_millis(100), sent).await;
    assert!(early.is_err(), "a second large body was read beside the first");
    let small = json!({"Unknown": "x".repeat(8 * 1024)}).to_string();
    assert_eq!(
        server.send("ListKeys", small.as_bytes()).await.status,
        200,
        "small ones need no share"
    );
    Answer::read(&mut hoarder)
        .await
        .unwrap()
        .is_error(408, "RequestTimeoutException");
    assert_eq!(
        server.send("ListKeys", large.as_bytes()).await.status,
        200,
        "the share was given back"
    );
}

#[tokio::test]
async fn a_client_that_floods_with_large_bodies_keeps_no_other_from_his() {
    let server = Harness::with(|config| {
        config.limits.body_bytes = 128 * 1024;
        config.limits.body_memory_bytes = MIB;
    })
    .await;
    let large = json!({"Unknown": "x".repeat(120 * 1024)}).to_string();
    let request = server.signed("ListKeys", large.as_bytes());
    let mut flood = Vec::new();
    for _ in 0..16 {
        let mut stream = server.connect().await;
        // More than is free of charge, and then nothing more.
        stream.write_all(&request[..40 * 1024]).await.unwrap();
        flood.push(stream);
    }
    let key = server.key().await;
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}]});
    let spaces = " ".repeat(20 * 1024);
    let input = format!("{spaces}{}", json!({"KeyId": key, "Policy": policy.to_string()}));
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = socket.connect(server.address).await.unwrap();
    other
        .write_all(&server.signed("PutKeyPolicy", input.as_bytes()))
        .await
        .unwrap();
    let answer = Answer::read(&mut other).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    drop(flood);
}

#[tokio::test]
async fn too_many_headers_and_too_long_ones_are_refused() {
    let server = Harness::start().await;
    let many: String = (0..101).map(|number| format!("X-{number}: 1\r\n")).collect();
    let answer = server
        .raw(format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{many}\r\n").as_bytes())
        .await;
    assert_eq!(answer.status, 431);
    let mut stream = server.connect().await;
    let long = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: {}", "x".repeat(40 * 1024));
    let _ = stream.write_all(long.as_bytes()).await;
    assert!(until_closed(&mut stream).await.starts_with("HTTP/1.1 431 "));
    assert_eq!(server.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_flood_of_headers_ends_early() {
    let server = Harness::start().await;
    let mut stream = server.connect().await;
    let line = format!("X-Flood: {}\r\n", "f".repeat(1000));
    let mut sent = stream.write_all(b"GET /healthz HTTP/1.1\r\n").await;
    let mut sent_bytes = 0;
    while sent.is_ok() && sent_bytes < 64 * MIB {
        sent = stream.write_all(line.as_bytes()).await;
        sent_bytes += line.len();
    }
    assert!(sent_bytes < 64 * MIB, "the server went on reading");
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let server = Harness::start().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"HELO x\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
    ] {
        let mut stream = server.connect().await;
        stream.write_all(bytes).await.unwrap();
        let said = until_closed(&mut stream).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 400 "), "{said}");
    }
}

#[tokio::test]
async fn a_connection_too_many_waits_for_its_turn() {
    let server = Harness::with(|config| config.limits.connections = 1).await;
    let mut first = server.connect().await;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    first.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(Answer::read(&mut first).await.unwrap().status, 200);
    let mut second = server.connect().await;
    second.write_all(request.as_bytes()).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(100), Answer::read(&mut second)).await;
    assert!(early.is_err(), "the second connection was served beside the first");
    drop(first);
    assert_eq!(Answer::read(&mut second).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_client_with_too_many_connections_is_cut_off_and_goes_on_when_it_has_fewer() {
    let server = Harness::with(|config| config.limits.connections_per_client = 2).await;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = server.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(Answer::read(&mut stream).await.unwrap().status, 200);
        held.push(stream);
    }
    assert_eq!(until_closed(&mut server.connect().await).await, "");
    drop(held.pop());
    // The server notices the end of the second in its own time.
    loop {
        let mut stream = server.connect().await;
        let _ = stream.write_all(request.as_bytes()).await;
        if let Some(answer) = Answer::read(&mut stream).await {
            assert_eq!(answer.status, 200);
            break;
        }
    }
}

#[tokio::test]
async fn a_trusted_proxy_has_as_many_connections_as_there_are() {
    let server = Harness::with(|config| {
        config.limits.connections_per_client = 1;
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    let mut held = Vec::new();
    for _ in 0..5 {
        let mut stream = server.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(Answer::read(&mut stream).await.unwrap().status, 200);
        held.push(stream);
    }
}
