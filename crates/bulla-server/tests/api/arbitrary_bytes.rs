use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::runtime::Runtime;

use crate::harness::{Answer, Harness};

/// Every answer is one of AWS's: a status below 500, and a body that names an error.
fn looks_like_aws(answer: &Answer) -> Result<(), TestCaseError> {
    prop_assert!(answer.status == 200 || answer.status == 400, "{answer:?}");
    prop_assert!(answer.headers.contains_key("x-amzn-requestid"));
    if answer.status == 400 {
        let body = answer.json();
        prop_assert!(
            body["__type"].as_str().is_some_and(|code| code.ends_with("Exception")),
            "{body}"
        );
    }
    Ok(())
}

#[test]
fn any_body_of_any_operation_gets_an_answer_of_aws() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Harness::start());
    let names: Vec<&str> = bulla_server::ROUTES.iter().map(|route| route.name).collect();
    let json_like = "[\\[\\]{}:,\" a-zA-Z0-9\\\\]{0,64}".prop_map(String::into_bytes);
    let member = (
        "(KeyId|Plaintext|CiphertextBlob|EncryptionContext|Limit|DryRun|GrantTokens)",
        "[ -~]{0,40}",
    )
        .prop_map(|(name, value)| format!("{{\"{name}\":{value}}}").into_bytes());
    let body = prop_oneof![prop::collection::vec(any::<u8>(), 0..200), json_like, member];
    let mut runner = TestRunner::default();
    let result = runner.run(&(prop::sample::select(names), body), |(name, body)| {
        looks_like_aws(&runtime.block_on(server.send(name, &body)))
    });
    result.unwrap();
}

#[test]
fn any_authorization_header_gets_an_answer_of_aws() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Harness::start());
    let bytes = prop::collection::vec(prop_oneof![Just(b'\t'), 0x20..=0x7e_u8, 0x80..=0xff_u8], 0..200);
    let signature = "AWS4-HMAC-SHA256 Credential=[A-Z]{0,20}/[0-9]{0,8}/[a-z0-9-]{0,12}/(kms|s3|)/aws4_request,? ?SignedHeaders=[a-z;-]{0,40}, \
                     Signature=[0-9a-f]{0,64}"
        .prop_map(String::into_bytes);
    let mut runner = TestRunner::default();
    let result = runner.run(&prop_oneof![bytes, signature], |header| {
        let mut request =
            b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Date: 20260101T000000Z\r\nX-Amz-Target: TrentService.ListKeys\r\n\
                            Content-Type: application/x-amz-json-1.1\r\nContent-Length: 2\r\nAuthorization: "
                .to_vec();
        request.extend_from_slice(&header);
        request.extend_from_slice(b"\r\n\r\n{}");
        let answer = runtime.block_on(server.raw(&request));
        prop_assert_eq!(answer.status, 400);
        looks_like_aws(&answer)
    });
    result.unwrap();
}
