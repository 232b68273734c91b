use std::error::Error;

use bulla_crypto::Context;
use bulla_kms::KeyState;
use bulla_kms_aws::{AssumeRole, AwsConfig, AwsProvider, ProbeError, ProbeProblem, ProbeReport};
use serde_json::json;

use crate::fake_aws::{Answer, FakeAws, KEY, Seen, config, kms_error, metadata, sts_error, working};

async fn probe(config: &AwsConfig, key: &str) -> Result<ProbeReport, ProbeError> {
    AwsProvider::connect(config)
        .await
        .unwrap()
        .probe(key, &Context::empty())
        .await
}

/// What a probe finds where `operation` is answered so and everything else works.
async fn problem(operation: &'static str, answer: fn(&Seen) -> Answer) -> ProbeProblem {
    let respond = move |seen: &Seen| {
        if seen.operation() == operation {
            answer(seen)
        } else {
            working(KEY)(seen)
        }
    };
    let aws = FakeAws::start(respond).await;
    let error = probe(&aws.config(), KEY).await.unwrap_err();
    assert!(!error.problem.hint().is_empty());
    assert!(error.to_string().starts_with(&format!("AWS KMS key {KEY}: ")));
    error.problem
}

#[tokio::test]
async fn a_probe_of_a_good_key_tells_who_asks_and_what_answers() {
    let aws = FakeAws::start(working(KEY)).await;
    let context = Context::from_pairs([("tenant", "a")]).unwrap();
    let report = AwsProvider::connect(&aws.config())
        .await
        .unwrap()
        .probe("alias/app", &context)
        .await
        .unwrap();
    assert_eq!(
        report,
        ProbeReport {
            caller_arn: Some("arn:aws:iam::123456789012:user/test".to_owned()),
            key_arn: KEY.to_owned(),
            region: "eu-west-1".to_owned(),
            multi_region: false,
        }
    );
    assert_eq!(
        aws.operations(),
        ["GetCallerIdentity", "DescribeKey", "GenerateDataKeyWithoutPlaintext"]
    );
    assert_eq!(aws.seen()[2].json()["EncryptionContext"], json!({ "tenant": "a" }));
}

#[tokio::test]
async fn each_problem_of_the_key_is_named() {
    use ProbeProblem::*;
    let not_found = problem("DescribeKey", |_| kms_error("NotFoundException")).await;
    assert_eq!(
        not_found,
        KeyNotFound {
            region: "eu-west-1".to_owned()
        }
    );
    let disabled = problem("DescribeKey", |_| state("Disabled")).await;
    assert_eq!(
        disabled,
        KeyUnusable {
            state: KeyState::Disabled
        }
    );
    let pending = problem("DescribeKey", |_| state("PendingDeletion")).await;
    assert_eq!(
        pending,
        KeyUnusable {
            state: KeyState::PendingDeletion
        }
    );
    let import = problem("DescribeKey", |_| state("PendingImport")).await;
    assert_eq!(
        import,
        KeyUnusable {
            state: KeyState::Unavailable
        }
    );
    let signing = problem("DescribeKey", |_| {
        let mut metadata = metadata(KEY);
        metadata["KeySpec"] = json!("RSA_2048");
        metadata["KeyUsage"] = json!("SIGN_VERIFY");
        Answer::Json(200, json!({ "KeyMetadata": metadata }))
    })
    .await;
    assert_eq!(
        signing,
        WrongUsage {
            spec: "RSA_2048".to_owned(),
            usage: "SIGN_VERIFY".to_owned()
        }
    );
    let elsewhere = problem("DescribeKey", |_| {
        Answer::Json(
            400,
            json!({ "__type": "NotFoundException", "message": "Invalid arn eu-west-1" }),
        )
    })
    .await;
    assert_eq!(
        elsewhere,
        WrongRegion {
            key_region: "eu-west-1".to_owned()
        }
    );
    let denied = problem("GenerateDataKeyWithoutPlaintext", |_| {
        kms_error("AccessDeniedException")
    })
    .await;
    assert_eq!(
        denied,
        NotPermitted {
            action: "kms:GenerateDataKeyWithoutPlaintext"
        }
    );
    let busy = problem("DescribeKey", |_| kms_error("ThrottlingException")).await;
    assert_eq!(
        busy,
        NotNow {
            region: "eu-west-1".to_owned()
        }
    );
}

fn state(state: &str) -> Answer {
    let mut metadata = metadata(KEY);
    metadata["KeyState"] = json!(state);
    metadata["Enabled"] = json!(false);
    Answer::Json(200, json!({ "KeyMetadata": metadata }))
}

#[tokio::test]
async fn each_problem_of_the_credentials_is_named() {
    for code in ["InvalidClientTokenId", "ExpiredToken", "SignatureDoesNotMatch"] {
        let respond = move |seen: &Seen| match seen.operation().as_str() {
            "GetCallerIdentity" => sts_error(403, code),
            _ => working(KEY)(seen),
        };
        let aws = FakeAws::start(respond).await;
        let error = probe(&aws.config(), KEY).await.unwrap_err();
        assert_eq!(error.problem, ProbeProblem::CredentialsRefused, "{code}");
        assert!(error.source().unwrap().to_string().contains(code));
    }
    let refused = problem("DescribeKey", |_| kms_error("UnrecognizedClientException")).await;
    assert_eq!(refused, ProbeProblem::CredentialsRefused);

    let aws = FakeAws::start(|_| sts_error(403, "AccessDenied")).await;
    let roles = vec![AssumeRole::new("arn:aws:iam::123456789012:role/bulla")];
    let error = probe(&AwsConfig { roles, ..aws.config() }, KEY).await.unwrap_err();
    assert_eq!(error.problem, ProbeProblem::CredentialsNotObtained);
}

#[tokio::test]
async fn an_sts_that_is_missing_or_a_description_that_is_denied_is_no_problem() {
    let missing = |seen: &Seen| match seen.operation().as_str() {
        "GetCallerIdentity" => Answer::Text(404, "no STS here".to_owned()),
        _ => working(KEY)(seen),
    };
    let report = probe(&FakeAws::start(missing).await.config(), KEY).await.unwrap();
    assert_eq!(report.caller_arn, None);
    let denied = |seen: &Seen| match seen.operation().as_str() {
        "DescribeKey" => kms_error("AccessDeniedException"),
        _ => working(KEY)(seen),
    };
    probe(&FakeAws::start(denied).await.config(), KEY).await.unwrap();
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_and_a_name_that_is_none_are_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = probe(&config(&url), KEY).await.unwrap_err();
    assert_eq!(error.problem, ProbeProblem::NotReached { endpoint: url });
    let error = probe(&config("http://127.0.0.1:1"), "not a key").await.unwrap_err();
    assert_eq!(error.problem, ProbeProblem::MalformedKey);
}
