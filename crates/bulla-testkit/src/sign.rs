//! Signs requests as an AWS SDK does (AWS Signature Version 4, headers), cheaply enough to load a server from one core.

use std::fmt;

use aws_lc_rs::{digest, hmac};
use bulla_model::{Clock as _, SystemClock};

/// Signs requests to one service of one region with one access key.
pub struct Signer {
    access_key_id: String,
    secret_access_key: String,
    region: String,
    host: String,
    day: String,
    second: (i64, String),
    key: Option<hmac::Key>,
}

impl Signer {
    /// Makes a signer for `host`, with its port, of the service `kms`.
    pub fn new(access_key_id: &str, secret_access_key: &str, region: &str, host: &str) -> Self {
        Self {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: secret_access_key.to_owned(),
            region: region.to_owned(),
            host: host.to_owned(),
            day: String::new(),
            second: (i64::MIN, String::new()),
            key: None,
        }
    }

    /// Writes a whole HTTP/1.1 request for `TrentService.<operation>` with this body into `out`; `amz_date` is `YYYYMMDDTHHMMSSZ`.
    pub fn request(&mut self, out: &mut Vec<u8>, operation: &str, body: &[u8], amz_date: &str) {
        let day = &amz_date[..8];
        if self.day != day {
            day.clone_into(&mut self.day);
            self.key = None;
        }
        let payload_hash = hex(digest::digest(&digest::SHA256, body).as_ref());
        let canonical = format!(
            "POST\n/\n\ncontent-type:application/x-amz-json-1.1\nhost:{}\nx-amz-date:{amz_date}\nx-amz-target:TrentService.{operation}\n\n\
             content-type;host;x-amz-date;x-amz-target\n{payload_hash}",
            self.host
        );
        let scope = format!("{day}/{}/kms/aws4_request", self.region);
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{amz_date}\n{scope}\n{}",
            hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())
        );
        let signature = hex(hmac::sign(self.signing_key(), to_sign.as_bytes()).as_ref());
        out.clear();
        out.extend_from_slice(
            format!(
                "POST / HTTP/1.1\r\nHost: {}\r\nX-Amz-Date: {amz_date}\r\nX-Amz-Target: TrentService.{operation}\r\n\
                 Content-Type: application/x-amz-json-1.1\r\nContent-Length: {}\r\nAuthorization: AWS4-HMAC-SHA256 Credential={}/{scope}, \
                 SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature={signature}\r\n\r\n",
                self.host,
                body.len(),
                self.access_key_id
            )
            .as_bytes(),
        );
        out.extend_from_slice(body);
    }

    /// Writes a request as [`request`](Self::request) does, dated by the machine's clock.
    pub fn request_now(&mut self, out: &mut Vec<u8>, operation: &str, body: &[u8]) {
        let now = SystemClock.now().rounded_to_second();
        if self.second.0 != now.as_micros() {
            let text = now.to_string().replace(['-', ':'], "");
            self.second = (now.as_micros(), text);
        }
        let date = std::mem::take(&mut self.second.1);
        self.request(out, operation, body, &date);
        self.second.1 = date;
    }

    fn signing_key(&mut self) -> &hmac::Key {
        self.key.get_or_insert_with(|| {
            let mut key = format!("AWS4{}", self.secret_access_key).into_bytes();
            for part in [self.day.as_str(), self.region.as_str(), "kms", "aws4_request"] {
                key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), part.as_bytes())
                    .as_ref()
                    .to_vec();
            }
            hmac::Key::new(hmac::HMAC_SHA256, &key)
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)] as char, DIGITS[usize::from(b & 15)] as char])
        .collect()
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}
