use super::Problem;

/// Where a page ended, as a text that clients hand back and do not read.
pub(super) fn write(next: u64) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(format!("1:{next}").as_bytes())
}

/// Reads a cursor; the log's beginning where there is none.
pub(super) fn read(cursor: Option<&str>) -> Result<u64, Problem> {
    let Some(cursor) = cursor else { return Ok(0) };
    let bytes = base64_simd::URL_SAFE_NO_PAD
        .decode_to_vec(cursor.as_bytes())
        .map_err(|_| refused())?;
    let text = std::str::from_utf8(&bytes).map_err(|_| refused())?;
    let number = text.strip_prefix("1:").ok_or_else(refused)?;
    let number = number.parse().map_err(|_| refused())?;
    if write(number) == cursor {
        Ok(number)
    } else {
        Err(refused())
    }
}

/// Where a page of names ended.
pub(super) fn write_text(next: &str) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(format!("t:{next}").as_bytes())
}

/// Reads a cursor of names; `None` where there is none.
pub(super) fn read_text(cursor: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let bytes = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(cursor.as_bytes());
    let text = String::from_utf8(bytes.map_err(|_| refused())?).map_err(|_| refused())?;
    let text = text.strip_prefix("t:").ok_or_else(refused)?;
    if write_text(text) == cursor {
        Ok(Some(text.to_owned()))
    } else {
        Err(refused())
    }
}

fn refused() -> Problem {
    Problem::new(
        http::StatusCode::BAD_REQUEST,
        "invalid_cursor",
        "no cursor of this service",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_is_read() {
        for next in [0, 1, u64::MAX] {
            assert_eq!(read(Some(&write(next))).unwrap(), next);
        }
        assert_eq!(read(None).unwrap(), 0);
        for wrong in ["", "MTo", "7", "MTorNw", "Mjo3", "!"] {
            assert_eq!(read(Some(wrong)).unwrap_err().code, "invalid_cursor", "{wrong}");
            assert_eq!(read_text(Some(wrong)).unwrap_err().code, "invalid_cursor", "{wrong}");
        }
        for next in ["", "t:stripe:default", "ü"] {
            assert_eq!(read_text(Some(&write_text(next))).unwrap().as_deref(), Some(next));
        }
        assert!(read(Some(&write_text("1"))).is_err() && read_text(Some(&write(1))).is_err());
    }
}
