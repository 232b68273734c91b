//! The picture in `ARCHITECTURE.md`: which crate may know which.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

/// Every crate of the workspace and the others of it that it may depend on; what is not here is not allowed.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("bulla-crypto", &[]),
    ("bulla-model", &[]),
    ("bulla-audit", &["bulla-crypto"]),
    ("bulla-kms", &["bulla-crypto"]),
    ("bulla-store", &[]),
    ("bulla-kms-local", &["bulla-crypto", "bulla-kms"]),
    ("bulla-kms-aws", &["bulla-crypto", "bulla-kms"]),
    ("bulla-store-sql", &["bulla-store"]),
    ("bulla-envelope", &["bulla-crypto", "bulla-kms"]),
    ("bulla-temporal", &["bulla-crypto", "bulla-envelope", "bulla-kms"]),
    (
        "bulla-tokens",
        &["bulla-crypto", "bulla-envelope", "bulla-kms", "bulla-model"],
    ),
    (
        "bulla-tokens-service",
        &[
            "bulla-crypto",
            "bulla-envelope",
            "bulla-model",
            "bulla-service",
            "bulla-tokens",
        ],
    ),
    (
        "bulla-service",
        &["bulla-audit", "bulla-crypto", "bulla-kms", "bulla-model", "bulla-store"],
    ),
    (
        "bulla-server",
        &[
            "bulla-audit",
            "bulla-crypto",
            "bulla-model",
            "bulla-service",
            "bulla-temporal",
        ],
    ),
    (
        "bulla-cli",
        &[
            "bulla-audit",
            "bulla-crypto",
            "bulla-envelope",
            "bulla-kms",
            "bulla-kms-aws",
            "bulla-kms-local",
            "bulla-model",
            "bulla-server",
            "bulla-service",
            "bulla-store",
            "bulla-store-sql",
            "bulla-temporal",
            "bulla-tokens",
            "bulla-tokens-service",
        ],
    ),
];

/// Crates that no part of the product depends on.
const TESTS_AND_BENCHES: &[&str] = &["bulla-testkit", "bulla-bench"];

/// Crates without I/O, async, wall clock or ambient randomness: nothing below them may bring it either.
const PURE: &[&str] = &["bulla-crypto", "bulla-model", "bulla-audit"];
const IMPURE: &[&str] = &[
    "tokio",
    "async-trait",
    "futures",
    "hyper",
    "reqwest",
    "sqlx",
    "mio",
    "rustix",
    "socket2",
    "chrono",
];

/// What the crates know nothing of, however far down.
const KNOWS_NOTHING_OF: &[(&str, &[&str])] = &[
    (
        "bulla-server",
        &["sqlx", "sea-query", "redis", "aws-sdk-kms", "aws-config"],
    ),
    (
        "bulla-service",
        &[
            "axum",
            "hyper",
            "sqlx",
            "sea-query",
            "aws-sdk-kms",
            "bulla-kms-local",
            "bulla-kms-aws",
        ],
    ),
    ("bulla-envelope", &["axum", "sqlx", "aws-sdk-kms", "bulla-store"]),
    (
        "bulla-temporal",
        &["axum", "hyper", "sqlx", "aws-sdk-kms", "bulla-store", "bulla-kms-local"],
    ),
    ("bulla-store-sql", &["bulla-crypto", "bulla-kms", "axum", "aws-sdk-kms"]),
    (
        "bulla-tokens",
        &["axum", "sea-query", "aws-sdk-kms", "ring", "openssl", "native-tls"],
    ),
    (
        "bulla-cli",
        &["ring", "openssl", "openssl-sys", "native-tls", "rsa", "bulla-testkit"],
    ),
];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .other_options([
            "--locked".to_owned(),
            "--filter-platform".to_owned(),
            "x86_64-unknown-linux-gnu".to_owned(),
        ])
        .exec()
        .expect("cargo metadata")
}

fn package<'a>(metadata: &'a Metadata, name: &str) -> &'a Package {
    metadata
        .workspace_packages()
        .into_iter()
        .find(|package| package.name == name)
        .expect(name)
}

