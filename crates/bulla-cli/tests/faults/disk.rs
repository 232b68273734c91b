//! No room.

use std::process::Command;

use bulla_testkit::{BullaCommand, BullaProcess};
use serde_json::json;

use crate::harness::{Client, becomes, file_size, is_internal_error, refusal, status};
use crate::support::{BULLA, init};

#[test]
fn a_full_disk_refuses_what_it_can_not_record_and_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let credentials = init(&data, &[]);
    let mut client = Client::new(&credentials);
    let room = file_size(data.join("bulla.db")) + 300_000;
    let command = BullaCommand::new("/usr/bin/prlimit")
        .arg(format!("--fsize={room}:unlimited"))
        .args([BULLA, "serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&data);
    let server = BullaProcess::start(&command).expect("it starts");
    let key = client.new_key(&server);
    client.seal(&server, &key);
    let mut refused = None;
    for _ in 0..2000 {
        let answer = client.ask(&server, "Encrypt", &json!({ "KeyId": key, "Plaintext": "AAAA" }));
        if answer.0 != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("the disk is full at some time");
    assert!(is_internal_error(&refused), "{refused:?}");
    server.wait_for_log("the store is full").expect("the log says why");
    for operation in ["CreateKey", "GenerateRandom", "ListKeys"] {
        let answer = client.ask(&server, operation, &json!({ "NumberOfBytes": 1 }));
        assert!(
            is_internal_error(&answer),
            "{operation} is not done unrecorded: {answer:?}"
        );
    }
    becomes(&server, 503);
    assert_eq!(status(&server, "/healthz"), 200);
    assert_eq!(status(&server, "/metrics"), 200);

    // Room is made under the running server.
    let raised = Command::new("/usr/bin/prlimit")
        .args(["--fsize=unlimited", "--pid", &server.id().to_string()])
        .status()
        .expect("prlimit runs");
    assert!(raised.success());
    becomes(&server, 200);
    client.seal(&server, &key);
    let listed = client.done(&server, "ListKeys", &json!({}));
    assert_eq!(
        listed["Keys"].as_array().map(Vec::len),
        Some(1),
        "what was refused was not done"
    );
    client.nothing_is_lost(&server, &data);
    server.stop().expect("it stops by itself");
    let server = BullaProcess::production(BULLA, &data).expect("it starts again");
    client.nothing_is_lost(&server, &data);
}

#[test]
fn an_init_without_room_says_so_and_leaves_nothing_that_opens() {
    let dir = tempfile::tempdir().expect("a directory");
    for room in [0, 8, 64, 8_192, 40_000] {
        let data = dir.path().join(format!("data-{room}"));
        let finished = BullaCommand::new("/usr/bin/prlimit")
            .arg(format!("--fsize={room}"))
            .args([BULLA, "init", "--data-dir"])
            .arg(&data)
            .run()
            .expect("it runs");
        assert_eq!(finished.code, Some(1), "{room}: {finished:?}");
        assert!(finished.stderr.starts_with("error: "), "{room}: {finished:?}");
        refusal(&data);
        init(&data, &[]);
        BullaProcess::production(BULLA, &data).expect("it starts");
    }
}
