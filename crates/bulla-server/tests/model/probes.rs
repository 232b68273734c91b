//! Sends what the model forbids and what it just allows, member by member.

use bulla_server::ROUTES;
use serde_json::{Map, Value, json};

use crate::botocore::{Shape, input};
use crate::harness::{Answer, Harness};
use crate::inputs::{ALSO_REQUIRED, boundaries, legal, mistyped, required, wrongs};

/// One member of one operation, with all that must be there around it.
struct Member {
    operation: &'static str,
    /// As AWS's messages name it: `tags.1.member.tagKey`.
    at: String,
    shape: Shape,
    required: bool,
    /// From the operation's input down to the member.
    path: Vec<Step>,
}

#[derive(Clone, Copy)]
enum Step {
    Of(&'static str, Shape),
    First(Shape),
}

impl Member {
    /// Every member of every operation that is built, also those within structures and lists of them.
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for route in ROUTES.iter().filter(|route| route.built) {
            Self::of(route.name, input(route.name), "", &[], &mut all);
        }
        all
    }

    fn of(operation: &'static str, structure: Shape, above: &str, path: &[Step], all: &mut Vec<Self>) {
        for (name, shape, mut is_required) in structure.members() {
            is_required |= path.is_empty() && ALSO_REQUIRED.contains(&(operation, name));
            let at = format!("{above}{}{}", name[..1].to_ascii_lowercase(), &name[1..]);
            let path = [path, &[Step::Of(name, shape)]].concat();
            match shape.kind() {
                "structure" => Self::of(operation, shape, &format!("{at}."), &path, all),
                "list" if shape.element().kind() == "structure" => {
                    let path = [&path[..], &[Step::First(shape.element())]].concat();
                    Self::of(operation, shape.element(), &format!("{at}.1.member."), &path, all);
                }
                _ => {}
            }
            all.push(Self {
                operation,
                at,
                shape,
                required: is_required,
                path,
            });
        }
    }

    /// A request in which only this member is of interest; `None` leaves it out.
    fn request(&self, value: Option<Value>) -> Value {
        let mut body = required(input(self.operation));
        for (_, name) in ALSO_REQUIRED
            .iter()
            .filter(|(operation, _)| *operation == self.operation)
        {
            let members = input(self.operation).members();
            let shape = members.iter().find(|member| member.0 == *name).unwrap().1;
            body.insert((*name).to_owned(), legal(shape));
        }
        place(&mut body, &self.path, value);
        Value::Object(body)
    }
}

/// Puts a value at the end of a path, making what is on the way.
fn place(object: &mut Map<String, Value>, path: &[Step], value: Option<Value>) {
    let [Step::Of(name, shape), rest @ ..] = path else {
        panic!("a path starts with a member")
    };
    match (rest, value) {
        ([], None) => drop(object.remove(*name)),
        ([], Some(value)) => drop(object.insert((*name).to_owned(), value)),
        ([Step::First(element), rest @ ..], value) => {
            let mut inner = required(*element);
            place(&mut inner, rest, value);
            object.insert((*name).to_owned(), json!([inner]));
        }
        (rest, value) => {
            let mut inner = required(*shape);
            place(&mut inner, rest, value);
            object.insert((*name).to_owned(), Value::Object(inner));
        }
    }
}

/// Where AWS's documentation has a smaller limit than its model, and the API reference says so.
const DOCUMENTED_MAX: &[(&str, &str, i64)] = &[
    ("ListAliases", "limit", 100),
    ("ListGrants", "limit", 100),
    ("ListRetirableGrants", "limit", 100),
    ("ListResourceTags", "limit", 50),
];

/// The error and the message of an answer.
fn said(answer: &Answer) -> (String, String) {
    if answer.status == 200 {
        return ("ok".to_owned(), String::new());
    }
    let body = answer.json();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (text("__type"), text("message") + &text("Message"))
}

async fn send(server: &Harness, member: &Member, value: Option<Value>) -> (String, String) {
    let body = member.request(value).to_string();
    said(&server.send(member.operation, body.as_bytes()).await)
}

fn short(text: &str) -> String {
    text.chars().take(200).collect()
}

