//! Writes `docs/aws-compatibility.md`, and fails where the committed one says something else. `BULLA_UPDATE_DOCS=1` writes it anew.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use bulla_server::ROUTES;

use crate::botocore::{MODEL, Shape, input, operations, output};
use crate::inputs::ALSO_REQUIRED;

const FOREWORD: &str = "# AWS compatibility

Written by the test `the_page_on_compatibility_is_what_the_suite_found`; edit that, not this page.

";

const HELD: &str = "## Held for every operation that is built

| what | by the test |
|---|---|
| each length, range, pattern and set of each member, also within lists and structures, refused in AWS's words when it is broken, and taken at its limits | `every_constraint_of_every_member_is_refused_in_awss_words`, `every_member_is_taken_at_its_limits` |
| members that must be there, and those that AWS asks for beside its model | `every_required_member_is_missed_and_null_is_missing` |
| members of another type, twice, or unknown | `every_member_of_another_type_is_a_serialization_error_that_shows_nothing_of_it`, `every_member_twice_is_a_serialization_error_and_unknown_ones_are_ignored` |
| a call that succeeds, with an unmodified boto3; no member in the answer that AWS does not have, each of its type; every member somewhere, but for those below; DryRun wherever AWS has it | `every_operation_of_awss_model_is_called_and_every_member_of_its_outputs_comes` |
| which of several mistakes is named, and AWS's words for it | `of_several_mistakes_awss_first_is_named`, `a_key_that_can_not_be_found_is_named_as_aws_names_it`, `operations_on_keys_refuse_aliases_before_they_look_them_up` |
| the same error codes as moto, where moto is right | `wrong_calls_get_motos_error_codes_where_moto_is_right` |
| who may: allowed, denied by default, explicitly and by condition, allowed by grant; another account | `every_operation_is_denied_by_default_and_allowed_by_a_policy` and the tests beside it, `a_stranger_learns_nothing_of_a_key_by_any_operation` |
| every condition key, filled from a request that has it | `every_condition_key_is_filled_from_the_request_that_has_it` |
| imports of material that another library wrapped, with expiry and refusals | `boto3_imports_material_that_another_library_wrapped` |
| the life of keys in several Regions, with imports, policies and grants, in random sequences | `every_sequence_of_operations_is_answered_as_awss_state_machine_has_it` |

";

const DIFFERENCES: &str = "## Deliberate differences

| where | what |
|---|---|
| `Recipient` (Decrypt, DeriveSharedSecret, GenerateDataKey, GenerateDataKeyPair, GenerateRandom) | refused; so no answer has `CiphertextForRecipient` |
| custom key stores, external key stores | as in an account that has none; creating one is refused |
| `SM2` | refused in AWS's words, as outside the Regions in China |
| grant tokens in validation messages | not shown: they are credentials of sorts |
| on-demand rotation, replication, change of the primary Region | done when they are answered: `OnDemandRotationStartDate` never comes, `Creating` and `Updating` are never met |
| `SourceArn`, `GranteeServicePrincipal`, `RetiringServicePrincipal` of grants | AWS's own services do not call here |
| `kms:ViaService`, `kms:RecipientAttestation:*` | never there; `kms:GrantIsForAWSResource` is always false |
| the creator of a key | manages it (and does not use it) as if an identity policy said so; in AWS, who makes a key has no right to it by that |
| `GetKeyLastUsage` | written down every five minutes and when the service stops: of a process that is killed, what it had not written is missing here, and never in the audit log |
| `ReplicateKey` into a Region that the service is set not to answer (`server.regions`) | refused with UnsupportedOperationException, in words of our own |
| sets of values in validation messages | in AWS's order where an answer of AWS was recorded (`EncryptionAlgorithmSpec`, `SigningAlgorithmSpec`, `MacAlgorithmSpec`, `KeySpec`), else in the model's |

";

/// The tests that call operations over HTTP.
fn sources() -> Vec<(String, String)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    for directory in [
        "bulla-server/tests/api",
        "bulla-cli/tests/clients",
        "bulla-cli/tests/clients/js",
    ] {
        for entry in std::fs::read_dir(crates.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|kind| kind == "rs" || kind == "py" || kind == "mjs")
            {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                files.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

fn snake(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

/// Whether a text has the word, alone.
fn has(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part))
}

fn names(shape: Shape) -> Vec<&'static str> {
    shape.members().into_iter().map(|(name, ..)| name).collect()
}

fn page() -> String {
    let mut page = FOREWORD.to_owned();
    let built = ROUTES.iter().filter(|route| route.built).count();
    let _ = writeln!(
        page,
        "{built} of the {} operations of AWS's model {} (botocore {}).\n",
        operations().len(),
        MODEL["metadata"]["apiVersion"].as_str().unwrap(),
        MODEL["version"].as_str().unwrap(),
    );
    page.push_str(HELD);
    page.push_str(DIFFERENCES);
    page.push_str("## Operations\n\n`*` must be there. The last column names the files of tests that call it.\n\n");
    page.push_str("| operation | takes | answers | called in |\n|---|---|---|---|\n");
    let sources = sources();
    for route in ROUTES {
        let also: Vec<&str> = ALSO_REQUIRED
            .iter()
            .filter(|(operation, _)| *operation == route.name)
            .map(|(_, member)| *member)
            .collect();
        let takes: Vec<String> = input(route.name)
            .members()
            .into_iter()
            .map(|(name, _, required)| match required || also.contains(&name) {
                true => format!("{name}*"),
                false => name.to_owned(),
            })
            .collect();
        let answers = output(route.name).map_or_else(|| "nothing".to_owned(), |shape| names(shape).join(", "));
        let words = [
            route.name.to_owned(),
            format!("{}Request", route.name),
            format!("{}Command", route.name),
            snake(route.name),
        ];
        let files: BTreeSet<&str> = sources
            .iter()
            .filter(|(_, text)| words.iter().any(|word| has(text, word)))
            .map(|(name, _)| name.as_str())
            .collect();
        let called = if route.built {
            files
                .into_iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ")
        } else {
            "not built yet".to_owned()
        };
        let _ = writeln!(page, "| {} | {} | {answers} | {called} |", route.name, takes.join(", "));
    }
    page
}

#[test]
fn the_page_on_compatibility_is_what_the_suite_found() {
    let file: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/aws-compatibility.md");
    let page = page();
    let update = std::env::var_os("BULLA_UPDATE_DOCS").is_some();
    if update {
        std::fs::write(&file, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = page
        .lines()
        .zip(committed.lines())
        .find(|(ours, theirs)| ours != theirs);
    assert!(
        page == committed,
        "docs/aws-compatibility.md is old: run this test with BULLA_UPDATE_DOCS=1; first difference: {differs:?}"
    );
}
