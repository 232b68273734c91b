//! Where entries lie: store keys, in the layout of `spec/token-vault.md`.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::{ClientId, Provider, TokenName, TokenRef};

/// The beginning of every store key, in the layout of `spec/token-vault.md`.
///
/// 1 to 64 bytes of printable ASCII without braces; it is part of what a value is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(Box<str>);

/// A prefix that is empty, too long, or has braces or anything but printable ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a prefix is 1 to 64 bytes of printable ASCII without braces")]
pub struct PrefixError;

impl Prefix {
    /// Reads a prefix.
    ///
    /// # Errors
    /// [`PrefixError`].
    pub fn new(prefix: impl Into<Box<str>>) -> Result<Self, PrefixError> {
        let prefix = prefix.into();
        let plain = |byte: u8| (byte.is_ascii_graphic() || byte == b' ') && byte != b'{' && byte != b'}';
        if !(1..=64).contains(&prefix.len()) || !prefix.bytes().all(plain) {
            return Err(PrefixError);
        }
        Ok(Self(prefix))
    }

    /// Makes the places of one client.
    pub fn client(&self, client: &ClientId) -> ClientPlaces {
        let tagged = self.tagged(client, 0);
        let length = tagged.len();
        ClientPlaces {
            text: tagged.into(),
            length,
        }
    }

    /// What all store keys of a client begin with, in a string that has room for more.
    fn tagged(&self, client: &ClientId, room: usize) -> String {
        let mut tagged = String::with_capacity(self.0.len() + client.as_str().len() + 3 + room);
        tagged.push_str(&self.0);
        tagged.push('{');
        client.encode_into(&mut tagged);
        tagged.push_str("}:");
        tagged
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("bulla:tokens:".into())
    }
}

/// What lies under a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A sealed token.
    Token,
    /// The sealed state of fetching it.
    State,
}

impl Kind {
    fn letter(self) -> &'static str {
        match self {
            Self::Token => "t",
            Self::State => "s",
        }
    }
}

/// The store keys of one client; all of them share its hash tag, and so one slot of a cluster.
#[derive(Clone)]
pub struct ClientPlaces {
    /// Begins with what all keys of the client begin with; in a [`Place`], the whole key.
    text: Arc<str>,
    /// How much of it that is.
    length: usize,
}

impl ClientPlaces {
    /// The place of one entry.
    pub fn place(&self, kind: Kind, provider: &Provider, name: &TokenName) -> Place {
        let mut text = String::with_capacity(self.length + 3 + provider.as_str().len() + name.as_str().len());
        text.push_str(self.tagged());
        Place::below(text, kind, provider, name)
    }

    /// The store key of the index.
    pub fn index(&self) -> String {
        format!("{}i", self.tagged())
    }

    /// The store key of the epoch.
    pub fn epoch(&self) -> String {
        format!("{}e", self.tagged())
    }

    /// The place of a member of the index; `None` for what is no entry's.
    pub fn member(&self, member: &str) -> Option<Place> {
        Place::parse(member)?;
        Some(Place(Self {
            text: [self.tagged(), member].concat().into(),
            length: self.length,
        }))
    }

    fn tagged(&self) -> &str {
        &self.text[..self.length]
    }
}

impl PartialEq for ClientPlaces {
    fn eq(&self, other: &Self) -> bool {
        self.tagged() == other.tagged()
    }
}

impl Eq for ClientPlaces {}

impl fmt::Debug for ClientPlaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientPlaces({})", self.tagged())
    }
}

/// Where one entry lies: a client's store key, and the same as a member of its index. A clone is cheap.
#[derive(Clone)]
pub struct Place(ClientPlaces);

impl Place {
    /// `text` is what all keys of the client begin with.
    fn below(mut text: String, kind: Kind, provider: &Provider, name: &TokenName) -> Self {
        let length = text.len();
        text.push_str(kind.letter());
        text.push(':');
        provider.encode_into(&mut text);
        text.push(':');
        name.encode_into(&mut text);
        Self(ClientPlaces {
            text: text.into(),
            length,
        })
    }

    /// The store key.
    pub fn key(&self) -> &str {
        &self.0.text
    }

