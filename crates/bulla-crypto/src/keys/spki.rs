//! `SubjectPublicKeyInfo` (RFC 5280, 4.1.2.7): one spelling for each key.
//!
//! ```text
//! 30 L  AlgorithmIdentifier  03 L 00 <public key>
//! ```
//! Identifiers: RFC 3279, 2.3.1 (RSA), RFC 5480, 2.1.1 (curves, by name), RFC 8410, 4 (Ed25519), RFC 9881, 2 (ML-DSA),
//! RFC 9935, 3 (ML-KEM).

use aws_lc_rs::signature::RsaParameters;

use super::{InvalidKey, KeySpec, der};

const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
const P256: &[u8] = b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const P384: &[u8] = b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
const P521: &[u8] = b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23";
const P256K1: &[u8] = b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x0a";
const ED25519: &[u8] = b"\x30\x05\x06\x03\x2b\x65\x70";
const ML_DSA_44: &[u8] = b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x11";
const ML_DSA_65: &[u8] = b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12";
const ML_DSA_87: &[u8] = b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x13";
const ML_KEM_512: &[u8] = b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x04\x01";
const ML_KEM_768: &[u8] = b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x04\x02";
const ML_KEM_1024: &[u8] = b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x04\x03";

/// Gives the `AlgorithmIdentifier` of keys of a spec, the same for public and private ones; none for HMAC keys.
pub(super) fn algorithm_identifier(spec: KeySpec) -> Option<&'static [u8]> {
    Some(match spec {
        KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => RSA,
        KeySpec::EccNistP256 => P256,
        KeySpec::EccNistP384 => P384,
        KeySpec::EccNistP521 => P521,
        KeySpec::EccSecgP256k1 => P256K1,
        KeySpec::EccNistEdwards25519 => ED25519,
        KeySpec::MlDsa44 => ML_DSA_44,
        KeySpec::MlDsa65 => ML_DSA_65,
        KeySpec::MlDsa87 => ML_DSA_87,
        KeySpec::MlKem512 => ML_KEM_512,
        KeySpec::MlKem768 => ML_KEM_768,
        KeySpec::MlKem1024 => ML_KEM_1024,
        KeySpec::Hmac224 | KeySpec::Hmac256 | KeySpec::Hmac384 | KeySpec::Hmac512 => return None,
    })
}

/// Writes the structure around a public key in its own encoding.
pub(super) fn write(spec: KeySpec, key: &[u8]) -> Result<Vec<u8>, InvalidKey> {
    let algorithm = algorithm_identifier(spec).ok_or(InvalidKey)?;
    let length = algorithm.len() + der::encoded_len(1 + key.len());
    let mut out = Vec::with_capacity(der::encoded_len(length));
    der::header(&mut out, der::SEQUENCE, length);
    out.extend_from_slice(algorithm);
    der::header(&mut out, der::BIT_STRING, 1 + key.len());
    out.push(0);
    out.extend_from_slice(key);
    Ok(out)
}

/// Reads the structure: which spec it names, and the public key in its own encoding. The key itself is not looked at, except for
/// an RSA modulus's size, and a point's form, which is uncompressed.
pub(super) fn read(spki: &[u8]) -> Result<(KeySpec, &[u8]), InvalidKey> {
    let body = der::only(der::SEQUENCE, spki).ok_or(InvalidKey)?;
    let (algorithm, rest) = body.split_at(body.len() - der::element(der::SEQUENCE, body).ok_or(InvalidKey)?.1.len());
    let key = der::only(der::BIT_STRING, rest)
        .and_then(|bits| bits.strip_prefix(&[0]))
        .ok_or(InvalidKey)?;
    let spec = match algorithm {
        RSA => return Ok((rsa_spec(key)?, key)),
        P256 => KeySpec::EccNistP256,
        P384 => KeySpec::EccNistP384,
        P521 => KeySpec::EccNistP521,
        P256K1 => KeySpec::EccSecgP256k1,
        ED25519 => KeySpec::EccNistEdwards25519,
        ML_DSA_44 => KeySpec::MlDsa44,
        ML_DSA_65 => KeySpec::MlDsa65,
        ML_DSA_87 => KeySpec::MlDsa87,
        ML_KEM_512 => KeySpec::MlKem512,
        ML_KEM_768 => KeySpec::MlKem768,
        ML_KEM_1024 => KeySpec::MlKem1024,
        _ => return Err(InvalidKey),
    };
    if key.len() == key_bytes(spec) && (!is_curve(spec) || key.first() == Some(&4)) {
        Ok((spec, key))
    } else {
        Err(InvalidKey)
    }
}

/// Tells the spec of an `RSAPublicKey` (RFC 8017, A.1.1) by its modulus, in the strict encoding.
pub(super) fn rsa_spec(key: &[u8]) -> Result<KeySpec, InvalidKey> {
    let body = der::only(der::SEQUENCE, key).ok_or(InvalidKey)?;
    let (_, rest) = der::element(der::INTEGER, body).ok_or(InvalidKey)?;
    der::only(der::INTEGER, rest).ok_or(InvalidKey)?;
    match RsaParameters::public_modulus_len(key) {
        Ok(2048) => Ok(KeySpec::Rsa2048),
        Ok(3072) => Ok(KeySpec::Rsa3072),
        Ok(4096) => Ok(KeySpec::Rsa4096),
        _ => Err(InvalidKey),
    }
}

pub(super) fn is_curve(spec: KeySpec) -> bool {
    matches!(
        spec,
        KeySpec::EccNistP256 | KeySpec::EccNistP384 | KeySpec::EccNistP521 | KeySpec::EccSecgP256k1
    )
}

/// Gives the length in bytes of a public key in its own encoding, where it has only one.
fn key_bytes(spec: KeySpec) -> usize {
    match spec {
        KeySpec::EccNistP256 | KeySpec::EccSecgP256k1 => 65,
        KeySpec::EccNistP384 => 97,
        KeySpec::EccNistP521 => 133,
        KeySpec::EccNistEdwards25519 => 32,
        KeySpec::MlDsa44 => 1312,
        KeySpec::MlDsa65 => 1952,
        KeySpec::MlDsa87 => 2592,
        KeySpec::MlKem512 => 800,
        KeySpec::MlKem768 => 1184,
        KeySpec::MlKem1024 => 1568,
        _ => 0,
    }
}
