//! Two servers on one directory.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bulla_testkit::BullaProcess;
use serde_json::json;

use crate::harness::Client;
use crate::support::{BULLA, init};

#[test]
fn two_servers_on_one_directory_see_each_others_changes_at_once_under_load() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let credentials = init(&data, &[]);
    let one = BullaProcess::production(BULLA, &data).expect("it starts");
    let two = BullaProcess::production(BULLA, &data).expect("so does the other");
    let mut client = Client::new(&credentials);
    let (key, busy) = (client.new_key(&one), client.new_key(&two));
    let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let load: Vec<_> = [&one, &two, &one, &two]
            .map(|server| {
                let (stop, answered, busy, credentials) = (&stop, &answered, &busy, &credentials);
                scope.spawn(move || {
                    let mut client = Client::new(credentials);
                    while !stop.load(Ordering::Relaxed) {
                        client.seal(server, busy);
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    (client.requests, client.blobs)
                })
            })
            .into_iter()
            .collect();
        for round in 0..12 {
            let (here, there) = if round % 2 == 0 { (&one, &two) } else { (&two, &one) };
            let named = json!({ "KeyId": key });
            let sealed = client.seal(there, &key);
            client.done(here, "DisableKey", &named);
            let refused = client.ask(there, "Decrypt", &json!({ "CiphertextBlob": sealed }));
            assert_eq!(
                (refused.0, refused.1["__type"].as_str()),
                (400, Some("DisabledException"))
            );
            client.done(there, "EnableKey", &named);
            client.done(here, "RotateKeyOnDemand", &named);
            let rotated = client.seal(here, &key);
            for blob in [sealed, rotated] {
                let opened = client.done(there, "Decrypt", &json!({ "CiphertextBlob": blob }));
                assert_eq!(opened["Plaintext"], "AAAA");
            }
        }
        stop.store(true, Ordering::Relaxed);
        for done in load {
            let (requests, blobs) = done.join().expect("a client ends");
            client.requests.extend(requests);
            client.blobs.extend(blobs.into_iter().take(20));
        }
    });
    assert!(answered.load(Ordering::Relaxed) > 50, "the load was a load");
    client.nothing_is_lost(&two, &data);
    one.stop().expect("it stops by itself");
    two.stop().expect("so does the other");
    let server = BullaProcess::production(BULLA, &data).expect("it starts again");
    client.nothing_is_lost(&server, &data);
}
