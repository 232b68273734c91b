//! Ed25519 signatures (RFC 8032, pure Ed25519).

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::{DataKey, KeyError, hazmat};

/// Signs with Ed25519; the key lies in memory that AWS-LC cleanses when it frees it.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: [u8; 32],
}

/// A signature that is not the signer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
#[non_exhaustive]
pub struct SignatureError;

impl SigningKey {
    /// Makes the key of a 32-byte seed (RFC 8032, 5.1.5).
    ///
    /// # Errors
    /// [`KeyError`] where the library fails.
    pub fn from_seed(seed: &DataKey) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose_secret()).map_err(|_| KeyError)?;
        hazmat::burn_stack();
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError)?;
        Ok(Self { pair, public })
    }

    /// Signs `message`, 64 bytes; the same message gives the same signature.
    ///
    /// # Errors
    /// [`KeyError`] where the library fails.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        self.pair
            .try_sign(message)
            .ok()
            .and_then(|signature| signature.as_ref().try_into().ok())
            .ok_or(KeyError)
    }

    /// Gives the public key, 32 bytes.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.public
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(redacted)")
    }
}

/// Verifies an Ed25519 signature.
///
/// # Errors
/// [`SignatureError`] where it is not `public`'s signature over `message`.
pub fn verify(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), SignatureError> {
    UnparsedPublicKey::new(&ED25519, public)
        .verify(message, signature)
        .map_err(|_| SignatureError)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, 7.1: seed, public key, message, signature of TEST 1, 2, 3 and SHA(abc).
    const RFC_8032: [[&str; 4]; 4] = [
        [
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ],
        [
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ],
        [
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ],
        [
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
        ],
    ];

    fn array<const N: usize>(hex: &str) -> [u8; N] {
        hex::decode(hex).expect("hex").try_into().expect("length")
    }

    #[test]
    fn ed25519_agrees_with_rfc_8032() {
        for [seed, public, message, signature] in RFC_8032 {
            let key = SigningKey::from_seed(&DataKey::from_bytes(&mut array(seed))).expect("a key");
            let message = hex::decode(message).expect("hex");
            assert_eq!(key.public_key(), array(public));
            assert_eq!(key.sign(&message).expect("signs"), array(signature));
            verify(&array(public), &message, &array(signature)).expect("verifies");
        }
    }

    #[test]
    fn a_changed_message_signature_or_key_does_not_verify() {
        let [seed, public, _, _] = RFC_8032[0];
        let key = SigningKey::from_seed(&DataKey::from_bytes(&mut array(seed))).expect("a key");
        let signature = key.sign(b"head").expect("signs");
        assert_eq!(verify(&array(public), b"heaD", &signature), Err(SignatureError));
        assert_eq!(verify(&array(RFC_8032[1][1]), b"head", &signature), Err(SignatureError));
        for bit in 0..512 {
            let mut changed = signature;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verify(&array(public), b"head", &changed), Err(SignatureError));
        }
    }

    #[test]
    fn the_key_is_redacted() {
        let key = SigningKey::from_seed(&DataKey::from_bytes(&mut [1; 32])).expect("a key");
        assert_eq!(format!("{key:?}"), "SigningKey(redacted)");
    }
}
