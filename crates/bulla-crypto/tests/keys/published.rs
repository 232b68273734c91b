//! NIST's and others' published vectors (`tests/data/nist.json`), RFC 8032's Ed25519ph, and NIST's HMAC samples.

use bulla_crypto::keys::{
    EncryptionAlgorithm, KeySpec, Message, PrivateKey, PublicKey, SigningAlgorithm, unwrap_with_padding,
    wrap_with_padding,
};
use bulla_crypto::{DataKey, SecretBytes, SystemRandom};

use crate::{Vectors, algorithm, scalar_pkcs8, spec};

fn nist() -> Vectors {
    Vectors::load(include_str!("../data/nist.json"))
}

#[test]
fn ecdsa_agrees_with_cavp() {
    for vector in nist().list("ecdsa", 50) {
        let (spec, message) = (spec(vector.text("spec")), vector.bytes("message"));
        let algorithm = spec.signing_algorithms()[0];
        let public = PublicKey::from_spki_der(&vector.bytes("spki")).unwrap();
        assert_eq!(public.spec(), spec);
        let digest = algorithm.digest(&message).unwrap();
        for form in [Message::Raw(&message), Message::Digest(&digest)] {
            let verified = public.verify(algorithm, form, &vector.bytes("signature")).unwrap();
            assert_eq!(verified.is_valid(), vector.is("valid"));
        }
        if let Some(scalar) = vector.maybe_bytes("scalar") {
            let private = PrivateKey::from_imported(spec, &scalar_pkcs8(spec, &scalar)).unwrap();
            assert_eq!(private.public_key_der().unwrap(), vector.bytes("spki"));
            let signature = private.sign(algorithm, Message::Raw(&message), &SystemRandom).unwrap();
            assert!(
                public
                    .verify(algorithm, Message::Digest(&digest), &signature)
                    .unwrap()
                    .is_valid()
            );
        }
    }
}

#[test]
fn rsa_agrees_with_cavp() {
    for vector in nist().list("rsa", 100) {
        let algorithm = algorithm(vector.text("algorithm"));
        let verified = PublicKey::from_spki_der(&vector.bytes("spki")).is_ok_and(|public| {
            assert_eq!(public.spec(), spec(vector.text("spec")));
            let (message, signature) = (vector.bytes("message"), vector.bytes("signature"));
            public
                .verify(algorithm, Message::Raw(&message), &signature)
                .unwrap()
                .is_valid()
        });
        assert_eq!(verified, vector.is("valid"));
    }
}

#[test]
fn ecdh_agrees_with_cavp() {
    for vector in nist().list("ecdh", 25) {
        let spec = spec(vector.text("spec"));
        let private = PrivateKey::from_imported(spec, &scalar_pkcs8(spec, &vector.bytes("scalar"))).unwrap();
        let peer = PublicKey::from_spki_der(&vector.bytes("peer")).unwrap();
        let secret = private.agree(&peer).unwrap();
        assert_eq!(secret.expose_secret() == vector.bytes("secret"), vector.is("same"));
    }
}

#[test]
fn key_wrap_with_padding_agrees_with_cavp() {
    for vector in nist().list("keyWrap", 25) {
        let key = DataKey::from_slice(&vector.bytes("key")).unwrap();
        let wrapped = vector.bytes("wrapped");
        match vector.maybe_bytes("plaintext") {
            Some(plaintext) => {
                assert_eq!(unwrap_with_padding(&key, &wrapped).unwrap().expose_secret(), plaintext);
                assert_eq!(wrap_with_padding(&key, &plaintext).unwrap(), wrapped);
            }
            None => assert!(unwrap_with_padding(&key, &wrapped).is_err()),
        }
    }
}

#[test]
fn oaep_agrees_with_rsa_laboratories() {
    for vector in nist().list("oaep", 12) {
        let algorithm = match vector.text("algorithm") {
            "RSAES_OAEP_SHA_1" => EncryptionAlgorithm::RsaesOaepSha1,
            _ => EncryptionAlgorithm::RsaesOaepSha256,
        };
        let key = SecretBytes::from_vec(vector.bytes("pkcs8"));
        let key = PrivateKey::from_imported(KeySpec::Rsa2048, &key).unwrap();
        let opened = key.decrypt(algorithm, &vector.bytes("ciphertext")).unwrap();
        assert_eq!(opened.expose_secret(), vector.bytes("message"));
    }
}

