use bulla_temporal::Namespace;
use http::HeaderMap;

use super::gate::CodecOperation;

/// What a path asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// To encode or decode, with the namespace as the path has it.
    Code(CodecOperation, Option<&'a str>),
    /// To renew data keys at once.
    Rotate,
    /// To resolve a storage reference, which is not configured.
    Download,
    Health,
    Ready,
    Stats,
    Metrics,
    Nothing,
}

/// A request that says which namespace it means in two ways, or in none that can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NamespaceProblem {
    #[error("the namespace of the path and that of X-Namespace differ")]
    Differ,
    #[error("this is no namespace")]
    Malformed,
    #[error("name the namespace in the path or in X-Namespace")]
    Missing,
}

impl<'a> Route<'a> {
    /// "Empty segments are skipped." "Let the path be what follows the first segment `codec`, where there is one, else the whole. The
    /// segment before the verb is the namespace."
    pub(crate) fn of(path: &'a str) -> Self {
        let all: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        if all == ["v1", "codec", "rotate"] {
            return Self::Rotate;
        }
        let mount = all.iter().position(|segment| *segment == "codec");
        let Some((verb, before)) = all[mount.map_or(0, |at| at + 1)..].split_last() else {
            return Self::Nothing;
        };
        match *verb {
            "encode" => Self::Code(CodecOperation::Encode, before.last().copied()),
            "decode" => Self::Code(CodecOperation::Decode, before.last().copied()),
            "download" => Self::Download,
            "health" | "healthz" if before.is_empty() => Self::Health,
            "readyz" if before.is_empty() => Self::Ready,
            "stats" if before.is_empty() => Self::Stats,
            "metrics" if before.is_empty() => Self::Metrics,
            _ => Self::Nothing,
        }
    }
}

impl Route<'_> {
    /// What is asked of the codec, where it is that and no page.
    pub(crate) fn operation(&self) -> Option<CodecOperation> {
        match self {
            Self::Code(operation, _) => Some(*operation),
            Self::Rotate => Some(CodecOperation::Rotate),
            _ => None,
        }
    }
}

/// Whether a path of the service is the codec's: `/codec` and what lies under it, and `/v1/codec/rotate`.
pub(crate) fn is_of_codec(path: &str) -> bool {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    match segments.next() {
        Some("codec") => true,
        Some("v1") => segments.eq(["codec", "rotate"]),
        _ => false,
    }
}

/// "Without one, it is the header `X-Namespace`; without that, the default namespace of the configuration."
pub(crate) fn namespace(
    of_path: Option<&str>,
    headers: &HeaderMap,
    default: Option<&Namespace>,
) -> Result<Namespace, NamespaceProblem> {
    let of_header = header(headers)?;
    let of_path = of_path.map(unescape).transpose()?;
    let name = match (of_path.as_deref(), of_header) {
        (Some(path), Some(header)) if path != header => return Err(NamespaceProblem::Differ),
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => return default.cloned().ok_or(NamespaceProblem::Missing),
    };
    name.parse().map_err(|_| NamespaceProblem::Malformed)
}

/// The namespace of a header alone: a rotation's, which means all where there is none.
pub(crate) fn namespace_of_header(headers: &HeaderMap) -> Result<Option<Namespace>, NamespaceProblem> {
    let name = header(headers)?;
    name.map(|name| name.parse().map_err(|_| NamespaceProblem::Malformed))
        .transpose()
}

/// What `X-Namespace` has, where it has anything.
fn header(headers: &HeaderMap) -> Result<Option<&str>, NamespaceProblem> {
    let mut values = headers.get_all("x-namespace").iter();
    let first = values
        .next()
        .map(|value| value.to_str().map_err(|_| NamespaceProblem::Malformed));
    let first = first.transpose()?.filter(|name| !name.is_empty());
    if values.next().is_some() {
        return Err(NamespaceProblem::Differ);
    }
    Ok(first)
}

/// Takes the escapes out of a segment: what they hide is no character of a namespace, or one that need not be escaped.
fn unescape(segment: &str) -> Result<String, NamespaceProblem> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let (digits, tail) = tail.split_first_chunk::<2>().ok_or(NamespaceProblem::Malformed)?;
            let mut byte = [0];
            hex::decode_to_slice(digits, &mut byte).map_err(|_| NamespaceProblem::Malformed)?;
            bytes.push(byte[0]);
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).map_err(|_| NamespaceProblem::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_segment_is_the_verb_and_the_one_before_it_the_namespace() {
        use CodecOperation::{Decode, Encode};
        for (path, operation, namespace) in [
            ("/encode", Encode, None),
            ("/decode/", Decode, None),
            ("//codec//decode//", Decode, None),
            ("/codec/prod/encode", Encode, Some("prod")),
            ("/prod/decode", Decode, Some("prod")),
            ("/any/prefix/codec/decode", Decode, None),
            ("/any/prefix/codec/prod/decode", Decode, Some("prod")),
            ("/codec/codec/decode", Decode, Some("codec")),
            ("/a/b/c/decode", Decode, Some("c")),
        ] {
            assert_eq!(Route::of(path), Route::Code(operation, namespace), "{path}");
        }
        for (path, route) in [
            ("/codec/prod/download", Route::Download),
            ("/health", Route::Health),
            ("/codec/health", Route::Health),
            ("/stats", Route::Stats),
            ("/v1/codec/rotate", Route::Rotate),
            ("/", Route::Nothing),
            ("/codec", Route::Nothing),
            ("/decode/x", Route::Nothing),
            ("/Decode", Route::Nothing),
        ] {
            assert_eq!(Route::of(path), route, "{path}");
        }
    }

    #[test]
    fn path_header_and_default_say_the_namespace_and_may_not_differ() {
        let headers_of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-namespace", value.parse().unwrap());
            }
            headers
        };
        let default: Namespace = "default".parse().unwrap();
        let found = |path, values: &[&str]| namespace(path, &headers_of(values), Some(&default));
        let name = |name: &str| Ok(name.parse().unwrap());
        assert_eq!(found(Some("a"), &[]), name("a"));
        assert_eq!(found(Some("a"), &["a"]), name("a"));
        assert_eq!(found(Some("%61"), &["a"]), name("a"));
        assert_eq!(found(None, &["a"]), name("a"));
        assert_eq!(found(None, &[]), name("default"));
        assert_eq!(found(None, &[""]), name("default"));
        assert_eq!(found(Some("a"), &["b"]), Err(NamespaceProblem::Differ));
        assert_eq!(found(None, &["a", "a"]), Err(NamespaceProblem::Differ));
        for path in ["%2F", "%", "%zz", "%ff", "..", "a%00"] {
            assert_eq!(found(Some(path), &[]), Err(NamespaceProblem::Malformed), "{path}");
        }
        assert_eq!(namespace(None, &headers_of(&[]), None), Err(NamespaceProblem::Missing));
        assert_eq!(namespace_of_header(&headers_of(&[])), Ok(None));
        assert_eq!(namespace_of_header(&headers_of(&["a"])), name("a").map(Some));
        assert_eq!(
            namespace_of_header(&headers_of(&["a", "b"])),
            Err(NamespaceProblem::Differ)
        );
        assert_eq!(
            namespace_of_header(&headers_of(&["*"])),
            Err(NamespaceProblem::Malformed)
        );
    }
}
