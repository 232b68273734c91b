//! Whoever lists the grants that he may retire learns of no others.

use bulla_model::{GrantConstraints, GrantOperation, PrincipalArn, Role};
use bulla_service::*;
use serde_json::json;

use crate::harness::*;

/// Gives a principal an identity policy that allows these actions on everything.
async fn allow(h: &Harness, arn: &PrincipalArn, actions: &[&str]) {
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    let document = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
    let operator = h.operator();
    let given = h
        .service
        .put_principal_policy(&operator, arn.clone(), "given".to_owned(), document);
    given.await.expect("gives");
}

#[tokio::test]
async fn a_page_of_retirable_grants_tells_nothing_of_other_grants() {
    let h = Harness::new().await;
    let (arn, ann) = h.user("ann", Role::User).await;
    allow(&h, &arn, &["kms:ListRetirableGrants"]).await;
    // Of another account, whose rows lie between.
    let others = call(Caller::operator("000000000009".parse().expect("an account")));
    let mut granted = Vec::new();
    for (caller, retiring) in [
        (h.operator(), arn.as_str()),
        (others, "arn:aws:iam::000000000009:user/x"),
    ] {
        let key = create_key(&h.service, &caller).await;
        for _ in 0..3 {
            let request = CreateGrantRequest {
                key_id: key.key_id.to_string(),
                grantee_principal: arn.to_string(),
                retiring_principal: Some(retiring.to_owned()),
                operations: vec![GrantOperation::Decrypt],
                constraints: GrantConstraints::default(),
                name: None,
                grant_tokens: Vec::new(),
                dry_run: false,
            };
            let made = h.service.create_grant(&caller, request).await.expect("grants");
            if retiring == arn.as_str() {
                granted.push(made.grant_id.to_string());
            }
        }
    }
    granted.sort();
    let mut listed = Vec::new();
    let mut marker = None;
    loop {
        let request = ListRetirableGrantsRequest {
            retiring_principal: arn.to_string(),
            limit: Some(2),
            marker: marker.clone(),
        };
        let page = h.service.list_retirable_grants(&ann, request).await.expect("lists");
        listed.extend(page.grants.iter().map(|grant| grant.grant_id.to_string()));
        marker = page.next_marker;
        let Some(marker) = &marker else { break };
        let shown = base64_text(marker);
        assert!(shown.ends_with(listed.last().expect("a grant")), "{shown}");
    }
    assert_eq!(listed, granted);
}

/// What a marker says to who decodes it.
fn base64_text(marker: &str) -> String {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(marker);
    String::from_utf8(bytes.expect("base64")).expect("a text")
}
