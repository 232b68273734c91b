use bulla_service::{Call, Service, UpdateCustomKeyStoreRequest};
use serde::{Deserialize, Serialize};

use super::json::{Object, Text, parse};
use super::validation::{
    ACCOUNT_ID, CLOUD_HSM_CLUSTER_ID, CUSTOM_KEY_STORE_ID, CUSTOM_KEY_STORE_NAME, Checks, KEY_STORE_PASSWORD,
    XKS_CONNECTIVITIES, XKS_URI_ENDPOINT, XKS_URI_PATH, XKS_VPC_ENDPOINT_SERVICE_NAME, XksCredential,
};
use super::wire::{Failure, Reply};

/// Answers `UpdateCustomKeyStore`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    service
        .update_custom_key_store(call, parse::<Input>(body)?.check()?)
        .await?;
    Reply::json(&Output {}, 0)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    custom_key_store_id: Option<Text>,
    new_custom_key_store_name: Option<Text>,
    key_store_password: Option<Text>,
    cloud_hsm_cluster_id: Option<Text>,
    xks_proxy_uri_endpoint: Option<Text>,
    xks_proxy_uri_path: Option<Text>,
    xks_proxy_vpc_endpoint_service_name: Option<Text>,
    xks_proxy_vpc_endpoint_service_owner: Option<Text>,
    xks_proxy_authentication_credential: Option<Object<XksCredential>>,
    xks_proxy_connectivity: Option<Text>,
}

impl Input {
    fn check(self) -> Result<UpdateCustomKeyStoreRequest, Failure> {
        let mut checks = Checks::default();
        let id = checks.required_text("customKeyStoreId", self.custom_key_store_id, &CUSTOM_KEY_STORE_ID);
        let name = checks.text(
            "newCustomKeyStoreName",
            self.new_custom_key_store_name,
            &CUSTOM_KEY_STORE_NAME,
        );
        checks.secret_text("keyStorePassword", self.key_store_password, &KEY_STORE_PASSWORD);
        checks.text("cloudHsmClusterId", self.cloud_hsm_cluster_id, &CLOUD_HSM_CLUSTER_ID);
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
        let request = UpdateCustomKeyStoreRequest {
            custom_key_store_id: id,
            new_custom_key_store_name: name,
        };
        checks.finish(request)
    }
}

#[derive(Serialize)]
struct Output {}
