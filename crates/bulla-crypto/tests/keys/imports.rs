//! Imported key material: unwrapped by the right key in the right way only, and read strictly.

use bulla_crypto::blob::Material;
use bulla_crypto::keys::{
    KeySpec, PrivateKey, PublicKey, UseError, WrappingAlgorithm, imported_symmetric, unwrap_imported, wrap_for_import,
};
use bulla_crypto::{DataKey, SecretBytes, SystemRandom};
use proptest::prelude::*;

use crate::{Vectors, key, scalar_pkcs8};

const WRAPPINGS: [WrappingAlgorithm; 4] = [
    WrappingAlgorithm::RsaesOaepSha1,
    WrappingAlgorithm::RsaesOaepSha256,
    WrappingAlgorithm::RsaAesKeyWrapSha1,
    WrappingAlgorithm::RsaAesKeyWrapSha256,
];

fn secret(bytes: &[u8]) -> SecretBytes {
    SecretBytes::from_vec(bytes.to_vec())
}

fn import(spec: KeySpec, bytes: &[u8]) -> Option<PrivateKey> {
    PrivateKey::from_imported(spec, &secret(bytes)).ok()
}

fn pkcs8(spec: KeySpec) -> Vec<u8> {
    key(spec).pkcs8_der().unwrap().expose_secret().to_vec()
}

#[test]
fn material_unwraps_in_the_way_it_was_wrapped_and_in_no_other() {
    for spec in [KeySpec::Rsa2048, KeySpec::Rsa3072, KeySpec::Rsa4096] {
        let (wrapping, other) = (key(spec), key(spec));
        let public = wrapping.public_key().unwrap();
        let (short, long) = (vec![7; 32], pkcs8(KeySpec::Rsa2048));
        for algorithm in WRAPPINGS {
            for material in [&short, &long] {
                let wrapped = match wrap_for_import(&public, algorithm, &SystemRandom, material) {
                    Ok(wrapped) => wrapped,
                    Err(error) => {
                        assert!(matches!(error, UseError::TooLong { .. }) && material.len() > 32);
                        continue;
                    }
                };
                assert_eq!(
                    unwrap_imported(&wrapping, algorithm, &wrapped).unwrap().expose_secret(),
                    material
                );
                for wrong in WRAPPINGS.into_iter().filter(|wrong| *wrong != algorithm) {
                    assert!(
                        unwrap_imported(&wrapping, wrong, &wrapped).is_err(),
                        "{algorithm:?} as {wrong:?}"
                    );
                }
                assert!(unwrap_imported(&other, algorithm, &wrapped).is_err());
                for cut in [0, 1, wrapped.len() / 2, wrapped.len() - 1] {
                    assert!(unwrap_imported(&wrapping, algorithm, &wrapped[..cut]).is_err());
                }
                for at in [0, 100, wrapped.len() - 9, wrapped.len() - 1] {
                    let mut changed = wrapped.clone();
                    changed[at] ^= 1;
                    assert!(unwrap_imported(&wrapping, algorithm, &changed).is_err());
                }
                assert!(unwrap_imported(&wrapping, algorithm, &[&wrapped[..], &[0; 8]].concat()).is_err());
            }
        }
    }
    let curve = key(KeySpec::EccNistP256);
    assert!(unwrap_imported(&curve, WrappingAlgorithm::RsaesOaepSha256, &[0; 256]).is_err());
}

#[test]
fn raw_material_has_exactly_its_length() {
    assert!(imported_symmetric(&secret(&[1; 32])).is_ok());
    for length in [0, 16, 31, 33, 64] {
        assert!(imported_symmetric(&secret(&vec![1; length])).is_err());
    }
    for spec in KeySpec::ALL.into_iter().filter(|spec| !spec.is_asymmetric()) {
        let right = key(spec).stored_bytes().len();
        for length in 0..80 {
            assert_eq!(
                import(spec, &vec![1; length]).is_some(),
                length == right,
                "{spec} of {length}"
            );
        }
    }
}

#[test]
fn a_key_of_another_kind_is_refused_and_so_is_anything_after_the_end() {
    for spec in KeySpec::ALL.into_iter().filter(|spec| spec.is_asymmetric()) {
        let bytes = pkcs8(spec);
        // Bytes of the right length are an HMAC key, whatever else they are.
        for other in KeySpec::ALL.into_iter().filter(|other| other.is_asymmetric()) {
            assert_eq!(import(other, &bytes).is_some(), other == spec, "{spec} as {other}");
        }
        assert!(import(spec, &[&bytes[..], &[0]].concat()).is_none(), "{spec}");
        for cut in 0..bytes.len() {
            assert!(import(spec, &bytes[..cut]).is_none(), "{spec} cut at {cut}");
        }
        assert!(
            import(spec, key(spec).public_key_der().unwrap()).is_none(),
            "a public key is none"
        );
    }
}

