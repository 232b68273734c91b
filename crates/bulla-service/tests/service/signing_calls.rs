//! Requests of the operations on key pairs and HMAC keys, and a call of each.

use bulla_crypto::SecretBytes;
use bulla_model::{
    DataKeyPairSpec, EncapsulationAlgorithm, KeyAgreementAlgorithm, KeySpec, KeyUsage, MacAlgorithm, MessageType,
    SigningAlgorithm,
};
use bulla_service::*;

use crate::harness::*;

pub(crate) async fn key_of(h: &Harness, spec: KeySpec, usage: KeyUsage) -> KeyMetadata {
    let request = CreateKeyRequest {
        spec,
        usage,
        ..create_key_request()
    };
    h.service.create_key(&h.operator(), request).await.expect("made").key
}

pub(crate) fn secret(bytes: &[u8]) -> SecretBytes {
    SecretBytes::from_vec(bytes.to_vec())
}

pub(crate) fn sign(key: &str, algorithm: SigningAlgorithm, message_type: MessageType, message: &[u8]) -> SignRequest {
    SignRequest {
        key_id: key.to_owned(),
        message: secret(message),
        message_type,
        signing_algorithm: algorithm,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

pub(crate) fn verify(request: &SignRequest, signature: &[u8]) -> VerifyRequest {
    VerifyRequest {
        key_id: request.key_id.clone(),
        message: secret(request.message.expose_secret()),
        message_type: request.message_type,
        signature: signature.to_vec(),
        signing_algorithm: request.signing_algorithm,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

pub(crate) fn mac(key: &str, algorithm: MacAlgorithm) -> GenerateMacRequest {
    GenerateMacRequest {
        key_id: key.to_owned(),
        message: secret(b"message"),
        mac_algorithm: algorithm,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

pub(crate) fn verify_mac(key: &str, algorithm: MacAlgorithm, mac: &[u8]) -> VerifyMacRequest {
    VerifyMacRequest {
        key_id: key.to_owned(),
        message: secret(b"message"),
        mac_algorithm: algorithm,
        mac: mac.to_vec(),
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

pub(crate) fn agree(key: &str, public_key: &[u8]) -> DeriveSharedSecretRequest {
    DeriveSharedSecretRequest {
        key_id: key.to_owned(),
        key_agreement_algorithm: KeyAgreementAlgorithm::Ecdh,
        public_key: public_key.to_vec(),
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

pub(crate) fn encapsulate(key: &str) -> EncapsulateRequest {
    EncapsulateRequest {
        key_id: key.to_owned(),
        encapsulation_algorithm: EncapsulationAlgorithm::MlKem,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

pub(crate) fn decapsulate(key: &str, blob: &[u8]) -> DecapsulateRequest {
    DecapsulateRequest {
        key_id: key.to_owned(),
        shared_secret_ciphertext_blob: blob.to_vec(),
        encapsulation_algorithm: EncapsulationAlgorithm::MlKem,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

pub(crate) fn data_key_pair(key: &str, spec: DataKeyPairSpec) -> GenerateDataKeyPairRequest {
    GenerateDataKeyPairRequest {
        key_id: key.to_owned(),
        encryption_context: context(&[("tenant", "a")]),
        key_pair_spec: spec,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

pub(crate) async fn public_key(h: &Harness, key: &str) -> Vec<u8> {
    let request = GetPublicKeyRequest {
        key_id: key.to_owned(),
        grant_tokens: Vec::new(),
    };
    let answer = h.service.get_public_key(&h.operator(), request).await;
    answer.expect("a public key").public_key
}

/// One call of each operation, on a key of its own kind.
pub(crate) struct Calls {
    pub(crate) sign: SignRequest,
    pub(crate) verify: VerifyRequest,
    pub(crate) mac: GenerateMacRequest,
    pub(crate) verify_mac: VerifyMacRequest,
    pub(crate) agree: DeriveSharedSecretRequest,
    pub(crate) encapsulate: EncapsulateRequest,
    pub(crate) decapsulate: DecapsulateRequest,
    pub(crate) pair: GenerateDataKeyPairRequest,
    pub(crate) public: GetPublicKeyRequest,
}

pub(crate) struct Kinds {
    pub(crate) p256: KeyMetadata,
    pub(crate) hmac: KeyMetadata,
    pub(crate) agreeing: KeyMetadata,
    pub(crate) kem: KeyMetadata,
    pub(crate) symmetric: KeyMetadata,
    pub(crate) signature: Vec<u8>,
    pub(crate) mac: Vec<u8>,
    pub(crate) peer: Vec<u8>,
    pub(crate) encapsulated: Vec<u8>,
}

impl Kinds {
    pub(crate) async fn new(h: &Harness) -> Self {
        let p256 = key_of(h, KeySpec::EccNistP256, KeyUsage::SignVerify).await;
        let hmac = key_of(h, KeySpec::Hmac256, KeyUsage::GenerateVerifyMac).await;
        let agreeing = key_of(h, KeySpec::EccNistP256, KeyUsage::KeyAgreement).await;
        let kem = key_of(h, KeySpec::MlKem768, KeyUsage::EncapsulateDecapsulate).await;
        let symmetric = h.key().await;
        let (operator, s) = (h.operator(), &h.service);
        let request = sign(
            p256.key_id.as_str(),
            SigningAlgorithm::EcdsaSha256,
            MessageType::Raw,
            b"m",
        );
        let signature = s.sign(&operator, request).await.expect("signs").signature;
        let request = mac(hmac.key_id.as_str(), MacAlgorithm::HmacSha256);
        let mac = s.generate_mac(&operator, request).await.expect("a MAC").mac;
        let peer = public_key(h, agreeing.key_id.as_str()).await;
        let request = encapsulate(kem.key_id.as_str());
        let made = s.encapsulate(&operator, request).await.expect("encapsulates");
        Self {
            p256,
            hmac,
            agreeing,
            kem,
            symmetric,
            signature,
            mac,
            peer,
            encapsulated: made.shared_secret_ciphertext_blob,
        }
    }

    /// The calls, each on its own key or all on `other`.
    pub(crate) fn calls(&self, other: Option<&str>, dry_run: bool) -> Calls {
        let on = |key: &KeyMetadata| other.unwrap_or(key.key_id.as_str()).to_owned();
        let signing = || SignRequest {
            dry_run,
            ..sign(&on(&self.p256), SigningAlgorithm::EcdsaSha256, MessageType::Raw, b"m")
        };
        Calls {
            verify: VerifyRequest {
                dry_run,
                ..verify(&signing(), &self.signature)
            },
            sign: signing(),
            mac: GenerateMacRequest {
                dry_run,
                ..mac(&on(&self.hmac), MacAlgorithm::HmacSha256)
            },
            verify_mac: VerifyMacRequest {
                dry_run,
                ..verify_mac(&on(&self.hmac), MacAlgorithm::HmacSha256, &self.mac)
            },
            agree: DeriveSharedSecretRequest {
                dry_run,
                ..agree(&on(&self.agreeing), &self.peer)
            },
            encapsulate: EncapsulateRequest {
                dry_run,
                ..encapsulate(&on(&self.kem))
            },
            decapsulate: DecapsulateRequest {
                dry_run,
                ..decapsulate(&on(&self.kem), &self.encapsulated)
            },
            pair: GenerateDataKeyPairRequest {
                dry_run,
                ..data_key_pair(&on(&self.symmetric), DataKeyPairSpec::EccNistP256)
            },
            public: GetPublicKeyRequest {
                key_id: on(&self.p256),
                grant_tokens: Vec::new(),
            },
        }
    }
}

/// Calls each operation; tells its name and how it ended.
pub(crate) async fn call_each(h: &Harness, call: &Call, calls: Calls) -> Vec<(&'static str, Result<(), ServiceError>)> {
    let s = &h.service;
    let without = GenerateDataKeyPairWithoutPlaintextRequest {
        key_id: calls.pair.key_id.clone(),
        encryption_context: calls.pair.encryption_context.clone(),
        key_pair_spec: calls.pair.key_pair_spec,
        grant_tokens: Vec::new(),
        dry_run: calls.pair.dry_run,
    };
    vec![
        ("Sign", s.sign(call, calls.sign).await.map(drop)),
        ("Verify", s.verify(call, calls.verify).await.map(drop)),
        ("GenerateMac", s.generate_mac(call, calls.mac).await.map(drop)),
        ("VerifyMac", s.verify_mac(call, calls.verify_mac).await.map(drop)),
        (
            "DeriveSharedSecret",
            s.derive_shared_secret(call, calls.agree).await.map(drop),
        ),
        ("Encapsulate", s.encapsulate(call, calls.encapsulate).await.map(drop)),
        ("Decapsulate", s.decapsulate(call, calls.decapsulate).await.map(drop)),
        (
            "GenerateDataKeyPair",
            s.generate_data_key_pair(call, calls.pair).await.map(drop),
        ),
        (
            "GenerateDataKeyPairWithoutPlaintext",
            s.generate_data_key_pair_without_plaintext(call, without)
                .await
                .map(drop),
        ),
        ("GetPublicKey", s.get_public_key(call, calls.public).await.map(drop)),
    ]
}
