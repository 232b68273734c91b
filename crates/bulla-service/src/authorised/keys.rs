//! What an authorised key pair, or key for HMAC, does.

use bulla_crypto::SecretBytes;
use bulla_crypto::keys::{self, Encapsulated, Message, UseError, Verification};
use bulla_model::{EncryptionAlgorithm, KeySpec, MacAlgorithm, MessageType, SigningAlgorithm};

use super::AuthorisedMaterial;
use crate::ServiceError;
use crate::decision::Decision;
use crate::key_material::{KeyMaterial, PreparedKey};
use crate::runner::Operation;

const REFUSED: ServiceError = ServiceError::Internal("the cryptographic library refused");

impl<O: Operation> AuthorisedMaterial<O> {
    /// Signs a message of a type and length that the algorithm takes.
    pub(crate) async fn sign(
        &self,
        decision: &Decision<'_>,
        algorithm: SigningAlgorithm,
        message_type: MessageType,
        message: &SecretBytes,
    ) -> Result<Vec<u8>, ServiceError> {
        let algorithm = library_signing(algorithm)?;
        let (message, random) = (copy(message), decision.core.random.clone());
        self.use_key(decision, private_is_heavy, move |key| {
            let message = of_type(message_type, &message);
            key.private.sign(algorithm, message, &*random).map_err(|_| REFUSED)
        })
        .await
    }

    /// Tells whether a signature is the key's.
    pub(crate) async fn verify(
        &self,
        decision: &Decision<'_>,
        algorithm: SigningAlgorithm,
        message_type: MessageType,
        message: &SecretBytes,
        signature: &[u8],
    ) -> Result<Verification, ServiceError> {
        let algorithm = library_signing(algorithm)?;
        let (message, signature) = (copy(message), signature.to_vec());
        self.use_key(decision, public_is_heavy, move |key| {
            let public = key.public.as_ref().ok_or(REFUSED)?;
            let message = of_type(message_type, &message);
            public.verify(algorithm, message, &signature).map_err(|_| REFUSED)
        })
        .await
    }

    /// Makes a MAC, 28 to 64 bytes.
    pub(crate) fn generate_mac(&self, algorithm: MacAlgorithm, message: &SecretBytes) -> Result<Vec<u8>, ServiceError> {
        self.key()?
            .private
            .generate_mac(library_mac(algorithm), message.expose_secret())
            .map_err(|_| REFUSED)
    }

    /// Tells whether a MAC is the key's.
    pub(crate) fn verify_mac(
        &self,
        algorithm: MacAlgorithm,
        message: &SecretBytes,
        mac: &[u8],
    ) -> Result<Verification, ServiceError> {
        self.key()?
            .private
            .verify_mac(library_mac(algorithm), message.expose_secret(), mac)
            .map_err(|_| REFUSED)
    }

