//! The little DER (ITU-T X.690) that the outer layers of keys need; what is inside, the libraries read.

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;

/// Reads one element: its contents, and what follows it. Lengths are in the fewest octets, and at most 65,535.
pub(super) fn element(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first != tag {
        return None;
    }
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match (length, rest) {
        (0..=0x7f, _) => (usize::from(length), rest),
        (0x81, [a @ (0x80..=0xff), rest @ ..]) => (usize::from(*a), rest),
        (0x82, [a @ (0x01..=0xff), b, rest @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// Reads one element that is all there is.
pub(super) fn only(tag: u8, bytes: &[u8]) -> Option<&[u8]> {
    element(tag, bytes).and_then(|(contents, rest)| rest.is_empty().then_some(contents))
}

/// Appends an element's tag and length; the contents, at most 65,535 bytes, are the caller's to append.
pub(super) fn header(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    let [.., high, low] = length.to_be_bytes();
    match length {
        0..=0x7f => out.push(low),
        0x80..=0xff => out.extend([0x81, low]),
        _ => out.extend([0x82, high, low]),
    }
}

/// Gives the length of an element with contents of `length` bytes.
pub(super) const fn encoded_len(length: usize) -> usize {
    match length {
        0..=0x7f => 2 + length,
        0x80..=0xff => 3 + length,
        _ => 4 + length,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_as_they_are_written() {
        for length in [0, 1, 127, 128, 255, 256, 65_535] {
            let mut der = Vec::new();
            header(&mut der, SEQUENCE, length);
            der.resize(der.len() + length, 7);
            assert_eq!(der.len(), encoded_len(length));
            assert_eq!(only(SEQUENCE, &der), Some([7].repeat(length).as_slice()), "{length}");
            assert_eq!(only(INTEGER, &der), None);
            der.push(0);
            assert_eq!(only(SEQUENCE, &der), None, "trailing byte");
        }
    }

    #[test]
    fn lengths_in_more_octets_than_needed_are_refused() {
        for der in [
            &[0x30, 0x81, 0x01, 0][..],
            &[0x30, 0x82, 0, 1, 0],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x83, 0, 0, 1, 0],
            &[0x30, 0x81],
            &[0x30],
            &[],
            &[0x30, 2, 0],
        ] {
            assert_eq!(element(SEQUENCE, der), None, "{der:02x?}");
        }
    }
}
