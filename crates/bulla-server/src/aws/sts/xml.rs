use std::io::Write;

use bulla_crypto::SecretBytes;
use bytes::Bytes;

use super::super::wire::Failure;
use crate::wiping::WipingWriter;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Elements, written one after the other; wiped, since some are secrets.
pub(super) struct Xml(WipingWriter);

impl Xml {
    pub(super) fn new() -> Self {
        Self(WipingWriter::with_capacity(8 * 1024))
    }

    /// Writes `<name>text</name>`.
    pub(super) fn text(mut self, name: &str, text: &str) -> Self {
        self.raw(&format!("<{name}>"));
        self.escaped(text);
        self.raw(&format!("</{name}>"));
        self
    }

    /// The same of a secret in ASCII.
    pub(super) fn secret(self, name: &str, secret: &SecretBytes) -> Self {
        let text = std::str::from_utf8(secret.expose_secret()).unwrap_or_default();
        self.text(name, text)
    }

    /// Writes an element around others.
    pub(super) fn element(mut self, name: &str, content: impl FnOnce(Self) -> Self) -> Self {
        self.raw(&format!("<{name}>"));
        let mut inner = content(self);
        inner.raw(&format!("</{name}>"));
        inner
    }

    fn raw(&mut self, text: &str) {
        // Writing into memory does not fail.
        let _ = self.0.write_all(text.as_bytes());
    }

    fn escaped(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.raw("&amp;"),
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                '"' => self.raw("&quot;"),
                '\n' | '\r' | '\t' => self.raw(&format!("&#{};", u32::from(c))),
                // No reference makes these legal in XML 1.0.
                c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => self.raw("\u{fffd}"),
                c => self.raw(c.encode_utf8(&mut [0; 4])),
            }
        }
    }

    fn into_bytes(self) -> Bytes {
        self.0.into_bytes()
    }
}

/// Puts an answer's members into the envelope of its operation.
pub(super) fn response(name: &str, members: impl FnOnce(Xml) -> Xml, request_id: &str) -> Bytes {
    let mut xml = Xml::new();
    xml.raw(&format!("<{name}Response xmlns=\"{NAMESPACE}\">"));
    let mut xml = xml
        .element(&format!("{name}Result"), members)
        .element("ResponseMetadata", |xml| xml.text("RequestId", request_id));
    xml.raw(&format!("</{name}Response>"));
    xml.into_bytes()
}

/// An error as STS shows it.
pub(super) fn error(failure: &Failure, code: &str, request_id: &str) -> Bytes {
    let internal = format!("An internal error occurred. Request id: {request_id}");
    let (kind, message) = match failure.is_internal() {
        true => ("Receiver", internal.as_str()),
        false => ("Sender", failure.message.as_deref().unwrap_or_default()),
    };
    let mut xml = Xml::new();
    xml.raw(&format!("<ErrorResponse xmlns=\"{NAMESPACE}\">"));
    let mut xml = xml
        .element("Error", |xml| {
            xml.text("Type", kind).text("Code", code).text("Message", message)
        })
        .text("RequestId", request_id);
    xml.raw("</ErrorResponse>");
    xml.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_can_not_end_their_elements() {
        let xml = Xml::new().text("A", "</A>&\"\u{0}\n");
        assert_eq!(
            &xml.into_bytes()[..],
            "<A>&lt;/A&gt;&amp;&quot;\u{fffd}&#10;</A>".as_bytes()
        );
    }
}