    /// Encrypts with OAEP; the ciphertext is as long as the modulus.
    pub(crate) fn encrypt_oaep(
        &self,
        algorithm: EncryptionAlgorithm,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, ServiceError> {
        let public = self.key()?.public.as_ref().ok_or(REFUSED)?;
        public.encrypt(library_oaep(algorithm)?, plaintext).map_err(|_| REFUSED)
    }

    /// Decrypts what was encrypted with OAEP, here or elsewhere.
    pub(crate) async fn decrypt_oaep(
        &self,
        decision: &Decision<'_>,
        algorithm: EncryptionAlgorithm,
        ciphertext: &[u8],
    ) -> Result<SecretBytes, ServiceError> {
        let algorithm = library_oaep(algorithm)?;
        let ciphertext = ciphertext.to_vec();
        self.use_key(decision, private_is_heavy, move |key| {
            key.private
                .decrypt(algorithm, &ciphertext)
                .map_err(|_| ServiceError::InvalidCiphertext {
                    reason: "the ciphertext does not open under this RSA key",
                })
        })
        .await
    }

    /// Derives the raw secret with the peer whose DER public key is given.
    pub(crate) async fn agree(&self, decision: &Decision<'_>, peer: &[u8]) -> Result<SecretBytes, ServiceError> {
        let peer = peer.to_vec();
        self.use_key(decision, private_is_heavy, move |key| {
            // The messages are not confirmed.
            let peer = keys::PublicKey::from_spki_der(&peer).map_err(|_| {
                ServiceError::Validation("The public key is not a valid DER-encoded public key.".to_owned())
            })?;
            key.private.agree(&peer).map_err(|error| match error {
                UseError::Incompatible(_) => {
                    ServiceError::Validation("The public key is not on the curve of the KMS key.".to_owned())
                }
                _ => REFUSED,
            })
        })
        .await
    }

    /// Makes a shared secret for the holder of the key.
    pub(crate) fn encapsulate(&self) -> Result<Encapsulated, ServiceError> {
        let public = self.key()?.public.as_ref().ok_or(REFUSED)?;
        public.encapsulate().map_err(|_| REFUSED)
    }

    /// Recovers a shared secret, 32 bytes; only a wrong length is refused.
    pub(crate) fn decapsulate(&self, ciphertext: &[u8]) -> Result<SecretBytes, ServiceError> {
        self.key()?
            .private
            .decapsulate(ciphertext)
            .map_err(|_| ServiceError::InvalidCiphertext {
                reason: "not the length of a ciphertext of this key spec",
            })
    }

    /// The public half as a DER `SubjectPublicKeyInfo`.
    pub(crate) fn public_key_der(&self) -> Result<Vec<u8>, ServiceError> {
        self.key()?.private.public_key_der().map(<[u8]>::to_vec).ok_or(REFUSED)
    }

    fn key(&self) -> Result<&PreparedKey, ServiceError> {
        match &self.version.material {
            KeyMaterial::Key(key) => Ok(key),
            KeyMaterial::Symmetric(_) | KeyMaterial::Deleted => {
                Err(ServiceError::Internal("a key in use with material of another kind"))
            }
        }
    }

    /// Uses the key, on a thread of its own where keys of its spec take long.
    async fn use_key<T: Send + 'static>(
        &self,
        decision: &Decision<'_>,
        is_heavy: fn(keys::KeySpec) -> bool,
        work: impl FnOnce(&PreparedKey) -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let key = self.key()?;
        if !is_heavy(key.private.spec()) {
            return work(key);
        }
        let version = self.version.clone();
        let work = move || match &version.material {
            KeyMaterial::Key(key) => work(key),
            KeyMaterial::Symmetric(_) | KeyMaterial::Deleted => Err(REFUSED),
        };
        decision.core.run_heavy(work).await?
    }
}

/// Specs whose private keys take more than about 100 µs for one use.
fn private_is_heavy(spec: keys::KeySpec) -> bool {
    use keys::KeySpec as S;
    matches!(
        spec,
        S::Rsa2048
            | S::Rsa3072
            | S::Rsa4096
            | S::EccNistP384
            | S::EccNistP521
            | S::EccSecgP256k1
            | S::MlDsa44
            | S::MlDsa65
            | S::MlDsa87
    )
}

/// Specs whose public keys do.
fn public_is_heavy(spec: keys::KeySpec) -> bool {
    use keys::KeySpec as S;
    private_is_heavy(spec) && !matches!(spec, S::Rsa2048 | S::Rsa3072 | S::Rsa4096)
}

fn copy(message: &SecretBytes) -> SecretBytes {
    SecretBytes::from_vec(message.expose_secret().to_vec())
}

fn of_type(message_type: MessageType, message: &SecretBytes) -> Message<'_> {
    let message = message.expose_secret();
    match message_type {
        MessageType::Raw => Message::Raw(message),
        MessageType::Digest => Message::Digest(message),
        MessageType::ExternalMu => Message::ExternalMu(message),
    }
}

