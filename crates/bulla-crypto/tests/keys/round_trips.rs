//! What one half of a key makes, the other takes; nothing else takes it.

use bulla_crypto::SystemRandom;

use crate::key;
use bulla_crypto::keys::{
    EncryptionAlgorithm, KeySpec, MU_BYTES, MacAlgorithm, Message, PrivateKey, PublicKey, SigningAlgorithm, UseError,
    Verification, max_plaintext_bytes,
};

const MESSAGE: &[u8] = b"the message";

/// Bytes, and what type of message they are.
type Form = (Vec<u8>, fn(&[u8]) -> Message<'_>);

/// Every type of message that the algorithm takes, for one and the same message.
fn forms(public: &PublicKey, algorithm: SigningAlgorithm) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    if algorithm != SigningAlgorithm::Ed25519PhSha512 {
        forms.push((MESSAGE.to_vec(), |bytes| Message::Raw(bytes)));
    }
    if let Some(digest) = algorithm.digest(MESSAGE) {
        forms.push((digest, |bytes| Message::Digest(bytes)));
    }
    if let Some(mu) = public.external_mu(MESSAGE) {
        forms.push((mu.to_vec(), |bytes| Message::ExternalMu(bytes)));
    }
    forms
}

#[test]
fn every_form_of_a_message_verifies_what_any_form_signed() {
    for spec in KeySpec::ALL {
        if spec.signing_algorithms().is_empty() {
            continue;
        }
        let (private, other) = (key(spec), key(spec).public_key().unwrap());
        let public = private.public_key().unwrap();
        for &algorithm in spec.signing_algorithms() {
            let forms = forms(&public, algorithm);
            for (signed, form) in &forms {
                let signature = private.sign(algorithm, form(signed), &SystemRandom).unwrap();
                for (bytes, form) in &forms {
                    let verify = |key: &PublicKey, bytes: &[u8], signature: &[u8]| {
                        key.verify(algorithm, form(bytes), signature).unwrap()
                    };
                    assert_eq!(
                        verify(&public, bytes, &signature),
                        Verification::Valid,
                        "{spec} {algorithm:?}"
                    );
                    assert_eq!(
                        verify(&other, bytes, &signature),
                        Verification::Invalid,
                        "{spec} {algorithm:?}"
                    );
                    let mut changed = bytes.clone();
                    changed[0] ^= 1;
                    assert_eq!(verify(&public, &changed, &signature), Verification::Invalid);
                    for length in [0, 1, signature.len() - 1] {
                        assert_eq!(verify(&public, bytes, &signature[..length]), Verification::Invalid);
                    }
                    let longer = [&signature[..], &[0]].concat();
                    assert_eq!(verify(&public, bytes, &longer), Verification::Invalid);
                }
            }
        }
    }
}

#[test]
fn stored_bytes_make_the_same_key_again() {
    for spec in KeySpec::ALL {
        let private = key(spec);
        let again = PrivateKey::from_stored_bytes(spec, private.stored_bytes().expose_secret()).unwrap();
        assert_eq!(
            again.stored_bytes().expose_secret(),
            private.stored_bytes().expose_secret()
        );
        assert_eq!(again.public_key_der(), private.public_key_der());
        assert_eq!(again.material_id("k"), private.material_id("k"));
        assert_ne!(again.material_id("k"), private.material_id("l"));
        assert_eq!(private.public_key_der().is_some(), spec.is_asymmetric());
        if let Some(pkcs8) = private.pkcs8_der() {
            let imported = PrivateKey::from_imported(spec, &pkcs8).unwrap();
            assert_eq!(
                imported.stored_bytes().expose_secret(),
                private.stored_bytes().expose_secret()
            );
        }
        for other in KeySpec::ALL.into_iter().filter(|other| *other != spec) {
            // The stored form of ML-DSA, ML-KEM and HMAC keys is bytes alone: whoever stores them stores the spec beside them.
            if private.stored_bytes().len() > 64 || !other.encryption_algorithms().is_empty() {
                let refused = PrivateKey::from_stored_bytes(other, private.stored_bytes().expose_secret());
                assert!(refused.is_err(), "{spec} as {other}");
            }
        }
    }
}

