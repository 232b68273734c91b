//! Numbers, dates and address ranges, as conditions compare them.

use std::net::IpAddr;

/// A decimal number: an integer part of up to 18 digits and a fraction of up to 12, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Decimal(i128);

impl Decimal {
    const FRACTION_DIGITS: usize = 12;

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit());
        if !all_digits || whole.is_empty() || whole.len() > 18 || fraction.len() > Self::FRACTION_DIGITS {
            return None;
        }
        if fraction.is_empty() && digits.contains('.') {
            return None;
        }
        let magnitude: i128 = format!("{whole}{fraction:0<12}").parse().ok()?;
        Some(Self(if negative { -magnitude } else { magnitude }))
    }
}

/// Microseconds since the epoch of a W3C date (`2020`, `2020-04`, `2020-04-01`, `2020-04-01T12:00Z`, with seconds, with a fraction,
/// with an offset) or of epoch seconds. Four digits are a year.
pub(super) fn parse_date(text: &str) -> Option<i64> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let only_digits = !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit());
    if only_digits && text.len() != 4 {
        return text.parse::<i64>().ok()?.checked_mul(1_000_000);
    }
    let (date, clock) = match text.split_once('T') {
        Some((date, clock)) => (date, Some(clock)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = number(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |part| number(part, 2))?;
    let day = parts.next().map_or(Some(1), |part| number(part, 2))?;
    if parts.next().is_some() || (clock.is_some() && date.len() != 10) {
        return None;
    }
    let month = time::Month::try_from(u8::try_from(month).ok()?).ok()?;
    let day = time::Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()?;
    let midnight = i64::from(day.to_julian_day() - 2_440_588) * 86_400_000_000;
    midnight.checked_add(clock.map_or(Some(0), parse_clock)?)
}

/// Microseconds of the day, in UTC: `hh:mm[:ss[.f…]](Z|±hh:mm)`.
fn parse_clock(text: &str) -> Option<i64> {
    let zone = text.find(['Z', '+', '-'])?;
    let (clock, zone) = text.split_at(zone);
    let offset = match zone {
        "Z" => 0,
        _ => {
            let (hours, minutes) = zone[1..].split_once(':')?;
            let minutes = in_range(number(hours, 2)?, 23)? * 60 + in_range(number(minutes, 2)?, 59)?;
            if zone.starts_with('-') { -minutes } else { minutes }
        }
    };
    let mut parts = clock.split(':');
    let hours = in_range(number(parts.next()?, 2)?, 23)?;
    let minutes = in_range(number(parts.next()?, 2)?, 59)?;
    let micros = match parts.next() {
        None => 0,
        Some(seconds) => {
            let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
            let digits = (1..=9).contains(&fraction.len()) && fraction.bytes().all(|b| b.is_ascii_digit());
            let six = digits.then(|| format!("{:0<6}", &fraction[..fraction.len().min(6)]))?;
            in_range(number(whole, 2)?, 60)? * 1_000_000 + six.parse::<i64>().ok()?
        }
    };
    parts
        .next()
        .is_none()
        .then_some((hours * 60 + minutes - offset) * 60_000_000 + micros)
}

fn number(text: &str, digits: usize) -> Option<i64> {
    let right = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    right.then(|| text.parse().ok())?
}

fn in_range(value: i64, most: i64) -> Option<i64> {
    (0..=most).contains(&value).then_some(value)
}

/// An address range: `203.0.113.0/24`, `2001:db8::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

impl Network {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            None => most,
            Some(digits) => {
                let legal = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
                legal.then(|| digits.parse::<u8>().ok())??
            }
        };
        (prefix_bits <= most).then_some(Self { address, prefix_bits })
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        // An IPv4 client on an IPv6 listener is an IPv4 client.
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix_bits)).unwrap_or(0);
                u32::from(network) & mask == u32::from(address) & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix_bits)).unwrap_or(0);
                u128::from(network) & mask == u128::from(address) & mask
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_exactly() {
        let parse = |text| Decimal::parse(text).expect("a number");
        assert!(parse("0.1") < parse("0.2"));
        assert_eq!(parse("10"), parse("10.0"));
        assert!(parse("-2") < parse("-1.999999999999"));
        assert!(parse("999999999999999999") > parse("999999999999999998.999999999999"));
        for wrong in ["", "-", "1e3", "1.", ".5", "0x1", "1 ", "NaN", "1234567890123456789"] {
            assert_eq!(Decimal::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn dates_are_w3c_or_epoch_seconds() {
        let seconds = 1_585_742_400;
        for text in [
            "2020-04-01T12:00:00Z",
            "2020-04-01T12:00Z",
            "2020-04-01T14:00:00+02:00",
            "2020-04-01T06:30:00.000-05:30",
            "1585742400",
        ] {
            assert_eq!(parse_date(text), Some(seconds * 1_000_000), "{text}");
        }
        assert_eq!(parse_date("2020"), Some(1_577_836_800_000_000));
        assert_eq!(parse_date("2020-02"), Some(1_580_515_200_000_000));
        assert_eq!(parse_date("1970-01-01T00:00:00.5Z"), Some(500_000));
        for wrong in [
            "",
            "2020-13",
            "2020-02-30",
            "2020-04-01T12:00:00",
            "2020-4-1",
            "20-04-01",
            "2020-04T12:00Z",
            "2020-04-01T25:00Z",
            "tomorrow",
            "2020-04-01T12:00:00.Z",
            "1e9",
        ] {
            assert_eq!(parse_date(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ranges_contain_their_addresses() {
        let contains = |network: &str, address: &str| {
            let network = Network::parse(network).expect("a range");
            network.contains(address.parse().expect("an address"))
        };
        assert!(contains("203.0.113.0/24", "203.0.113.255"));
        assert!(!contains("203.0.113.0/24", "203.0.114.0"));
        assert!(contains("203.0.113.7", "203.0.113.7"));
        assert!(!contains("203.0.113.7", "203.0.113.8"));
        assert!(contains("0.0.0.0/0", "8.8.8.8"));
        assert!(!contains("0.0.0.0/0", "2001:db8::1"));
        assert!(contains("2001:DB8:1234:5678::/64", "2001:db8:1234:5678::9"));
        assert!(contains("::/0", "2001:db8::1"));
        assert!(contains("203.0.113.0/24", "::ffff:203.0.113.9"));
        for wrong in [
            "",
            "203.0.113",
            "203.0.113.0/33",
            "2001:db8::/129",
            "203.0.113.0/",
            "203.0.113.0/-1",
            "*",
        ] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }
}
