use std::error::Error;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulla_crypto::{Context, DataKey};
use bulla_kms::KmsErrorKind::{self, *};
use bulla_kms::{KeyProvider, KmsError};
use bulla_kms_aws::{AwsConfig, AwsFault, AwsProvider};
use serde_json::json;

use crate::fake_aws::{Answer, DATA_KEY, FakeAws, KEY, config, kms_error, working, works};

async fn provider(config: &AwsConfig) -> AwsProvider {
    AwsProvider::connect(config).await.unwrap()
}

async fn generate(config: &AwsConfig) -> Result<(), KmsError> {
    provider(config)
        .await
        .generate_data_key(KEY, &Context::empty())
        .await
        .map(drop)
}

fn fault(error: &KmsError) -> &AwsFault {
    error
        .source()
        .and_then(|source| source.downcast_ref())
        .expect("a fault as source")
}

#[tokio::test]
async fn every_code_of_kms_becomes_its_kind_with_its_message() {
    let cases: [(&str, KmsErrorKind); 14] = [
        ("NotFoundException", NotFound),
        ("AccessDeniedException", AccessDenied),
        ("UnrecognizedClientException", AccessDenied),
        ("InvalidSignatureException", AccessDenied),
        ("ExpiredTokenException", AccessDenied),
        ("DisabledException", KeyDisabled),
        ("KMSInvalidStateException", KeyDisabled),
        ("KeyUnavailableException", Unavailable),
        ("InvalidCiphertextException", WrongContext),
        ("IncorrectKeyException", WrongContext),
        ("ThrottlingException", Throttled),
        ("LimitExceededException", Throttled),
        ("DependencyTimeoutException", Unavailable),
        ("KMSInternalException", Unavailable),
    ];
    for (code, kind) in cases {
        let aws = FakeAws::start(move |_| kms_error(code)).await;
        let provider = provider(&aws.config()).await;
        let error = provider.unwrap(KEY, b"wrapped", &Context::empty()).await.unwrap_err();
        assert_eq!(error.kind, kind, "{code}");
        assert_eq!(fault(&error).code.as_deref(), Some(code));
        assert!(fault(&error).text.contains("told so by the test"), "{}", fault(&error));
    }
}

#[tokio::test]
async fn throttling_and_5xx_are_tried_again_a_few_times() {
    for answer in [
        || kms_error("ThrottlingException"),
        || Answer::Text(503, "<html>busy</html>".to_owned()),
    ] {
        let aws = FakeAws::start(move |request| {
            if request.nth < 2 {
                answer()
            } else {
                working(KEY)(request)
            }
        })
        .await;
        generate(&AwsConfig {
            max_attempts: 3,
            ..aws.config()
        })
        .await
        .unwrap();
        assert_eq!(aws.seen().len(), 3);
    }
}

#[tokio::test]
async fn throttling_that_does_not_end_is_throttled_and_5xx_unavailable() {
    let aws = FakeAws::start(|_| kms_error("ThrottlingException")).await;
    let error = generate(&AwsConfig {
        max_attempts: 2,
        ..aws.config()
    })
    .await
    .unwrap_err();
    assert_eq!((error.kind, aws.seen().len()), (Throttled, 2));
    for status in [500, 502, 503, 504] {
        let aws = FakeAws::start(move |_| Answer::Text(status, "<html></html>".to_owned())).await;
        assert_eq!(generate(&aws.config()).await.unwrap_err().kind, Unavailable, "{status}");
    }
}

