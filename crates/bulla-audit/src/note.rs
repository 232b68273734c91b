//! C2SP signed notes with Ed25519 (<https://c2sp.org/signed-note>).

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use bulla_crypto::signature::{self, SigningKey};

use crate::Hash;

/// The signature type byte of Ed25519 in C2SP signed notes.
const ED25519: u8 = 0x01;
const MAX_NAME_BYTES: usize = 255;
const MAX_SIGNATURES: usize = 16;
pub(crate) const MAX_NOTE_BYTES: usize = 16 * 1024;
const DASH: &str = "\u{2014} ";

/// A note that is not well-formed, or that nobody trusted has signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// A key name that is empty, too long, or has a space, a plus or a control character.
    #[error("a key name is not allowed")]
    Name,
    /// Not a C2SP verifier key of an Ed25519 key.
    #[error("not an Ed25519 verifier key")]
    Key,
    /// Not a C2SP signed note.
    #[error("not a signed note")]
    Format,
    /// No signature by a known key.
    #[error("the note is not signed by a known key")]
    UnknownKey,
    /// A known key's signature does not verify.
    #[error("a signature on the note does not verify")]
    Signature,
    /// The signing failed in the library.
    #[error("the note can't be signed")]
    Signing,
}

/// A key name and the Ed25519 public key that it stands for.
///
/// The text form is C2SP's `name+id+base64(0x01 ‖ public key)`, as the Go tools for transparency logs take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    public: [u8; 32],
}

impl VerifierKey {
    /// Names a public key.
    ///
    /// # Errors
    /// [`NoteError::Name`].
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, NoteError> {
        check_name(name)?;
        Ok(Self {
            name: name.to_owned(),
            public,
        })
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`NoteError::Name`] and [`NoteError::Key`].
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let (name, rest) = text.split_once('+').ok_or(NoteError::Key)?;
        let (_, encoded) = rest.split_once('+').ok_or(NoteError::Key)?;
        let decoded = STANDARD.decode(encoded).map_err(|_| NoteError::Key)?;
        let public = decoded
            .strip_prefix(&[ED25519])
            .and_then(|key| key.try_into().ok())
            .ok_or(NoteError::Key)?;
        let key = Self::new(name, public)?;
        if key.to_string() == text {
            Ok(key)
        } else {
            Err(NoteError::Key)
        }
    }

    /// The key's name: the log's origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The 32 bytes of the public key.
    pub fn public_key(&self) -> &[u8; 32] {
        &self.public
    }

    /// The key id: SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)\[..4\].
    pub fn id(&self) -> [u8; 4] {
        let mut input = Vec::with_capacity(self.name.len() + 34);
        input.extend_from_slice(self.name.as_bytes());
        input.extend_from_slice(&[b'\n', ED25519]);
        input.extend_from_slice(&self.public);
        let [a, b, c, d, ..] = *Hash::of(&input).as_bytes();
        [a, b, c, d]
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.id();
        let mut key = [ED25519; 33];
        key[1..].copy_from_slice(&self.public);
        write!(f, "{}+{a:02x}{b:02x}{c:02x}{d:02x}+{}", self.name, STANDARD.encode(key))
    }
}

/// Key names MUST be non-empty and MUST NOT contain any Unicode spaces or plus characters.
pub(crate) fn check_name(name: &str) -> Result<(), NoteError> {
    let allowed = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.chars().all(allowed) {
        return Err(NoteError::Name);
    }
    Ok(())
}

/// Signs a text, which ends with a newline, in `name` with each of the keys.
pub(crate) fn sign(text: &str, name: &str, keys: &[&SigningKey]) -> Result<String, NoteError> {
    let mut note = String::with_capacity(text.len() + 1 + keys.len() * (name.len() + 112));
    note.push_str(text);
    note.push('\n');
    for key in keys {
        let verifier = VerifierKey::new(name, key.public_key())?;
        let mut signed = [0; 68];
        signed[..4].copy_from_slice(&verifier.id());
        signed[4..].copy_from_slice(&key.sign(text.as_bytes()).map_err(|_| NoteError::Signing)?);
        note.push_str(DASH);
        note.push_str(name);
        note.push(' ');
        STANDARD.encode_string(signed, &mut note);
        note.push('\n');
    }
    Ok(note)
}

