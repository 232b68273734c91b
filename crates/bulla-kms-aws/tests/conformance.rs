//! The provider suite against moto, an emulator of AWS.

use bulla_kms::KeySpec;
use bulla_kms::conformance::Deviation;
use bulla_kms_aws::conformance::AwsFixture;
use bulla_kms_aws::{AwsConfig, AwsRegion, StaticCredentials};

/// Where moto 5.2 departs from AWS.
const MOTO: &[Deviation] = &[
    Deviation {
        clause: "unwrap_refuses_a_boundary_that_moved",
        instead: "moto authenticates the concatenation of keys and values, so a boundary may move",
    },
    Deviation {
        clause: "a_disabled_key_refuses_every_use",
        instead: "moto describes a disabled key as disabled, and goes on using it",
    },
    Deviation {
        clause: "unwrap_refuses_another_key",
        instead: "moto refuses with AccessDeniedException, where AWS says IncorrectKeyException",
    },
    Deviation {
        clause: "an_alias_resolves_and_may_move",
        instead: "moto refuses the alias that moved with AccessDeniedException, where AWS says IncorrectKeyException",
    },
    Deviation {
        clause: "unwrap_refuses_every_flipped_bit",
        instead: "moto's blob begins with a key id in clear: where that is changed it says AccessDeniedException",
    },
    Deviation {
        clause: "a_signature_verifies_under_the_public_key",
        instead: "moto knows no message type and hashes a digest again; Signer finds that out and gives it the message",
    },
    Deviation {
        clause: "a_signature_of_a_digest_is_one_of_its_message",
        instead: "moto knows no message type and hashes a digest again",
    },
    Deviation {
        clause: "a_disabled_key_signs_nothing",
        instead: "moto describes a disabled key as disabled, and goes on signing with it",
    },
    Deviation {
        clause: "a_key_is_for_one_thing",
        instead: "moto gives data keys under a key that signs",
    },
];

#[expect(
    clippy::disallowed_methods,
    reason = "scripts/test says by its environment where moto is"
)]
async fn moto() -> AwsFixture {
    let endpoint = std::env::var("BULLA_TEST_MOTO_URL").expect("this test needs moto: run ./scripts/test");
    let config = AwsConfig {
        endpoint_url: Some(endpoint),
        regions: vec![AwsRegion::parse("eu-west-1").expect("a region")],
        credentials: Some(StaticCredentials::new("AKIDEXAMPLE", "any secret does", None)),
        // moto answers one after another: two hundred calls at once wait for each other, and for what else the machine does.
        attempt_timeout: std::time::Duration::from_secs(30),
        operation_timeout: std::time::Duration::from_secs(60),
        ..AwsConfig::default()
    };
    AwsFixture::at(&config, MOTO)
        .await
        .signing(&[KeySpec::EccNistP256, KeySpec::EccNistP384, KeySpec::EccSecgP256k1])
}

bulla_kms::provider_conformance!(moto().await);
