//! The provider suite over the keys of a service in this process.

use std::sync::Arc;

use async_trait::async_trait;
use bulla_kms::KeyProvider;
use bulla_kms::conformance::Fixture;
use bulla_model::{KeyRef, NamedKey, Role};
use bulla_service::*;
use serde_json::json;

use crate::harness::*;

struct Embedded {
    h: Harness,
    provider: Arc<ServiceProvider>,
    keys: [KeyMetadata; 2],
}

impl Embedded {
    async fn new() -> Self {
        let h = Harness::new().await;
        let keys = [h.key().await, h.key().await];
        let region = REGION.parse().expect("a region");
        Self {
            provider: Arc::new(ServiceProvider::new(
                h.service.clone(),
                h.initialised.account.clone(),
                region,
            )),
            h,
            keys,
        }
    }

    async fn point(&self, key: &KeyMetadata, first: bool) {
        let (operator, alias_name, target_key_id) = (self.h.operator(), "alias/app".to_owned(), key.key_id.to_string());
        let done = if first {
            let request = CreateAliasRequest {
                alias_name,
                target_key_id,
            };
            self.h.service.create_alias(&operator, request).await
        } else {
            let request = UpdateAliasRequest {
                alias_name,
                target_key_id,
            };
            self.h.service.update_alias(&operator, request).await
        };
        done.expect("points");
    }
}

#[async_trait]
impl Fixture for Embedded {
    fn provider(&self) -> Arc<dyn KeyProvider> {
        Arc::clone(&self.provider) as _
    }

    fn key(&self) -> String {
        self.keys[0].key_id.to_string()
    }

    fn other_key(&self) -> String {
        format!("bulla://{}", self.keys[1].arn)
    }

    fn unknown_key(&self) -> String {
        "1234abcd-12ab-34cd-56ef-1234567890ab".to_owned()
    }

    async fn alias(&self) -> Option<String> {
        self.point(&self.keys[0], true).await;
        Some("bulla:///alias/app".to_owned())
    }

    async fn move_alias(&self) {
        self.point(&self.keys[1], false).await;
    }

    async fn switchable_key(&self) -> Option<String> {
        Some(self.h.key().await.key_id.to_string())
    }

    async fn set_enabled(&self, key: &str, enabled: bool) {
        let (operator, key_id) = (self.h.operator(), key.to_owned());
        let done = if enabled {
            self.h.service.enable_key(&operator, EnableKeyRequest { key_id }).await
        } else {
            self.h
                .service
                .disable_key(&operator, DisableKeyRequest { key_id })
                .await
        };
        done.expect("switches");
    }
}

bulla_kms::provider_conformance!(Embedded::new().await);

#[tokio::test]
async fn its_calls_are_the_service_s_own_and_the_access_decides_who_may() {
    let embedded = Embedded::new().await;
    let (h, key) = (&embedded.h, &embedded.keys[0]);
    // A key whose policy lets nobody use it but through the vault.
    let closed = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:PutKeyPolicy", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/ann"}, "Action": "bulla:GetToken", "Resource": "*"}]});
    let (_, ann) = h.user("ann", Role::User).await;
    let put = PutKeyPolicyRequest {
        key_id: key.key_id.to_string(),
        policy_name: None,
        policy: closed.to_string(),
        bypass_policy_lockout_safety_check: false,
    };
    h.service.put_key_policy(&h.operator(), put).await.expect("writes");
    let context = context(&[("client_id", "a")]);
    embedded
        .provider
        .generate_data_key(key.key_id.as_str(), &context)
        .await
        .expect("makes");
    let event = h.last_event();
    assert_eq!(event["eventName"], "GenerateDataKey");
    assert_eq!(event["userIdentity"]["type"], "AWSService");
    assert_eq!(event["requestParameters"]["encryptionContext"]["client_id"], "a");
    let access = Access {
        context,
        key: Some(KeyRef {
            account: None,
            named: NamedKey::Key(key.key_id.clone()),
        }),
        ..Access::new(
            "bulla:GetToken",
            "GetToken",
            true,
            bulla_model::BullaArn::new(&ann.region, ann.caller.account(), "token", &["a", "p"]),
        )
    };
    h.service.access(&ann, access.clone()).await.expect("allowed");
    assert_eq!(
        refusal(h.service.access(&h.admin().await, access).await).0,
        "AccessDeniedException"
    );
    // Keys of other accounts are not reached, whatever their policies say.
    let other = call(Caller::operator("999999999999".parse().expect("an account")));
    let foreign = create_key(&h.service, &other).await;
    let refused = embedded
        .provider
        .describe(foreign.arn.as_str())
        .await
        .expect_err("refused");
    assert_eq!(refused.kind, bulla_kms::KmsErrorKind::AccessDenied);
    h.verify();
}
