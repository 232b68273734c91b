use aws_lc_rs::agreement::{self, Algorithm, ECDH_P256, ECDH_P384, ECDH_P521};

use super::private::Inner;
use super::{KeySpec, PrivateKey, PublicKey, UseError};
use crate::SecretBytes;

impl PrivateKey {
    /// Derives the raw shared secret with a peer (SP 800-56A, 5.7.1.2: the x coordinate; 32, 48 or 66 bytes).
    ///
    /// The peer's point was validated when its [`PublicKey`] was read. What comes out is no key: derive one from it.
    ///
    /// # Errors
    /// [`UseError::Incompatible`] where this key, or the peer's, is not on one and the same NIST curve.
    pub fn agree(&self, peer: &PublicKey) -> Result<SecretBytes, UseError> {
        let Inner::Curve { agreeing, .. } = &self.inner else {
            return Err(UseError::Incompatible(self.spec()));
        };
        let own = algorithm(self.spec()).ok_or(UseError::Incompatible(self.spec()))?;
        if peer.spec() != self.spec() {
            return Err(UseError::Incompatible(peer.spec()));
        }
        let private = match agreeing.get() {
            Some(private) => private,
            None => {
                let private = agreement::PrivateKey::from_private_key_der(own, self.stored_bytes().expose_secret())
                    .map_err(|_| UseError::Library)?;
                agreeing.get_or_init(|| private)
            }
        };
        let public = agreement::UnparsedPublicKey::new(own, peer.key_bytes());
        agreement::agree(private, public, UseError::Library, |secret| {
            Ok(SecretBytes::from_vec(secret.to_vec()))
        })
    }
}

fn algorithm(spec: KeySpec) -> Option<&'static Algorithm> {
    match spec {
        KeySpec::EccNistP256 => Some(&ECDH_P256),
        KeySpec::EccNistP384 => Some(&ECDH_P384),
        KeySpec::EccNistP521 => Some(&ECDH_P521),
        _ => None,
    }
}
