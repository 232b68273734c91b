//! What the documents claim, held against the workspace.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace has a root")
}

fn files(dir: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory of the workspace") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}

fn documents() -> Vec<(PathBuf, String)> {
    let mut paths: Vec<_> = [
        "README.md",
        "ARCHITECTURE.md",
        "SECURITY.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ]
    .map(|name| root().join(name))
    .into();
    files(&root().join("spec"), "md", &mut paths);
    files(&root().join("docs"), "md", &mut paths);
    paths
        .into_iter()
        .map(|path| (path.clone(), fs::read_to_string(path).expect("a document")))
        .collect()
}

#[test]
fn every_test_that_the_documents_name_exists() {
    let mut sources = Vec::new();
    files(&root().join("crates"), "rs", &mut sources);
    let code: String = sources
        .iter()
        .map(|path| fs::read_to_string(path).expect("a source file"))
        .collect();
    let mut named = BTreeSet::new();
    for (_, text) in documents() {
        for quoted in text.split('`').skip(1).step_by(2) {
            let words = quoted.split('_').count();
            if words >= 5
                && !quoted.starts_with("innodb_")
                && !quoted.starts_with('_')
                && quoted
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            {
                named.insert(quoted.to_owned());
            }
        }
    }
    assert!(named.len() >= 10, "the documents name tests: {named:?}");
    let missing: Vec<_> = named
        .iter()
        .filter(|name| !code.contains(&format!("fn {name}")))
        .collect();
    assert!(
        missing.is_empty(),
        "named in a document and not in the code: {missing:?}"
    );
}

#[test]
fn every_file_that_the_documents_link_to_exists() {
    let mut missing = Vec::new();
    for (path, text) in documents() {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || target.contains("://") {
                continue;
            }
            if !path
                .parent()
                .expect("a document lies in a directory")
                .join(file)
                .exists()
            {
                missing.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(missing.is_empty(), "links to nothing: {missing:?}");
}

#[test]
fn the_readme_fits_a_few_screens() {
    let readme = fs::read_to_string(root().join("README.md")).expect("a README");
    assert!(readme.lines().count() < 150);
    let first_screen: Vec<_> = readme.lines().take(30).collect();
    for command in [
        "cargo run --release -- serve --dev",
        "./scripts/test",
        "aws kms decrypt",
    ] {
        assert!(
            first_screen.iter().any(|line| line.contains(command)),
            "the first screen shows {command}"
        );
    }
}

/// One crypto library, one TLS stack, and no library whose private-key operations leak through timing (`deny.toml`).
#[test]
fn no_banned_crate_is_built() {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--workspace",
            "--edges",
            "normal,build,dev",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .current_dir(root())
        .output()
        .expect("cargo tree runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).expect("names of crates are UTF-8");
    let built: BTreeSet<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    for banned in ["ring", "openssl", "native-tls", "rsa"] {
        assert!(!built.contains(banned), "{banned} is built");
    }
    assert!(built.contains("aws-lc-rs"));
}