#[test]
fn one_curve_key_in_several_encodings_is_one_key() {
    for spec in [
        KeySpec::EccNistP256,
        KeySpec::EccNistP384,
        KeySpec::EccNistP521,
        KeySpec::EccSecgP256k1,
    ] {
        let with = import(spec, scalar_pkcs8(spec, &[1, 2, 3]).expose_secret()).unwrap();
        let again = import(spec, with.stored_bytes().expose_secret()).unwrap();
        assert!(
            with.stored_bytes().len() > scalar_pkcs8(spec, &[1, 2, 3]).len(),
            "the public key is in the stored form"
        );
        assert_eq!(
            with.stored_bytes().expose_secret(),
            again.stored_bytes().expose_secret()
        );
        assert_eq!(with.material_id("k"), again.material_id("k"));
        // FIPS 186-5, 6.2: d is from 1 to n - 1.
        assert!(import(spec, scalar_pkcs8(spec, &[]).expose_secret()).is_none(), "zero");
        let too_large = vec![0xff; scalar_size(spec)];
        assert!(
            import(spec, scalar_pkcs8(spec, &too_large).expose_secret()).is_none(),
            "more than the order"
        );
        let mut inconsistent = with.stored_bytes().expose_secret().to_vec();
        *inconsistent.last_mut().unwrap() ^= 1;
        assert!(
            import(spec, &inconsistent).is_none(),
            "a public key that is not the scalar's"
        );
        let other = scalar_pkcs8(spec, &[9]);
        let other = import(spec, other.expose_secret()).unwrap();
        let mut mixed = with.stored_bytes().expose_secret().to_vec();
        let point = other.public_key_der().unwrap();
        let point = &point[point.len() - (2 * scalar_size(spec) + 1)..];
        let start = mixed.len() - point.len();
        mixed[start..].copy_from_slice(point);
        assert!(import(spec, &mixed).is_none(), "another key's public key");
    }
}

fn scalar_size(spec: KeySpec) -> usize {
    match spec {
        KeySpec::EccNistP521 => 66,
        KeySpec::EccNistP384 => 48,
        _ => 32,
    }
}

#[test]
fn an_ed25519_key_may_carry_its_own_public_key_and_no_other() {
    let spec = KeySpec::EccNistEdwards25519;
    let own = key(spec);
    let seed = &own.stored_bytes().expose_secret()[16..];
    let public = own.public_key_der().unwrap()[12..].to_vec();
    let version_2 = |public: &[u8]| {
        let head = hex::decode("3051020101300506032b657004220420").unwrap();
        [&head, seed, &[0x81, 0x21, 0], public].concat()
    };
    let imported = import(spec, &version_2(&public)).unwrap();
    assert_eq!(
        imported.stored_bytes().expose_secret(),
        own.stored_bytes().expose_secret()
    );
    let mut another = public;
    another[3] ^= 1;
    assert!(import(spec, &version_2(&another)).is_none());
}