#[tokio::test]
async fn a_service_that_never_answers_is_unavailable_in_time() {
    let aws = FakeAws::start(|_| Answer::Hang).await;
    let times = AwsConfig {
        attempt_timeout: Duration::from_millis(100),
        operation_timeout: Duration::from_millis(1_000),
        max_attempts: 2,
        ..aws.config()
    };
    let began = Instant::now();
    assert_eq!(generate(&times).await.unwrap_err().kind, Unavailable);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(!aws.seen().is_empty());
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unavailable() {
    // A port that was free a moment ago, on a loopback address that nothing else uses.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(generate(&config(&url)).await.unwrap_err().kind, Unavailable);
}

#[tokio::test]
async fn an_answer_that_can_not_be_read_shows_no_data_key() {
    let plaintext = STANDARD.encode(DATA_KEY);
    let broken = format!("{{\"KeyId\":\"{KEY}\",\"Plaintext\":\"{plaintext}\",");
    let aws = FakeAws::start(move |_| Answer::Text(200, broken.clone())).await;
    let error = generate(&aws.config()).await.unwrap_err();
    assert_eq!(error.kind, Unavailable);
    let told = format!("{error} {error:?} {error:#?} {}", error.source().unwrap());
    assert!(!told.contains(&plaintext[..8]), "{told}");
}

#[tokio::test]
async fn a_data_key_of_another_size_is_refused() {
    for size in [0, 16, 31, 33, 64] {
        let aws = FakeAws::start(move |request| match request.operation().as_str() {
            "GenerateDataKey" => Answer::Json(
                200,
                json!({ "KeyId": KEY, "Plaintext": STANDARD.encode(vec![7; size]), "CiphertextBlob": "d3JhcHBlZA==" }),
            ),
            _ => Answer::Json(
                200,
                json!({ "KeyId": KEY, "Plaintext": STANDARD.encode(vec![7; size]) }),
            ),
        })
        .await;
        assert_eq!(generate(&aws.config()).await.unwrap_err().kind, Unavailable, "{size}");
        let unwrapped = provider(&aws.config())
            .await
            .unwrap(KEY, b"wrapped", &Context::empty())
            .await;
        assert_eq!(unwrapped.unwrap_err().kind, WrongContext, "{size}");
    }
}

#[tokio::test]
async fn an_answer_for_another_key_is_refused() {
    let other = KEY.replace("1234abcd", "ffffffff");
    let aws = FakeAws::start(working(&other)).await;
    let provider = provider(&aws.config()).await;
    let context = Context::empty();
    assert_eq!(
        provider.unwrap(KEY, b"wrapped", &context).await.unwrap_err().kind,
        WrongContext
    );
    assert_eq!(
        provider.generate_data_key(KEY, &context).await.unwrap_err().kind,
        Invalid
    );
    let id = KEY.rsplit_once('/').unwrap().1;
    assert_eq!(
        provider.unwrap(id, b"wrapped", &context).await.unwrap_err().kind,
        WrongContext
    );
}

#[tokio::test]
async fn every_call_names_its_key_and_its_context() {
    let aws = FakeAws::start(working(KEY)).await;
    let provider = provider(&aws.config()).await;
    let context = Context::from_pairs([("tenant", "a"), ("purpose", "token")]).unwrap();
    let data_key = DataKey::from_slice(&DATA_KEY).unwrap();
    let generated = provider
        .generate_data_key(&format!("aws-kms://{KEY}"), &context)
        .await
        .unwrap();
    assert_eq!(generated.data_key.expose_secret(), &DATA_KEY);
    assert_eq!(generated.wrapped.key, format!("aws-kms://{KEY}"));
    assert_eq!(generated.wrapped.bytes, b"wrapped");
    provider.wrap(KEY, &data_key, &context).await.unwrap();
    provider.unwrap(KEY, b"wrapped", &context).await.unwrap();
    assert_eq!(aws.operations(), ["GenerateDataKey", "Encrypt", "Decrypt"]);
    for request in aws.seen() {
        assert_eq!(request.json()["KeyId"], KEY, "{}", request.operation());
        assert_eq!(
            request.json()["EncryptionContext"],
            json!({ "tenant": "a", "purpose": "token" })
        );
    }
}

#[tokio::test]
async fn what_can_not_be_a_wrapped_key_costs_no_call() {
    let aws = FakeAws::start(|request| works(request, KEY, "2099-01-01T00:00:00Z")).await;
    let provider = provider(&aws.config()).await;
    for wrapped in [&[][..], &[0; 6145]] {
        let error = provider.unwrap(KEY, wrapped, &Context::empty()).await.unwrap_err();
        assert_eq!(error.kind, WrongContext);
    }
    assert_eq!(provider.describe("no such\nkey").await.unwrap_err().kind, Invalid);
    assert!(aws.seen().is_empty());
}
