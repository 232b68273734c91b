use bulla_service::{Call, CreateCustomKeyStoreRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Object, Text, parse};
use super::validation::{
    ACCOUNT_ID, CLOUD_HSM_CLUSTER_ID, CUSTOM_KEY_STORE_NAME, CUSTOM_KEY_STORE_TYPES, Checks, KEY_STORE_PASSWORD,
    TRUST_ANCHOR_CERTIFICATE, XKS_CONNECTIVITIES, XKS_URI_ENDPOINT, XKS_URI_PATH, XKS_VPC_ENDPOINT_SERVICE_NAME,
    XksCredential,
};
use super::wire::{Failure, Reply};

/// Answers `CreateCustomKeyStore`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    service
        .create_custom_key_store(call, parse::<Input>(body)?.check()?)
        .await?;
    Reply::json(&Output {}, 0)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    custom_key_store_name: Option<Text>,
    cloud_hsm_cluster_id: Option<Text>,
    trust_anchor_certificate: Option<Text>,
    key_store_password: Option<Text>,
    custom_key_store_type: Option<Text>,
    xks_proxy_uri_endpoint: Option<Text>,
    xks_proxy_uri_path: Option<Text>,
    xks_proxy_vpc_endpoint_service_name: Option<Text>,
    xks_proxy_vpc_endpoint_service_owner: Option<Text>,
    xks_proxy_authentication_credential: Option<Object<XksCredential>>,
    xks_proxy_connectivity: Option<Text>,
}

impl Input {
    fn check(self) -> Result<CreateCustomKeyStoreRequest, Failure> {
        let mut checks = Checks::default();
        let name = checks.required_text("customKeyStoreName", self.custom_key_store_name, &CUSTOM_KEY_STORE_NAME);
        checks.text("cloudHsmClusterId", self.cloud_hsm_cluster_id, &CLOUD_HSM_CLUSTER_ID);
        checks.text(
            "trustAnchorCertificate",
            self.trust_anchor_certificate,
            &TRUST_ANCHOR_CERTIFICATE,
        );
        checks.secret_text("keyStorePassword", self.key_store_password, &KEY_STORE_PASSWORD);
        let kind = checks.choice("customKeyStoreType", self.custom_key_store_type, CUSTOM_KEY_STORE_TYPES);
        checks.text("xksProxyUriEndpoint", self.xks_proxy_uri_endpoint, &XKS_URI_ENDPOINT);
        checks.text("xksProxyUriPath", self.xks_proxy_uri_path, &XKS_URI_PATH);
        checks.text(
            "xksProxyVpcEndpointServiceName",
            self.xks_proxy_vpc_endpoint_service_name,
            &XKS_VPC_ENDPOINT_SERVICE_NAME,
        );
        checks.text(
            "xksProxyVpcEndpointServiceOwner",
            self.xks_proxy_vpc_endpoint_service_owner,
            &ACCOUNT_ID,
        );
        checks.xks_credential(self.xks_proxy_authentication_credential);
        checks.choice("xksProxyConnectivity", self.xks_proxy_connectivity, XKS_CONNECTIVITIES);
        let request = CreateCustomKeyStoreRequest {
            custom_key_store_name: name,
            custom_key_store_type: kind,
        };
        checks.finish(request)
    }
}

#[derive(Serialize)]
struct Output {}