#[test]
fn an_ml_dsa_key_needs_its_seed_and_the_expanded_key_must_be_the_seeds() {
    let spec = KeySpec::MlDsa44;
    let own = key(spec);
    let expanded = own_expanded(&own);
    let identifier = hex::decode("300b0609608648016503040311").unwrap();
    let wrap = |key: Vec<u8>| {
        let key = [&[4, 0x82], &(key.len() as u16).to_be_bytes()[..], &key].concat();
        let body = [&[2, 1, 0], &identifier[..], &key].concat();
        [&[0x30, 0x82], &(body.len() as u16).to_be_bytes()[..], &body].concat()
    };
    let octets = |bytes: &[u8]| [&[4, 0x82], &(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let both = |seed: &[u8], expanded: &[u8]| {
        let inner = [&[4, 32], seed, &octets(expanded)].concat();
        wrap([&[0x30, 0x82], &(inner.len() as u16).to_be_bytes()[..], &inner].concat())
    };
    let seed = own.stored_bytes().expose_secret();
    let imported = import(spec, &both(seed, &expanded)).expect("seed and expanded key");
    assert_eq!(imported.stored_bytes().expose_secret(), seed);
    assert!(import(spec, &both(&[1; 32], &expanded)).is_none(), "another seed");
    assert!(
        import(spec, &wrap(octets(&expanded))).is_none(),
        "no seed, nothing to store"
    );
}

/// The expanded key (FIPS 204, algorithm 24) by the library that signs.
fn own_expanded(key: &PrivateKey) -> Vec<u8> {
    use aws_lc_rs::encoding::AsRawBytes;
    use aws_lc_rs::signature::{ML_DSA_44_SIGNING, PqdsaKeyPair};
    let pair = PqdsaKeyPair::from_seed(&ML_DSA_44_SIGNING, key.stored_bytes().expose_secret()).unwrap();
    pair.private_key().as_raw_bytes().unwrap().as_ref().to_vec()
}

#[test]
#[expect(deprecated, reason = "the expanded form is what others write")]
fn an_ml_kem_key_that_has_both_forms_has_them_of_one_key() {
    use bulla_crypto::constant_time_eq;
    use ml_kem::{DecapsulationKey512, DecapsulationKey768, DecapsulationKey1024, ExpandedKeyEncoding, Seed};
    for (spec, oid) in [(KeySpec::MlKem512, 1), (KeySpec::MlKem768, 2), (KeySpec::MlKem1024, 3)] {
        // Drawn for this: the keys that tests share may be one and the same.
        let (a, b) = (key(spec), PrivateKey::generate(spec, &SystemRandom).unwrap());
        let expand = |key: &PrivateKey| {
            let seed = Seed::try_from(key.stored_bytes().expose_secret()).unwrap();
            match spec {
                KeySpec::MlKem512 => DecapsulationKey512::from_seed(seed).to_expanded_bytes().to_vec(),
                KeySpec::MlKem768 => DecapsulationKey768::from_seed(seed).to_expanded_bytes().to_vec(),
                _ => DecapsulationKey1024::from_seed(seed).to_expanded_bytes().to_vec(),
            }
        };
        let long = |tag: u8, bytes: &[u8]| [&[tag, 0x82], &(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
        let identifier = hex::decode(format!("300b060960864801650304040{oid}")).unwrap();
        let both = |seed: &[u8], expanded: &[u8]| {
            let inner = long(0x30, &[&[4, 64], seed, &long(4, expanded)].concat());
            long(0x30, &[&[2, 1, 0], &identifier[..], &long(4, &inner)].concat())
        };
        let seed = a.stored_bytes().expose_secret();
        let imported = import(spec, &both(seed, &expand(&a))).expect("seed and expanded key");
        assert!(constant_time_eq(imported.stored_bytes().expose_secret(), seed));
        assert!(
            import(spec, &both(seed, &expand(&b))).is_none(),
            "another key's expanded half"
        );
        assert!(import(spec, &both(seed, &[])).is_none());
    }
}

#[test]
fn nothing_unlisted_follows_the_private_key_inside_its_wrapping() {
    for spec in KeySpec::ALL.into_iter().filter(|spec| spec.is_asymmetric()) {
        let bytes = pkcs8(spec);
        let body = match bytes[1] {
            0x82 => &bytes[4..],
            0x81 => &bytes[3..],
            _ => &bytes[2..],
        };
        let wrap = |body: &[u8]| match body.len() {
            length @ 0..=0x7f => [&[0x30, length as u8], body].concat(),
            length @ 0x80..=0xff => [&[0x30, 0x81, length as u8], body].concat(),
            length => [&[0x30, 0x82], &(length as u16).to_be_bytes()[..], body].concat(),
        };
        assert!(import(spec, &wrap(body)).is_some(), "{spec}");
        for more in [&[0][..], &[4, 1, 0], &[5, 0], &[0xa1, 0], &[0x30, 0]] {
            assert!(
                import(spec, &wrap(&[body, more].concat())).is_none(),
                "{spec} and {more:02x?}"
            );
        }
    }
}

#[test]
fn a_seeded_key_may_carry_its_own_public_key_and_no_other() {
    for spec in [KeySpec::MlDsa44, KeySpec::MlKem768] {
        let own = key(spec);
        let der = own.public_key_der().unwrap();
        let length = match spec {
            KeySpec::MlDsa44 => 1312,
            _ => 1184,
        };
        let version_2 = |public: &[u8]| {
            let bytes = pkcs8(spec);
            let public = [&[0], public].concat();
            let body = [
                &[2, 1, 1],
                &bytes[5..],
                &[0x81, 0x82],
                &(public.len() as u16).to_be_bytes()[..],
                &public,
            ]
            .concat();
            [&[0x30, 0x82], &(body.len() as u16).to_be_bytes()[..], &body].concat()
        };
        let public = &der[der.len() - length..];
        let mut another = public.to_vec();
        another[3] ^= 1;
        assert!(import(spec, &version_2(&another)).is_none(), "{spec}");
        assert!(import(spec, &version_2(&public[1..])).is_none(), "{spec}");
        if spec == KeySpec::MlKem768 {
            // The library that reads ML-DSA keys takes version 1 only.
            assert!(import(spec, &version_2(public)).is_some(), "{spec}");
        }
    }
}

#[test]
fn an_rsa_exponent_is_kept_in_the_spelling_in_which_it_came() {
    let [lambda, phi] = include_str!("../data/rsa_exponents.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| hex::decode(line).unwrap())
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    let [lambda, phi] = [lambda, phi].map(|bytes| import(KeySpec::Rsa2048, &bytes).expect("an RSA key"));
    assert_eq!(lambda.public_key_der(), phi.public_key_der(), "one key");
    assert_ne!(
        lambda.stored_bytes().expose_secret(),
        phi.stored_bytes().expose_secret()
    );
    assert_ne!(lambda.material_id("k"), phi.material_id("k"));
}

#[test]
fn the_material_id_is_the_one_of_the_specification() {
    let bytes: Vec<u8> = (0..64).collect();
    let key_id = "1234abcd-12ab-34cd-56ef-1234567890ab";
    // By another implementation, from spec/ciphertext-blob.md alone.
    let expected = "d5008199bf138ee11da04b8eb852c1865ad7464315923d9fcdb7d2c91756e55a";
    let hmac = PrivateKey::from_stored_bytes(KeySpec::Hmac512, &bytes).unwrap();
    assert_eq!(hex::encode(hmac.material_id(key_id)), expected);
    let kem = PrivateKey::from_stored_bytes(KeySpec::MlKem768, &bytes).unwrap();
    assert_eq!(
        hex::encode(kem.material_id(key_id)),
        expected,
        "the kind of key is no part of it"
    );
    // Symmetric material keys nothing else, so its id needs no key of its own.
    let symmetric = Material::new(&DataKey::from_slice(&bytes[..32]).unwrap(), key_id).unwrap();
    let hmac = PrivateKey::from_stored_bytes(KeySpec::Hmac256, &bytes[..32]).unwrap();
    assert_ne!(symmetric.id(), &hmac.material_id(key_id));
}

#[test]
fn public_keys_of_bad_form_are_refused() {
    for spec in KeySpec::ALL.into_iter().filter(|spec| spec.is_asymmetric()) {
        let private = key(spec);
        let der = private.public_key_der().unwrap();
        assert_eq!(PublicKey::from_spki_der(der).unwrap().spki_der(), der);
        assert!(PublicKey::from_spki_der(&[der, &[0]].concat()).is_err());
        for cut in 0..der.len() {
            assert!(PublicKey::from_spki_der(&der[..cut]).is_err(), "{spec} cut at {cut}");
        }
        assert!(PublicKey::from_spki_der(private.pkcs8_der().unwrap().expose_secret()).is_err());
    }
    let zero_point = [
        &hex::decode("3059301306072a8648ce3d020106082a8648ce3d030107034200").unwrap()[..],
        &[4],
        &[0; 64],
    ];
    assert!(
        PublicKey::from_spki_der(&zero_point.concat()).is_err(),
        "not on the curve"
    );
}

fn rsa() -> Vec<u8> {
    let vectors = Vectors::load(include_str!("../data/interop.json"));
    vectors.list("keys", 1)[0].bytes("pkcs8")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn an_rsa_key_with_any_bit_flipped_is_refused_or_the_same_key(at in 0..1216usize, bit in 0..8) {
        let own = import(KeySpec::Rsa2048, &rsa()).expect("a key");
        let mut bytes = rsa();
        let at = at % bytes.len();
        bytes[at] ^= 1u8 << bit;
        // One bit says only by which version of PKCS#8 it is written.
        if let Some(imported) = import(KeySpec::Rsa2048, &bytes) {
            prop_assert_eq!(imported.stored_bytes().expose_secret(), own.stored_bytes().expose_secret(), "{} {}", at, bit);
        }
    }

    #[test]
    fn a_curve_key_with_any_bit_flipped_is_refused_or_the_same_key(at in 0..138usize, bit in 0..8) {
        let own = key(KeySpec::EccNistP256);
        let mut bytes = own.stored_bytes().expose_secret().to_vec();
        let at = at % bytes.len();
        bytes[at] ^= 1u8 << bit;
        // One bit of the public half says only in which form it is written.
        if let Some(imported) = import(KeySpec::EccNistP256, &bytes) {
            prop_assert_eq!(imported.stored_bytes().expose_secret(), own.stored_bytes().expose_secret(), "{} {}", at, bit);
        }
    }
}