/// Direct dependencies within the workspace that are part of the product.
fn own_dependencies(package: &Package) -> BTreeSet<&str> {
    let normal = package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind == DependencyKind::Normal);
    normal
        .map(|dependency| dependency.name.as_str())
        .filter(|name| name.starts_with("bulla-"))
        .collect()
}

/// Everything below a crate, dev-dependencies aside.
fn everything_below(metadata: &Metadata, name: &str) -> BTreeSet<String> {
    let resolve = metadata.resolve.as_ref().expect("resolved");
    let nodes: BTreeMap<&PackageId, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let names: BTreeMap<&PackageId, &str> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package.name.as_str()))
        .collect();
    let mut below = BTreeSet::new();
    let mut queue = VecDeque::from([&package(metadata, name).id]);
    while let Some(id) = queue.pop_front() {
        for dependency in &nodes[id].deps {
            let normal = dependency
                .dep_kinds
                .iter()
                .any(|kind| kind.kind == DependencyKind::Normal);
            let package = &metadata[id];
            let name = names[&dependency.pkg];
            if normal && is_switched_on(package, &nodes[id].features, name) && below.insert(name.to_owned()) {
                queue.push_back(&dependency.pkg);
            }
        }
    }
    below
}

/// Whether an optional dependency is there: cargo's metadata also has those that only a weak feature (`name?/feature`) mentions.
fn is_switched_on(package: &Package, features: &[cargo_metadata::FeatureName], name: &str) -> bool {
    let all: Vec<_> = package
        .dependencies
        .iter()
        .filter(|dependency| dependency.name == name)
        .collect();
    if all.is_empty() || all.iter().any(|dependency| !dependency.optional) {
        return true;
    }
    // A renamed dependency is known to its features by its new name.
    let known_as =
        |dependency: &&cargo_metadata::Dependency| dependency.rename.clone().unwrap_or_else(|| name.to_owned());
    all.iter().map(known_as).any(|alias| {
        features.iter().any(|feature| {
            let enables = package.features.get(&**feature).map(Vec::as_slice).unwrap_or_default();
            let strong = format!("{alias}/");
            **feature == alias
                || enables
                    .iter()
                    .any(|what| *what == format!("dep:{alias}") || *what == alias || what.starts_with(&strong))
        })
    })
}

#[test]
fn every_crate_depends_on_those_below_it_in_the_picture_and_on_no_other() {
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        if TESTS_AND_BENCHES.contains(&package.name.as_str()) {
            continue;
        }
        let allowed = MAY_DEPEND_ON.iter().find(|(name, _)| package.name == name);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{} is not in the picture", package.name));
        for dependency in own_dependencies(package) {
            assert!(
                allowed.contains(&dependency),
                "{} depends on {dependency}",
                package.name
            );
        }
    }
}

#[test]
fn the_pure_crates_bring_no_io_no_async_and_no_clock() {
    let metadata = metadata();
    for name in PURE {
        let below = everything_below(&metadata, name);
        for impure in IMPURE {
            assert!(!below.contains(*impure), "{name} brings {impure}");
        }
    }
}

#[test]
fn no_crate_knows_what_it_must_not() {
    let metadata = metadata();
    for (name, forbidden) in KNOWS_NOTHING_OF {
        let below = everything_below(&metadata, name);
        assert!(!below.is_empty(), "{name} has dependencies");
        for other in *forbidden {
            assert!(!below.contains(*other), "{name} brings {other}");
        }
    }
}

#[test]
fn there_is_one_tls_stack_and_one_crypto_library() {
    let metadata = metadata();
    let below = everything_below(&metadata, "bulla-cli");
    let count = |name: &str| below.iter().filter(|other| *other == name).count();
    assert_eq!((count("rustls"), count("aws-lc-rs")), (1, 1));
    for other in ["ring", "boring", "openssl", "mbedtls", "native-tls", "s2n-tls"] {
        assert_eq!(count(other), 0, "{other}");
    }
}
