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

/// What a document calls a test: its name, or `module::name`. `None` for what is no such name.
fn test_name(quoted: &str) -> Option<(Option<&str>, &str)> {
    let is_word = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let (module, name) = match quoted.rsplit_once("::") {
        Some((module, name)) => (module.rsplit("::").next().filter(|module| *module != "…"), name),
        None => (None, quoted),
    };
    let is_test = name.split('_').count() >= 5 && !name.starts_with("innodb_") && !name.starts_with('_');
    (is_test && is_word(name) && module.is_none_or(is_word)).then_some((module, name))
}

#[test]
fn every_test_that_the_documents_name_exists() {
    let mut sources = Vec::new();
    files(&root().join("crates"), "rs", &mut sources);
    let sources: Vec<(PathBuf, String)> = sources
        .into_iter()
        .map(|path| (path.clone(), fs::read_to_string(path).expect("a source file")))
        .collect();
    let exists = |module: Option<&str>, name: &str| {
        let function = format!("fn {name}(");
        let is_there = |path: &Path| module.is_none_or(|module| path.file_stem().is_some_and(|stem| stem == module));
        sources
            .iter()
            .any(|(path, code)| is_there(path) && code.contains(&function))
    };
    let documents = documents();
    let mut named = BTreeSet::new();
    for (_, text) in &documents {
        named.extend(text.split('`').skip(1).step_by(2).filter_map(test_name));
    }
    assert!(named.len() >= 40, "the documents name tests: {named:?}");
    assert!(
        named.iter().filter(|(module, _)| module.is_some()).count() >= 5,
        "and their modules"
    );
    let missing: Vec<_> = named.iter().filter(|(module, name)| !exists(*module, name)).collect();
    assert!(
        missing.is_empty(),
        "named in a document and not in the code: {missing:?}"
    );
    // A name that is cut short, or of another module, is none.
    assert!(!exists(None, "every_test_that_the_documents_name_exist"));
    assert!(!exists(Some("cli"), "every_test_that_the_documents_name_exists"));
}

#[test]
fn every_path_that_the_documents_name_exists() {
    let mut named = BTreeSet::new();
    for (_, text) in documents() {
        for (at, _) in text.match_indices("crates/") {
            let is_path = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
            let rest = &text[at..];
            let end = rest.find(|c: char| !is_path(c)).unwrap_or(rest.len());
            let (path, after) = rest.split_at(end);
            // What varies stands in angle brackets: then the directory is what is named.
            let path = match after.starts_with(['<', '{']) {
                true => path.rsplit_once('/').map_or("", |(directory, _)| directory),
                false => path.trim_end_matches(['.', '/']),
            };
            named.insert(path.to_owned());
        }
    }
    assert!(named.len() >= 8, "the documents name paths: {named:?}");
    let missing: Vec<_> = named.iter().filter(|path| !root().join(path).exists()).collect();
    assert!(missing.is_empty(), "named in a document and not there: {missing:?}");
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
