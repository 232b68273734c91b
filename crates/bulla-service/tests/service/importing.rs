//! What tests of imported material share: the side that wraps.

use bulla_crypto::SystemRandom;
use bulla_crypto::keys::{KeySpec as Spec, PrivateKey, PublicKey, WrappingAlgorithm as Wrapping, wrap_for_import};
use bulla_model::{ExpirationModel, KeyOrigin, KeySpec, KeyUsage, Timestamp, WrappingAlgorithm, WrappingKeySpec};
use bulla_service::*;

use crate::harness::*;

/// Asks for parameters of the quickest kind.
pub(crate) fn parameters_request(key_id: &str) -> GetParametersForImportRequest {
    GetParametersForImportRequest {
        key_id: key_id.to_owned(),
        wrapping_algorithm: WrappingAlgorithm::RsaesOaepSha256,
        wrapping_key_spec: WrappingKeySpec::Rsa2048,
    }
}

pub(crate) async fn parameters(service: &Service, call: &Call, key_id: &str) -> GetParametersForImportResponse {
    service
        .get_parameters_for_import(call, parameters_request(key_id))
        .await
        .expect("gives parameters")
}

pub(crate) fn wrap(parameters: &GetParametersForImportResponse, algorithm: Wrapping, material: &[u8]) -> Vec<u8> {
    let key = PublicKey::from_spki_der(&parameters.public_key).expect("a public key");
    wrap_for_import(&key, algorithm, &SystemRandom, material).expect("wraps")
}

/// An import of `material` that never ends.
pub(crate) fn import_request(
    key_id: &str,
    parameters: &GetParametersForImportResponse,
    material: &[u8],
) -> ImportKeyMaterialRequest {
    ImportKeyMaterialRequest {
        key_id: key_id.to_owned(),
        import_token: parameters.import_token.clone(),
        encrypted_key_material: wrap(parameters, Wrapping::RsaesOaepSha256, material),
        valid_to: None,
        expiration_model: Some(ExpirationModel::DoesNotExpire),
        import_type: None,
        key_material_description: None,
        key_material_id: None,
    }
}

/// The same, that ends at `end`.
pub(crate) fn import_until(
    key_id: &str,
    parameters: &GetParametersForImportResponse,
    material: &[u8],
    end: Timestamp,
) -> ImportKeyMaterialRequest {
    ImportKeyMaterialRequest {
        valid_to: Some(end),
        expiration_model: Some(ExpirationModel::Expires),
        ..import_request(key_id, parameters, material)
    }
}

/// A key without material.
pub(crate) async fn external_key(service: &Service, call: &Call, spec: KeySpec, usage: KeyUsage) -> KeyMetadata {
    let request = CreateKeyRequest {
        spec,
        usage,
        origin: KeyOrigin::External,
        ..create_key_request()
    };
    service.create_key(call, request).await.expect("creates").key
}

pub(crate) async fn symmetric_key(service: &Service, call: &Call) -> String {
    external_key(service, call, KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt)
        .await
        .key_id
        .to_string()
}

pub(crate) async fn describe(service: &Service, call: &Call, key_id: &str) -> KeyMetadata {
    let request = DescribeKeyRequest {
        key_id: key_id.to_owned(),
        grant_tokens: Vec::new(),
    };
    service.describe_key(call, request).await.expect("describes").key
}

/// A fresh private key, as a client would import it.
pub(crate) fn pkcs8(spec: Spec) -> Vec<u8> {
    let key = PrivateKey::generate(spec, &SystemRandom).expect("makes");
    let der = key.pkcs8_der().expect("a key pair");
    der.expose_secret().to_vec()
}

/// Every material of a key.
pub(crate) async fn rotations(service: &Service, call: &Call, key_id: &str) -> Vec<RotationEntry> {
    let request = ListKeyRotationsRequest {
        key_id: key_id.to_owned(),
        include_all_material: true,
        limit: None,
        marker: None,
    };
    service
        .list_key_rotations(call, request)
        .await
        .expect("lists")
        .rotations
}
