use bulla_service::Call;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Problem;
use super::query::Query;
use super::route::RestRoute;
use crate::edge::Edge;
use crate::wiping::WipingWriter;

/// A request whose caller is known and whose query and body are of the route's form.
pub(crate) struct Request<'a> {
    pub(crate) edge: &'a Edge,
    pub(crate) call: &'a Call,
    parameters: Vec<(&'static str, String)>,
    pub(crate) query: Query,
    pub(crate) headers: &'a HeaderMap,
    body: &'a [u8],
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl<'a> Request<'a> {
    pub(super) fn read(
        edge: &'a Edge,
        call: &'a Call,
        head: &'a Parts,
        route: &RestRoute,
        parameters: Vec<(&'static str, String)>,
        body: &'a [u8],
    ) -> Result<Self, Problem> {
        if route.body.is_some() && !is_json(head) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "the body is to be application/json",
            ));
        }
        if route.body.is_none() && !body.is_empty() {
            return Err(Problem::invalid("this request takes no body"));
        }
        Ok(Self {
            edge,
            call,
            parameters,
            query: Query::parse(head.uri.query().unwrap_or_default(), route.query)?,
            headers: &head.headers,
            body,
        })
    }

    /// The part of the path that the route's `{name}` stands for.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        let found = self.parameters.iter().find(|(of, _)| *of == name);
        found.map_or("", |(_, value)| value)
    }

    /// The body; what is wrong with it is said by its place, not by its content.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(self.body).map_err(|error| {
            Problem::invalid(format!(
                "the body is not of the form that is documented: line {}, column {}",
                error.line(),
                error.column()
            ))
        })
    }
}

impl Reply {
    /// Answers 200 with a JSON document, written into memory that is wiped.
    pub(crate) fn json<T: Serialize>(output: &T) -> Result<Self, Problem> {
        let mut writer = WipingWriter::with_capacity(512);
        match serde_json::to_writer(&mut writer, output) {
            Ok(()) => Ok(Self {
                status: StatusCode::OK,
                body: writer.into_bytes(),
            }),
            Err(_) => Err(bulla_service::ServiceError::Internal("an output that does not serialise").into()),
        }
    }
}

fn is_json(head: &Parts) -> bool {
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = content_type.and_then(|text| text.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}
