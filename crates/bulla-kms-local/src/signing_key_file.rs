use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulla_crypto::keys::PrivateKey;
use bulla_crypto::{Random, sha256};
use bulla_kms::KeySpec;
use zeroize::Zeroizing;

use crate::LocalErrorKind::{Damaged, Io, Malformed, OtherKind, OtherSpec, UnknownVersion};
use crate::error::KeyFileKind::{RootKey, SigningKey};
use crate::{LocalError, LocalErrorKind, key_file};

const MAGIC: &str = "bulla-signing-key-v1";
const ANY_VERSION: &str = "bulla-signing-key-v";
const ROOT_KEY: &str = "bulla-root-key-v";
const MAX_FILE_BYTES: usize = 4096;

/// The specs of keys that are made in files.
const SPECS: [KeySpec; 2] = [KeySpec::EccNistEdwards25519, KeySpec::EccNistP256];

/// A signing key and the file that it lives in.
///
/// # Format, version 1 (`spec/key-files.md`)
/// One line of ASCII, its four fields parted by one space, with at most one line feed at its end:
/// ```text
/// bulla-signing-key-v1 <id: 32 lowercase hex digits> <spec: AWS's name> <private key: PKCS#8 in DER, base64>
/// ```
/// The spec is `ECC_NIST_EDWARDS25519` or `ECC_NIST_P256`. The id is the first 16 bytes of SHA-256 of the public half, a
/// `SubjectPublicKeyInfo` in DER: it names the key wherever it is, and finds damage to the private half.
///
/// # Security
/// Who reads the file can sign. It is made with mode 0600, by a command and never by itself; one that group or others may use,
/// or that belongs to another user than this process's or root, is refused.
pub struct SigningKeyFile {
    path: PathBuf,
    id: SigningKeyId,
    spec: KeySpec,
    key: PrivateKey,
}

/// Names a signing key: the first 16 bytes of SHA-256 of its public half, as 32 lowercase hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SigningKeyId(String);

impl SigningKeyFile {
    /// Makes a new signing key and writes it to a new file, mode 0600, synced with its directory.
    ///
    /// Blocks on the disk. What exists under that name is left alone, and nothing is left behind on failure.
    ///
    /// # Errors
    /// `OtherSpec` for a spec that is not made in files; `Exists`, `NoDirectory`, `Random`, `Io`.
    pub fn create(path: &Path, spec: KeySpec, random: &dyn Random) -> Result<Self, LocalError> {
        let fail = |kind| LocalError::new(path, SigningKey, kind);
        let primitive = spec.primitive().filter(|_| SPECS.contains(&spec));
        let primitive = primitive.ok_or_else(|| fail(OtherSpec))?;
        let key =
            PrivateKey::generate(primitive, random).map_err(|error| fail(LocalErrorKind::Random).with_source(error))?;
        let id = SigningKeyId::of(&key).ok_or_else(|| fail(Io))?;
        let file = Self {
            path: path.to_owned(),
            id,
            spec,
            key,
        };
        key_file::create(path, SigningKey, &file.line())?;
        Ok(file)
    }

    /// Reads a signing key.
    ///
    /// Blocks on the disk; done once, at start. A symbolic link is followed, and what it leads to is checked.
    ///
    /// # Errors
    /// `Missing`, `NotAFile`, `TooOpen`, `ForeignOwner`, `OtherKind` for a root key, `UnknownVersion`, `Malformed`, `Damaged`, `Io`.
    pub fn open(path: &Path) -> Result<Self, LocalError> {
        let bytes = key_file::read(path, SigningKey, MAX_FILE_BYTES)?;
        let (id, spec, key) = parse(&bytes).map_err(|kind| LocalError::new(path, SigningKey, kind))?;
        Ok(Self {
            path: path.to_owned(),
            id,
            spec,
            key,
        })
    }

    /// The key's id.
    pub fn id(&self) -> &SigningKeyId {
        &self.id
    }

    /// The key's spec.
    pub fn spec(&self) -> KeySpec {
        self.spec
    }

    /// The file's path as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The public half: a `SubjectPublicKeyInfo` in DER.
    pub fn spki_der(&self) -> &[u8] {
        self.key.public_key_der().unwrap_or_default()
    }

    pub(crate) fn into_key(self) -> PrivateKey {
        self.key
    }

    fn line(&self) -> Zeroizing<String> {
        // Room for all of it at once, so that no copy is left behind where it grew.
        let mut line = Zeroizing::new(String::with_capacity(MAX_FILE_BYTES));
        for field in [MAGIC, self.id.as_str(), self.spec.as_str()] {
            line.push_str(field);
            line.push(' ');
        }
        STANDARD.encode_string(self.key.stored_bytes().expose_secret(), &mut line);
        line.push('\n');
        line
    }
}

impl fmt::Debug for SigningKeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeyFile")
            .field("path", &self.path)
            .field("id", &self.id)
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

impl SigningKeyId {
    /// The 32 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(key: &PrivateKey) -> Option<Self> {
        let digest = sha256(key.public_key_der()?);
        Some(Self(hex::encode(&digest[..16])))
    }
}

impl fmt::Display for SigningKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SigningKeyId {
    type Err = LocalErrorKind;

    fn from_str(text: &str) -> Result<Self, LocalErrorKind> {
        let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 32 && text.bytes().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Malformed)
        }
    }
}

