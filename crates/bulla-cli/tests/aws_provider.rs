//! The provider of AWS KMS against Bulla's own server: the whole conformance suite, without a deviation, and with signatures verified.

#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use bulla_kms::KeySpec;
use bulla_kms_aws::conformance::AwsFixture;
use bulla_kms_aws::{AwsConfig, AwsRegion, StaticCredentials};
use bulla_testkit::BullaProcess;
use support::{BULLA, init};

/// Every spec that signs; RSA keys of the longer kinds take their time, and differ in nothing.
const SIGNING: &[KeySpec] = &[
    KeySpec::Rsa2048,
    KeySpec::EccNistP256,
    KeySpec::EccNistP384,
    KeySpec::EccNistP521,
    KeySpec::EccNistEdwards25519,
    KeySpec::EccSecgP256k1,
    KeySpec::MlDsa44,
    KeySpec::MlDsa65,
    KeySpec::MlDsa87,
];

/// A production service of its own for each clause; it ends with the test program.
async fn bulla() -> AwsFixture {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().join("data");
    let credentials = init(&data, &[]);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    let config = AwsConfig {
        endpoint_url: Some(server.endpoint().to_owned()),
        regions: vec![AwsRegion::parse("eu-west-1").expect("a region")],
        credentials: Some(StaticCredentials::new(
            credentials.access_key_id.as_str(),
            credentials.secret_access_key.as_str(),
            None,
        )),
        ..AwsConfig::default()
    };
    let fixture = AwsFixture::at(&config, &[]).await.signing(SIGNING);
    END.with(|end| {
        end.borrow_mut().push(Running {
            _server: server,
            _dir: dir,
        })
    });
    fixture
}

thread_local! {
    /// The suite's clauses own their fixture and nothing else, so what must outlive the fixture is dropped with the test's thread.
    static END: std::cell::RefCell<Vec<Running>> = const { std::cell::RefCell::new(Vec::new()) };
}

struct Running {
    _server: BullaProcess,
    _dir: tempfile::TempDir,
}

bulla_kms::provider_conformance!(bulla().await);
