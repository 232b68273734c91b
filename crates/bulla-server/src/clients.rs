//! How many connections each client has.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::network::Network;

/// Counts connections by client, so that no client takes them all.
///
/// A client is an IPv4 address or an IPv6 network of 64 bits, of which one machine may have every address. Trusted proxies are not
/// counted: they connect for many.
#[derive(Debug)]
pub(crate) struct Clients {
    most: u32,
    proxies: Vec<Network>,
    open: Mutex<HashMap<IpAddr, u32>>,
}

/// One counted connection; its end is counted when this is dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    counted: Option<(Arc<Clients>, IpAddr)>,
}

impl Clients {
    pub(crate) fn new(most: u32, proxies: Vec<Network>) -> Arc<Self> {
        Arc::new(Self {
            most,
            proxies,
            open: Mutex::default(),
        })
    }

    /// Counts one more connection; `None` where the client has as many as it may.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Admitted> {
        if self.proxies.iter().any(|proxy| proxy.contains(address)) {
            return Some(Admitted { counted: None });
        }
        let client = client_of(address);
        let mut open = self.open();
        let count = open.entry(client).or_insert(0);
        if *count >= self.most {
            return None;
        }
        *count += 1;
        drop(open);
        let counted = Some((self.clone(), client));
        Some(Admitted { counted })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let Some((clients, client)) = self.counted.take() else {
            return;
        };
        if let Entry::Occupied(mut count) = clients.open().entry(client) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// The client that an address belongs to.
pub(crate) fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX));
            network.into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_client_has_no_more_connections_than_it_may_and_others_have_theirs() {
        let clients = Clients::new(2, Vec::new());
        let one = clients.admit(address("192.0.2.1")).unwrap();
        let _two = clients.admit(address("::ffff:192.0.2.1")).unwrap();
        assert!(clients.admit(address("192.0.2.1")).is_none());
        let other = clients.admit(address("192.0.2.2"));
        assert!(other.is_some());
        drop(one);
        assert!(clients.admit(address("192.0.2.1")).is_some());
    }

    #[test]
    fn all_addresses_of_one_ipv6_network_are_one_client() {
        let clients = Clients::new(1, Vec::new());
        let _one = clients.admit(address("2001:db8:0:1::1")).unwrap();
        assert!(clients.admit(address("2001:db8:0:1:ffff::9")).is_none());
        assert!(clients.admit(address("2001:db8:0:2::1")).is_some());
    }

    #[test]
    fn trusted_proxies_are_not_counted_and_who_left_is_forgotten() {
        let clients = Clients::new(1, vec!["10.0.0.0/8".parse().unwrap()]);
        let proxied: Vec<_> = (0..9).map(|_| clients.admit(address("10.1.2.3")).unwrap()).collect();
        assert!(clients.open().is_empty());
        drop(proxied);
        drop(clients.admit(address("192.0.2.1")));
        assert!(clients.open().is_empty());
    }
}
