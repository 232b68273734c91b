//! Ciphertext blobs: what the key service returns, and how the store wraps its secrets (`spec/ciphertext-blob.md`).
//!
//! ```text
//! 01 02 02 00 78 │ material id 32 │ 01 │ salt 16 │ length u32 │ DER: PKCS#7 EncryptedData { data, aes256-GCM { nonce 12, 16 }, ciphertext ‖ tag }
//! ```

mod der;

use std::fmt;

use zeroize::Zeroizing;

use crate::constant_time_eq_32;
use crate::hazmat::{self, AadBuffer, AeadKey, NONCE_BYTES, TAG_BYTES};
use crate::mac::{Domain, MacKey};
use crate::{Context, DataKey, FormatError, FormatErrorKind, KeyError, OpenError, Random, SealError, SecretBytes};

/// The longest plaintext in a blob, in bytes. The key service itself takes at most 4,096.
pub const MAX_PLAINTEXT_BYTES: usize = 65_536;
/// The longest blob, in bytes: that of the longest plaintext.
pub const MAX_BLOB_BYTES: usize =
    PREFIX_BYTES + 4 + der::encoded_len(INNER_HEADER.len() + MAX_PLAINTEXT_BYTES + TAG_BYTES);
/// Length of a material id, in bytes.
pub const MATERIAL_ID_BYTES: usize = 32;

const SUBJECT: &str = "ciphertext blob";
const MAGIC: [u8; 5] = [0x01, 0x02, 0x02, 0x00, 0x78];
const SALT_MARK: u8 = 0x01;
const SALT_BYTES: usize = 16;
/// Everything before the length: what the AAD begins with.
const PREFIX_BYTES: usize = MAGIC.len() + MATERIAL_ID_BYTES + 1 + SALT_BYTES;
/// "The content begins with an inner header of 11 octets: version 1, and ten zeros."
const INNER_HEADER: [u8; 11] = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

struct MaterialId;
impl Domain for MaterialId {
    const DOMAIN: &'static str = "bulla/material-id/1";
}

/// Computes the material id of secret bytes of any kind but 32 bytes of symmetric material (for those, [`Material::id`]): a private key as it
/// is stored, or an HMAC key. `key_id` is any text.
///
/// "material id of other secrets = that of the 32 octets HKDF-SHA-512(salt = "bulla/material-id/1", IKM = secret, info = "secret")"
#[must_use]
pub fn material_id(secret: &[u8], key_id: &str) -> [u8; MATERIAL_ID_BYTES] {
    let mut key = DataKey::zeroed();
    hazmat::Kdf::extract(MaterialId::DOMAIN.as_bytes(), secret).expand(&[b"secret"], key.bytes_mut());
    let id = MacKey::<MaterialId>::new(&key).tag(&[key_id.as_bytes()]);
    hazmat::burn_stack();
    id
}

/// Holds one version of a key's material, ready to encrypt and decrypt blobs.
///
/// The pseudo-random key is extracted once; each blob then costs one HKDF expansion and one AES-256-GCM pass.
pub struct Material {
    prk: hazmat::Prk,
    id: [u8; MATERIAL_ID_BYTES],
}

impl Material {
    /// Makes ready 32 bytes of material of the key `key_id` (any text; part of the material id).
    ///
    /// # Errors
    /// [`KeyError`] where the library fails.
    pub fn new(material: &DataKey, key_id: &str) -> Result<Self, KeyError> {
        // "material id = HMAC-SHA-256(material, u16 length ‖ "bulla/material-id/1" ‖ u32 length ‖ key id)"
        let id = MacKey::<MaterialId>::new(material).tag(&[key_id.as_bytes()]);
        // "PRK = HKDF-Extract(salt = "bulla/blob/1", IKM = material)"
        let prk = hazmat::Prk::extract(b"bulla/blob/1", material.expose_secret());
        Ok(Self { prk, id })
    }

    /// Gives the material's id: public, names one version of one key.
    #[must_use]
    pub fn id(&self) -> &[u8; MATERIAL_ID_BYTES] {
        &self.id
    }