#[test]
fn algorithms_of_other_specs_and_messages_of_other_types_are_errors() {
    for spec in KeySpec::ALL {
        let private = key(spec);
        for algorithm in SigningAlgorithm::ALL {
            if !spec.signing_algorithms().contains(&algorithm) {
                let error = private.sign(algorithm, Message::Raw(MESSAGE), &SystemRandom);
                assert_eq!(error, Err(UseError::Incompatible(spec)));
                if let Ok(public) = private.public_key() {
                    let error = public.verify(algorithm, Message::Raw(MESSAGE), &[0; 64]);
                    assert_eq!(error, Err(UseError::Incompatible(spec)));
                }
                continue;
            }
            let public = private.public_key().unwrap();
            let both = |message: Message<'_>| {
                let signed = private.sign(algorithm, message, &SystemRandom).map(|_| ());
                assert_eq!(signed, public.verify(algorithm, message, &[0; 64]).map(|_| ()));
                signed
            };
            let expected = match algorithm.digest_bytes() {
                None => Err(UseError::MessageType),
                Some(expected) => {
                    assert_eq!(both(Message::Digest(&[1].repeat(expected))), Ok(()));
                    Err(UseError::DigestLength { expected, actual: 31 })
                }
            };
            assert_eq!(both(Message::Digest(&[1; 31])), expected, "{spec} {algorithm:?}");
            let expected = match algorithm {
                SigningAlgorithm::MlDsaShake256 => Err(UseError::DigestLength {
                    expected: MU_BYTES,
                    actual: 63,
                }),
                _ => Err(UseError::MessageType),
            };
            assert_eq!(both(Message::ExternalMu(&[1; 63])), expected, "{spec} {algorithm:?}");
            let expected = match algorithm {
                SigningAlgorithm::Ed25519PhSha512 => Err(UseError::MessageType),
                _ => Ok(()),
            };
            assert_eq!(both(Message::Raw(MESSAGE)), expected);
        }
    }
}

#[test]
fn macs_verify_whole_and_under_their_own_key_only() {
    let sizes = [
        (KeySpec::Hmac224, 28),
        (KeySpec::Hmac256, 32),
        (KeySpec::Hmac384, 48),
        (KeySpec::Hmac512, 64),
    ];
    for (spec, size) in sizes {
        let (private, other) = (key(spec), key(spec));
        let algorithm = spec.mac_algorithm().unwrap();
        let tag = private.generate_mac(algorithm, MESSAGE).unwrap();
        assert_eq!((tag.len(), private.stored_bytes().len()), (size, size));
        assert!(private.verify_mac(algorithm, MESSAGE, &tag).unwrap().is_valid());
        assert!(!other.verify_mac(algorithm, MESSAGE, &tag).unwrap().is_valid());
        assert!(!private.verify_mac(algorithm, b"another", &tag).unwrap().is_valid());
        for length in 0..tag.len() {
            assert!(
                !private
                    .verify_mac(algorithm, MESSAGE, &tag[..length])
                    .unwrap()
                    .is_valid()
            );
        }
        for bit in 0..tag.len() * 8 {
            let mut changed = tag.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!private.verify_mac(algorithm, MESSAGE, &changed).unwrap().is_valid());
        }
        let wrong = if spec == KeySpec::Hmac256 {
            MacAlgorithm::HmacSha512
        } else {
            MacAlgorithm::HmacSha256
        };
        assert_eq!(private.generate_mac(wrong, MESSAGE), Err(UseError::Incompatible(spec)));
        for length in [0, size - 1, size + 1] {
            assert!(PrivateKey::from_stored_bytes(spec, &vec![1; length]).is_err());
        }
    }
    let not_hmac = key(KeySpec::EccNistP256).generate_mac(MacAlgorithm::HmacSha256, MESSAGE);
    assert_eq!(not_hmac, Err(UseError::Incompatible(KeySpec::EccNistP256)));
}