#[test]
fn ml_dsa_agrees_with_the_reference_code() {
    for vector in nist().list("mlDsa", 6) {
        let key = PrivateKey::from_stored_bytes(spec(vector.text("spec")), &vector.bytes("seed")).unwrap();
        assert!(key.public_key_der().unwrap().ends_with(&vector.bytes("publicKey")));
        // Signed under a context; mu carries it, so the external form signs and verifies what the pure form would not.
        let (mu, signature) = (vector.bytes("mu"), vector.bytes("signature"));
        let algorithm = SigningAlgorithm::MlDsaShake256;
        let made = key.sign(algorithm, Message::ExternalMu(&mu), &crate::Zeros).unwrap();
        assert_eq!(made, signature);
        let public = key.public_key().unwrap();
        assert!(
            public
                .verify(algorithm, Message::ExternalMu(&mu), &signature)
                .unwrap()
                .is_valid()
        );
    }
}

#[test]
fn ml_kem_agrees_with_the_reference_code() {
    for vector in nist().list("mlKem", 6) {
        let key = PrivateKey::from_stored_bytes(spec(vector.text("spec")), &vector.bytes("seed")).unwrap();
        assert!(key.public_key_der().unwrap().ends_with(&vector.bytes("publicKey")));
        for (ciphertext, secret) in [("ciphertext", "secret"), ("rejectedCiphertext", "rejectedSecret")] {
            let opened = key.decapsulate(&vector.bytes(ciphertext)).unwrap();
            assert_eq!(opened.expose_secret(), vector.bytes(secret), "{ciphertext}");
        }
    }
}

/// RFC 8032, 7.3: "TEST abc".
#[test]
fn ed25519ph_agrees_with_rfc_8032() {
    let seed = "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42";
    let signature = "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41\
                     31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406";
    let pkcs8 = SecretBytes::from_vec(hex::decode(format!("302e020100300506032b657004220420{seed}")).unwrap());
    let key = PrivateKey::from_imported(KeySpec::EccNistEdwards25519, &pkcs8).unwrap();
    let public = key.public_key().unwrap();
    let algorithm = SigningAlgorithm::Ed25519PhSha512;
    let digest = algorithm.digest(b"abc").unwrap();
    let made = key.sign(algorithm, Message::Digest(&digest), &SystemRandom).unwrap();
    assert_eq!(hex::encode(&made), signature);
    assert!(
        public
            .verify(algorithm, Message::Digest(&digest), &made)
            .unwrap()
            .is_valid()
    );
    let pure = public.verify(SigningAlgorithm::Ed25519Sha512, Message::Raw(&digest), &made);
    assert!(!pure.unwrap().is_valid(), "another scheme, another signature");
}

/// NIST's samples for FIPS 198-1, "keylen<blocklen": keys 00 01 02 … as long as the hash.
#[test]
fn hmac_agrees_with_nist_samples() {
    for (spec, expected) in [
        (
            KeySpec::Hmac224,
            "e3d249a8cfb67ef8b7a169e9a0a599714a2cecba65999a51beb8fbbe",
        ),
        (
            KeySpec::Hmac256,
            "a28cf43130ee696a98f14a37678b56bcfcbdd9e5cf69717fecf5480f0ebdf790",
        ),
        (
            KeySpec::Hmac384,
            "6eb242bdbb582ca17bebfa481b1e23211464d2b7f8c20b9ff2201637b93646af5ae9ac316e98db45d9cae773675eeed0",
        ),
        (
            KeySpec::Hmac512,
            "fd44c18bda0bb0a6ce0e82b031bf2818f6539bd56ec00bdc10a8a2d730b3634d\
             e2545d639b0f2cf710d0692c72a1896f1f211c2b922d1a96c392e07e7ea9fedc",
        ),
    ] {
        let key: Vec<u8> = (0..expected.len() as u8 / 2).collect();
        let key = PrivateKey::from_stored_bytes(spec, &key).unwrap();
        let tag = key.generate_mac(spec.mac_algorithm().unwrap(), b"Sample message for keylen<blocklen");
        assert_eq!(hex::encode(tag.unwrap()), expected);
    }
}
