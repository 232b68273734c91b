use std::fmt;
use std::sync::OnceLock;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
    ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, ML_DSA_44_SIGNING,
    ML_DSA_65_SIGNING, ML_DSA_87_SIGNING, PqdsaKeyPair, PqdsaSigningAlgorithm,
};
use aws_lc_rs::{agreement, hmac, kem, rsa};

use super::{InvalidKey, KeySpec, PublicKey, UseError, mac, ml_kem_seed, pkcs8, spki};
use crate::{Random, SecretBytes, blob, hazmat};

/// Holds a secret key of any spec, ready to use.
///
/// What the libraries hold lies in memory that they cleanse when they free it; the stored form is wiped on drop. There is no `Clone`.
pub struct PrivateKey {
    spec: KeySpec,
    stored: SecretBytes,
    /// `SubjectPublicKeyInfo`; empty for HMAC keys.
    public: Vec<u8>,
    pub(super) inner: Inner,
}

pub(super) enum Inner {
    Rsa {
        signing: Box<rsa::KeyPair>,
        decrypting: OnceLock<rsa::OaepPrivateDecryptingKey>,
    },
    Curve {
        signing: Box<EcdsaKeyPair>,
        agreeing: OnceLock<agreement::PrivateKey>,
    },
    Ed25519(Box<Ed25519KeyPair>),
    Hmac(Box<hmac::Key>),
    MlDsa(Box<PqdsaKeyPair>),
    MlKem(kem::DecapsulationKey),
}

impl PrivateKey {
    /// Makes a fresh key.
    ///
    /// Ed25519, HMAC, ML-DSA and ML-KEM keys come from `random`; RSA and elliptic-curve keys from AWS-LC's own generator, which the library
    /// does not let anyone replace.
    ///
    /// # Errors
    /// [`UseError::Random`] where `random` fails, [`UseError::Library`] where the library does.
    pub fn generate(spec: KeySpec, random: &dyn Random) -> Result<Self, UseError> {
        if let Some(length) = spec.seed_bytes() {
            let mut seed = SecretBytes::from_vec(vec![0; length]);
            random.fill(seed.bytes_mut())?;
            let stored = match spec {
                KeySpec::EccNistEdwards25519 => pkcs8::write_ed25519(&seed),
                _ => seed,
            };
            return Self::from_stored(spec, stored).map_err(|InvalidKey| UseError::Library);
        }
        let stored = match (rsa_size(spec), curve(spec)) {
            (Some(size), _) => rsa::KeyPair::generate(size).and_then(|pair| pkcs8::rsa(&pair)),
            (_, Some(algorithm)) => EcdsaKeyPair::generate(algorithm).and_then(|pair| pkcs8::curve(&pair)),
            (None, None) => return Err(UseError::Library),
        };
        let stored = stored.map_err(|_| UseError::Library)?;
        Self::from_stored(spec, stored).map_err(|InvalidKey| UseError::Library)
    }

    /// Reads a key from what [`stored_bytes`](Self::stored_bytes) gave.
    ///
    /// # Errors
    /// [`InvalidKey`] where the bytes are no key of this spec in that form.
    pub fn from_stored_bytes(spec: KeySpec, stored: &[u8]) -> Result<Self, InvalidKey> {
        Self::from_stored(spec, SecretBytes::from_vec(stored.to_vec()))
    }

