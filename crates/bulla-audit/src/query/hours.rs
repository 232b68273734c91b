use std::fmt;
use std::str::FromStr;

const MINUTE_MICROS: i64 = 60 * 1_000_000;
const DAY_MINUTES: i64 = 24 * 60;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The hours in which people work: `Mon-Fri 08:00-18:00`, with `+01:00` after it where they are not UTC's.
///
/// A day's hours begin at the first minute and end before the second. There is no summer time: offsets are what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusinessHours {
    /// 0 is Monday.
    first_day: u8,
    last_day: u8,
    from_minute: u16,
    to_minute: u16,
    offset_minutes: i16,
}

/// A text that says no business hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("business hours are written as \"Mon-Fri 08:00-18:00\" or \"Mon-Fri 08:00-18:00 +01:00\"")]
pub struct HoursError;

impl BusinessHours {
    /// Whether a moment, in microseconds since 1970 UTC, is within.
    pub fn contain(self, micros: i64) -> bool {
        let minutes = micros
            .div_euclid(MINUTE_MICROS)
            .saturating_add(i64::from(self.offset_minutes));
        // 1 January 1970 was a Thursday.
        let day = (minutes.div_euclid(DAY_MINUTES) + 3).rem_euclid(7);
        let minute = minutes.rem_euclid(DAY_MINUTES);
        (i64::from(self.first_day)..=i64::from(self.last_day)).contains(&day)
            && (i64::from(self.from_minute)..i64::from(self.to_minute)).contains(&minute)
    }
}

impl Default for BusinessHours {
    /// Monday to Friday, 08:00 to 18:00 UTC.
    fn default() -> Self {
        Self {
            first_day: 0,
            last_day: 4,
            from_minute: 8 * 60,
            to_minute: 18 * 60,
            offset_minutes: 0,
        }
    }
}

impl FromStr for BusinessHours {
    type Err = HoursError;

    fn from_str(text: &str) -> Result<Self, HoursError> {
        let mut words = text.split(' ');
        let (days, times) = (words.next().ok_or(HoursError)?, words.next().ok_or(HoursError)?);
        let offset = words.next();
        let (first, last) = days.split_once('-').unwrap_or((days, days));
        let (from, to) = times.split_once('-').ok_or(HoursError)?;
        let day = |name: &str| {
            let at = DAYS.iter().position(|day| day.eq_ignore_ascii_case(name));
            at.and_then(|at| u8::try_from(at).ok()).ok_or(HoursError)
        };
        let hours = Self {
            first_day: day(first)?,
            last_day: day(last)?,
            from_minute: minutes(from)?,
            to_minute: minutes(to)?,
            offset_minutes: match offset
                .map(|offset| offset.split_at_checked(1).ok_or(HoursError))
                .transpose()?
            {
                None => 0,
                Some(("+", offset)) => minutes(offset)?.cast_signed(),
                Some(("-", offset)) => -minutes(offset)?.cast_signed(),
                Some(_) => return Err(HoursError),
            },
        };
        let in_order = hours.first_day <= hours.last_day && hours.from_minute < hours.to_minute;
        (in_order && words.next().is_none()).then_some(hours).ok_or(HoursError)
    }
}

/// `HH:MM`, up to 24:00.
fn minutes(text: &str) -> Result<u16, HoursError> {
    let (hours, minutes) = text.split_once(':').ok_or(HoursError)?;
    let number = |text: &str| match text.as_bytes() {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Ok(u16::from(tens - b'0') * 10 + u16::from(ones - b'0')),
        _ => Err(HoursError),
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let legal = minutes < 60 && (hours < 24 || (hours == 24 && minutes == 0));
    legal.then_some(hours * 60 + minutes).ok_or(HoursError)
}

impl fmt::Display for BusinessHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |at: u8| DAYS[usize::from(at) % 7];
        let (from, to) = (self.from_minute, self.to_minute);
        write!(
            f,
            "{}-{} {:02}:{:02}-{:02}:{:02}",
            day(self.first_day),
            day(self.last_day),
            from / 60,
            from % 60,
            to / 60,
            to % 60
        )?;
        let (sign, offset) = if self.offset_minutes < 0 {
            ('-', -self.offset_minutes)
        } else {
            ('+', self.offset_minutes)
        };
        if offset == 0 {
            return Ok(());
        }
        write!(f, " {sign}{:02}:{:02}", offset / 60, offset % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timestamp;

    #[test]
    fn hours_are_days_and_minutes_at_an_offset() {
        for (hours, moment, within) in [
            ("Mon-Fri 08:00-18:00", "2026-01-05T08:00:00.000000Z", true),
            ("Mon-Fri 08:00-18:00", "2026-01-05T17:59:59.999999Z", true),
            ("Mon-Fri 08:00-18:00", "2026-01-05T18:00:00.000000Z", false),
            ("Mon-Fri 08:00-18:00", "2026-01-05T07:59:59.999999Z", false),
            // A Sunday, and a Saturday that is a Friday still in the west.
            ("Mon-Fri 08:00-18:00", "2026-01-04T12:00:00.000000Z", false),
            ("Mon-Fri 08:00-18:00 -08:00", "2026-01-10T01:00:00.000000Z", true),
            ("Mon-Fri 08:00-18:00 +01:00", "2026-01-05T07:00:00.000000Z", true),
            ("Sun 00:00-24:00", "1970-01-04T23:59:00.000000Z", true),
        ] {
            let parsed: BusinessHours = hours.parse().unwrap();
            assert_eq!(
                parsed.contain(timestamp::parse(moment).unwrap()),
                within,
                "{hours} {moment}"
            );
            assert_eq!(parsed.to_string().parse(), Ok(parsed), "{hours}");
        }
        assert_eq!(BusinessHours::default().to_string(), "Mon-Fri 08:00-18:00");
    }

    #[test]
    fn what_is_no_hours_is_refused() {
        for wrong in [
            "",
            "Mon-Fri",
            "Fri-Mon 08:00-18:00",
            "Mon-Fri 18:00-08:00",
            "Mon-Fri 08:00-24:01",
            "Mon-Fri 8:00-18:00",
            "Mon-Fri 08:00-18:00 CET",
            "Mon-Fri 08:00-18:00 +01:00 x",
            "Mon-Fri  08:00-18:00",
            "Mon-Fri 08:0é-18:00",
            "Mon-Fri 08:00-18:00 é1:00",
        ] {
            assert_eq!(wrong.parse::<BusinessHours>(), Err(HoursError), "{wrong}");
        }
    }
}
