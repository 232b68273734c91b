use proptest::prelude::*;

use super::*;

fn text(value: &str) -> Option<Text> {
    Some(Text(value.to_owned()))
}

fn blob(size_bytes: usize) -> Option<Blob> {
    Some(Blob(zeroize::Zeroizing::new(vec![7; size_bytes])))
}

#[track_caller]
fn said(checks: Checks, message: &str) {
    let failure = checks.finish(()).expect_err("refused");
    assert_eq!(
        (failure.code, failure.message.as_deref()),
        ("ValidationException", Some(message))
    );
}

#[track_caller]
fn one<T>(check: impl FnOnce(&mut Checks) -> T, value_and_member: &str, constraint: &str) {
    let mut checks = Checks::default();
    let _ = check(&mut checks);
    said(
        checks,
        &format!("1 validation error detected: Value{value_and_member} failed to satisfy constraint: {constraint}"),
    );
}

#[test]
fn each_constraint_has_awss_words() {
    one(
        |c| c.required_text("keyId", None, &KEY_ID),
        " null at 'keyId'",
        "Member must not be null",
    );
    let mut checks = Checks::default();
    checks.required_text("keyId", text(""), &KEY_ID);
    said(
        checks,
        "2 validation errors detected: Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1; \
         Value '' at 'keyId' failed to satisfy constraint: Member must satisfy regular expression pattern: ^\\p{ASCII}+$",
    );
    let long = "k".repeat(2049);
    one(
        |c| c.required_text("keyId", text(&long), &KEY_ID),
        &format!(" '{long}' at 'keyId'"),
        "Member must have length less than or equal to 2048",
    );
    one(
        |c| c.text("aliasName", text("alias/a b"), &ALIAS_NAME),
        " 'alias/a b' at 'aliasName'",
        "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$",
    );
    one(
        |c| c.data_key_spec("keySpec", text("AES_192")),
        " 'AES_192' at 'keySpec'",
        "Member must satisfy enum value set: [RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, \
         ECC_SECG_P256K1, ECC_NIST_EDWARDS25519, SYMMETRIC_DEFAULT, HMAC_224, HMAC_256, HMAC_384, HMAC_512, SM2, ML_DSA_44, ML_DSA_65, \
         ML_DSA_87, ML_KEM_512, ML_KEM_768, ML_KEM_1024]",
    );
    one(
        |c| c.number("numberOfBytes", Some(Number(0)), 1, 1024),
        " '0' at 'numberOfBytes'",
        "Member must have value greater than or equal to 1",
    );
    one(
        |c| c.number("numberOfBytes", Some(Number(1025)), 1, 1024),
        " '1025' at 'numberOfBytes'",
        "Member must have value less than or equal to 1024",
    );
    one(
        |c| c.required_blob("plaintext", None, MAX_PLAINTEXT),
        " at 'plaintext'",
        "Member must not be null",
    );
    one(
        |c| c.required_public_blob("ciphertextBlob", None, MAX_CIPHERTEXT),
        " null at 'ciphertextBlob'",
        "Member must not be null",
    );
    one(
        |c| c.required_blob("plaintext", blob(4097), MAX_PLAINTEXT),
        " at 'plaintext'",
        "Member must have length less than or equal to 4096",
    );
    one(
        |c| c.required_blob("plaintext", blob(0), MAX_PLAINTEXT),
        " at 'plaintext'",
        "Member must have length greater than or equal to 1",
    );
    one(
        |c| c.grant_tokens(Some(List((0..11).map(|_| text("t")).collect()))),
        " at 'grantTokens'",
        "Member must have length less than or equal to 10",
    );
    one(
        |c| c.grant_tokens(Some(List(vec![text("t"), None]))),
        " at 'grantTokens'",
        "Member must satisfy constraint: [Member must have length less than or equal to 8192, Member must have length greater than \
         or equal to 1]",
    );
    one(
        |c| c.context("encryptionContext", Some(Pairs(vec![("k".to_owned(), None)]))),
        " at 'encryptionContext'",
        "Map value must satisfy constraint: [Member must not be null]",
    );
}

#[test]
fn the_limits_themselves_are_legal() {
    let mut checks = Checks::default();
    checks.required_text("keyId", text(&"k".repeat(2048)), &KEY_ID);
    checks.required_text("description", text(""), &DESCRIPTION);
    checks.text("description", text(&"\u{1f511}".repeat(4096)), &DESCRIPTION);
    checks.required_blob("plaintext", blob(4096), MAX_PLAINTEXT);
    checks.number("limit", Some(Number(1)), 1, 1000);
    checks.number("limit", Some(Number(1000)), 1, 1000);
    checks.grant_tokens(Some(List((0..10).map(|_| text(&"t".repeat(8192))).collect())));
    checks.text("marker", text("\u{20}\u{ff}"), &MARKER);
    assert!(checks.finish(()).is_ok());
}

#[test]
fn lengths_are_counted_as_java_counts() {
    let keys = "\u{1f511}".repeat(4097);
    one(
        |c| c.text("description", text(&keys), &DESCRIPTION),
        &format!(" '{keys}' at 'description'"),
        "Member must have length less than or equal to 8192",
    );
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let mut checks = Checks::default();
    checks.required_text("keyId", None, &KEY_ID);
    checks.required_blob("plaintext", None, MAX_PLAINTEXT);
    checks.not_built_yet("not yet");
    said(
        checks,
        "2 validation errors detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null; \
         Value at 'plaintext' failed to satisfy constraint: Member must not be null",
    );
}

#[test]
fn what_is_right_and_not_built_is_unsupported() {
    let mut checks = Checks::default();
    checks.not_built_yet("Recipient is not built yet.");
    let failure = checks.finish(()).expect_err("refused");
    assert_eq!(
        (failure.code, failure.message.as_deref()),
        ("UnsupportedOperationException", Some("Recipient is not built yet."))
    );
}

#[test]
fn an_encryption_context_ends_at_8192_bytes() {
    let pair = |size: usize| Some(Pairs(vec![("k".to_owned(), text(&"v".repeat(size)))]));
    let mut checks = Checks::default();
    assert_eq!(
        checks
            .context("encryptionContext", pair(8192 - 2 - 4 - 1))
            .as_bytes()
            .len(),
        8192
    );
    assert!(checks.finish(()).is_ok());
    one(
        |c| c.context("encryptionContext", pair(8192 - 6)),
        " at 'encryptionContext'",
        "Member must have length less than or equal to 8192",
    );
}

proptest! {
    #[test]
    fn any_text_passes_or_is_refused_without_panic(value in ".*") {
        for rule in [&KEY_ID, &ALIAS_NAME, &DESCRIPTION, &MARKER, &POLICY, &CUSTOM_KEY_STORE_ID, &XKS_KEY_ID] {
            let mut checks = Checks::default();
            checks.text("member", text(&value), rule);
            let _ = checks.finish(());
        }
    }
}
