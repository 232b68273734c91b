//! Two nodes on one PostgreSQL and one Redis; and a Redis that goes away.

use bulla_testkit::BullaProcess;
use serde_json::{Value, json};

use crate::commands::{client_key, token_header};
use crate::http::{ask, get, put};
use crate::redis_server::RedisServer;
use crate::server::Database;
use crate::support::{BULLA, init};

#[test]
fn what_one_node_puts_the_other_gets_while_redis_is_there() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let database = runtime.block_on(Database::create("BULLA_TEST_POSTGRES_URL"));
    let mut redis = RedisServer::start_with(&["--requirepass", "s3cret-of-redis", "--appendonly", "yes"]);
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let admin = init(&data, &[("BULLA_STORE__DATABASE", &database.url)]);
    // As the replaced systems name it, and as settings do.
    let password = directory.path().join("password");
    std::fs::write(&password, "s3cret-of-redis\n").expect("a file");
    let one = BullaProcess::production_command(BULLA, &data)
        .env("REDIS_URL", redis.url())
        .env("REDIS_AUTH_TOKEN", "s3cret-of-redis");
    let one = BullaProcess::start(&one).expect("it starts");
    let other = BullaProcess::production_command(BULLA, &data)
        .env("BULLA_TOKENS__STORE", redis.url())
        .env("BULLA_TOKENS__PASSWORD_FILE", &password);
    let other = BullaProcess::start(&other).expect("so does the other");
    client_key(&one, &admin, "acme");
    let admin = token_header(&data, "admin");

    put(&one, "/v1/tokens/acme/stripe", &admin, "tok_1");
    assert_eq!(get(&other, "/v1/tokens/acme/stripe", &admin), "tok_1");
    put(&other, "/v1/tokens/acme/stripe", &admin, "tok_2");
    put(&other, "/v1/tokens/acme/adyen", &admin, "tok_3");
    assert_eq!(get(&one, "/v1/tokens/acme/stripe", &admin), "tok_2");
    // TTL gone is gone: Redis's own, whatever the vault would say.
    let short = json!({"value": "short", "ttl_seconds": 1});
    assert_eq!(ask(&one, "PUT", "/v1/tokens/acme/short", &admin, &short).0, 200);
    let begin = std::time::Instant::now();
    while get(&other, "/v1/tokens/acme/short", &admin) == "short" {
        assert!(begin.elapsed().as_secs() < 30);
    }
    assert!(begin.elapsed().as_secs() < 10, "{:?}", begin.elapsed());

    redis.kill();
    assert_eq!(get(&one, "/v1/tokens/acme/stripe", &admin), "store_unavailable");
    let (status, problem) = ask(&other, "PUT", "/v1/tokens/acme/stripe", &admin, &short);
    assert_eq!((status, &problem["code"]), (503, &json!("store_unavailable")));
    redis.restart();
    assert_eq!(get(&one, "/v1/tokens/acme/stripe", &admin), "tok_2");
    assert_eq!(get(&other, "/v1/tokens/acme/adyen", &admin), "tok_3");

    let (status, revoked) = ask(&one, "POST", "/v1/tokens/acme/revoke", &admin, &Value::Null);
    assert_eq!((status, &revoked["revoked"]), (200, &json!(2)), "{revoked}");
    assert_eq!(get(&other, "/v1/tokens/acme/adyen", &admin), "not_found");
    for server in [one, other] {
        let (_, logs) = server.stop().expect("it stops by itself");
        assert!(!logs.contains("s3cret-of-redis") && !logs.contains("tok_"), "{logs}");
    }
    runtime.block_on(database.destroy());
}