fn parse(bytes: &[u8]) -> Result<(SigningKeyId, KeySpec, PrivateKey), LocalErrorKind> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed)?;
    let mut fields = text.strip_suffix('\n').unwrap_or(text).split(' ');
    match fields.next() {
        Some(MAGIC) => {}
        Some(other) if other.starts_with(ANY_VERSION) => return Err(UnknownVersion),
        Some(other) if other.starts_with(ROOT_KEY) => return Err(OtherKind(RootKey)),
        _ => return Err(Malformed),
    }
    let (Some(id), Some(spec), Some(encoded), None) = (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(Malformed);
    };
    let id: SigningKeyId = id.parse()?;
    let spec: KeySpec = spec.parse().map_err(|_| Malformed)?;
    let primitive = spec.primitive().filter(|_| SPECS.contains(&spec)).ok_or(Malformed)?;
    let mut stored = Zeroizing::new(vec![0; MAX_FILE_BYTES]);
    let length = STANDARD.decode_slice(encoded, &mut stored).map_err(|_| Malformed)?;
    let key = PrivateKey::from_stored_bytes(primitive, &stored[..length]).map_err(|_| Damaged)?;
    if SigningKeyId::of(&key).as_ref() != Some(&id) {
        return Err(Damaged);
    }
    Ok((id, spec, key))
}

/// Reads a file's bytes and writes them again; for the fuzz target.
#[cfg(any(test, fuzzing))]
pub(crate) fn written_again(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let (id, spec, key) = parse(bytes).ok()?;
    let path = PathBuf::new();
    Some(SigningKeyFile { path, id, spec, key }.line())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By another implementation, from `spec/key-files.md` alone: the secret key of RFC 8032, 7.1, TEST 1, and that of RFC 6979, A.2.5. The
    /// ids are of the public halves that the RFCs give for them.
    const FROZEN: [(KeySpec, &str); 2] = [
        (
            KeySpec::EccNistEdwards25519,
            "bulla-signing-key-v1 06e3fd8fda29bb60ab59557de61edb0a ECC_NIST_EDWARDS25519 \
             MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n",
        ),
        (
            KeySpec::EccNistP256,
            "bulla-signing-key-v1 5a7a78cca4a0f420d9bc62bb669c3c27 ECC_NIST_P256 \
             MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgya+p2EW6dRZrXCFXZ7HWk05Qw9s26JsSe4piKxIPZyGhRANCAARg/tS6JVqdMclh63TGNW1o\
             wEm4kjth+mzmaWIuYPKftnkD/hAIuLyZpBrp6VYovGTy8bIMLX6fUXejwpTURiKZ\n",
        ),
    ];

    #[test]
    fn the_frozen_lines_are_read_and_written_as_they_are() {
        for (spec, line) in FROZEN {
            let (_, read, _) = parse(line.as_bytes()).expect("opens forever");
            assert_eq!(read, spec);
            assert_eq!(written_again(line.as_bytes()).expect("read").as_str(), line);
        }
    }

    fn line(spec: KeySpec) -> String {
        let key = PrivateKey::generate(spec.primitive().expect("one"), &bulla_crypto::SystemRandom).expect("a key");
        let id = SigningKeyId::of(&key).expect("it has a public half");
        let path = PathBuf::new();
        SigningKeyFile { path, id, spec, key }.line().to_string()
    }

    #[test]
    fn what_was_written_is_read() {
        for spec in SPECS {
            let line = line(spec);
            assert!(line.starts_with("bulla-signing-key-v1 "), "{line}");
            let (_, read, _) = parse(line.as_bytes()).expect("a good line");
            assert_eq!(read, spec);
            parse(line.trim_end().as_bytes()).expect("the line feed may be missing");
        }
    }

    #[test]
    fn any_changed_character_is_refused() {
        for spec in SPECS {
            let good = line(spec);
            for at in 0..good.len() - 1 {
                for flip in [1, 2, 0x20] {
                    let mut bytes = good.clone().into_bytes();
                    bytes[at] ^= flip;
                    assert!(parse(&bytes).is_err(), "{spec}: character {at} changed by {flip}");
                }
            }
        }
    }

    #[test]
    fn every_wrong_form_has_its_reason() {
        let good = line(KeySpec::EccNistP256);
        let root = "bulla-root-key-v1 000102030405060708090a0b0c0d0e0f AAEC 0e2f0e60d63dfbb4";
        for (text, kind) in [
            (String::new(), Malformed),
            ("-----BEGIN PRIVATE KEY-----".into(), Malformed),
            (root.into(), OtherKind(RootKey)),
            (good.replace("-v1", "-v2"), UnknownVersion),
            (good.replace("ECC_NIST_P256", "ECC_NIST_EDWARDS25519"), Damaged),
            (good.replace("ECC_NIST_P256", "ECC_NIST_P384"), Malformed),
            (good.replace("ECC_NIST_P256", "SYMMETRIC_DEFAULT"), Malformed),
            (good.replace(' ', "  "), Malformed),
            (good.replace('\n', "\r\n"), Malformed),
            (format!("{good}\n"), Malformed),
            (format!("{good}{good}"), Malformed),
        ] {
            assert_eq!(parse(text.as_bytes()).map(|(id, ..)| id), Err(kind), "{text:?}");
        }
    }
}
