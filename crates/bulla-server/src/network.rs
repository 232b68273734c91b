//! Whose word about addresses and names is believed.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::HeaderMap;

/// A range of addresses: `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

/// A text that is no range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an address or a range of addresses such as 10.0.0.0/8")]
pub struct NetworkError;

impl Network {
    /// Says whether the address lies in the range. An IPv4 address in IPv6's clothes is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.prefix_bits);
                network.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.prefix_bits);
                network.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = text
            .split_once('/')
            .map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = prefix.map_or(Ok(most), str::parse).map_err(|_| NetworkError)?;
        if prefix_bits <= most {
            Ok(Self { address, prefix_bits })
        } else {
            Err(NetworkError)
        }
    }
}

/// The address that a request came from: the peer's, or what trusted proxies say, read from the nearest one outwards.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(peer) {
        return peer;
    }
    let mut client = peer;
    let values = headers.get_all("x-forwarded-for").iter().rev();
    // As bytes: a value that is no text still ends in what the proxy wrote, and must not give way to the one before it.
    for hop in values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b',')) {
        let Some(address) = hop_address(hop) else { break };
        client = address;
        if !is_trusted(address) {
            break;
        }
    }
    client
}

/// Whether the client spoke TLS: to this server, or to the trusted proxy that says so in `X-Forwarded-Proto`.
///
/// Every proxy on the way adds or overwrites; the last value is the nearest one's, and the only one that is believed.
pub(crate) fn is_secure(peer: IpAddr, tls: bool, headers: &HeaderMap, trusted: &[Network]) -> bool {
    if !trusted.iter().any(|network| network.contains(peer)) {
        return tls;
    }
    let values = headers.get_all("x-forwarded-proto").iter().rev();
    match values
        .flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','))
        .next()
    {
        Some(protocol) => protocol.trim_ascii().eq_ignore_ascii_case(b"https"),
        None => tls,
    }
}

/// `192.0.2.1`, `2001:db8::1` or `[2001:db8::1]`, with or without a port.
fn hop_address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop.trim_ascii()).ok()?;
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare.parse().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// Whether a `Host` or the host of an `Origin` means this machine: then no foreign page's name was bound to our address.
pub(crate) fn is_local_name(authority: &str, further: &[String], remote: bool) -> bool {
    let name = host_of(authority).to_ascii_lowercase();
    if let Ok(address) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
        return remote || address.to_canonical().is_loopback();
    }
    // A name without a dot is never in the public DNS, so no stranger owns it: containers call each other by such names.
    name == "localhost"
        || name.ends_with(".localhost")
        || further.contains(&name)
        || (remote && !name.is_empty() && !name.contains('.'))
}

/// Whether two authorities name one host, on whichever port.
pub(crate) fn is_same_host(one: &str, other: &str) -> bool {
    let host = host_of(one);
    !host.is_empty() && host.eq_ignore_ascii_case(host_of(other))
}

fn host_of(authority: &str) -> &str {
    match authority.rfind(':') {
        Some(at) if authority[at + 1..].bytes().all(|byte| byte.is_ascii_digit()) && !authority[..at].is_empty() => {
            if authority.starts_with('[') && !authority[..at].ends_with(']') {
                authority
            } else {
                &authority[..at]
            }
        }
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn networks_contain_their_addresses_only() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.168.1.7", "192.168.1.7", "192.168.1.8"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("10.0.0.0/8", "::ffff:10.1.1.1", "::1"),
        ] {
            let network: Network = network.parse().unwrap();
            assert!(network.contains(inside.parse().unwrap()));
            assert!(!network.contains(outside.parse().unwrap()));
        }
        assert!(
            "0.0.0.0/0"
                .parse::<Network>()
                .unwrap()
                .contains("8.8.8.8".parse().unwrap())
        );
        for wrong in ["", "10.0.0.0/33", "10.0.0", "::/129", "10.0.0.0/-1", "10.0.0.0/8/8"] {
            assert_eq!(wrong.parse::<Network>(), Err(NetworkError), "{wrong}");
        }
    }

    #[test]
    fn forwarded_addresses_are_believed_from_listed_proxies_only() {
        let proxy: IpAddr = "10.0.0.1".parse().unwrap();
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let forged = headers(&["6.6.6.6, 1.2.3.4", "10.0.0.9"]);
        assert_eq!(client_address(proxy, &forged, &[]), proxy);
        assert_eq!(client_address(proxy, &forged, &trusted).to_string(), "1.2.3.4");
        assert_eq!(
            client_address(proxy, &headers(&["1.2.3.4:99"]), &trusted).to_string(),
            "1.2.3.4"
        );
        assert_eq!(client_address(proxy, &headers(&["1.2.3.4, junk"]), &trusted), proxy);
        assert_eq!(client_address(proxy, &headers(&[]), &trusted), proxy);
        for (hop, client) in [
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:99", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:1.2.3.4", "1.2.3.4"),
        ] {
            assert_eq!(client_address(proxy, &headers(&[hop]), &trusted).to_string(), client);
        }
    }

    #[test]
    fn a_client_can_not_hide_what_the_proxy_says_behind_bytes_that_are_no_text() {
        let proxy: IpAddr = "10.0.0.1".parse().unwrap();
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let mut forged = headers(&["9.9.9.9"]);
        let joined = http::HeaderValue::from_bytes(b"\xff, 1.2.3.4").unwrap();
        forged.append("x-forwarded-for", joined);
        assert_eq!(client_address(proxy, &forged, &trusted).to_string(), "1.2.3.4");
        let hidden = http::HeaderValue::from_bytes(b"1.2.3.4, \xff").unwrap();
        forged.append("x-forwarded-for", hidden);
        assert_eq!(client_address(proxy, &forged, &trusted), proxy);
    }

    #[test]
    fn only_a_trusted_proxy_says_whether_the_client_spoke_tls() {
        let (proxy, stranger): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let says = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-forwarded-proto", value.parse().unwrap());
            }
            headers
        };
        for (peer, tls, values, secure) in [
            (stranger, false, &["https"][..], false),
            (stranger, true, &["http"], true),
            (proxy, false, &["https"], true),
            (proxy, false, &[" HTTPS "], true),
            (proxy, true, &["http"], false),
            // What the client itself sent stands before what the proxy wrote.
            (proxy, false, &["https", "http"], false),
            (proxy, false, &["https, http"], false),
            (proxy, false, &["http, https"], true),
            (proxy, false, &["httpsx"], false),
            (proxy, false, &[], false),
            (proxy, true, &[], true),
        ] {
            assert_eq!(
                is_secure(peer, tls, &says(values), &trusted),
                secure,
                "{peer} {tls} {values:?}"
            );
        }
    }

    #[test]
    fn local_names_are_those_that_no_stranger_can_own() {
        for name in [
            "localhost",
            "LOCALHOST:4599",
            "127.0.0.1:4599",
            "[::1]:4599",
            "kms.localhost",
            "127.9.9.9",
        ] {
            assert!(is_local_name(name, &[], false), "{name}");
        }
        for name in [
            "",
            ":80",
            "evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "bulla:4599",
            "127.0.0.1.evil.example",
        ] {
            assert!(!is_local_name(name, &[], false), "{name}");
        }
        assert!(is_local_name("bulla:4599", &[], true));
        assert!(is_local_name("10.0.0.1", &[], true));
        assert!(is_local_name("kms.test:1", &["kms.test".to_owned()], false));
        assert!(!is_local_name("evil.example", &[], true));
        assert!(!is_local_name("", &[], true));
    }
}
