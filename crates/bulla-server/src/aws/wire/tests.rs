use std::sync::Arc;

use bulla_kms::{KmsError, KmsErrorKind};
use bulla_store::StoreError;

use super::*;

/// One of each; the match below stops compiling when a variant is added and not listed.
fn every_error() -> Vec<ServiceError> {
    use ServiceError as E;
    let text = || "said".to_owned();
    let _listed = |error: &E| match error {
        E::Validation(_) | E::NotFound(_) | E::InvalidArn(_) | E::AccessDenied(_) | E::UnrecognizedClient => {}
        E::ExpiredToken
        | E::InvalidIdentityToken(_)
        | E::ExpiredIdentityToken(_)
        | E::IdpCommunication(_)
        | E::PackedPolicyTooLarge(_)
        | E::Disabled(_)
        | E::InvalidState(_)
        | E::InvalidKeyUsage(_)
        | E::InvalidCiphertext { .. }
        | E::InvalidSignature
        | E::InvalidMac
        | E::IncorrectKey(_) => {}
        E::IncorrectKeyMaterial { .. } | E::InvalidImportToken | E::ExpiredImportToken => {}
        E::AlreadyExists(_) | E::InvalidAliasName(_) | E::LimitExceeded(_) | E::InvalidMarker | E::Tag(_) => {}
        E::MalformedPolicyDocument(_) | E::InvalidGrantToken | E::InvalidGrantId(_) => {}
        E::CustomKeyStoreNotFound(_)
        | E::Unsupported(_)
        | E::UnsupportedSpec(_)
        | E::DryRun
        | E::Throttled
        | E::Tampered { .. }
        | E::Store(_)
        | E::Root(_)
        | E::ShuttingDown
        | E::Internal(_) => {}
    };
    vec![
        E::Validation(text()),
        E::NotFound(text()),
        E::CustomKeyStoreNotFound(text()),
        E::InvalidArn(text()),
        E::AccessDenied(text()),
        E::UnrecognizedClient,
        E::ExpiredToken,
        E::InvalidIdentityToken(text()),
        E::ExpiredIdentityToken(text()),
        E::IdpCommunication(text()),
        E::PackedPolicyTooLarge(text()),
        E::Disabled(text()),
        E::InvalidState(text()),
        E::InvalidKeyUsage(text()),
        E::InvalidCiphertext { reason: "inside" },
        E::InvalidSignature,
        E::InvalidMac,
        E::IncorrectKey(text()),
        E::IncorrectKeyMaterial { reason: "inside" },
        E::InvalidImportToken,
        E::ExpiredImportToken,
        E::AlreadyExists(text()),
        E::InvalidAliasName(text()),
        E::LimitExceeded(text()),
        E::InvalidMarker,
        E::MalformedPolicyDocument(text()),
        E::InvalidGrantToken,
        E::InvalidGrantId(text()),
        E::Tag(text()),
        E::Unsupported(text()),
        E::UnsupportedSpec(bulla_model::KeySpec::Hmac256),
        E::DryRun,
        E::Throttled,
        E::Tampered {
            table: "inside",
            id: "inside".to_owned(),
        },
        E::Store(Arc::new(StoreError::Limit { what: "inside" })),
        E::Root(Arc::new(KmsError::new(KmsErrorKind::Unavailable, "unwrap", "inside"))),
        E::ShuttingDown,
        E::Internal("inside"),
    ]
}

#[test]
fn every_error_of_the_service_has_its_answer() {
    for error in every_error() {
        let (code, message) = (error.code(), error.message());
        let internal = code == "KMSInternalException";
        let failure = Failure::from(error);
        assert_eq!(failure.code, code);
        assert_eq!(failure.status.as_u16(), if internal { 500 } else { 400 });
        let body: serde_json::Value = serde_json::from_slice(&failure.body("r-1")).expect("JSON");
        assert_eq!(body["__type"], code);
        assert!(!body.to_string().contains("inside"), "{body}");
        if internal {
            assert_eq!(body["message"], "An internal error occurred. Request id: r-1");
        } else {
            assert_eq!(body.get("message").and_then(|text| text.as_str()), message.as_deref());
        }
    }
}

#[test]
fn a_wrong_ciphertext_says_nothing() {
    let failure = Failure::from(ServiceError::InvalidCiphertext { reason: "inside" });
    assert_eq!(&failure.body("r")[..], br#"{"__type":"InvalidCiphertextException"}"#);
}

#[test]
fn what_the_parser_says_has_a_capital() {
    let failure = Failure::serialization(Some("Expected null".to_owned()));
    assert_eq!(
        &failure.body("r")[..],
        br#"{"__type":"SerializationException","Message":"Expected null"}"#
    );
}

#[test]
fn moments_are_seconds_with_milliseconds_and_bytes_are_base64() {
    let moment = Seconds(Timestamp::from_micros(1_565_816_734_943_999));
    assert_eq!(serde_json::to_string(&moment).expect("JSON"), "1565816734.943");
    assert_eq!(serde_json::to_string(&Base64(b"hi?>")).expect("JSON"), "\"aGk/Pg==\"");
}

#[test]
fn answers_outgrow_their_first_buffer() {
    let reply = Reply::json(&vec!["x".repeat(5000); 3], 0).expect("a reply");
    assert_eq!(reply.0.len(), 3 * 5002 + 4);
}