fn library_signing(algorithm: SigningAlgorithm) -> Result<keys::SigningAlgorithm, ServiceError> {
    use keys::SigningAlgorithm as L;
    Ok(match algorithm {
        SigningAlgorithm::RsassaPssSha256 => L::RsassaPssSha256,
        SigningAlgorithm::RsassaPssSha384 => L::RsassaPssSha384,
        SigningAlgorithm::RsassaPssSha512 => L::RsassaPssSha512,
        SigningAlgorithm::RsassaPkcs1V15Sha256 => L::RsassaPkcs1V15Sha256,
        SigningAlgorithm::RsassaPkcs1V15Sha384 => L::RsassaPkcs1V15Sha384,
        SigningAlgorithm::RsassaPkcs1V15Sha512 => L::RsassaPkcs1V15Sha512,
        SigningAlgorithm::EcdsaSha256 => L::EcdsaSha256,
        SigningAlgorithm::EcdsaSha384 => L::EcdsaSha384,
        SigningAlgorithm::EcdsaSha512 => L::EcdsaSha512,
        SigningAlgorithm::MlDsaShake256 => L::MlDsaShake256,
        SigningAlgorithm::Ed25519Sha512 => L::Ed25519Sha512,
        SigningAlgorithm::Ed25519PhSha512 => L::Ed25519PhSha512,
        SigningAlgorithm::Sm2Dsa => return Err(REFUSED),
    })
}

fn library_mac(algorithm: MacAlgorithm) -> keys::MacAlgorithm {
    match algorithm {
        MacAlgorithm::HmacSha224 => keys::MacAlgorithm::HmacSha224,
        MacAlgorithm::HmacSha256 => keys::MacAlgorithm::HmacSha256,
        MacAlgorithm::HmacSha384 => keys::MacAlgorithm::HmacSha384,
        MacAlgorithm::HmacSha512 => keys::MacAlgorithm::HmacSha512,
    }
}

fn library_oaep(algorithm: EncryptionAlgorithm) -> Result<keys::EncryptionAlgorithm, ServiceError> {
    match algorithm {
        EncryptionAlgorithm::RsaesOaepSha1 => Ok(keys::EncryptionAlgorithm::RsaesOaepSha1),
        EncryptionAlgorithm::RsaesOaepSha256 => Ok(keys::EncryptionAlgorithm::RsaesOaepSha256),
        EncryptionAlgorithm::SymmetricDefault | EncryptionAlgorithm::Sm2Pke => Err(REFUSED),
    }
}

/// Requires a type of message that the key and the algorithm sign, and the length that it has.
pub(crate) fn require_message(
    spec: KeySpec,
    algorithm: SigningAlgorithm,
    message_type: MessageType,
    message: &SecretBytes,
) -> Result<(), ServiceError> {
    let hashes_itself = algorithm == SigningAlgorithm::MlDsaShake256;
    if matches!(
        (message_type, hashes_itself),
        (MessageType::Digest, true) | (MessageType::ExternalMu, false)
    ) {
        return Err(ServiceError::Validation(format!(
            "Message type {message_type} is incompatible with key spec {spec}."
        )));
    }
    if !algorithm.message_types().contains(&message_type) {
        return Err(ServiceError::Validation(format!(
            "Message type {message_type} is incompatible with algorithm {algorithm}."
        )));
    }
    let length = match message_type {
        MessageType::Raw => None,
        MessageType::Digest => algorithm.digest_bytes(),
        MessageType::ExternalMu => Some(keys::MU_BYTES),
    };
    match length {
        Some(length) if length != message.len() => Err(ServiceError::Validation(format!(
            "Digest is invalid length for algorithm {algorithm}."
        ))),
        _ => Ok(()),
    }
}

/// Requires that the plaintext is no longer than the key and the algorithm take.
pub(crate) fn require_fits(
    spec: KeySpec,
    algorithm: EncryptionAlgorithm,
    plaintext: &SecretBytes,
) -> Result<(), ServiceError> {
    match spec.max_plaintext_bytes(algorithm) {
        Some(max) if plaintext.len() > max => Err(ServiceError::Validation(format!(
            "Algorithm {algorithm} and key spec {spec} cannot encrypt data larger than {max} bytes."
        ))),
        _ => Ok(()),
    }
}
