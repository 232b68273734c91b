use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Answer, Harness};

#[tokio::test]
async fn what_is_under_way_is_answered_and_nothing_else() {
    let mut server = Harness::start().await;
    let request = server.signed("ListKeys", b"{\"Limit\":7}");
    let mut idle = server.connect().await;
    idle.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.address).as_bytes())
        .await
        .unwrap();
    assert_eq!(Answer::read(&mut idle).await.unwrap().status, 200);
    let mut busy = server.connect().await;
    let (head, rest) = request.split_at(request.len() - 3);
    busy.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.address).as_bytes())
        .await
        .unwrap();
    assert_eq!(Answer::read(&mut busy).await.unwrap().status, 200);
    busy.write_all(head).await.unwrap();
    // The next answer on another connection shows that the server has seen what came before it.
    assert_eq!(server.get("/metrics").await.status, 200);
    server.stop.take().unwrap().send(()).unwrap();
    assert_eq!(
        idle.read(&mut [0]).await.unwrap(),
        0,
        "the idle connection ends at once"
    );
    busy.write_all(rest).await.unwrap();
    let answer = Answer::read(&mut busy).await.expect("the answer to what was under way");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(busy.read(&mut [0]).await.unwrap(), 0);
    tokio::time::timeout(Duration::from_secs(10), server.running)
        .await
        .expect("the server ends")
        .unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn who_has_asked_nothing_yet_does_not_hold_up_the_end() {
    let mut server = Harness::start().await;
    let mut silent = server.connect().await;
    assert_eq!(server.get("/healthz").await.status, 200);
    server.stop.take().unwrap().send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(5), server.running)
        .await
        .expect("the server ends long before the time for headers")
        .unwrap();
    assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn the_drain_time_ends_what_does_not_end() {
    let mut server = Harness::with(|config| config.limits.drain = Duration::from_millis(200)).await;
    let request = server.signed("ListKeys", b"{}");
    let mut stuck = server.connect().await;
    stuck.write_all(&request[..request.len() - 1]).await.unwrap();
    assert_eq!(server.get("/healthz").await.status, 200);
    server.stop.take().unwrap().send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(10), server.running)
        .await
        .expect("the server ends")
        .unwrap();
    let mut said = Vec::new();
    let _ = stuck.read_to_end(&mut said).await;
    assert!(said.is_empty());
}
