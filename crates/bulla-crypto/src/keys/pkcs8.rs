//! PKCS#8 (RFC 5958): the outer layer, checked; and what the libraries do not write.
//!
//! ```text
//! 30 L  02 01 00  AlgorithmIdentifier  04 L <private key>
//! ```

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::EcdsaKeyPair;

use super::{InvalidKey, KeySpec, der, spki};
use crate::SecretBytes;

const VERSION_1: [u8; 3] = [der::INTEGER, 1, 0];
/// The seed form of ML-DSA and ML-KEM: `[0] IMPLICIT OCTET STRING` (RFC 9881, 6; RFC 9935, 6).
const SEED: u8 = 0x80;

/// Writes an RSA key as the library does.
pub(super) fn rsa(pair: &rsa::KeyPair) -> Result<SecretBytes, Unspecified> {
    let der: Pkcs8V1Der<'static> = pair.as_der()?;
    Ok(SecretBytes::from_vec(der.as_ref().to_vec()))
}

/// Writes an elliptic-curve key as the library does: version 1, with the public key inside.
pub(super) fn curve(pair: &EcdsaKeyPair) -> Result<SecretBytes, Unspecified> {
    Ok(SecretBytes::from_vec(pair.to_pkcs8v1()?.as_ref().to_vec()))
}

/// Writes an Ed25519 key (RFC 8410, 7): `CurvePrivateKey ::= OCTET STRING` within the octet string.
pub(super) fn write_ed25519(seed: &SecretBytes) -> SecretBytes {
    write(KeySpec::EccNistEdwards25519, der::OCTET_STRING, seed.expose_secret()).unwrap_or_default()
}

/// Writes an ML-DSA or ML-KEM key in its seed form.
pub(super) fn write_seed(spec: KeySpec, seed: &SecretBytes) -> Option<SecretBytes> {
    write(spec, SEED, seed.expose_secret())
}

/// Writes a private key that is one element; the buffer has its final size from the start, so nothing secret is left behind by growth.
fn write(spec: KeySpec, tag: u8, secret: &[u8]) -> Option<SecretBytes> {
    let algorithm = spki::algorithm_identifier(spec)?;
    let inner = der::encoded_len(secret.len());
    let length = VERSION_1.len() + algorithm.len() + der::encoded_len(inner);
    let mut out = Vec::with_capacity(der::encoded_len(length));
    der::header(&mut out, der::SEQUENCE, length);
    out.extend_from_slice(&VERSION_1);
    out.extend_from_slice(algorithm);
    der::header(&mut out, der::OCTET_STRING, inner);
    der::header(&mut out, tag, secret.len());
    out.extend_from_slice(secret);
    Some(SecretBytes::from_vec(out))
}

/// Reads the outer layer of version 1 without attributes: the private key in its own encoding.
fn read(spec: KeySpec, bytes: &[u8]) -> Result<&[u8], InvalidKey> {
    der::only(der::SEQUENCE, bytes)
        .and_then(|body| body.strip_prefix(&VERSION_1))
        .and_then(|body| body.strip_prefix(spki::algorithm_identifier(spec)?))
        .and_then(|body| der::only(der::OCTET_STRING, body))
        .ok_or(InvalidKey)
}

/// Refuses what is not the outer layer of a key of this spec; the library reads on from there.
pub(super) fn check_outer(spec: KeySpec, bytes: &[u8]) -> Result<(), InvalidKey> {
    let key = read(spec, bytes)?;
    der::only(der::SEQUENCE, key).map(drop).ok_or(InvalidKey)
}

/// Reads an Ed25519 seed, 32 bytes.
pub(super) fn read_ed25519(bytes: &[u8]) -> Result<&[u8], InvalidKey> {
    let key = read(KeySpec::EccNistEdwards25519, bytes)?;
    der::only(der::OCTET_STRING, key)
        .filter(|seed| seed.len() == 32)
        .ok_or(InvalidKey)
}

/// An ML-DSA or ML-KEM private key that has its seed (RFC 9881, 6; RFC 9935, 6).
pub(super) struct Seeded<'a> {
    pub(super) seed: &'a [u8],
    /// In the form that has both; it is to be the seed's.
    pub(super) expanded: Option<&'a [u8]>,
}

/// Finds the seed: in the seed form, or in the form that has both.
pub(super) fn seed(spec: KeySpec, key: &[u8]) -> Result<Seeded<'_>, InvalidKey> {
    let both = || {
        let both = der::only(der::SEQUENCE, key)?;
        let (seed, expanded) = der::element(der::OCTET_STRING, both)?;
        let expanded = Some(der::only(der::OCTET_STRING, expanded)?);
        Some(Seeded { seed, expanded })
    };
    let alone = der::only(SEED, key).map(|seed| Seeded { seed, expanded: None });
    alone
        .or_else(both)
        .filter(|found| Some(found.seed.len()) == spec.seed_bytes())
        .ok_or(InvalidKey)
}
