use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Value, json};

/// The model that the clients of `scripts/test` use.
pub(crate) static MODEL: LazyLock<Value> = LazyLock::new(|| {
    const SCRIPT: &str = "import json, botocore, botocore.loaders\n\
                          model = botocore.loaders.Loader().load_service_model('kms', 'service-2')\n\
                          print(json.dumps({**model, 'version': botocore.__version__}))";
    let python = Path::new(&venv()).join("bin/python3");
    let output = Command::new(python).args(["-c", SCRIPT]).env_clear().output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
});

#[expect(
    clippy::disallowed_methods,
    reason = "scripts/test says by its environment where things are"
)]
fn venv() -> String {
    std::env::var("BULLA_TEST_VENV").expect("the test script sets what the tests need: run ./scripts/test")
}

/// A shape of the model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    value: &'static Value,
}

impl Shape {
    pub(crate) fn of(name: &'static str) -> Self {
        let value = &MODEL["shapes"][name];
        assert!(value.is_object(), "no shape {name}");
        Self { name, value }
    }

    /// `string`, `blob`, `integer`, `boolean`, `timestamp`, `list`, `map` or `structure`.
    pub(crate) fn kind(self) -> &'static str {
        self.value["type"].as_str().unwrap()
    }

    pub(crate) fn min(self) -> Option<i64> {
        self.value["min"].as_i64()
    }

    pub(crate) fn max(self) -> Option<i64> {
        self.value["max"].as_i64()
    }

    pub(crate) fn is_sensitive(self) -> bool {
        self.value["sensitive"].as_bool() == Some(true)
    }

    /// The pattern; for key ids the one that AWS checks and leaves out of its model.
    pub(crate) fn pattern(self) -> Option<&'static str> {
        (self.name == "KeyIdType")
            .then_some("^\\p{ASCII}+$")
            .or(self.value["pattern"].as_str())
    }

    /// Whether the pattern admits the whole of a string.
    pub(crate) fn admits(self, text: &str) -> bool {
        let Some(pattern) = self.pattern() else { return true };
        let pattern = pattern.replace("\\p{ASCII}", "[\\x00-\\x7f]");
        regex_lite::Regex::new(&format!("^(?:{pattern})$"))
            .unwrap()
            .is_match(text)
    }

    /// The values, in the model's order.
    pub(crate) fn values(self) -> Option<Vec<&'static str>> {
        let values = self.value["enum"].as_array()?;
        Some(values.iter().map(|value| value.as_str().unwrap()).collect())
    }

    /// What a list holds.
    pub(crate) fn element(self) -> Self {
        Self::of(self.value["member"]["shape"].as_str().unwrap())
    }

    /// The members of a structure, and whether each must be there.
    pub(crate) fn members(self) -> Vec<(&'static str, Self, bool)> {
        let members = self.value["members"].as_object().unwrap();
        let required = self.value["required"].as_array();
        members
            .iter()
            .map(|(name, member)| {
                let is_required = required.is_some_and(|names| names.contains(&json!(name)));
                (name.as_str(), Self::of(member["shape"].as_str().unwrap()), is_required)
            })
            .collect()
    }
}

/// The names of all operations, sorted.
pub(crate) fn operations() -> Vec<&'static str> {
    let mut names: Vec<&str> = MODEL["operations"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names
}

/// What an operation takes.
pub(crate) fn input(operation: &str) -> Shape {
    Shape::of(MODEL["operations"][operation]["input"]["shape"].as_str().unwrap())
}

/// What an operation answers, if anything.
pub(crate) fn output(operation: &str) -> Option<Shape> {
    MODEL["operations"][operation]["output"]["shape"]
        .as_str()
        .map(Shape::of)
}
