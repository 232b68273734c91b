use bulla_crypto::sha256;

use crate::{ClientId, ClientKeyError};

/// A name with a client in it: `tokens-{client}`, or `tokens-{client_hash}` for clients of any name.
///
/// `{client}` takes letters, digits, `/`, `_` and `-`, at most 200 of them: what an alias of a key may have. `{client_hash}` is the client's
/// SHA-256 in hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTemplate {
    before: String,
    hashed: bool,
    after: String,
}

impl ClientTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// [`ClientKeyError::Template`] where it would give everybody one name, or has other braces.
    pub fn new(template: &str) -> Result<Self, ClientKeyError> {
        let (before, rest) = template.split_once('{').ok_or(ClientKeyError::Template)?;
        let (what, after) = rest.split_once('}').ok_or(ClientKeyError::Template)?;
        let hashed = match what {
            "client" => false,
            "client_hash" => true,
            _ => return Err(ClientKeyError::Template),
        };
        if [before, after].iter().any(|part| part.contains(['{', '}'])) {
            return Err(ClientKeyError::Template);
        }
        Ok(Self {
            before: before.to_owned(),
            hashed,
            after: after.to_owned(),
        })
    }

    /// What every name begins with.
    pub fn beginning(&self) -> &str {
        &self.before
    }

    /// Makes the name of a client.
    ///
    /// # Errors
    /// [`ClientKeyError::NotAliasSafe`].
    pub fn name(&self, client: &ClientId) -> Result<String, ClientKeyError> {
        let part = if self.hashed {
            hex::encode(sha256(client.as_str().as_bytes()))
        } else if is_alias_safe(client) {
            client.as_str().to_owned()
        } else {
            let client = client.clone();
            return Err(ClientKeyError::NotAliasSafe { client });
        };
        Ok(format!("{}{part}{}", self.before, self.after))
    }
}

fn is_alias_safe(client: &ClientId) -> bool {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-');
    client.as_str().len() <= 200 && client.as_str().bytes().all(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_names_each_clients_key() {
        let client = ClientId::new("acme-1/eu").unwrap();
        let name = |text: &str| ClientTemplate::new(text).unwrap().name(&client).unwrap();
        assert_eq!(name("alias/tokens-{client}"), "alias/tokens-acme-1/eu");
        assert_eq!(name("alias/{client}/x"), "alias/acme-1/eu/x");
        let hashed = name("alias/t-{client_hash}");
        assert_eq!(hashed.len(), "alias/t-".len() + 64);
    }

    #[test]
    fn a_name_that_no_alias_may_have_is_refused_where_it_would_be_part_of_one() {
        let template = |text: &str| ClientTemplate::new(text).unwrap();
        for client in ["a b", "é", "a:b", "{client}", "a.b"] {
            let client = ClientId::new(client).unwrap();
            let error = template("alias/{client}").name(&client).unwrap_err();
            assert!(matches!(error, ClientKeyError::NotAliasSafe { .. }));
            assert!(template("alias/{client_hash}").name(&client).is_ok());
        }
    }

    #[test]
    fn a_template_that_would_give_everybody_one_key_is_refused() {
        for wrong in [
            "alias/tokens",
            "alias/{}",
            "alias/{tenant}",
            "{client}{client}",
            "a}{client}",
            "{client",
        ] {
            assert!(
                matches!(ClientTemplate::new(wrong), Err(ClientKeyError::Template)),
                "{wrong}"
            );
        }
    }
}
