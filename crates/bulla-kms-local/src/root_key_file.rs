use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulla_crypto::{DataKey, Random, constant_time_eq, kdf};
use zeroize::Zeroizing;

use crate::LocalErrorKind::{Damaged, Malformed, OtherKind, UnknownVersion};
use crate::error::KeyFileKind::{RootKey, SigningKey};
use crate::{LocalError, LocalErrorKind, key_file};

const MAGIC: &str = "bulla-root-key-v1";
const ANY_VERSION: &str = "bulla-root-key-v";
const SIGNING_KEY: &str = "bulla-signing-key-v";
const CHECK_DOMAIN: &str = "bulla/root-key-file/1";
const MAX_FILE_BYTES: usize = 4096;

/// A root key and the file that it lives in.
///
/// # Format, version 1 (`spec/key-files.md`)
/// One line of ASCII, its four fields parted by one space, with at most one line feed at its end:
/// ```text
/// bulla-root-key-v1 <id: 32 lowercase hex digits> <key: base64, 44 characters> <check: 16 lowercase hex digits>
/// ```
/// The id is random and says nothing of the key. The check is the first 8 bytes of HKDF-SHA-512 of the key with the salt
/// `bulla/root-key-file/1` and the id's 32 digits as info: it finds damage and a pasted-together file, and is no protection.
///
/// # Security
/// Who reads the file can unwrap everything. It is made with mode 0600; one that group or others may use, or that belongs to
/// another user than this process's or root, is refused. Who can replace it can make the service fail, not decrypt.
pub struct RootKeyFile {
    path: PathBuf,
    id: RootKeyId,
    key: DataKey,
}

/// Names a root key: 16 random bytes as 32 lowercase hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootKeyId(String);

impl RootKeyFile {
    /// Makes a new root key and writes it to a new file, mode 0600, synced with its directory.
    ///
    /// Blocks on the disk; part of `init` only. What exists under that name is left alone, and nothing is left behind on failure.
    ///
    /// # Errors
    /// `Exists`, `NoDirectory`, `Random`, `Io`.
    pub fn create(path: &Path, random: &dyn Random) -> Result<Self, LocalError> {
        let failed = |error| LocalError::new(path, RootKey, LocalErrorKind::Random).with_source(error);
        let mut id = [0; 16];
        random.fill(&mut id).map_err(failed)?;
        let root = Self {
            path: path.to_owned(),
            id: RootKeyId(hex::encode(id)),
            key: DataKey::generate(random).map_err(failed)?,
        };
        key_file::create(path, RootKey, &root.line())?;
        Ok(root)
    }

    /// Reads a root key.
    ///
    /// Blocks on the disk; done once, at start. A symbolic link is followed, and what it leads to is checked.
    ///
    /// # Errors
    /// `Missing`, `NotAFile`, `TooOpen`, `ForeignOwner`, `UnknownVersion`, `Malformed`, `Damaged`, `Io`.
    pub fn open(path: &Path) -> Result<Self, LocalError> {
        let bytes = key_file::read(path, RootKey, MAX_FILE_BYTES)?;
        let (id, key) = parse(&bytes).map_err(|kind| LocalError::new(path, RootKey, kind))?;
        Ok(Self {
            path: path.to_owned(),
            id,
            key,
        })
    }

    /// The key's id.
    pub fn id(&self) -> &RootKeyId {
        &self.id
    }

    /// The file's path as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn key(&self) -> &DataKey {
        &self.key
    }

    fn line(&self) -> Zeroizing<String> {
        let mut line = Zeroizing::new(String::with_capacity(128));
        line.push_str(MAGIC);
        line.push(' ');
        line.push_str(&self.id.0);
        line.push(' ');
        STANDARD.encode_string(self.key.expose_secret(), &mut line);
        line.push(' ');
        line.push_str(&hex::encode(check(&self.id, &self.key)));
        line.push('\n');
        line
    }
}

