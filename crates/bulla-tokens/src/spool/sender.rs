use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bulla_crypto::{SecretBytes, sha256};
use http::header::HeaderValue;
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use super::SpoolConfig;
use super::files::{Cursor, Directory};
use super::writer::Written;
use crate::fetch::HttpError;
use crate::fetch::http::Endpoint;

/// Bytes of events in one post: below the 256 KiB that the service takes.
const BATCH_BYTES: usize = 192 * 1024;
/// Events in one post.
const BATCH_EVENTS: usize = 100;
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

    /// Posts lines as one batch; answers whether they were taken.
    ///
    /// The batch is named by what is in it, each line of which has an id of its own: posted again, it is not taken again.
    async fn post(&self, lines: &[u8], refused: &AtomicU64) -> bool {
        let mut body = Vec::with_capacity(lines.len() + 128);
        let name = hex::encode(sha256(lines));
        body.extend_from_slice(format!("{{\"batch_id\":\"{name}\",\"events\":[").as_bytes());
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
                let status = answer.status.as_u16();
                if answer.status.is_client_error() {
                    refused.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(
                        status,
                        "the service refuses access events; the spool fills, and accesses fail when it is full"
                    );
                } else {
                    tracing::warn!(status, "access events were not taken");
                }
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
    let at = if segment == cursor.segment {
        cursor
    } else {
        Cursor::at(segment, 0)
    };
    let lines = match at.posting {
        0 => directory.read(at, BATCH_BYTES, BATCH_EVENTS)?,
        // It was posted before, and perhaps taken: the same once more, so that it has the same name.
        posting => directory.read(at, posting, usize::MAX)?,
    };
    if lines.is_empty() {
        if segment < writing {
            // Delivered, but for a line that was cut off and never acknowledged.
            written.subtract(size.saturating_sub(at.offset));
            directory.store_cursor(Cursor::at(segment + 1, 0))?;
            directory.remove(segment)?;
        }
        return Ok(true);
    }
    if at.posting != lines.len() {
        let posting = lines.len();
        directory.store_cursor(Cursor { posting, ..at })?;
    }
    if !post.post(&lines, &written.refused).await {
        return Ok(false);
    }
    let length = lines.len() as u64;
    directory.store_cursor(Cursor::at(segment, at.offset + length))?;
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
