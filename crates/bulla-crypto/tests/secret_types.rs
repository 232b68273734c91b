//! What holds key bytes can't be copied, compared by accident, or printed in full. Held by the compiler: `not_impl.rs` of `bulla-testkit`.

use std::fmt::{Display, LowerHex};

use bulla_crypto::blob::Material;
use bulla_crypto::keys::PrivateKey;
use bulla_crypto::mac::{Domain, MacKey};
use bulla_crypto::record::RecordKey;
use bulla_crypto::signature::SigningKey;
use bulla_crypto::{DataKey, SecretBytes};

struct Any;
impl Domain for Any {
    const DOMAIN: &'static str = "bulla/test/secret-types";
}

bulla_testkit::assert_not_impl!(
    [DataKey, SecretBytes, PrivateKey, Material, RecordKey, MacKey<Any>, SigningKey]:
    Clone, Copy, Display, LowerHex, AsRef<[u8]>, serde::Serialize, PartialEq
);

#[test]
fn what_holds_a_key_is_neither_cloned_nor_printed() {
    // That this file compiles is the test. What `Debug` shows is in the tests of each type.
    let shown = format!(
        "{:?} {:?}",
        DataKey::from_slice(&[0x41; 32]),
        SecretBytes::from_vec(vec![0x41; 32])
    );
    assert!(
        !shown.contains("65") && !shown.contains("41") && !shown.contains("AAAA"),
        "{shown}"
    );
}
