use super::super::wire::Failure;

/// Most members of a form: those of 50 tags and all else, with room.
const MAX_MEMBERS: usize = 400;

/// A form's members, each once.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form; one that names a member twice means two things, and is refused.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Failure> {
        let refused = |text: &str| Failure::validation(text.to_owned());
        if std::str::from_utf8(body).is_err() {
            return Err(refused("The request is not UTF-8"));
        }
        let mut members: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(body) {
            // What does not decode to UTF-8 comes as this character.
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
                return Err(refused("The request is not UTF-8"));
            }
            if members.len() == MAX_MEMBERS {
                return Err(refused("The request has too many parameters"));
            }
            members.push((name.into_owned(), value.into_owned()));
        }
        members.sort_by(|a, b| a.0.cmp(&b.0));
        if members.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(refused("The request has a parameter twice"));
        }
        Ok(Self(members))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()?;
        Some(&self.0[at].1)
    }

    /// A member that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, Failure> {
        self.get(name).ok_or_else(|| {
            let lower = name[..1].to_lowercase() + &name[1..];
            Failure::validation(format!(
                "1 validation error detected: Value null at '{lower}' failed to satisfy constraint: Member must not be null"
            ))
        })
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u32>, Failure> {
        let wrong = |_| Failure::validation(format!("The parameter {name} is no number"));
        self.get(name).map(|text| text.parse().map_err(wrong)).transpose()
    }

    /// The members `name.member.1…`, `name.member.2…` in their order, each by its suffix: `` or `.Key`.
    pub(super) fn list(&self, name: &str, suffix: &str) -> Vec<&str> {
        let member = |number: usize| self.get(&format!("{name}.member.{number}{suffix}"));
        (1..=MAX_MEMBERS).map_while(member).collect()
    }

    /// Refuses members that begin with any of these: what they ask for is not built, and must not be passed over.
    pub(super) fn refuse(&self, beginnings: &[&str]) -> Result<(), Failure> {
        let asked = |(name, _): &&(String, String)| beginnings.iter().any(|beginning| name.starts_with(beginning));
        match self.0.iter().find(asked) {
            Some((name, _)) => {
                let name: String = name.chars().take(64).collect();
                Err(Failure::validation(format!("The parameter {name} is not supported")))
            }
            None => Ok(()),
        }
    }
}

/// Reads any bytes as a form, and asks it for all that operations ask; for the fuzz target.
#[cfg(any(test, fuzzing))]
pub(crate) fn read_any_form(data: &[u8]) {
    let Ok(form) = Form::parse(data) else { return };
    assert!(form.0.len() <= MAX_MEMBERS);
    for (name, value) in &form.0 {
        assert_eq!(form.get(name), Some(value.as_str()));
        assert!(name.is_empty() || form.required(name).is_ok());
        let _ = form.number(name);
    }
    for suffix in ["", ".Key", ".Value"] {
        assert!(form.list("Tags", suffix).len() <= form.0.len());
    }
    let refused = form.refuse(&["Tags"]).is_err();
    assert_eq!(refused, form.0.iter().any(|(name, _)| name.starts_with("Tags")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_end_where_a_number_is_missing() {
        let body = b"Tags.member.1.Key=a&Tags.member.1.Value=1&Tags.member.2.Key=b%20c&Tags.member.4.Key=d&X=";
        let form = Form::parse(body).expect("a form");
        assert_eq!(form.list("Tags", ".Key"), ["a", "b c"]);
        assert_eq!(form.list("Tags", ".Value"), ["1"]);
        assert_eq!((form.get("X"), form.get("Y")), (Some(""), None));
    }

    #[test]
    fn what_means_two_things_is_refused() {
        for wrong in [&b"A=1&A=2"[..], b"A=%ff", b"\xff=1", "A=1&".repeat(401).as_bytes()] {
            assert!(Form::parse(wrong).is_err());
        }
    }
}