    /// The client whose entry it is.
    pub fn client(&self) -> &ClientPlaces {
        &self.0
    }

    /// The entry's name in the index.
    pub fn member_name(&self) -> &str {
        &self.0.text[self.0.length..]
    }

    /// What the entry is, and of which provider and name.
    pub fn parts(&self) -> Option<(Kind, Provider, TokenName)> {
        Self::parse(self.member_name())
    }

    /// The store key of the lease.
    pub fn lease(&self) -> String {
        self.beside("l")
    }

    /// The store key of the lease's counter.
    pub fn lease_number(&self) -> String {
        self.beside("n")
    }

    /// What a record at this place is bound to: "place ‖ version (u64)".
    pub fn binding(&self, version: u64) -> Vec<u8> {
        [self.key().as_bytes(), &version.to_be_bytes()].concat()
    }

    fn beside(&self, kind: &str) -> String {
        let (_, rest) = self.member_name().split_at(1);
        format!("{}{kind}{rest}", self.0.tagged())
    }

    fn parse(member: &str) -> Option<(Kind, Provider, TokenName)> {
        let mut parts = member.split(':');
        let kind = match parts.next()? {
            "t" => Kind::Token,
            "s" => Kind::State,
            _ => return None,
        };
        let provider = Provider::from_encoded(parts.next()?)?;
        let name = TokenName::from_encoded(parts.next()?)?;
        parts.next().is_none().then_some((kind, provider, name))
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Place {}

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({})", self.key())
    }
}

impl TokenRef {
    pub(crate) fn place(&self, prefix: &Prefix, kind: Kind) -> Place {
        let room = 3 + self.provider.as_str().len() + self.name.as_str().len();
        Place::below(prefix.tagged(&self.client, room), kind, &self.provider, &self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn place(client: &str, provider: &str, name: &str) -> String {
        let token = TokenRef {
            client: ClientId::new(client).unwrap(),
            provider: Provider::new(provider).unwrap(),
            name: TokenName::new(name).unwrap(),
        };
        token.place(&Prefix::default(), Kind::Token).key().to_owned()
    }

    #[test]
    fn a_place_reads_as_the_specification_draws_it() {
        assert_eq!(
            place("acme", "stripe", "default"),
            "bulla:tokens:{acme}:t:stripe:default"
        );
        assert_eq!(place("a:}{/", "é", "n"), "bulla:tokens:{a%3A%7D%7B%2F}:t:%C3%A9:n");
    }

    #[test]
    fn no_two_names_share_a_place() {
        let odd = [
            "a", "a:b", "b", ":", "{", "}", "{a}", "a}:t:b", "%3A", "/", "é", "e\u{301}", "t", "s:b",
        ];
        let mut seen = HashMap::new();
        for client in odd {
            for provider in odd {
                for name in odd {
                    let before = seen.insert(place(client, provider, name), (client, provider, name));
                    assert_eq!(before, None);
                }
            }
        }
    }

    #[test]
    fn everything_of_a_client_has_its_one_hash_tag() {
        let places = Prefix::default().client(&ClientId::new("}{x").unwrap());
        let place = places.place(Kind::State, &Provider::new("p").unwrap(), &TokenName::default());
        for key in [
            places.index(),
            places.epoch(),
            place.key().to_owned(),
            place.lease(),
            place.lease_number(),
        ] {
            let (_, rest) = key.split_once('{').unwrap();
            assert_eq!(rest.split_once('}').unwrap().0, "%7D%7Bx", "{key}");
        }
    }

    #[test]
    fn a_member_of_the_index_names_its_place() {
        let places = Prefix::default().client(&ClientId::new("c").unwrap());
        let place = places.place(
            Kind::Token,
            &Provider::new("a:b").unwrap(),
            &TokenName::new("é").unwrap(),
        );
        assert_eq!(places.member(place.member_name()), Some(place));
        for wrong in ["", "t", "t:a", "t:a:b:c", "x:a:b", "t::b", "t:a b:c"] {
            assert_eq!(places.member(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_prefix_has_no_braces() {
        for wrong in ["", "a{b", "}", "é", "a\n", &"a".repeat(65)] {
            assert_eq!(Prefix::new(wrong), Err(PrefixError), "{wrong}");
        }
    }
}
