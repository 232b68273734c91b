//! Keys and signatures that Python's `cryptography` 50.0.2 made (`tests/data/interop.json`): we read its keys, write them byte for byte as it
//! does, verify its signatures and open its ciphertexts. So what we write, it reads.

use bulla_crypto::SecretBytes;
use bulla_crypto::keys::{Message, PrivateKey};

use crate::{Vectors, algorithm, spec};

#[test]
fn keys_are_written_as_the_other_library_writes_them() {
    let vectors = Vectors::load(include_str!("../data/interop.json"));
    let message = vectors.bytes("message");
    let mut signatures = 0;
    for key in vectors.list("keys", 13) {
        let (spec, pkcs8) = (spec(key.text("spec")), key.bytes("pkcs8"));
        let private = PrivateKey::from_imported(spec, &SecretBytes::from_vec(pkcs8.clone())).unwrap();
        assert_eq!(private.public_key_der().unwrap(), key.bytes("spki"), "{spec}");
        assert_eq!(private.pkcs8_der().unwrap().expose_secret(), pkcs8, "{spec}");
        let public = private.public_key().unwrap();
        for (name, signature) in key.members("signatures") {
            let signature = hex::decode(signature).unwrap();
            let verified = public
                .verify(algorithm(&name), Message::Raw(&message), &signature)
                .unwrap();
            assert!(verified.is_valid(), "{spec} {name}");
            signatures += 1;
        }
        if let Some(ciphertext) = key.maybe_bytes("ciphertext") {
            let secret = private.decapsulate(&ciphertext).unwrap();
            assert_eq!(secret.expose_secret(), key.bytes("secret"));
        }
    }
    assert_eq!(signatures, 3 * 6 + 4 + 1 + 3);
}
