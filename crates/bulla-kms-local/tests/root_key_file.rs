//! Root key files on a real disk: who may use them, and what is left when something goes wrong.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use bulla_crypto::{Context, Random, RandomError, SystemRandom};
use bulla_kms::{KeyProvider, KmsErrorKind};
use bulla_kms_local::{LocalConfig, LocalErrorKind, LocalProvider, RootKeyFile};
use tempfile::TempDir;

// Held by the compiler: what holds a key is neither cloned nor printed in full.
bulla_testkit::assert_not_impl!(
    [RootKeyFile, bulla_kms_local::SigningKeyFile]: Clone, Copy, std::fmt::Display, PartialEq
);

fn kind_of<T>(outcome: Result<T, bulla_kms_local::LocalError>) -> LocalErrorKind {
    outcome.err().expect("an error").kind
}

#[test]
fn a_created_file_is_its_owners_alone_and_opens_again() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("root.key");
    let created = RootKeyFile::create(&path, &SystemRandom).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(RootKeyFile::open(&path).unwrap().id(), created.id());
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with(&format!("bulla-root-key-v1 {} ", created.id())),
        "the form of its line"
    );
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn what_exists_is_never_overwritten() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("root.key");
    RootKeyFile::create(&path, &SystemRandom).unwrap();
    let before = fs::read(&path).unwrap();
    assert_eq!(
        kind_of(RootKeyFile::create(&path, &SystemRandom)),
        LocalErrorKind::Exists
    );
    assert_eq!(fs::read(&path).unwrap(), before);
    let link = directory.path().join("link.key");
    symlink(directory.path().join("nowhere"), &link).unwrap();
    assert_eq!(
        kind_of(RootKeyFile::create(&link, &SystemRandom)),
        LocalErrorKind::Exists
    );
    assert!(
        !directory.path().join("nowhere").exists(),
        "a dangling link was written through"
    );
}

#[test]
fn a_missing_directory_is_not_made() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("no/root.key");
    assert_eq!(
        kind_of(RootKeyFile::create(&path, &SystemRandom)),
        LocalErrorKind::NoDirectory
    );
    assert!(!directory.path().join("no").exists());
}

#[test]
fn a_failing_generator_leaves_nothing_behind() {
    struct Broken;
    impl Random for Broken {
        fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
            Err(RandomError)
        }
    }
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("root.key");
    assert_eq!(kind_of(RootKeyFile::create(&path, &Broken)), LocalErrorKind::Random);
    assert!(!path.exists());
}

#[test]
fn a_file_that_others_may_use_is_refused_in_every_such_mode() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("root.key");
    RootKeyFile::create(&path, &SystemRandom).unwrap();
    for mode in [0o640, 0o604, 0o660, 0o601, 0o610, 0o620, 0o602, 0o777] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert_eq!(kind_of(RootKeyFile::open(&path)), LocalErrorKind::TooOpen { mode });
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        RootKeyFile::open(&path).unwrap();
    }
    let message = LocalErrorKind::TooOpen { mode: 0o640 }.to_string();
    assert_eq!(message, "its mode is 0640, which lets others than its owner use it");
}

#[test]
fn what_is_no_root_key_file_is_refused_with_its_reason() {
    let directory = TempDir::new().unwrap();
    let write = |name: &str, text: &[u8]| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    };
    assert_eq!(
        kind_of(RootKeyFile::open(&directory.path().join("none"))),
        LocalErrorKind::Missing
    );
    assert_eq!(kind_of(RootKeyFile::open(directory.path())), LocalErrorKind::NotAFile);
    assert_eq!(
        kind_of(RootKeyFile::open(Path::new("/dev/null"))),
        LocalErrorKind::NotAFile
    );
    assert_eq!(
        kind_of(RootKeyFile::open(&write("empty", b""))),
        LocalErrorKind::Malformed
    );
    assert_eq!(
        kind_of(RootKeyFile::open(&write("binary", &[0xff; 64]))),
        LocalErrorKind::Malformed
    );
    assert_eq!(
        kind_of(RootKeyFile::open(&write("long", &[b' '; 9000]))),
        LocalErrorKind::Malformed
    );
    let newer = write("newer", b"bulla-root-key-v2 anything at all");
    assert_eq!(kind_of(RootKeyFile::open(&newer)), LocalErrorKind::UnknownVersion);
}

#[test]
fn neither_debug_nor_errors_show_the_key() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("root.key");
    let file = RootKeyFile::create(&path, &SystemRandom).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let encoded = text.split(' ').nth(2).unwrap();
    assert!(!format!("{file:?}{file:#?}").contains(&encoded[..8]));
    fs::write(&path, text.replace(' ', "\t")).unwrap();
    let error = RootKeyFile::open(&path).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(&encoded[..8]));
}

#[test]
fn one_root_key_in_two_files_is_refused() {
    let directory = TempDir::new().unwrap();
    let (one, two) = (directory.path().join("one.key"), directory.path().join("two.key"));
    RootKeyFile::create(&one, &SystemRandom).unwrap();
    fs::copy(&one, &two).unwrap();
    let config = LocalConfig {
        root_key_files: vec![one, two],
        ..LocalConfig::default()
    };
    assert_eq!(
        kind_of(LocalProvider::open(&config, Arc::new(SystemRandom))),
        LocalErrorKind::Twice
    );
}

#[tokio::test]
async fn a_wrapped_key_survives_the_move_of_its_file_and_no_other_root_opens_it() {
    let directory = TempDir::new().unwrap();
    let (here, there) = (directory.path().join("here.key"), directory.path().join("there.key"));
    RootKeyFile::create(&here, &SystemRandom).unwrap();
    let open = |path: &Path| {
        LocalProvider::open(
            &LocalConfig {
                root_key_files: vec![path.to_owned()],
                ..LocalConfig::default()
            },
            Arc::new(SystemRandom),
        )
        .unwrap()
    };
    let before = open(&here);
    let context = Context::empty();
    let generated = before
        .generate_data_key(here.to_str().unwrap(), &context)
        .await
        .unwrap();
    assert_eq!(generated.wrapped.bytes.len(), 184);

    fs::rename(&here, &there).unwrap();
    let after = open(&there);
    let unwrapped = after
        .unwrap(&generated.wrapped.key, &generated.wrapped.bytes, &context)
        .await
        .unwrap();
    assert_eq!(unwrapped.expose_secret(), generated.data_key.expose_secret());
    assert_ne!(
        before.instance(),
        after.instance(),
        "a path that means another key is another instance"
    );

    RootKeyFile::create(&here, &SystemRandom).unwrap();
    let stranger = open(&here);
    let by_id = stranger
        .unwrap(&generated.wrapped.key, &generated.wrapped.bytes, &context)
        .await
        .unwrap_err();
    assert_eq!(by_id.kind, KmsErrorKind::NotFound);
    let by_path = stranger
        .unwrap(here.to_str().unwrap(), &generated.wrapped.bytes, &context)
        .await
        .unwrap_err();
    assert_eq!(by_path.kind, KmsErrorKind::WrongContext);
}
