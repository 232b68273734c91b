//! Keys of every spec: round trips, refusals, and the vectors of Wycheproof, NIST and another library.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::Mutex;

use bulla_crypto::keys::{KeySpec, PrivateKey, SigningAlgorithm};
use bulla_crypto::{Random, RandomError, SecretBytes, SystemRandom};

#[path = "keys/imports.rs"]
mod imports;
#[path = "keys/interoperation.rs"]
mod interoperation;
#[path = "keys/published.rs"]
mod published;
#[path = "keys/round_trips.rs"]
mod round_trips;
#[path = "keys/wycheproof_secrets.rs"]
mod wycheproof_secrets;
#[path = "keys/wycheproof_signatures.rs"]
mod wycheproof_signatures;

/// Writes PKCS#8 around a scalar alone, the public key left out, as published vectors give private keys.
fn scalar_pkcs8(spec: KeySpec, scalar: &[u8]) -> SecretBytes {
    let size = match spec {
        KeySpec::EccNistP521 => 66,
        KeySpec::EccNistP384 => 48,
        _ => 32,
    };
    let scalar: Vec<u8> = scalar.iter().copied().skip_while(|byte| *byte == 0).collect();
    let mut inner = vec![0x30, 5 + size as u8, 2, 1, 1, 4, size as u8];
    inner.resize(inner.len() + size - scalar.len(), 0);
    inner.extend(scalar);
    let own = key(spec);
    let own = own.public_key_der().unwrap();
    let start = if own[1] < 0x80 { 2 } else { 3 };
    let identifier = &own[start..start + 2 + usize::from(own[start + 1])];
    let mut out = vec![0x30, (3 + identifier.len() + 2 + inner.len()) as u8, 2, 1, 0];
    out.extend_from_slice(identifier);
    out.extend([4, inner.len() as u8]);
    out.extend(inner);
    SecretBytes::from_vec(out)
}

/// Hands out zeros: the deterministic variant of ML-DSA is the hedged one with 32 of them (FIPS 204, 3.4).
struct Zeros;

impl Random for Zeros {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        out.fill(0);
        Ok(())
    }
}

/// Gives one of two fresh keys of a spec in turn, each drawn once: an RSA key takes seconds in a build that is not optimised.
fn key(spec: KeySpec) -> PrivateKey {
    static KEYS: Mutex<BTreeMap<KeySpec, Vec<Vec<u8>>>> = Mutex::new(BTreeMap::new());
    let mut keys = KEYS.lock().unwrap();
    let drawn = keys.entry(spec).or_default();
    if drawn.len() < 2 {
        let key = PrivateKey::generate(spec, &SystemRandom).unwrap();
        drawn.push(key.stored_bytes().expose_secret().to_vec());
        return key;
    }
    drawn.swap(0, 1);
    PrivateKey::from_stored_bytes(spec, &drawn[0]).unwrap()
}

fn spec(name: &str) -> KeySpec {
    let named = KeySpec::ALL.into_iter().find(|spec| spec.name() == name);
    named.unwrap()
}

fn algorithm(name: &str) -> SigningAlgorithm {
    let names = [
        ("RSASSA_PSS_SHA_256", SigningAlgorithm::RsassaPssSha256),
        ("RSASSA_PSS_SHA_384", SigningAlgorithm::RsassaPssSha384),
        ("RSASSA_PSS_SHA_512", SigningAlgorithm::RsassaPssSha512),
        ("RSASSA_PKCS1_V1_5_SHA_256", SigningAlgorithm::RsassaPkcs1V15Sha256),
        ("RSASSA_PKCS1_V1_5_SHA_384", SigningAlgorithm::RsassaPkcs1V15Sha384),
        ("RSASSA_PKCS1_V1_5_SHA_512", SigningAlgorithm::RsassaPkcs1V15Sha512),
        ("ECDSA_SHA_256", SigningAlgorithm::EcdsaSha256),
        ("ECDSA_SHA_384", SigningAlgorithm::EcdsaSha384),
        ("ECDSA_SHA_512", SigningAlgorithm::EcdsaSha512),
        ("ED25519_SHA_512", SigningAlgorithm::Ed25519Sha512),
        ("ML_DSA_SHAKE_256", SigningAlgorithm::MlDsaShake256),
    ];
    names.into_iter().find(|(known, _)| *known == name).unwrap().1
}

/// One vector, or a file of lists of them; bytes are in hex.
struct Vectors(serde_json::Value);

impl Vectors {
    fn load(json: &str) -> Self {
        Self(serde_json::from_str(json).unwrap())
    }

    fn list(&self, name: &str, at_least: usize) -> Vec<Self> {
        let list: Vec<Self> = self.0[name].as_array().unwrap().iter().cloned().map(Self).collect();
        assert!(list.len() >= at_least, "{} of {name}", list.len());
        list
    }

    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap()
    }

    fn maybe_bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.0[name].as_str().map(|text| hex::decode(text).unwrap())
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        self.maybe_bytes(name).unwrap()
    }

    fn is(&self, name: &str) -> bool {
        self.0[name].as_bool().unwrap()
    }

    fn members(&self, name: &str) -> Vec<(String, String)> {
        let members = self.0[name].as_object().unwrap();
        let member = |(name, value): (&String, &serde_json::Value)| (name.clone(), value.as_str().unwrap().to_owned());
        members.iter().map(member).collect()
    }
}