#[test]
fn oaep_takes_what_aws_takes_and_opens_under_its_own_key_and_hash_only() {
    use EncryptionAlgorithm::{RsaesOaepSha1, RsaesOaepSha256};
    let maxima = [
        (KeySpec::Rsa2048, RsaesOaepSha1, 214),
        (KeySpec::Rsa2048, RsaesOaepSha256, 190),
        (KeySpec::Rsa3072, RsaesOaepSha1, 342),
        (KeySpec::Rsa3072, RsaesOaepSha256, 318),
        (KeySpec::Rsa4096, RsaesOaepSha1, 470),
        (KeySpec::Rsa4096, RsaesOaepSha256, 446),
    ];
    for pair in maxima.chunks(2) {
        let spec = pair[0].0;
        let (private, other) = (key(spec), key(spec));
        let public = private.public_key().unwrap();
        for &(_, algorithm, max) in pair {
            assert_eq!(max_plaintext_bytes(spec, algorithm), Some(max));
            let wrong_hash = if algorithm == RsaesOaepSha1 {
                RsaesOaepSha256
            } else {
                RsaesOaepSha1
            };
            for length in [0, 1, max] {
                let plaintext = vec![7; length];
                let ciphertext = public.encrypt(algorithm, &plaintext).unwrap();
                assert_eq!(
                    private.decrypt(algorithm, &ciphertext).unwrap().expose_secret(),
                    plaintext
                );
                assert!(other.decrypt(algorithm, &ciphertext).is_err());
                assert!(private.decrypt(wrong_hash, &ciphertext).is_err());
                assert!(private.decrypt(algorithm, &ciphertext[1..]).is_err());
                let longer = [&ciphertext[..], &[0]].concat();
                assert!(private.decrypt(algorithm, &longer).is_err());
            }
            let too_long = public.encrypt(algorithm, &vec![7; max + 1]);
            assert_eq!(too_long, Err(UseError::TooLong { max }));
        }
    }
}

#[test]
fn two_keys_on_one_curve_agree_and_others_do_not() {
    for (spec, size) in [
        (KeySpec::EccNistP256, 32),
        (KeySpec::EccNistP384, 48),
        (KeySpec::EccNistP521, 66),
    ] {
        let (ours, theirs) = (key(spec), key(spec));
        let (our_public, their_public) = (ours.public_key().unwrap(), theirs.public_key().unwrap());
        let secret = ours.agree(&their_public).unwrap();
        assert_eq!(secret.len(), size);
        assert_eq!(
            theirs.agree(&our_public).unwrap().expose_secret(),
            secret.expose_secret()
        );
        assert_ne!(ours.agree(&our_public).unwrap().expose_secret(), secret.expose_secret());
        for other in KeySpec::ALL.into_iter().filter(|other| *other != spec) {
            if let Ok(public) = key(other).public_key() {
                assert!(ours.agree(&public).is_err(), "{spec} with {other}");
            }
        }
    }
    let k256 = key(KeySpec::EccSecgP256k1);
    assert!(k256.agree(&k256.public_key().unwrap()).is_err());
}

#[test]
fn decapsulation_gives_the_encapsulated_secret_and_another_for_another_ciphertext() {
    for (spec, size) in [
        (KeySpec::MlKem512, 768),
        (KeySpec::MlKem768, 1088),
        (KeySpec::MlKem1024, 1568),
    ] {
        let private = key(spec);
        let made = private.public_key().unwrap().encapsulate().unwrap();
        assert_eq!((made.ciphertext.len(), made.shared_secret.len()), (size, 32));
        let secret = private.decapsulate(&made.ciphertext).unwrap();
        assert_eq!(secret.expose_secret(), made.shared_secret.expose_secret());
        let mut changed = made.ciphertext.clone();
        changed[size / 2] ^= 1;
        let rejected = private.decapsulate(&changed).unwrap();
        assert_ne!(rejected.expose_secret(), secret.expose_secret());
        let other = key(spec).decapsulate(&made.ciphertext).unwrap();
        assert_ne!(other.expose_secret(), secret.expose_secret());
        assert!(private.decapsulate(&made.ciphertext[1..]).is_err());
        assert!(private.decapsulate(&[&made.ciphertext[..], &[0]].concat()).is_err());
        let reread = PrivateKey::from_stored_bytes(spec, private.stored_bytes().expose_secret()).unwrap();
        assert_eq!(
            reread.decapsulate(&made.ciphertext).unwrap().expose_secret(),
            secret.expose_secret()
        );
    }
}

#[test]
fn debug_shows_no_secret() {
    for spec in KeySpec::ALL {
        assert_eq!(format!("{:?}", key(spec)), format!("PrivateKey({spec}, redacted)"));
    }
}