/// Opens a note: its text, and which of `keys` signed it, as positions in `keys`.
///
/// Signatures of unknown keys are ignored; a known key's wrong signature refuses the whole note.
pub(crate) fn open<'a>(note: &'a str, keys: &[&VerifierKey]) -> Result<(&'a str, Vec<usize>), NoteError> {
    let (text, signatures) = split(note)?;
    let mut signers = Vec::new();
    let mut count = 0;
    for line in signatures.split_terminator('\n') {
        count += 1;
        let (name, encoded) = line
            .strip_prefix(DASH)
            .and_then(|line| line.split_once(' '))
            .ok_or(NoteError::Format)?;
        check_name(name).map_err(|_| NoteError::Format)?;
        let decoded = STANDARD.decode(encoded).map_err(|_| NoteError::Format)?;
        let (id, signature) = decoded.split_first_chunk::<4>().ok_or(NoteError::Format)?;
        if signature.is_empty() {
            return Err(NoteError::Format);
        }
        let Some(known) = keys.iter().position(|key| key.name == name && key.id() == *id) else {
            continue;
        };
        if signers.contains(&known) {
            return Err(NoteError::Format);
        }
        let signature = signature.try_into().map_err(|_| NoteError::Signature)?;
        signature::verify(&keys[known].public, text.as_bytes(), signature).map_err(|_| NoteError::Signature)?;
        signers.push(known);
    }
    match (count, signers.is_empty()) {
        (0, _) => Err(NoteError::Format),
        (count, _) if count > MAX_SIGNATURES => Err(NoteError::Format),
        (_, true) => Err(NoteError::UnknownKey),
        (_, false) => Ok((text, signers)),
    }
}

/// Splits a note at its last empty line into text and signature lines.
fn split(note: &str) -> Result<(&str, &str), NoteError> {
    let controls = note.bytes().any(|byte| byte < 0x20 && byte != b'\n');
    if note.len() > MAX_NOTE_BYTES || controls || !note.ends_with('\n') {
        return Err(NoteError::Format);
    }
    let end = note.rfind("\n\n").ok_or(NoteError::Format)?;
    Ok((&note[..end + 1], &note[end + 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str =
        "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned \u{e8} subito sera.\n\n\u{2014} x ";

    #[test]
    fn a_verifier_key_is_read_in_the_form_in_which_it_is_written() {
        // The key of sum.golang.org, as published in the Go source.
        let text = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
        let key = VerifierKey::parse(text).unwrap();
        assert_eq!(key.id(), [0x03, 0x3d, 0xe0, 0xae]);
        assert_eq!(key.to_string(), text);
        for wrong in [
            text.replace("033de0ae", "033de0af"),
            text.replace("+Ac4z", "+Bc4z"),
            text.replace('+', " "),
        ] {
            assert_eq!(VerifierKey::parse(&wrong), Err(NoteError::Key), "{wrong}");
        }
        for name in ["", "a b", "a+b", "a\u{3000}b", "a\nb"] {
            assert_eq!(VerifierKey::new(name, [0; 32]), Err(NoteError::Name), "{name:?}");
        }
    }

    #[test]
    fn what_is_not_a_note_is_refused_before_any_signature_is_looked_at() {
        let key = VerifierKey::new("x", [7; 32]).unwrap();
        let signature = STANDARD.encode([0; 68]);
        let note = format!("{EXAMPLE}{signature}\n");
        assert_eq!(open(&note, &[&key]), Err(NoteError::UnknownKey));
        for wrong in [
            String::new(),
            note.trim_end().to_owned(),
            note.replace('\u{2014}', "-"),
            note.replace("sera", "se\tra"),
            note.replace(" x ", " "),
            format!("{EXAMPLE}AAA=\n"),
            format!("{EXAMPLE}{signature}=\n"),
            "text\n\n".to_owned(),
        ] {
            assert_eq!(open(&wrong, &[&key]), Err(NoteError::Format), "{wrong:?}");
        }
        let many = format!("{note}{}", format!("\u{2014} x {signature}\n").repeat(MAX_SIGNATURES));
        assert_eq!(open(&many, &[&key]), Err(NoteError::Format));
    }
}
