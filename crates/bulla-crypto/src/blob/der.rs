//! The one DER structure of a blob (ITU-T X.690; RFC 2315, 13; RFC 5084, 3.2), written and read strictly.
//!
//! ```text
//! SEQUENCE {                                          ContentInfo
//!   OBJECT IDENTIFIER 1.2.840.113549.1.7.6            encryptedData
//!   [0] EXPLICIT SEQUENCE {                           EncryptedData
//!     INTEGER 0
//!     SEQUENCE {                                      EncryptedContentInfo
//!       OBJECT IDENTIFIER 1.2.840.113549.1.7.1        data
//!       SEQUENCE {
//!         OBJECT IDENTIFIER 2.16.840.1.101.3.4.1.46   aes256-GCM
//!         SEQUENCE { OCTET STRING nonce (12), INTEGER 16 } }
//!       [0] IMPLICIT OCTET STRING content } } }
//! ```

use crate::FormatErrorKind;
use crate::hazmat::NONCE_BYTES;

const SEQUENCE: u8 = 0x30;
const EXPLICIT_0: u8 = 0xa0;
const IMPLICIT_0: u8 = 0x80;

const ENCRYPTED_DATA: [u8; 11] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x06];
const VERSION_0: [u8; 3] = [0x02, 0x01, 0x00];
/// The content type and the algorithm up to the nonce: constant, as the nonce always has 12 bytes.
const BEFORE_NONCE: [u8; 28] = [
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01, // data
    0x30, 0x1e, // AlgorithmIdentifier
    0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2e, // aes256-GCM
    0x30, 0x11, // GCMParameters
    0x04, 0x0c, // nonce
];
const TAG_LENGTH_16: [u8; 3] = [0x02, 0x01, 0x10];

/// Gives the length of the structure around `content_len` bytes.
pub(super) const fn encoded_len(content_len: usize) -> usize {
    with_header(content_info_len(content_len))
}

/// Writes the structure up to its content, which follows as it is: the content is the last thing in it.
pub(super) fn write_before_content(out: &mut Vec<u8>, nonce: &[u8; NONCE_BYTES], content_len: usize) {
    write_header(out, SEQUENCE, content_info_len(content_len));
    out.extend_from_slice(&ENCRYPTED_DATA);
    write_header(out, EXPLICIT_0, with_header(encrypted_data_len(content_len)));
    write_header(out, SEQUENCE, encrypted_data_len(content_len));
    out.extend_from_slice(&VERSION_0);
    write_header(out, SEQUENCE, encrypted_content_info_len(content_len));
    out.extend_from_slice(&BEFORE_NONCE);
    out.extend_from_slice(nonce);
    out.extend_from_slice(&TAG_LENGTH_16);
    write_header(out, IMPLICIT_0, content_len);
}

/// Reads the structure and gives nonce and content; every byte is either one of them or the only one possible.
pub(super) fn read(der: &[u8]) -> Result<(&[u8; NONCE_BYTES], &[u8]), FormatErrorKind> {
    let body = read_all(der, SEQUENCE)?;
    let body = expect(body, &ENCRYPTED_DATA)?;
    let body = read_all(body, EXPLICIT_0)?;
    let body = read_all(body, SEQUENCE)?;
    let body = expect(body, &VERSION_0)?;
    let body = read_all(body, SEQUENCE)?;
    let body = expect(body, &BEFORE_NONCE)?;
    let (nonce, body) = body.split_first_chunk().ok_or(FormatErrorKind::Truncated)?;
    let body = expect(body, &TAG_LENGTH_16)?;
    let content = read_all(body, IMPLICIT_0)?;
    Ok((nonce, content))
}

const fn content_info_len(content_len: usize) -> usize {
    ENCRYPTED_DATA.len() + with_header(with_header(encrypted_data_len(content_len)))
}

const fn encrypted_data_len(content_len: usize) -> usize {
    VERSION_0.len() + with_header(encrypted_content_info_len(content_len))
}

const fn encrypted_content_info_len(content_len: usize) -> usize {
    BEFORE_NONCE.len() + NONCE_BYTES + TAG_LENGTH_16.len() + with_header(content_len)
}

/// Adds tag and length: X.690, 10.1 wants the length in the fewest octets.
const fn with_header(len: usize) -> usize {
    len + match len {
        0..=0x7f => 2,
        0x80..=0xff => 3,
        0x100..=0xffff => 4,
        _ => 5,
    }
}

fn write_header(out: &mut Vec<u8>, tag: u8, len: usize) {
    let octets = (len as u32).to_be_bytes();
    out.push(tag);
    match len {
        0..=0x7f => out.push(octets[3]),
        0x80..=0xff => out.extend_from_slice(&[0x81, octets[3]]),
        0x100..=0xffff => out.extend_from_slice(&[0x82, octets[2], octets[3]]),
        _ => out.extend_from_slice(&[0x83, octets[1], octets[2], octets[3]]),
    }
}

/// Reads one element that fills `bytes` to the end, and gives its contents.
fn read_all(bytes: &[u8], tag: u8) -> Result<&[u8], FormatErrorKind> {
    let (found, rest) = bytes.split_first().ok_or(FormatErrorKind::Truncated)?;
    if *found != tag {
        return Err(FormatErrorKind::Malformed);
    }
    let (first, rest) = rest.split_first().ok_or(FormatErrorKind::Truncated)?;
    let (len, contents) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x83 => {
            let octets = usize::from(long & 0x7f);
            let (len, rest) = rest.split_at_checked(octets).ok_or(FormatErrorKind::Truncated)?;
            (len.iter().fold(0, |len, octet| len << 8 | usize::from(*octet)), rest)
        }
        // The indefinite form, and lengths beyond 2^24.
        _ => return Err(FormatErrorKind::Malformed),
    };
    if bytes.len() - contents.len() + len != with_header(len) {
        return Err(FormatErrorKind::NotCanonical);
    }
    match len.cmp(&contents.len()) {
        std::cmp::Ordering::Less => Err(FormatErrorKind::TrailingBytes),
        std::cmp::Ordering::Greater => Err(FormatErrorKind::Truncated),
        std::cmp::Ordering::Equal => Ok(contents),
    }
}

fn expect<'a>(bytes: &'a [u8], constant: &[u8]) -> Result<&'a [u8], FormatErrorKind> {
    bytes.strip_prefix(constant).ok_or(FormatErrorKind::Malformed)
}
