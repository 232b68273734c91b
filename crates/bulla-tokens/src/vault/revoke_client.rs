use super::Inner;
use crate::access::{Access, Action, Outcome};
use crate::place::Place;
use crate::store::{StoreErrorKind, next_version};
use crate::{ClientId, TokenError, TokenRef, TokenVault};

impl TokenVault {
    /// Deletes everything of a client, its refresh tokens too, and bars what there was: answers how many entries there were.
    ///
    /// Cached keys of the client are dropped here at once. Elsewhere its tokens are gone with the store's entries; whether an old entry that
    /// somebody puts back is believed there is what [`Marks`](crate::Marks) decide. The client's key is not touched, and tokens may be put again.
    ///
    /// # Errors
    /// [`TokenError`]; then it is to be repeated.
    pub async fn revoke_client(&self, client: &ClientId) -> Result<u64, TokenError> {
        let access = Access::of_client(Action::RevokeClient, client);
        let revoked = async {
            let (version, result) = match self.inner.revoke(client).await {
                Ok((version, count)) => (Some(version), Ok(count)),
                Err(error) => (None, Err(error)),
            };
            let outcome = Outcome {
                version,
                count: result.as_ref().ok().copied(),
                ..Outcome::default()
            };
            (outcome, result)
        };
        self.recorded(access, revoked).await
    }
}

impl Inner {
    async fn revoke(&self, client: &ClientId) -> Result<(u64, u64), TokenError> {
        // First what needs no store: from here on this process gives nothing out that there was.
        let places = self.settings.prefix.client(client);
        let mut version = next_version(self.clock.now(), 0);
        self.marks.revoke(client, version).await?;
        self.sealers.clear(client);
        // A writer whose clock is ahead may have gone beyond. Whatever else lies there holds nothing up.
        let listed = match self.store.list(&places).await {
            Err(error) if error.kind == StoreErrorKind::Malformed => Vec::new(),
            listed => listed?,
        };
        for place in listed {
            version = version.max(self.version_at(client, &place).await?);
        }
        self.marks.revoke(client, version).await?;
        let count = self.store.revoke(&places, version).await?;
        self.sealers.clear(client);
        Ok((version, count))
    }

    /// The version of an entry; 0 where there is none, or none of the vault's. What is far ahead of the clock is believed where it opens.
    async fn version_at(&self, client: &ClientId, place: &Place) -> Result<u64, TokenError> {
        let entry = match self.store.read(place).await {
            Err(error) if error.kind == StoreErrorKind::Malformed => None,
            entry => entry?,
        };
        let Some(entry) = entry else { return Ok(0) };
        if self.is_plausible(entry.version) {
            return Ok(entry.version);
        }
        let Some((kind, provider, name)) = place.parts() else {
            return Ok(0);
        };
        let token = TokenRef::new(client.clone(), provider).named(name);
        // A key that can't be had, either, does not hold a revocation up.
        let opened = self.open_at(&token, kind).await;
        Ok(opened.ok().flatten().map_or(0, |opened| opened.version))
    }
}
