//! Cross-origin requests as the Web UI makes them (the Fetch standard, "CORS protocol").

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderValue, ORIGIN, VARY,
};
use http::{HeaderMap, Method};

use crate::network::is_local_name;

/// Whose pages may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// Exactly these, as in `https://ui.example.org`; none, where the list is empty.
    Listed(Vec<String>),
    /// Pages of this machine; for the development mode.
    Local,
}

/// Answers for the origins.
#[derive(Debug, Clone)]
pub(crate) struct Cors {
    pub(crate) origins: Origins,
    /// Whether a browser may send cookies and client certificates.
    pub(crate) credentials: bool,
}

/// What a request's `Origin` means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// There is none: not a page's request.
    None,
    /// A page that may ask.
    Allowed(HeaderValue),
    /// A page that may not; it gets no header that would let it read the answer.
    Denied,
}

const HEADERS: HeaderValue = HeaderValue::from_static("Content-Type, X-Namespace, Authorization, Authorization-Extras");
const METHODS: HeaderValue = HeaderValue::from_static("POST, OPTIONS");
const MAX_AGE_SECONDS: HeaderValue = HeaderValue::from_static("600");

impl Cors {
    pub(crate) fn origin(&self, headers: &HeaderMap) -> Origin {
        let mut values = headers.get_all(ORIGIN).iter();
        let Some(origin) = values.next() else {
            return Origin::None;
        };
        let text = origin.to_str().unwrap_or_default();
        let allowed = match &self.origins {
            Origins::Listed(origins) => origins.iter().any(|listed| listed == text),
            Origins::Local => text
                .split_once("://")
                .is_some_and(|(scheme, host)| matches!(scheme, "http" | "https") && is_local_name(host, &[], false)),
        };
        if allowed && values.next().is_none() {
            Origin::Allowed(origin.clone())
        } else {
            Origin::Denied
        }
    }

    /// Whether a request asks for leave to make another.
    pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
        method == Method::OPTIONS && headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// Adds what a browser wants to see on any answer, errors too.
    pub(crate) fn mark(&self, origin: &Origin, headers: &mut HeaderMap) {
        headers.append(VARY, HeaderValue::from_static("Origin"));
        if let Origin::Allowed(origin) = origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            if self.credentials {
                headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
        }
    }

    /// Adds what a preflight asks for, where the origin may ask.
    pub(crate) fn permit(origin: &Origin, headers: &mut HeaderMap) {
        if matches!(origin, Origin::Allowed(_)) {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
            headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS);
        }
    }
}
