use bulla_crypto::keys::{self, PublicKey};

use crate::{KeySpec, PublicKeyDescription, SigningAlgorithm, SigningInput};

/// A key's public half, read: what hashes for it and what verifies under it.
pub(crate) struct KnownKey {
    pub(crate) description: PublicKeyDescription,
    public: PublicKey,
}

/// What is signed of a message.
pub(crate) enum Hashed<'a> {
    Message(&'a [u8]),
    Digest(Vec<u8>),
}

impl KnownKey {
    /// Reads what a provider described; `None` where it is no public key, or not one of the spec that it is said to be.
    pub(crate) fn read(description: PublicKeyDescription) -> Option<Self> {
        let public = PublicKey::from_spki_der(&description.spki_der).ok()?;
        (public.spec().name() == description.spec.as_str()).then_some(Self { description, public })
    }

    /// Hashes a message as the algorithm does; one that takes the message alone gets it.
    pub(crate) fn hashed<'a>(&self, algorithm: SigningAlgorithm, message: &'a [u8]) -> Hashed<'a> {
        let digest = match algorithm {
            SigningAlgorithm::MlDsaShake256 => self.public.external_mu(message).map(Vec::from),
            algorithm => algorithm.primitive().digest(message),
        };
        digest.map_or(Hashed::Message(message), Hashed::Digest)
    }

    /// Tells whether the signature is this key's over the message.
    pub(crate) fn verifies_message(&self, algorithm: SigningAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        if algorithm == SigningAlgorithm::Ed25519PhSha512 {
            let hashed = self.hashed(algorithm, message);
            return self.verifies(algorithm, hashed.input(), signature);
        }
        self.verifies(algorithm, SigningInput::Message(message), signature)
    }

    /// Tells whether the signature is this key's; an algorithm that the key has not, verifies nothing.
    pub(crate) fn verifies(&self, algorithm: SigningAlgorithm, input: SigningInput<'_>, signature: &[u8]) -> bool {
        let outcome = self
            .public
            .verify(algorithm.primitive(), algorithm.primitive_input(input), signature);
        matches!(outcome, Ok(keys::Verification::Valid))
    }
}

impl Hashed<'_> {
    pub(crate) fn input(&self) -> SigningInput<'_> {
        match self {
            Self::Message(message) => SigningInput::Message(message),
            Self::Digest(digest) => SigningInput::Digest(digest),
        }
    }
}

impl SigningAlgorithm {
    /// The primitive of this name.
    pub fn primitive(self) -> keys::SigningAlgorithm {
        use keys::SigningAlgorithm as Primitive;
        match self {
            Self::RsassaPssSha256 => Primitive::RsassaPssSha256,
            Self::RsassaPssSha384 => Primitive::RsassaPssSha384,
            Self::RsassaPssSha512 => Primitive::RsassaPssSha512,
            Self::RsassaPkcs1V15Sha256 => Primitive::RsassaPkcs1V15Sha256,
            Self::RsassaPkcs1V15Sha384 => Primitive::RsassaPkcs1V15Sha384,
            Self::RsassaPkcs1V15Sha512 => Primitive::RsassaPkcs1V15Sha512,
            Self::EcdsaSha256 => Primitive::EcdsaSha256,
            Self::EcdsaSha384 => Primitive::EcdsaSha384,
            Self::EcdsaSha512 => Primitive::EcdsaSha512,
            Self::Ed25519Sha512 => Primitive::Ed25519Sha512,
            Self::Ed25519PhSha512 => Primitive::Ed25519PhSha512,
            Self::MlDsaShake256 => Primitive::MlDsaShake256,
        }
    }

    /// What is to be signed, as the primitive takes it.
    pub fn primitive_input(self, input: SigningInput<'_>) -> keys::Message<'_> {
        match input {
            SigningInput::Message(message) => keys::Message::Raw(message),
            SigningInput::Digest(mu) if self == Self::MlDsaShake256 => keys::Message::ExternalMu(mu),
            SigningInput::Digest(digest) => keys::Message::Digest(digest),
        }
    }
}

impl KeySpec {
    /// The primitive of this name; `None` for `SYMMETRIC_DEFAULT`.
    pub fn primitive(self) -> Option<keys::KeySpec> {
        keys::KeySpec::ALL.into_iter().find(|spec| spec.name() == self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_and_algorithms_are_those_of_the_primitives() {
        for spec in KeySpec::ALL {
            let Some(primitive) = spec.primitive() else {
                assert_eq!(*spec, KeySpec::SymmetricDefault);
                continue;
            };
            let ours: Vec<_> = spec
                .signing_algorithms()
                .iter()
                .map(|algorithm| algorithm.primitive())
                .collect();
            assert_eq!(ours, primitive.signing_algorithms(), "{spec}");
        }
        assert_eq!(KeySpec::ALL.len(), keys::KeySpec::ALL.len() + 1);
        for algorithm in SigningAlgorithm::ALL {
            if *algorithm != SigningAlgorithm::MlDsaShake256 {
                assert_eq!(
                    algorithm.digest_bytes(),
                    algorithm.primitive().digest_bytes(),
                    "{algorithm}"
                );
            }
        }
    }
}