    /// Encrypts up to 65,536 bytes under `context`.
    ///
    /// # Errors
    /// [`SealError`] where the plaintext is longer or `random` fails.
    pub fn encrypt(&self, context: &Context, random: &dyn Random, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        if plaintext.len() > MAX_PLAINTEXT_BYTES {
            return Err(SealError::TooLong);
        }
        let mut drawn = [0; SALT_BYTES + NONCE_BYTES];
        random.fill(&mut drawn)?;
        let (salt, nonce) = drawn.split_at(SALT_BYTES);
        let content_len = INNER_HEADER.len() + plaintext.len();
        let der_len = der::encoded_len(content_len + TAG_BYTES);

        let mut blob = Vec::with_capacity(PREFIX_BYTES + 4 + der_len);
        blob.extend_from_slice(&MAGIC);
        blob.extend_from_slice(&self.id);
        blob.push(SALT_MARK);
        blob.extend_from_slice(salt);
        let aad = AadBuffer::new([&blob, context.as_bytes()]);
        let aead = self.message_key(salt).map_err(|_| SealError::Library)?;
        blob.extend_from_slice(&(der_len as u32).to_be_bytes());
        let mut nonce_array = [0; NONCE_BYTES];
        nonce_array.copy_from_slice(nonce);
        der::write_before_content(&mut blob, &nonce_array, content_len + TAG_BYTES);
        aead.seal_parts_onto(nonce_array, aad.as_slice(), [&INNER_HEADER, plaintext], &mut blob)?;
        Ok(blob)
    }

    /// Decrypts a blob under the context that it was encrypted with.
    ///
    /// # Errors
    /// [`OpenError`], whatever was wrong.
    pub fn decrypt(&self, blob: &Blob<'_>, context: &Context) -> Result<SecretBytes, OpenError> {
        if !constant_time_eq_32(blob.material_id, &self.id) {
            return Err(OpenError);
        }
        let aad = AadBuffer::new([blob.prefix, context.as_bytes()]);
        let aead = self.message_key(blob.salt).map_err(|_| OpenError)?;
        let mut content = aead.open(*blob.nonce, aad.as_slice(), blob.ciphertext, blob.tag)?;
        // "A reader MUST refuse content whose inner header is any other."
        if !content.expose_secret().starts_with(&INNER_HEADER) {
            return Err(OpenError);
        }
        content.remove_front(INNER_HEADER.len());
        Ok(content)
    }

    /// "key = HKDF-Expand(PRK, material id ‖ salt, 32)"
    fn message_key(&self, salt: &[u8]) -> Result<AeadKey, KeyError> {
        let mut key = Zeroizing::new([0; 32]);
        self.prk.expand(&[&self.id, salt], key.as_mut_slice());
        let aead = AeadKey::new(&key);
        hazmat::burn_stack();
        aead
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Material(redacted)")
    }
}

/// Views a blob's fields in its bytes. `Debug` shows the plaintext's size only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Blob<'a> {
    prefix: &'a [u8],
    material_id: &'a [u8; MATERIAL_ID_BYTES],
    salt: &'a [u8],
    nonce: &'a [u8; NONCE_BYTES],
    ciphertext: &'a [u8],
    tag: &'a [u8; TAG_BYTES],
}

impl<'a> Blob<'a> {
    /// Reads a blob; accepts nothing that this crate would not write.
    ///
    /// # Errors
    /// [`FormatError`] where the bytes are no blob, or not in the one strict encoding.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let refuse = |kind| FormatError::new(SUBJECT, kind);
        let truncated = || refuse(FormatErrorKind::Truncated);
        if bytes.len() > MAX_BLOB_BYTES {
            return Err(refuse(FormatErrorKind::TooLong));
        }
        let (prefix, rest) = bytes.split_at_checked(PREFIX_BYTES).ok_or_else(truncated)?;
        let after_magic = prefix
            .strip_prefix(&MAGIC)
            .ok_or(refuse(FormatErrorKind::UnknownVersion))?;
        let (material_id, after_id) = after_magic.split_first_chunk().ok_or_else(truncated)?;
        let salt = after_id
            .strip_prefix(&[SALT_MARK])
            .ok_or(refuse(FormatErrorKind::UnknownVersion))?;
        let (length, der) = rest.split_first_chunk().ok_or_else(truncated)?;
        // "The length MUST be that of all that follows."
        match (u32::from_be_bytes(*length) as usize).cmp(&der.len()) {
            std::cmp::Ordering::Less => return Err(refuse(FormatErrorKind::TrailingBytes)),
            std::cmp::Ordering::Greater => return Err(truncated()),
            std::cmp::Ordering::Equal => {}
        }
        let (nonce, content) = der::read(der).map_err(refuse)?;
        let (ciphertext, tag) = content.split_last_chunk().ok_or_else(truncated)?;
        if ciphertext.len() < INNER_HEADER.len() {
            return Err(truncated());
        }
        Ok(Self {
            prefix,
            material_id,
            salt,
            nonce,
            ciphertext,
            tag,
        })
    }

    /// Gives the id of the material that encrypted this blob, as the blob claims.
    #[must_use]
    pub fn material_id(&self) -> &'a [u8; MATERIAL_ID_BYTES] {
        self.material_id
    }

    /// Gives the length of the plaintext in bytes.
    #[must_use]
    pub fn plaintext_len(&self) -> usize {
        self.ciphertext.len() - INNER_HEADER.len()
    }
}

impl fmt::Debug for Blob<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.plaintext_len())
    }
}
