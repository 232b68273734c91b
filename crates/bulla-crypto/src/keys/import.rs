use aws_lc_rs::encoding::{AsBigEndian, EcPrivateKeyBin};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair, PqdsaKeyPair};

use super::private::{curve, ml_dsa};
use super::{InvalidKey, KeySpec, PrivateKey, PublicKey, UseError, WrappingAlgorithm, der, key_wrap, pkcs8, spki};
use crate::{DataKey, OpenError, Random, SealError, SecretBytes};

/// Unwraps key material that was wrapped under the public half of `wrapping`, an RSA key.
///
/// # Errors
/// [`OpenError`], whatever was wrong.
pub fn unwrap_imported(
    wrapping: &PrivateKey,
    algorithm: WrappingAlgorithm,
    wrapped: &[u8],
) -> Result<SecretBytes, OpenError> {
    let modulus_bytes = wrapping.spec().modulus_bytes().ok_or(OpenError)?;
    let (head, tail) = wrapped.split_at_checked(modulus_bytes).ok_or(OpenError)?;
    let opened = wrapping.decrypt(algorithm.oaep(), head)?;
    match algorithm {
        WrappingAlgorithm::RsaesOaepSha1 | WrappingAlgorithm::RsaesOaepSha256 => {
            if tail.is_empty() {
                Ok(opened)
            } else {
                Err(OpenError)
            }
        }
        WrappingAlgorithm::RsaAesKeyWrapSha1 | WrappingAlgorithm::RsaAesKeyWrapSha256 => {
            let key = DataKey::from_slice(opened.expose_secret()).ok_or(OpenError)?;
            key_wrap::unwrap_with_padding(&key, tail)
        }
    }
}

/// Wraps key material for import under `wrapping`, the RSA public key that the key service gave out: the other side of
/// [`unwrap_imported`].
///
/// # Errors
/// [`UseError`] where the key is not RSA, the material is too long for OAEP alone, or `random` fails.
pub fn wrap_for_import(
    wrapping: &PublicKey,
    algorithm: WrappingAlgorithm,
    random: &dyn Random,
    material: &[u8],
) -> Result<Vec<u8>, UseError> {
    match algorithm {
        WrappingAlgorithm::RsaesOaepSha1 | WrappingAlgorithm::RsaesOaepSha256 => {
            wrapping.encrypt(algorithm.oaep(), material)
        }
        WrappingAlgorithm::RsaAesKeyWrapSha1 | WrappingAlgorithm::RsaAesKeyWrapSha256 => {
            let key = DataKey::generate(random)?;
            let mut wrapped = wrapping.encrypt(algorithm.oaep(), key.expose_secret())?;
            let tail = key_wrap::wrap_with_padding(&key, material).map_err(|_: SealError| UseError::Library)?;
            wrapped.extend(tail);
            Ok(wrapped)
        }
    }
}

/// Reads imported material of a 256-bit symmetric key: exactly 32 bytes.
///
/// # Errors
/// [`InvalidKey`] for any other length.
pub fn imported_symmetric(material: &SecretBytes) -> Result<DataKey, InvalidKey> {
    DataKey::from_slice(material.expose_secret()).ok_or(InvalidKey)
}

impl PrivateKey {
    /// Reads imported material of a key of this spec: unencrypted DER PKCS#8 for asymmetric keys, the bytes themselves for HMAC.
    ///
    /// Strict where it matters (the right algorithm, size and curve; halves that belong together; nothing after the end), lenient in
    /// what encoders differ in (the public key left out or inside, version 2, attributes). However it was encoded, the same key has the same
    /// [`stored_bytes`](Self::stored_bytes), so the same material id. ML-DSA and ML-KEM keys are taken in a form that has the seed.
    ///
    /// # Errors
    /// [`InvalidKey`], whatever was wrong.
    pub fn from_imported(spec: KeySpec, material: &SecretBytes) -> Result<Self, InvalidKey> {
        let bytes = material.expose_secret();
        if spec.mac_algorithm().is_some() {
            return Self::from_stored_bytes(spec, bytes);
        }
        let key = outer(spec, bytes)?;
        let stored = if let Some(algorithm) = curve(spec) {
            let read = EcdsaKeyPair::from_pkcs8(algorithm, bytes).map_err(|_| InvalidKey)?;
            // The library would write a key that came without its public half, or with it in another form, the same way again.
            let scalar: EcPrivateKeyBin<'static> = read.private_key().as_be_bytes().map_err(|_| InvalidKey)?;
            let pair =
                EcdsaKeyPair::from_private_key_and_public_key(algorithm, scalar.as_ref(), read.public_key().as_ref());
            pkcs8::curve(&pair.map_err(|_| InvalidKey)?).map_err(|_| InvalidKey)?
        } else if spec.modulus_bytes().is_some() {
            let pair = rsa::KeyPair::from_pkcs8(bytes).map_err(|_| InvalidKey)?;
            pkcs8::rsa(&pair).map_err(|_| InvalidKey)?
        } else if spec == KeySpec::EccNistEdwards25519 {
            Ed25519KeyPair::from_pkcs8(bytes).map_err(|_| InvalidKey)?;
            let seed = der::only(der::OCTET_STRING, key).ok_or(InvalidKey)?;
            pkcs8::write_ed25519(&SecretBytes::from_vec(seed.to_vec()))
        } else {
            if let Some(algorithm) = ml_dsa(spec) {
                PqdsaKeyPair::from_pkcs8(algorithm, bytes).map_err(|_| InvalidKey)?;
            }
            SecretBytes::from_vec(pkcs8::seed(spec, key)?.to_vec())
        };
        Self::from_stored(spec, stored)
    }
}

/// Reads PKCS#8's outer layer, versions 1 and 2: the private key in its own encoding. Nothing follows the end.
fn outer(spec: KeySpec, bytes: &[u8]) -> Result<&[u8], InvalidKey> {
    let body = der::only(der::SEQUENCE, bytes).ok_or(InvalidKey)?;
    let (version, body) = der::element(der::INTEGER, body).ok_or(InvalidKey)?;
    let body = spki::algorithm_identifier(spec)
        .and_then(|algorithm| body.strip_prefix(algorithm))
        .ok_or(InvalidKey)?;
    let (key, _) = der::element(der::OCTET_STRING, body).ok_or(InvalidKey)?;
    if matches!(version, [0 | 1]) {
        Ok(key)
    } else {
        Err(InvalidKey)
    }
}
