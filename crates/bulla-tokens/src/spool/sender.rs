use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bulla_crypto::SecretBytes;
use http::header::HeaderValue;
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use super::SpoolConfig;
use super::files::{Cursor, Directory};
use super::writer::Written;
use crate::fetch::HttpError;
use crate::fetch::http::Endpoint;

/// Bytes of events in one post, about.
const BATCH_BYTES: usize = 256 * 1024;
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Where events are posted to.
pub(super) struct Post {
    endpoint: Endpoint,
    authorization: HeaderValue,
    timeout: Duration,
}

impl Post {
    pub(super) fn new(config: &SpoolConfig) -> Result<Self, HttpError> {
        let url = format!("{}/v1/audit/events", config.endpoint.trim_end_matches('/'));
        Ok(Self {
            endpoint: Endpoint::new(&url, config.ca_pem.as_deref())?,
            authorization: bearer(&config.api_token).ok_or(HttpError::Address)?,
            timeout: config.post_timeout,
        })
    }

    /// Posts lines as `{"events": […]}`; answers whether they were taken.
    async fn post(&self, lines: &[u8]) -> bool {
        let mut body = Vec::with_capacity(lines.len() + 16);
        body.extend_from_slice(b"{\"events\":[");
        let events = lines.trim_ascii_end().split(|byte| *byte == b'\n');
        for (at, event) in events.enumerate() {
            if at > 0 {
                body.push(b',');
            }
            body.extend_from_slice(event);
        }
        body.extend_from_slice(b"]}");
        let posting = self
            .endpoint
            .post("application/json", Some(self.authorization.clone()), body);
        match timeout(self.timeout, posting).await {
            Ok(Ok(answer)) if answer.status.is_success() => true,
            Ok(Ok(answer)) => {
                tracing::warn!(status = answer.status.as_u16(), "access events were not taken");
                false
            }
            Ok(Err(error)) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "access events could not be posted");
                false
            }
            Err(_) => false,
        }
    }
}

/// Delivers until the writer has ended and nothing is left that it could deliver at once.
pub(super) fn start(directory: Arc<Directory>, post: Post, mut written: Written) {
    tokio::spawn(async move {
        let mut pause = Duration::from_millis(200);
        loop {
            match deliver(&directory, &post, &written).await {
                Ok(true) => pause = Duration::from_millis(200),
                Ok(false) => {
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => {
                    report(&error);
                    sleep(LONGEST_PAUSE).await;
                }
            }
            let idle = written.waiting.load(Ordering::SeqCst) == 0;
            if written.segment.has_changed().is_err() || (idle && written.segment.changed().await.is_err()) {
                return;
            }
        }
    });
}

fn report(error: &io::Error) {
    let error: &dyn std::error::Error = error;
    tracing::error!(error, "the spool of access events can't be read");
}

/// Delivers one batch, if there is one; answers `false` where it was not taken.
async fn deliver(directory: &Directory, post: &Post, written: &Written) -> io::Result<bool> {
    let cursor = directory.cursor()?;
    let writing = *written.segment.borrow();
    let segments = directory.segments()?;
    let Some((segment, size)) = segments.iter().copied().find(|(number, _)| *number >= cursor.segment) else {
        return Ok(true);
    };
    let at = Cursor {
        segment,
        offset: if segment == cursor.segment { cursor.offset } else { 0 },
    };
    let lines = directory.read(at, BATCH_BYTES)?;
    if lines.is_empty() {
        if segment < writing {
            // Delivered, but for a line that was cut off and never acknowledged.
            written.subtract(size.saturating_sub(at.offset));
            let next = Cursor {
                segment: segment + 1,
                offset: 0,
            };
            directory.store_cursor(next)?;
            directory.remove(segment)?;
        }
        return Ok(true);
    }
    if !post.post(&lines).await {
        return Ok(false);
    }
    let length = lines.len() as u64;
    directory.store_cursor(Cursor {
        offset: at.offset + length,
        ..at
    })?;
    written.subtract(length);
    Ok(true)
}

fn bearer(token: &SecretBytes) -> Option<HeaderValue> {
    let mut text = Zeroizing::new(Vec::with_capacity(7 + token.len()));
    text.extend_from_slice(b"Bearer ");
    text.extend_from_slice(token.expose_secret());
    let mut value = HeaderValue::from_bytes(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
