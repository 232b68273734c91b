use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use aws_lc_rs::hmac;
use quick_cache::Equivalent;
use quick_cache::sync::Cache;
use zeroize::Zeroizing;

use super::Scope;

/// The key that signs one day's requests of one access key to one service in one region.
///
/// # Security
/// The HMAC context is wiped by aws-lc when it is dropped; the intermediate keys are wiped here.
pub(crate) struct SigningKey(hmac::Key);

impl SigningKey {
    /// Derives it: `HMAC(HMAC(HMAC(HMAC("AWS4" ‖ secret, date), region), service), "aws4_request")`.
    pub(crate) fn derive(secret: &[u8], scope: &Scope<'_>) -> Self {
        let mut start = Zeroizing::new(Vec::with_capacity(4 + secret.len()));
        start.extend_from_slice(b"AWS4");
        start.extend_from_slice(secret);
        let mut key = Zeroizing::new([0; 32]);
        mac(&start, scope.date, &mut key);
        for part in [scope.region, scope.service, "aws4_request"] {
            let previous = key.clone();
            mac(previous.as_slice(), part, &mut key);
        }
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()))
    }

    /// Signs the string to sign.
    pub(crate) fn sign(&self, text: &[u8]) -> [u8; 32] {
        let mut signature = [0; 32];
        signature.copy_from_slice(hmac::sign(&self.0, text).as_ref());
        signature
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey([redacted])")
    }
}

/// Writes the MAC where it belongs and nowhere else: the library's own tag type would leave a copy.
fn mac(key: &[u8], text: &str, out: &mut [u8; 32]) {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign_to_buffer(&key, text.as_bytes(), out).expect("32 bytes hold a tag of SHA-256");
}

/// Derived signing keys, so that a request costs one HMAC and not five.
///
/// Bounded; only keys that have verified a signature get in, so strangers can't push others out. An entry is good for the revision
/// of the access key that it was derived from, and for no other.
#[derive(Debug)]
pub(crate) struct SigningKeys(Cache<Name, (u64, Arc<SigningKey>)>);

impl SigningKeys {
    /// Makes an empty cache for `capacity` keys.
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }

    /// The key of this scope, if it was derived from this revision of the access key.
    pub(crate) fn find(&self, scope: &Scope<'_>, revision: u64) -> Option<Arc<SigningKey>> {
        let (derived_from, key) = self.0.get(&NameRef::of(scope))?;
        (derived_from == revision).then_some(key)
    }

    /// Keeps a key that has verified a signature.
    pub(crate) fn keep(&self, scope: &Scope<'_>, revision: u64, key: Arc<SigningKey>) {
        let name = Name {
            access_key_id: scope.access_key_id.to_owned(),
            date: scope.date.to_owned(),
            region: scope.region.to_owned(),
            service: scope.service.to_owned(),
        };
        self.0.insert(name, (revision, key));
    }

    /// How many keys are kept.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Name {
    access_key_id: String,
    date: String,
    region: String,
    service: String,
}

#[derive(PartialEq, Eq, Hash)]
struct NameRef<'a> {
    access_key_id: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
}

impl<'a> NameRef<'a> {
    fn of(scope: &Scope<'a>) -> Self {
        Self {
            access_key_id: scope.access_key_id,
            date: scope.date,
            region: scope.region,
            service: scope.service,
        }
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        NameRef {
            access_key_id: &self.access_key_id,
            date: &self.date,
            region: &self.region,
            service: &self.service,
        }
        .hash(state);
    }
}

impl Equivalent<Name> for NameRef<'_> {
    fn equivalent(&self, name: &Name) -> bool {
        self.access_key_id == name.access_key_id
            && self.date == name.date
            && self.region == name.region
            && self.service == name.service
    }
}
