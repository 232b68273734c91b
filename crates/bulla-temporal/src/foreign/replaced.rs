//! What the server that Bulla replaces sealed: a data key that KMS wrapped, beside its ciphertext.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bulla_crypto::Context;
use bulla_crypto::record::Record;
use bulla_envelope::{OpenError, Sealer};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::Payload;
use crate::foreign::OpeningKey;

/// A payload of the replaced server, taken apart.
pub(crate) struct ReplacedSeal {
    /// The key with its scheme, as a Sealer names it.
    pub(crate) key: String,
    pub(crate) wrapped: Vec<u8>,
}

/// Data keys of the replaced server that were unwrapped: bounded, each for a time, each fetched once.
#[derive(Debug)]
pub(crate) struct ReplacedKeys {
    kept: Mutex<HashMap<(String, Vec<u8>), Kept>>,
    ttl: Duration,
}

#[derive(Debug, Clone)]
struct Kept {
    cell: Arc<OnceCell<Arc<OpeningKey>>>,
    end: Instant,
}

const MOST_KEPT: usize = 1_000;

impl ReplacedSeal {
    /// Reads the members beside the data; `None` where they are not what that server wrote.
    pub(crate) fn of(payload: &Payload, scheme: &str) -> Option<Self> {
        let text = |name| std::str::from_utf8(payload.metadata.get(name)?).ok();
        if text("algorithm").is_some_and(|algorithm| algorithm != "AES-256-GCM") {
            return None;
        }
        let wrapped = crate::json::decode_base64(text("encrypted_data_key")?)?;
        let id = text("kms_key_id")?;
        if id.is_empty() || id.len() > 512 || id.chars().any(char::is_control) || wrapped.is_empty() {
            return None;
        }
        // Resolved keys that are ARNs are written as URIs.
        let key = if id.starts_with("arn:") {
            format!("{scheme}://{id}")
        } else {
            format!("{scheme}:{id}")
        };
        Some(Self { key, wrapped })
    }

    /// Tells whether the data is the record of a sealed payload, in this clothing.
    pub(crate) fn is_record(&self, data: &[u8]) -> bool {
        Record::parse(data).is_ok_and(|record| record.wrapped_key() == self.wrapped)
    }
}

impl ReplacedKeys {
    pub(crate) fn new(ttl: Duration) -> Self {
        Self {
            kept: Mutex::default(),
            ttl,
        }
    }

    /// Finds a key that is there already.
    pub(crate) fn cached(&self, seal: &ReplacedSeal) -> Option<Arc<OpeningKey>> {
        let kept = self.kept();
        let found = kept.get(&(seal.key.clone(), seal.wrapped.clone()))?;
        (Instant::now() < found.end).then(|| found.cell.get().cloned())?
    }

    /// Finds a key, or has it unwrapped; `kms_key_id` must be one that the Sealer accepts.
    pub(crate) async fn obtain(&self, sealer: &Sealer, seal: &ReplacedSeal) -> Result<Arc<OpeningKey>, OpenError> {
        let cell = self.cell(seal);
        let unwrap = || async {
            // "under the data key that `kms_key_id` unwraps, with an empty encryption context"
            let none = Context::empty();
            let data_key = sealer.unwrap_data_key(&seal.key, &seal.wrapped, &none).await?;
            let opening = OpeningKey::new(data_key.expose_secret());
            opening.map(Arc::new).ok_or(OpenError::Refused)
        };
        cell.get_or_try_init(unwrap).await.cloned()
    }

    fn cell(&self, seal: &ReplacedSeal) -> Arc<OnceCell<Arc<OpeningKey>>> {
        let now = Instant::now();
        let fresh = Kept {
            cell: Arc::default(),
            end: now + self.ttl,
        };
        if self.ttl.is_zero() {
            return fresh.cell;
        }
        let mut kept = self.kept();
        kept.retain(|_, other| now < other.end);
        let name = (seal.key.clone(), seal.wrapped.clone());
        if kept.len() >= MOST_KEPT && !kept.contains_key(&name) {
            let oldest = kept.iter().min_by_key(|(_, other)| other.end);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                kept.remove(&oldest);
            }
        }
        Arc::clone(&kept.entry(name).or_insert(fresh).cell)
    }

    pub(crate) fn len(&self) -> usize {
        self.kept().len()
    }

    pub(crate) fn clear(&self) {
        self.kept().clear();
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<(String, Vec<u8>), Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