#[track_caller]
fn none_of(found: &[String]) {
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

#[tokio::test]
async fn every_constraint_of_every_member_is_refused_in_awss_words() {
    let server = Harness::start().await;
    let mut found = Vec::new();
    for member in Member::all() {
        for wrong in wrongs(member.shape) {
            let part = |words: &String| {
                let (shown, at) = (&wrong.shown, &member.at);
                format!("Value{shown} at '{at}' failed to satisfy constraint: {words}")
            };
            let parts: Vec<String> = wrong.words.iter().map(part).collect();
            let expected = match parts.len() {
                1 => format!("1 validation error detected: {}", parts[0]),
                count => format!("{count} validation errors detected: {}", parts.join("; ")),
            };
            let (code, message) = send(&server, &member, Some(wrong.value)).await;
            if (code.as_str(), &message) != ("ValidationException", &expected) {
                found.push(format!(
                    "{} {}: {code}\n   {}\n   {} was expected",
                    member.operation,
                    member.at,
                    short(&message),
                    short(&expected)
                ));
            }
        }
    }
    none_of(&found);
}

#[tokio::test]
async fn every_required_member_is_missed_and_null_is_missing() {
    let server = Harness::start().await;
    let mut found = Vec::new();
    for member in Member::all().iter().filter(|member| member.required) {
        let null = if member.shape.is_sensitive() { "" } else { " null" };
        let expected = format!(
            "1 validation error detected: Value{null} at '{}' failed to satisfy constraint: Member must not be null",
            member.at
        );
        for value in [None, Some(Value::Null)] {
            let (code, message) = send(&server, member, value).await;
            if (code.as_str(), &message) != ("ValidationException", &expected) {
                found.push(format!(
                    "{} {}: {code} {}",
                    member.operation,
                    member.at,
                    short(&message)
                ));
            }
        }
    }
    none_of(&found);
}

#[tokio::test]
async fn every_member_is_taken_at_its_limits() {
    let server = Harness::start().await;
    let mut found = Vec::new();
    for member in Member::all() {
        let documented = DOCUMENTED_MAX
            .iter()
            .find(|(operation, at, _)| *operation == member.operation && *at == member.at);
        for value in boundaries(member.shape) {
            if documented.is_some_and(|(.., max)| value.as_i64().is_some_and(|value| value > *max)) {
                continue;
            }
            let shown = short(&value.to_string());
            let (code, message) = send(&server, &member, Some(value)).await;
            let refused = code == "ValidationException" && message.contains(&format!("at '{}' failed", member.at));
            if refused || code == "SerializationException" || code == "KMSInternalException" {
                found.push(format!(
                    "{} {} {shown}: {code} {}",
                    member.operation,
                    member.at,
                    short(&message)
                ));
            }
        }
    }
    none_of(&found);
}

#[tokio::test]
async fn every_member_of_another_type_is_a_serialization_error_that_shows_nothing_of_it() {
    let server = Harness::start().await;
    let mut found = Vec::new();
    for member in Member::all() {
        for value in mistyped(member.shape) {
            let shown = value.to_string();
            let (code, message) = send(&server, &member, Some(value)).await;
            if code != "SerializationException" || message.contains("x y") {
                found.push(format!(
                    "{} {} {shown}: {code} {}",
                    member.operation,
                    member.at,
                    short(&message)
                ));
            }
        }
    }
    none_of(&found);
}

#[tokio::test]
async fn every_member_twice_is_a_serialization_error_and_unknown_ones_are_ignored() {
    let server = Harness::start().await;
    let mut found = Vec::new();
    for member in Member::all().iter().filter(|member| member.path.len() == 1) {
        let (Step::Of(name, _), value) = (member.path[0], legal(member.shape)) else {
            panic!("a member")
        };
        let twice = format!("{{\"{name}\":{value},\"{name}\":{value}}}");
        let (code, _) = said(&server.send(member.operation, twice.as_bytes()).await);
        if code != "SerializationException" {
            found.push(format!("{} {name} twice: {code}", member.operation));
        }
    }
    for route in ROUTES.iter().filter(|route| route.built) {
        let known = said(&server.send(route.name, b"{}").await);
        let unknown = json!({"Unknown": {"deep": [1, {"x": null}]}, "keyId": 7, "limit": "not ours"}).to_string();
        let with_unknown = said(&server.send(route.name, unknown.as_bytes()).await);
        if known.0 != with_unknown.0 || known.0 == "SerializationException" {
            found.push(format!(
                "{}: {known:?} and with unknown members {with_unknown:?}",
                route.name
            ));
        }
    }
    none_of(&found);
}

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once() {
    let server = Harness::start().await;
    let answer = server.send("Encrypt", br#"{"EncryptionAlgorithm":"x"}"#).await;
    let message = answer.is_error(400, "ValidationException").unwrap();
    assert!(
        message.starts_with("3 validation errors detected: Value null at 'keyId' "),
        "{message}"
    );
    assert_eq!(message.matches("; Value").count(), 2, "{message}");
}
