//! The one table of REST routes: what is asked how, which action on which resource policies decide by, and what it says of itself.

use std::future::Future;
use std::pin::Pin;

use super::query::decode;
use super::{Problem, Reply, Request};

/// One route of the REST façade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestRoute {
    /// The operation's name, which is its event's name, too.
    pub name: &'static str,
    /// `GET`, `PUT`, `POST`, `DELETE`.
    pub method: &'static str,
    /// The path; `{name}` stands for one part of it.
    pub path: &'static str,
    /// The action that policies name; `None` for what everybody may read.
    pub action: Option<&'static str>,
    /// The resource that policies name, as a pattern.
    pub resource: &'static str,
    /// Whether it changes nothing.
    pub read_only: bool,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// What else there is to know.
    pub description: &'static str,
    /// What the query may have.
    pub query: &'static [QueryParameter],
    /// What the body is, if there is one.
    pub body: Option<RequestBody>,
    /// JSON Schema of the answer.
    pub answer: &'static str,
}

/// A parameter of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryParameter {
    /// Its name.
    pub name: &'static str,
    /// Whether it may be there several times.
    pub repeated: bool,
    /// Its JSON Schema.
    pub schema: &'static str,
    /// What it is, in one sentence.
    pub doc: &'static str,
}

/// The body of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestBody {
    /// Its JSON Schema.
    pub schema: &'static str,
    /// Its greatest size.
    pub max_bytes: usize,
}

type Answer<'r> = Pin<Box<dyn Future<Output = Result<Reply, Problem>> + Send + 'r>>;

macro_rules! routes {
    ($($module:ident,)*) => {
        /// Every route under `/v1`; each module has its row and its handler.
        pub const REST_ROUTES: &[RestRoute] = &[$(super::$module::ROUTE),*];

        /// Hands a request to the route's own file.
        pub(super) fn answer<'r>(route: &RestRoute, request: &'r Request<'r>) -> Answer<'r> {
            $(if route.name == super::$module::ROUTE.name {
                return Box::pin(super::$module::handle(request));
            })*
            Box::pin(std::future::ready(Err(Problem::no_such_route())))
        }
    };
}

routes! {
    openapi,
    query_audit,
    principals_report,
    denied_report,
    client_report,
    outside_hours_report,
    changes,
    put_audit_events,
    put_token,
    get_token,
    get_tokens,
    list_tokens,
    authorise_token,
    refresh_token,
    delete_token,
    revoke_tokens,
    give_grant,
    list_given_grants,
    take_grant,
    token_stats,
}

/// What a method and a path lead to.
pub(super) enum Found {
    Route(&'static RestRoute, Vec<(&'static str, String)>),
    /// The path is there, with these methods.
    OtherMethods(String),
    Malformed,
    Nothing,
}

const MAX_PART_BYTES: usize = 1024;

/// Finds the route of a request. A part of the path that is written out wins over one that is a name; there is no other order.
pub(super) fn find(method: &str, path: &str) -> Found {
    let parts: Vec<&str> = path.split('/').collect();
    let mut methods: Vec<&str> = Vec::new();
    let mut best: Option<(usize, &'static RestRoute)> = None;
    for route in REST_ROUTES {
        let Some(names) = matches(route, &parts) else { continue };
        methods.push(route.method);
        if route.method == method && best.is_none_or(|(fewest, _)| names < fewest) {
            best = Some((names, route));
        }
    }
    let Some((_, route)) = best else {
        methods.dedup();
        return if methods.is_empty() {
            Found::Nothing
        } else {
            Found::OtherMethods(methods.join(", "))
        };
    };
    let mut parameters = Vec::new();
    for (pattern, part) in route.path.split('/').zip(&parts) {
        let Some(name) = name_of(pattern) else { continue };
        match decode(part, false).filter(|text| !text.is_empty() && text.len() <= MAX_PART_BYTES) {
            Some(value) => parameters.push((name, value)),
            None => return Found::Malformed,
        }
    }
    Found::Route(route, parameters)
}

/// How many names the route's path has, if it is this path.
fn matches(route: &RestRoute, parts: &[&str]) -> Option<usize> {
    if route.path.split('/').count() != parts.len() {
        return None;
    }
    let mut names = 0;
    for (pattern, part) in route.path.split('/').zip(parts) {
        match name_of(pattern) {
            Some(_) => names += 1,
            None if pattern == *part => {}
            None => return None,
        }
    }
    Some(names)
}

fn name_of(pattern: &'static str) -> Option<&'static str> {
    pattern.strip_prefix('{')?.strip_suffix('}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_path_leads_somewhere_or_nowhere_without_panic(path in "/(v1|audit|changes|[^?#]{0,8}|/){0,6}") {
            if let Found::Route(_, parameters) = find("GET", &path) {
                prop_assert!(parameters.iter().all(|(_, value)| (1..=MAX_PART_BYTES).contains(&value.len())));
            }
        }
    }

    #[test]
    fn a_path_leads_to_its_route_whatever_the_order_of_the_table() {
        for route in REST_ROUTES {
            let path: Vec<&str> = route
                .path
                .split('/')
                .map(|part| name_of(part).unwrap_or(part))
                .collect();
            let path = path.join("/");
            let Found::Route(found, parameters) = find(route.method, &path) else {
                panic!("{path} is not found");
            };
            assert_eq!(found.name, route.name);
            assert!(parameters.iter().all(|(name, value)| name == value));
            assert!(matches!(find("TRACE", &path), Found::OtherMethods(_)), "{path}");
        }
        assert!(matches!(find("PATCH", "/v1/grants"), Found::OtherMethods(methods) if methods == "POST, GET, DELETE"));
        for nothing in [
            "/v1",
            "/v1/",
            "/v1/audit/",
            "/v1//audit",
            "/v1/audit/x",
            "/v1/%61udit",
            "/v1/../v1/audit",
        ] {
            assert!(matches!(find("GET", nothing), Found::Nothing), "{nothing}");
        }
    }

    #[test]
    fn no_two_routes_have_one_name_or_one_place() {
        for (at, route) in REST_ROUTES.iter().enumerate() {
            for other in &REST_ROUTES[at + 1..] {
                assert_ne!(route.name, other.name);
                assert_ne!((route.method, route.path), (other.method, other.path));
            }
        }
    }
}
