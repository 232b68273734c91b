use std::fmt;

use aws_lc_rs::{kem, rsa, signature};

use super::{InvalidKey, KeySpec, ml_dsa_mu, ml_kem_seed, spki};

/// Holds the public half of a key, checked: right size, point on its curve.
pub struct PublicKey {
    spec: KeySpec,
    der: Vec<u8>,
    pub(super) inner: Inner,
}

pub(super) enum Inner {
    Rsa(rsa::OaepPublicEncryptingKey),
    /// Elliptic curves, Ed25519 and ML-DSA: one library algorithm each.
    Verifying(signature::ParsedPublicKey),
    Encapsulating(kem::EncapsulationKey),
}

impl PublicKey {
    /// Reads a DER `SubjectPublicKeyInfo` (RFC 5280), in its one strict encoding; points are uncompressed.
    ///
    /// # Errors
    /// [`InvalidKey`] where it is anything else.
    pub fn from_spki_der(bytes: &[u8]) -> Result<Self, InvalidKey> {
        let (spec, key) = spki::read(bytes)?;
        let inner = match verifying(spec) {
            Some(algorithm) => Inner::Verifying(
                // An ML-DSA key in its own encoding would be taken for whichever parameter set has its length; the structure names it.
                signature::ParsedPublicKey::new(algorithm, bytes).map_err(|_| InvalidKey)?,
            ),
            None => match ml_kem_seed::algorithm(spec) {
                Some(algorithm) => {
                    Inner::Encapsulating(kem::EncapsulationKey::new(algorithm, key).map_err(|_| InvalidKey)?)
                }
                None => {
                    let key = rsa::PublicEncryptingKey::from_der(bytes).map_err(|_| InvalidKey)?;
                    Inner::Rsa(rsa::OaepPublicEncryptingKey::new(key).map_err(|_| InvalidKey)?)
                }
            },
        };
        if let Inner::Encapsulating(_) = inner {
            ml_kem_seed::check_public(spec, key)?;
        }
        Ok(Self {
            spec,
            der: bytes.to_vec(),
            inner,
        })
    }

    /// Gives the key as a DER `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.der
    }

    /// Gives the key's spec.
    #[must_use]
    pub fn spec(&self) -> KeySpec {
        self.spec
    }

    /// Computes the mu of a message under this ML-DSA key with an empty context (FIPS 204, algorithm 7, line 6), 64 bytes; none for
    /// keys of other specs.
    ///
    /// `mu = SHAKE256(SHAKE256(public key, 64) ‖ 00 ‖ 00 ‖ message, 64)`.
    #[must_use]
    pub fn external_mu(&self, message: &[u8]) -> Option<[u8; ml_dsa_mu::MU_BYTES]> {
        ml_dsa_mu::compute(self.spec, self.key_bytes(), message)
    }

    /// The key in its own encoding, without the structure around it.
    pub(super) fn key_bytes(&self) -> &[u8] {
        spki::read(&self.der).map_or(&[], |(_, key)| key)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.spec)
    }
}

/// The one verification algorithm of keys that are not RSA.
pub(super) fn verifying(spec: KeySpec) -> Option<&'static dyn signature::VerificationAlgorithm> {
    Some(match spec {
        KeySpec::EccNistP256 => &signature::ECDSA_P256_SHA256_ASN1,
        KeySpec::EccNistP384 => &signature::ECDSA_P384_SHA384_ASN1,
        KeySpec::EccNistP521 => &signature::ECDSA_P521_SHA512_ASN1,
        KeySpec::EccSecgP256k1 => &signature::ECDSA_P256K1_SHA256_ASN1,
        KeySpec::EccNistEdwards25519 => &signature::ED25519,
        KeySpec::MlDsa44 => &signature::ML_DSA_44,
        KeySpec::MlDsa65 => &signature::ML_DSA_65,
        KeySpec::MlDsa87 => &signature::ML_DSA_87,
        _ => return None,
    })
}
