//! `Content-Encoding` and `Accept-Encoding`: gzip, or nothing.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};

use crate::wiping::{Wiped, WipingWriter};

/// A body whose encoding is not known, is broken, or hides too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EncodingError {
    Unknown,
    Broken,
    TooLarge,
}

/// An answer shorter than this is not worth its compression.
const WORTH_BYTES: usize = 16 * 1024;

/// Takes gzip off a body; `None` where it has none.
pub(crate) fn unpack(headers: &HeaderMap, body: &[u8], limit_bytes: usize) -> Result<Option<Unpacked>, EncodingError> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    let Some(encoding) = encodings.next() else {
        return Ok(None);
    };
    match (encoding.as_bytes().trim_ascii(), encodings.next()) {
        (b"identity" | b"", None) => Ok(None),
        (name, None) if name.eq_ignore_ascii_case(b"gzip") => gunzip(body, limit_bytes).map(Some),
        _ => Err(EncodingError::Unknown),
    }
}

/// A body without its gzip, wiped on drop.
pub(crate) struct Unpacked(WipingWriter);

impl AsRef<[u8]> for Unpacked {
    fn as_ref(&self) -> &[u8] {
        self.0.written()
    }
}

fn gunzip(body: &[u8], limit_bytes: usize) -> Result<Unpacked, EncodingError> {
    let mut decoder = MultiGzDecoder::new(body);
    let mut unpacked = WipingWriter::with_capacity(body.len().saturating_mul(4).min(limit_bytes));
    let mut piece = Wiped::new(vec![0; 16 * 1024]);
    let mut size_bytes = 0;
    loop {
        let read = decoder.read(piece.as_mut()).map_err(|_| EncodingError::Broken)?;
        if read == 0 {
            return Ok(Unpacked(unpacked));
        }
        size_bytes += read;
        if size_bytes > limit_bytes {
            return Err(EncodingError::TooLarge);
        }
        unpacked.push(&piece.as_ref()[..read]);
    }
}

/// Compresses an answer that is worth it, for a client that takes it.
pub(crate) fn pack(headers: &HeaderMap, body: &[u8]) -> Option<Vec<u8>> {
    if body.len() < WORTH_BYTES || !takes_gzip(headers) {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len()), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = parts.any(|part| {
            let weight = part.strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
            weight == Some(0.0)
        });
        named && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: http::header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    fn gzip(body: &[u8]) -> Vec<u8> {
        pack(&header(ACCEPT_ENCODING, "gzip"), body).unwrap()
    }

    #[test]
    fn gzip_is_taken_off_up_to_the_limit() {
        let body = vec![b'x'; 100_000];
        let packed = gzip(&body);
        let headers = header(CONTENT_ENCODING, "GZip");
        let unpacked = unpack(&headers, &packed, body.len()).unwrap().unwrap();
        assert_eq!(unpacked.as_ref(), body);
        assert_eq!(
            unpack(&headers, &packed, body.len() - 1).err(),
            Some(EncodingError::TooLarge)
        );
        assert_eq!(
            unpack(&headers, &packed[..50], body.len()).err(),
            Some(EncodingError::Broken)
        );
        assert_eq!(unpack(&headers, b"plain", 100).err(), Some(EncodingError::Broken));
        assert!(
            unpack(&header(CONTENT_ENCODING, "identity"), b"x", 9)
                .unwrap()
                .is_none()
        );
        assert!(unpack(&HeaderMap::new(), b"x", 9).unwrap().is_none());
        for other in ["br", "gzip, gzip", "deflate"] {
            let failed = unpack(&header(CONTENT_ENCODING, other), b"x", 9).err();
            assert_eq!(failed, Some(EncodingError::Unknown), "{other}");
        }
    }

    #[test]
    fn large_answers_are_packed_for_who_takes_them() {
        let (large, small) = (vec![b'x'; WORTH_BYTES], vec![b'x'; WORTH_BYTES - 1]);
        for value in ["gzip", "br, GZIP;q=0.5", "deflate,gzip"] {
            assert!(pack(&header(ACCEPT_ENCODING, value), &large).is_some(), "{value}");
        }
        for value in ["br", "gzip;q=0", "x-gzip"] {
            assert!(pack(&header(ACCEPT_ENCODING, value), &large).is_none(), "{value}");
        }
        assert!(pack(&header(ACCEPT_ENCODING, "gzip"), &small).is_none());
    }
}
