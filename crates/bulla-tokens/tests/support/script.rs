use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bulla_crypto::SecretBytes;
use bulla_tokens::TokenRef;
use bulla_tokens::fetch::{FetchError, FetchRequest, Fetched, Fetcher};
use tokio::sync::Semaphore;

/// A fetcher that answers as it is told to, and writes down what it was asked with.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) refresh: bool,
    pub(crate) secret: Option<TokenRef>,
    pub(crate) ttl: Duration,
    pub(crate) answers: Mutex<VecDeque<Answer>>,
    pub(crate) asked: Mutex<Vec<String>>,
    pub(crate) in_flight: AtomicU64,
    pub(crate) most_in_flight: AtomicU64,
    /// A permit for each fetch that may end.
    pub(crate) gate: Option<Semaphore>,
}

#[derive(Debug)]
pub(crate) enum Answer {
    /// A token, and a refresh token that replaces the one used.
    Token(&'static str, Option<&'static str>),
    Exactly(Fetched),
    Fails(FetchError),
}

impl Default for Script {
    fn default() -> Self {
        Self {
            refresh: false,
            secret: None,
            ttl: Duration::from_secs(3600),
            answers: Mutex::default(),
            asked: Mutex::default(),
            in_flight: AtomicU64::new(0),
            most_in_flight: AtomicU64::new(0),
            gate: None,
        }
    }
}

impl Script {
    pub(crate) fn then(self, answer: Answer) -> Self {
        self.answers.lock().unwrap().push_back(answer);
        self
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// What a provider gives that gives what it should.
    pub(crate) fn fetched(value: &str, refresh: Option<&str>) -> Fetched {
        let secret = |text: &str| SecretBytes::from_vec(text.as_bytes().to_vec());
        Fetched {
            value: secret(value),
            ttl: Some(Duration::from_secs(3600)),
            token_type: "Bearer".into(),
            scopes: Vec::new(),
            refresh_token: refresh.map(secret),
        }
    }

    pub(crate) fn lost() -> FetchError {
        FetchError::AnswerLost(Arc::new(std::io::Error::other("lost")))
    }

    pub(crate) fn unreachable() -> FetchError {
        FetchError::NotSent(Arc::new(std::io::Error::other("down")))
    }
}

#[async_trait]
impl Fetcher for Script {
    fn secret(&self) -> Option<&TokenRef> {
        self.secret.as_ref()
    }

    fn uses_refresh_token(&self) -> bool {
        self.refresh
    }

    async fn fetch(&self, request: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
        let show = |secret: &SecretBytes| String::from_utf8(secret.expose_secret().to_vec()).unwrap();
        let with = request.refresh_token.or(request.secret).map(show).unwrap_or_default();
        self.asked.lock().unwrap().push(with);
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight.fetch_max(now, Ordering::SeqCst);
        if let Some(gate) = &self.gate {
            gate.acquire().await.unwrap().forget();
        }
        let answer = self.answers.lock().unwrap().pop_front();
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        match answer.unwrap_or(Answer::Token("token", None)) {
            Answer::Fails(error) => Err(error),
            Answer::Exactly(fetched) => Ok(fetched),
            Answer::Token(value, refresh) => Ok(Fetched {
                ttl: Some(self.ttl),
                ..Self::fetched(value, refresh)
            }),
        }
    }
}
