use futures::future::join_all;

use super::Inner;
use crate::access::{Access, Action, Outcome};
use crate::content;
use crate::place::{Kind, Place};
use crate::{ClientId, Listed, TokenError, TokenRef, TokenVault};

/// The most tokens of one page.
const MOST: usize = 1_000;
/// Entries that are read at once.
const AT_ONCE: usize = 32;

/// A part of a client's tokens.
#[derive(Debug, Default)]
pub struct Page {
    /// Valid tokens, without their values, in the order of the index.
    pub tokens: Vec<Listed>,
    /// Tokens that are there and can't be believed or opened, and why.
    pub unreadable: Vec<(TokenRef, TokenError)>,
    /// Where the next page begins; `None` where this is the last.
    pub next: Option<String>,
}

impl TokenVault {
    /// Lists a client's tokens, at most `limit` (1 to 1,000) a page, after the cursor of the page before.
    ///
    /// # Errors
    /// [`TokenError`] where the store, or the client's key, can't be had; tokens that can't be believed are in the page.
    pub async fn list(&self, client: &ClientId, after: Option<&str>, limit: usize) -> Result<Page, TokenError> {
        let access = Access::of_client(Action::List, client);
        let listed = async {
            let page = self.inner.page(client, after, limit.clamp(1, MOST)).await;
            let count = page.as_ref().ok().map(|page| page.tokens.len() as u64);
            let outcome = Outcome {
                count,
                ..Outcome::default()
            };
            (outcome, page)
        };
        self.recorded(access, listed).await
    }
}

impl Inner {
    async fn page(&self, client: &ClientId, after: Option<&str>, limit: usize) -> Result<Page, TokenError> {
        let places = self.places(client).await?;
        let is_after = |place: &Place| after.is_none_or(|after| place.member_name() > after);
        let mut rest = places.into_iter().filter(is_after);
        let of_page: Vec<_> = rest.by_ref().take(limit).collect();
        let mut page = Page::default();
        if rest.next().is_some() {
            page.next = of_page.last().map(|place| place.member_name().to_owned());
        }
        for some in of_page.chunks(AT_ONCE) {
            let read = some.iter().map(|place| self.listed(client, place));
            for listed in join_all(read).await {
                match listed {
                    Ok(listed) => page.tokens.extend(listed),
                    Err((token, error)) => page.unreadable.push((token, error)),
                }
            }
        }
        Ok(page)
    }

    /// The places of a client's tokens.
    async fn places(&self, client: &ClientId) -> Result<Vec<Place>, TokenError> {
        let mut places = self.store.list(&self.settings.prefix.client(client)).await?;
        places.retain(|place| matches!(place.parts(), Some((Kind::Token, _, _))));
        Ok(places)
    }

    async fn listed(&self, client: &ClientId, place: &Place) -> Result<Option<Listed>, (TokenRef, TokenError)> {
        let Some((_, provider, name)) = place.parts() else {
            return Ok(None);
        };
        let token = TokenRef::new(client.clone(), provider).named(name);
        let read = async {
            let Some(opened) = self.open_at(&token, Kind::Token).await? else {
                return Ok(None);
            };
            let (about, _) = content::decode(&opened.content).ok_or(TokenError::Malformed)?;
            Ok(Some((opened.version, about)))
        };
        match read.await {
            Ok(Some((version, about))) if about.is_valid_at(self.clock.now()) => {
                Ok(Some(Listed { token, version, about }))
            }
            Ok(_) => Ok(None),
            Err(error) => Err((token, error)),
        }
    }
}