    pub(super) fn from_stored(spec: KeySpec, stored: SecretBytes) -> Result<Self, InvalidKey> {
        let bytes = stored.expose_secret();
        let (inner, public) = if let Some(algorithm) = spec.mac_algorithm() {
            if Some(bytes.len()) != spec.seed_bytes() {
                return Err(InvalidKey);
            }
            let key = hmac::Key::new(mac::library(algorithm), bytes);
            hazmat::burn_stack();
            (Inner::Hmac(Box::new(key)), Vec::new())
        } else if let Some(algorithm) = curve(spec) {
            pkcs8::check_outer(spec, bytes)?;
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, bytes).map_err(|_| InvalidKey)?;
            let public = spki::write(spec, pair.public_key().as_ref())?;
            let (signing, agreeing) = (Box::new(pair), OnceLock::new());
            (Inner::Curve { signing, agreeing }, public)
        } else if let Some(algorithm) = ml_dsa(spec) {
            let pair = hazmat::on_burnt_stack(|| PqdsaKeyPair::from_seed(algorithm, bytes)).map_err(|_| InvalidKey)?;
            let public = spki::write(spec, pair.public_key().as_ref())?;
            (Inner::MlDsa(Box::new(pair)), public)
        } else if ml_kem_seed::algorithm(spec).is_some() {
            let (key, public) = ml_kem_seed::expand(spec, bytes)?;
            (Inner::MlKem(key), spki::write(spec, &public)?)
        } else if spec == KeySpec::EccNistEdwards25519 {
            let pair = Ed25519KeyPair::from_seed_unchecked(pkcs8::read_ed25519(bytes)?).map_err(|_| InvalidKey)?;
            hazmat::burn_stack();
            let public = spki::write(spec, pair.public_key().as_ref())?;
            (Inner::Ed25519(Box::new(pair)), public)
        } else {
            pkcs8::check_outer(spec, bytes)?;
            let pair = rsa::KeyPair::from_pkcs8(bytes).map_err(|_| InvalidKey)?;
            if spki::rsa_spec(pair.public_key().as_ref())? != spec {
                return Err(InvalidKey);
            }
            let public = spki::write(spec, pair.public_key().as_ref())?;
            let (signing, decrypting) = (Box::new(pair), OnceLock::new());
            (Inner::Rsa { signing, decrypting }, public)
        };
        Ok(Self {
            spec,
            stored,
            public,
            inner,
        })
    }

    /// Gives the key's spec.
    #[must_use]
    pub fn spec(&self) -> KeySpec {
        self.spec
    }

    /// Shows the key's secret bytes in the form that is wrapped and stored (see the [module](super)).
    #[must_use]
    pub fn stored_bytes(&self) -> &SecretBytes {
        &self.stored
    }

    /// Gives the public half as a DER `SubjectPublicKeyInfo`; none for HMAC keys.
    #[must_use]
    pub fn public_key_der(&self) -> Option<&[u8]> {
        (!self.public.is_empty()).then_some(&self.public)
    }

    /// Gives the public half, ready to use; none for HMAC keys.
    ///
    /// # Errors
    /// [`UseError::Incompatible`] for HMAC keys.
    pub fn public_key(&self) -> Result<PublicKey, UseError> {
        let der = self.public_key_der().ok_or(UseError::Incompatible(self.spec))?;
        PublicKey::from_spki_der(der).map_err(|InvalidKey| UseError::Library)
    }

    /// Writes the private key as DER PKCS#8 (RFC 5958, version 1), as it is handed to whoever asked for a key pair; none for HMAC keys.
    ///
    /// ML-DSA (RFC 9881, 6) and ML-KEM (RFC 9935, 6) keys are in the seed form.
    #[must_use]
    pub fn pkcs8_der(&self) -> Option<SecretBytes> {
        match &self.inner {
            Inner::Hmac(_) => None,
            Inner::MlDsa(_) | Inner::MlKem(_) => pkcs8::write_seed(self.spec, &self.stored),
            Inner::Rsa { .. } | Inner::Curve { .. } | Inner::Ed25519(_) => {
                Some(SecretBytes::from_vec(self.stored.expose_secret().to_vec()))
            }
        }
    }

    /// Computes the id of this key as a version of the key `key_id` (`spec/ciphertext-blob.md`, "Derivation").
    #[must_use]
    pub fn material_id(&self, key_id: &str) -> [u8; blob::MATERIAL_ID_BYTES] {
        blob::material_id(self.stored.expose_secret(), key_id)
    }

    /// The RSA key as OAEP takes it, read on first use: keys that sign never need it.
    pub(super) fn decrypting(&self) -> Result<&rsa::OaepPrivateDecryptingKey, UseError> {
        let Inner::Rsa { decrypting, .. } = &self.inner else {
            return Err(UseError::Incompatible(self.spec));
        };
        if let Some(key) = decrypting.get() {
            return Ok(key);
        }
        let key = rsa::PrivateDecryptingKey::from_pkcs8(self.stored.expose_secret())
            .ok()
            .and_then(|key| rsa::OaepPrivateDecryptingKey::new(key).ok())
            .ok_or(UseError::Library)?;
        Ok(decrypting.get_or_init(|| key))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({}, redacted)", self.spec)
    }
}

fn rsa_size(spec: KeySpec) -> Option<rsa::KeySize> {
    match spec {
        KeySpec::Rsa2048 => Some(rsa::KeySize::Rsa2048),
        KeySpec::Rsa3072 => Some(rsa::KeySize::Rsa3072),
        KeySpec::Rsa4096 => Some(rsa::KeySize::Rsa4096),
        _ => None,
    }
}

pub(super) fn curve(spec: KeySpec) -> Option<&'static EcdsaSigningAlgorithm> {
    match spec {
        KeySpec::EccNistP256 => Some(&ECDSA_P256_SHA256_ASN1_SIGNING),
        KeySpec::EccNistP384 => Some(&ECDSA_P384_SHA384_ASN1_SIGNING),
        KeySpec::EccNistP521 => Some(&ECDSA_P521_SHA512_ASN1_SIGNING),
        KeySpec::EccSecgP256k1 => Some(&ECDSA_P256K1_SHA256_ASN1_SIGNING),
        _ => None,
    }
}

pub(super) fn ml_dsa(spec: KeySpec) -> Option<&'static PqdsaSigningAlgorithm> {
    match spec {
        KeySpec::MlDsa44 => Some(&ML_DSA_44_SIGNING),
        KeySpec::MlDsa65 => Some(&ML_DSA_65_SIGNING),
        KeySpec::MlDsa87 => Some(&ML_DSA_87_SIGNING),
        _ => None,
    }
}