impl fmt::Debug for RootKeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootKeyFile")
            .field("path", &self.path)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl RootKeyId {
    /// The 32 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RootKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RootKeyId {
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

fn check(id: &RootKeyId, key: &DataKey) -> [u8; 8] {
    let derived = kdf::derive_key(key, CHECK_DOMAIN, id.0.as_bytes());
    let mut check = [0; 8];
    check.copy_from_slice(&derived.expose_secret()[..8]);
    check
}

fn parse(bytes: &[u8]) -> Result<(RootKeyId, DataKey), LocalErrorKind> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(Malformed);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed)?;
    let mut fields = text.strip_suffix('\n').unwrap_or(text).split(' ');
    match fields.next() {
        Some(MAGIC) => {}
        Some(other) if other.starts_with(ANY_VERSION) => return Err(UnknownVersion),
        Some(other) if other.starts_with(SIGNING_KEY) => return Err(OtherKind(SigningKey)),
        _ => return Err(Malformed),
    }
    let (Some(id), Some(encoded), Some(said), None) = (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(Malformed);
    };
    let id: RootKeyId = id.parse()?;
    // 44 characters give 32 bytes; the decoder wants room for the 33 that they could give.
    let mut raw = Zeroizing::new([0; 33]);
    if encoded.len() != 44 || STANDARD.decode_slice(encoded, raw.as_mut_slice()) != Ok(32) {
        return Err(Malformed);
    }
    let key = DataKey::from_slice(&raw[..32]).ok_or(Malformed)?;
    if said.len() != 16 || said.bytes().any(|b| !matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(Malformed);
    }
    if !constant_time_eq(hex::encode(check(&id, &key)).as_bytes(), said.as_bytes()) {
        return Err(Damaged);
    }
    Ok((id, key))
}

/// Reads a file's bytes and writes them again; for the fuzz target.
#[cfg(any(test, fuzzing))]
pub(crate) fn written_again(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let (id, key) = parse(bytes).ok()?;
    let path = PathBuf::new();
    Some(RootKeyFile { path, id, key }.line())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "bulla-root-key-v1 000102030405060708090a0b0c0d0e0f AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= 0000000000000000";

    fn good_line() -> String {
        let key = DataKey::from_slice(&(0..32).collect::<Vec<u8>>()).expect("32 bytes");
        let id: RootKeyId = "000102030405060708090a0b0c0d0e0f".parse().expect("an id");
        RootKeyFile {
            path: PathBuf::new(),
            id,
            key,
        }
        .line()
        .to_string()
    }

    #[test]
    fn the_format_is_frozen() {
        // Check: the first 8 bytes of HKDF-SHA-512(ikm = 00..1f, salt = "bulla/root-key-file/1", info = the id's digits).
        assert_eq!(good_line(), LINE.replace("0000000000000000", FROZEN_CHECK) + "\n");
    }

    const FROZEN_CHECK: &str = "0e2f0e60d63dfbb4";

    #[test]
    fn what_was_written_is_read() {
        let (id, key) = parse(good_line().as_bytes()).expect("a good line");
        assert_eq!(id.as_str(), "000102030405060708090a0b0c0d0e0f");
        assert_eq!(key.expose_secret()[..4], [0, 1, 2, 3]);
        parse(good_line().trim_end().as_bytes()).expect("the line feed may be missing");
    }

    #[test]
    fn any_changed_character_is_refused() {
        let good = good_line();
        for at in 0..good.len() - 1 {
            for flip in [1, 2, 0x20] {
                let mut bytes = good.clone().into_bytes();
                bytes[at] ^= flip;
                assert!(parse(&bytes).is_err(), "character {at} changed by {flip}");
            }
        }
    }

    #[test]
    fn every_wrong_form_has_its_reason() {
        let good = good_line();
        for (text, kind) in [
            (String::new(), Malformed),
            ("\n".into(), Malformed),
            ("-----BEGIN PRIVATE KEY-----".into(), Malformed),
            (good.replace("-v1", "-v2"), UnknownVersion),
            (LINE.to_owned(), Damaged),
            (good.replace("000102", "000103"), Damaged),
            (good.replace(' ', "  "), Malformed),
            (good.replace('\n', "\r\n"), Malformed),
            (format!("{good}\n"), Malformed),
            (format!("{good}{good}"), Malformed),
            (good.replace("0a0b", "0A0B"), Malformed),
            (good.replace("Hh8=", "Hh8"), Malformed),
            (
                good.trim_end().rsplit_once(' ').expect("fields").0.to_owned(),
                Malformed,
            ),
            (format!("{good}{}", " ".repeat(5000)), Malformed),
        ] {
            assert_eq!(parse(text.as_bytes()).map(|(id, _)| id), Err(kind), "{text:?}");
        }
        assert_eq!(parse(&[0xff, 0xfe]).map(|(id, _)| id), Err(Malformed));
    }
}
