use aws_lc_rs::encoding::{AsBigEndian, EcPrivateKeyBin};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair, PqdsaKeyPair};

use super::private::{curve, ml_dsa};
use super::{
    InvalidKey, KeySpec, PrivateKey, PublicKey, UseError, WrappingAlgorithm, der, key_wrap, ml_kem_seed, pkcs8, spki,
};
use crate::{DataKey, OpenError, Random, SealError, SecretBytes, hazmat};

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
    /// what encoders differ in (the public key left out or inside, version 2, attributes). However that was encoded, the same key has the
    /// same [`stored_bytes`](Self::stored_bytes), so the same material id. ML-DSA and ML-KEM keys are taken in a form that has the seed.
    ///
    /// One thing is kept as it came, because the library writes it as it read it: the private exponent of an RSA key, which is right
    /// modulo λ(n) and modulo φ(n) alike. Who imports a key anew gives the same bytes.
    ///
    /// # Errors
    /// [`InvalidKey`], whatever was wrong.
    pub fn from_imported(spec: KeySpec, material: &SecretBytes) -> Result<Self, InvalidKey> {
        let bytes = material.expose_secret();
        if spec.mac_algorithm().is_some() {
            return Self::from_stored_bytes(spec, bytes);
        }
        let Outer { key, public } = outer(spec, bytes)?;
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
                hazmat::on_burnt_stack(|| PqdsaKeyPair::from_pkcs8(algorithm, bytes).map(drop))
                    .map_err(|_| InvalidKey)?;
            }
            let found = pkcs8::seed(spec, key)?;
            if found
                .expanded
                .is_some_and(|expanded| !is_the_seeds(spec, found.seed, expanded))
            {
                return Err(InvalidKey);
            }
            SecretBytes::from_vec(found.seed.to_vec())
        };
        let key = Self::from_stored(spec, stored)?;
        // The library compares a curve's or an RSA key's public half itself, which may be written in several ways.
        let raw = curve(spec).is_none() && spec.modulus_bytes().is_none();
        let own = key.public_key_der().unwrap_or_default();
        if public.is_some_and(|public| raw && !(public.len() >= 32 && own.ends_with(public))) {
            return Err(InvalidKey);
        }
        Ok(key)
    }
}

/// Compares an expanded ML-KEM key with its seed; the library does that for ML-DSA.
fn is_the_seeds(spec: KeySpec, seed: &[u8], expanded: &[u8]) -> bool {
    ml_kem_seed::algorithm(spec).is_none() || ml_kem_seed::is_expanded(spec, seed, expanded)
}

/// What PKCS#8 holds: the private key in its own encoding, and in version 2 maybe the public one, with the octet before it that counts its
/// unused bits.
struct Outer<'a> {
    key: &'a [u8],
    public: Option<&'a [u8]>,
}

/// Attributes, `[0] IMPLICIT SET`; and the public key of version 2, `[1] IMPLICIT BIT STRING`.
const ATTRIBUTES: u8 = 0xa0;
const PUBLIC_KEY: u8 = 0x81;

/// Reads PKCS#8's outer layer, versions 1 and 2 (RFC 5958, 2): what it lists and nothing else, neither inside nor after the end.
fn outer(spec: KeySpec, bytes: &[u8]) -> Result<Outer<'_>, InvalidKey> {
    let body = der::only(der::SEQUENCE, bytes).ok_or(InvalidKey)?;
    let (version, body) = der::element(der::INTEGER, body).ok_or(InvalidKey)?;
    let body = spki::algorithm_identifier(spec)
        .and_then(|algorithm| body.strip_prefix(algorithm))
        .ok_or(InvalidKey)?;
    let (key, rest) = der::element(der::OCTET_STRING, body).ok_or(InvalidKey)?;
    let rest = der::element(ATTRIBUTES, rest).map_or(rest, |(_, rest)| rest);
    let (public, rest) = match der::element(PUBLIC_KEY, rest) {
        Some((public, rest)) if version == [1] => (Some(public), rest),
        _ => (None, rest),
    };
    if !matches!(version, [0 | 1]) || !rest.is_empty() {
        return Err(InvalidKey);
    }
    let public = match public {
        Some([0, public @ ..]) => Some(public),
        Some(_) => return Err(InvalidKey),
        None => None,
    };
    Ok(Outer { key, public })
}
