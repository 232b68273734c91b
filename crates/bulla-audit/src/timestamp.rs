//! Times as the log writes them: `2025-01-31T23:59:59.123456Z`, microseconds since 1970 in UTC.

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The latest time that has four digits for its year, in microseconds since 1970: the end of 9999.
pub const MAX_MICROS: i64 = 253_402_300_799_999_999;

/// Writes a time of 1970 to 9999; `None` outside.
pub fn format(micros: i64) -> Option<String> {
    let mut out = Vec::with_capacity(27);
    write(&mut out, micros)?;
    String::from_utf8(out).ok()
}

/// Appends the 27 bytes of a time.
pub(crate) fn write(out: &mut Vec<u8>, micros: i64) -> Option<()> {
    if !(0..=MAX_MICROS).contains(&micros) {
        return None;
    }
    let (year, month, day) = civil_from_days(micros / MICROS_PER_DAY);
    let in_day = micros % MICROS_PER_DAY;
    let seconds = in_day / 1_000_000;
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    put(&mut text[0..4], year);
    put(&mut text[5..7], month);
    put(&mut text[8..10], day);
    put(&mut text[11..13], seconds / 3600);
    put(&mut text[14..16], seconds / 60 % 60);
    put(&mut text[17..19], seconds % 60);
    put(&mut text[20..26], in_day % 1_000_000);
    out.extend_from_slice(&text);
    Some(())
}

/// Reads a time in exactly the form that [`format()`] writes.
pub fn parse(text: &str) -> Option<i64> {
    let bytes: &[u8; 27] = text.as_bytes().try_into().ok()?;
    let number = |from: usize, to: usize| {
        bytes[from..to].iter().try_fold(0_i64, |sum, byte| {
            byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0'))
        })
    };
    let days = days_from_civil(number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    let micros = days * MICROS_PER_DAY + seconds * 1_000_000 + number(20, 26)?;
    // Whatever is out of range, or has another punctuation, is written otherwise.
    (format(micros).as_deref() == Some(text)).then_some(micros)
}

fn put(place: &mut [u8], mut value: i64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Year, month and day of a day since 1970 in the Gregorian calendar, counted in eras of 400 years from 1 March 0000.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (
        era * 400 + year_of_era + i64::from(month <= 2),
        month,
        day_of_year - (153 * shifted_month + 2) / 5 + 1,
    )
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::{OffsetDateTime, macros::format_description};

    use super::*;

    proptest! {
        #[test]
        fn times_are_written_as_the_time_crate_writes_them_and_read_back(micros in 0..=MAX_MICROS) {
            let written = format(micros).unwrap();
            let reference = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).unwrap();
            let layout = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
            prop_assert_eq!(&written, &reference.format(&layout).unwrap());
            prop_assert_eq!(parse(&written), Some(micros));
        }
    }

    #[test]
    fn days_that_do_not_exist_and_other_spellings_are_refused() {
        assert_eq!(parse("2024-02-29T12:00:00.000000Z"), Some(1_709_208_000_000_000));
        for text in [
            "2023-02-29T12:00:00.000000Z",
            "2024-13-01T12:00:00.000000Z",
            "2024-01-00T12:00:00.000000Z",
            "2024-01-01T24:00:00.000000Z",
            "2024-01-01T00:00:60.000000Z",
            "2024-01-01 00:00:00.000000Z",
            "2024-01-01T00:00:00.000000z",
            "2024-01-01T00:00:00.00000Z",
            "1969-12-31T23:59:59.999999Z",
            "+024-01-01T00:00:00.000000Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(format(-1), None);
        assert_eq!(format(MAX_MICROS).unwrap(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(format(MAX_MICROS + 1), None);
    }
}
