//! What is explained is what is enforced, on random policies and grants; and what an explanation says.

use bulla_crypto::Context;
use bulla_model::{DataKeySpec, EncryptionAlgorithm, GrantConstraints, GrantOperation, PrincipalArn, Role};
use bulla_service::*;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::harness::*;

fn question(principal: &PrincipalArn, action: &str, key: &str) -> ExplainRequest {
    ExplainRequest {
        principal: principal.clone(),
        action: action.to_owned(),
        resource: ExplainedResource::Key(key.to_owned()),
        encryption_context: Context::empty(),
        parameters: Map::new(),
        source_ip: None,
        secure_transport: true,
    }
}

async fn give(h: &Harness, arn: &PrincipalArn, statements: &Value) {
    let document = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let account = call(Caller::operator(arn.account()));
    let put = h
        .service
        .put_principal_policy(&account, arn.clone(), "given".to_owned(), document);
    put.await.expect("gives");
}

fn granting(key_id: &str, grantee: &str, operations: &[GrantOperation]) -> CreateGrantRequest {
    CreateGrantRequest {
        key_id: key_id.to_owned(),
        grantee_principal: grantee.to_owned(),
        retiring_principal: None,
        operations: operations.to_vec(),
        constraints: GrantConstraints::default(),
        name: None,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

#[tokio::test]
async fn an_explanation_names_the_statements_and_grants_that_decided() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let id = key.key_id.as_str();
    let (ann, _) = h.user("ann", Role::User).await;
    let explain = async |action: &str, pairs: &[(&str, &str)]| {
        let request = ExplainRequest {
            encryption_context: context(pairs),
            ..question(&ann, action, id)
        };
        h.service.explain(&operator, request).await.expect("explains")
    };
    let by_default = explain("kms:Decrypt", &[]).await;
    assert_eq!((by_default.allowed, by_default.decided_by.as_slice()), (false, &[][..]));
    assert_eq!(by_default.resource, key.arn.as_str());
    let denial = by_default.denial.expect("words");
    assert!(
        denial.ends_with("because no identity-based policy allows the kms:Decrypt action"),
        "{denial}"
    );
    let client = json!({"Sid": "client", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*",
        "Condition": {"StringEquals": {"kms:EncryptionContext:client_id": "client_123"}}});
    give(&h, &ann, &client).await;
    let account = json!({"policy": "key policy", "statement": 0, "sid": "Enable IAM User Permissions"});
    let allowed = explain("kms:Decrypt", &[("client_id", "client_123")]).await;
    assert!(allowed.allowed && allowed.denial.is_none());
    let by_client = json!({"policy": "identity policy given", "statement": 0, "sid": "client"});
    assert_eq!(allowed.decided_by, [account.clone(), by_client]);
    assert!(!explain("kms:Decrypt", &[("client_id", "client_124")]).await.allowed);
    // By a grant.
    let grant = granting(id, ann.as_str(), &[GrantOperation::Encrypt]);
    let made = h.service.create_grant(&operator, grant).await.expect("grants");
    let granted = explain("kms:Encrypt", &[]).await;
    assert_eq!(granted.decided_by, [json!({ "grantId": *made.grant_id })]);
    // By a role, which events leave out under the usual policy.
    let (root, _) = h.user("ada", Role::Admin).await;
    let by_role = h.service.explain(&operator, question(&root, "kms:Encrypt", id)).await;
    assert_eq!(
        by_role.expect("explains").decided_by,
        [account, json!({"role": "admin"})]
    );
    h.verify();
}

#[tokio::test]
async fn who_asks_for_an_explanation_needs_the_right_to_and_learns_of_his_own_account_only() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let (ann, as_ann) = h.user("ann", Role::User).await;
    let (_, as_auditor) = h.user("ida", Role::Auditor).await;
    let ask = async |call: &Call, principal: &PrincipalArn, named: &str| {
        h.service.explain(call, question(principal, "kms:Encrypt", named)).await
    };
    assert_eq!(
        refusal(ask(&as_ann, &ann, key.arn.as_str()).await).0,
        "AccessDeniedException"
    );
    assert_eq!(h.last_event()["eventName"], "Explain");
    assert!(
        !ask(&as_auditor, &ann, key.arn.as_str())
            .await
            .expect("explains")
            .allowed
    );
    let stranger: PrincipalArn = "arn:aws:iam::444455556666:user/eve".parse().expect("an ARN");
    for principal in [
        &stranger,
        &"arn:aws:iam::111122223333:user/nobody".parse().expect("an ARN"),
    ] {
        let refused = refusal(ask(&as_auditor, principal, key.arn.as_str()).await);
        assert_eq!(
            refused,
            ("NotFoundException", format!("The user {principal} does not exist"))
        );
    }
    // What is not there is not explained to be allowed.
    let nothing = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000";
    assert!(!ask(&operator, &ann, nothing).await.expect("explains").allowed);
    let (ada, _) = h.user("ada", Role::Admin).await;
    assert_eq!(refusal(ask(&operator, &ada, nothing).await).0, "NotFoundException");
    for action in ["Decrypt", "kms:", ":Decrypt", "kms:*", "kms:De crypt"] {
        let refused = h
            .service
            .explain(&operator, question(&ann, action, key.arn.as_str()))
            .await;
        assert_eq!(refusal(refused).0, "ValidationException", "{action}");
    }
    h.service
        .set_principal_enabled(&operator, ada.clone(), false)
        .await
        .expect("disables");
    assert!(!ask(&operator, &ada, key.arn.as_str()).await.expect("explains").allowed);
}

/// Who asks, in the order of the accounts: two users, an auditor, an administrator; a user and an administrator of another account.
const PEOPLE: [(&str, &str, Role); 6] = [
    ("111122223333", "ann", Role::User),
    ("111122223333", "bob", Role::User),
    ("111122223333", "ida", Role::Auditor),
    ("111122223333", "ada", Role::Admin),
    ("444455556666", "eve", Role::User),
    ("444455556666", "abe", Role::Admin),
];

const NOTHING: &str = "00000000-0000-4000-8000-000000000000";

#[derive(Debug, Clone)]
struct Ask {
    who: usize,
    action: &'static str,
    /// 0 by id, 1 by ARN, 2 by alias, 3 by the alias's ARN, 4 what is not there.
    named: u8,
    context: Vec<(&'static str, &'static str)>,
}

#[derive(Debug, Clone)]
struct Setup {
    key_policy: Value,
    identity: Vec<(usize, Value)>,
    grants: Vec<(usize, Vec<GrantOperation>, Option<&'static str>)>,
    asks: Vec<Ask>,
}

fn pick<T: Clone + std::fmt::Debug + 'static>(values: &[T]) -> impl Strategy<Value = T> + use<T> {
    prop::sample::select(values.to_vec())
}

fn statement(of_key: bool) -> impl Strategy<Value = Value> {
    let people = [
        json!("*"),
        json!({"AWS": "111122223333"}),
        json!({"AWS": "444455556666"}),
        json!({"AWS": ["arn:aws:iam::111122223333:user/ann", "arn:aws:iam::444455556666:user/eve"]}),
        json!({"AWS": "arn:aws:iam::111122223333:user/bob"}),
    ];
    let actions = [
        json!("kms:*"),
        json!("kms:Encrypt"),
        json!(["kms:De*", "kms:List*"]),
        json!(["kms:Generate*", "kms:Get*"]),
        json!("kms:CreateGrant"),
        json!("*"),
    ];
    let conditions = [
        json!({}),
        json!({"StringEquals": {"kms:EncryptionContext:tenant": "a"}}),
        json!({"StringNotEquals": {"kms:EncryptionContext:tenant": "a"}}),
        json!({"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["tenant"]}}),
        json!({"Null": {"kms:RequestAlias": "false"}}),
        json!({"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/app"}}),
        json!({"StringEqualsIfExists": {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}}),
        json!({"StringLike": {"aws:username": "a*"}}),
        json!({"StringEquals": {"aws:PrincipalAccount": "444455556666"}}),
        json!({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}),
        json!({"Bool": {"aws:SecureTransport": "false"}}),
        json!({"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT"}}),
        json!({"ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt"]}}),
        json!({"StringEquals": {"kms:EncryptionContext:tenant": "${aws:username}"}}),
    ];
    let resources = [
        json!("*"),
        json!("*"),
        json!("arn:aws:kms:*:111122223333:key/*"),
        json!("arn:aws:kms:eu-west-1:*:*"),
    ];
    let effect = prop_oneof![4 => Just("Allow"), 1 => Just("Deny")];
    (
        effect,
        pick(&people),
        pick(&actions),
        pick(&conditions),
        pick(&resources),
        any::<bool>(),
    )
        .prop_map(move |(effect, people, actions, condition, resource, always)| {
            let mut statement = json!({"Effect": effect, "Action": actions, "Resource": resource});
            if of_key {
                statement["Principal"] = people;
            }
            if !always {
                statement["Condition"] = condition;
            }
            statement
        })
}

fn setup() -> impl Strategy<Value = Setup> {
    use GrantOperation as O;
    let asks = (
        0..PEOPLE.len(),
        pick(&[
            "kms:Encrypt",
            "kms:Decrypt",
            "kms:GenerateDataKey",
            "kms:DescribeKey",
            "kms:ListGrants",
            "kms:GetKeyPolicy",
            "kms:CreateGrant",
            "kms:ListKeys",
        ]),
        0..5_u8,
        pick(&[
            vec![],
            vec![("tenant", "a")],
            vec![("tenant", "ann")],
            vec![("tenant", "a"), ("x", "y")],
        ]),
    );
    let asks = asks.prop_map(|(who, action, named, context)| Ask {
        who,
        action,
        named,
        context,
    });
    let grants = (
        0..PEOPLE.len(),
        pick(&[
            vec![O::Encrypt, O::Decrypt],
            vec![O::DescribeKey],
            vec![O::Encrypt, O::CreateGrant],
        ]),
        prop::option::of(pick(&["a", "b"])),
    );
    (
        prop::collection::vec(statement(true), 1..4),
        prop::collection::vec((0..PEOPLE.len(), prop::collection::vec(statement(false), 1..4)), 0..4),
        prop::collection::vec(grants, 0..3),
        prop::collection::vec(asks, 40),
    )
        .prop_map(|(key_policy, identity, grants, asks)| Setup {
            key_policy: Value::from(key_policy),
            identity: identity.into_iter().map(|(who, all)| (who, Value::from(all))).collect(),
            grants,
            asks,
        })
}

/// Asks in earnest, as far as it can be asked without a change.
async fn enforce(h: &Harness, caller: &Call, ask: &Ask, named: &str) -> Result<(), ServiceError> {
    let (service, context) = (&h.service, context(&ask.context));
    let (key_id, grant_tokens) = (named.to_owned(), Vec::new());
    match ask.action {
        "kms:Encrypt" => {
            let request = EncryptRequest {
                encryption_context: context,
                dry_run: true,
                ..encrypt_request(named)
            };
            service.encrypt(caller, request).await.map(drop)
        }
        "kms:Decrypt" => {
            let request = DecryptRequest {
                key_id: Some(key_id),
                ciphertext_blob: b"no ciphertext".to_vec(),
                encryption_context: context,
                encryption_algorithm: EncryptionAlgorithm::SymmetricDefault,
                grant_tokens,
                dry_run: true,
            };
            service.decrypt(caller, request).await.map(drop)
        }
        "kms:GenerateDataKey" => {
            let request = GenerateDataKeyRequest {
                encryption_context: context,
                key_spec: Some(DataKeySpec::Aes256),
                dry_run: true,
                ..data_key_request(named)
            };
            service.generate_data_key(caller, request).await.map(drop)
        }
        "kms:DescribeKey" => {
            let request = DescribeKeyRequest { key_id, grant_tokens };
            service.describe_key(caller, request).await.map(drop)
        }
        "kms:ListGrants" => {
            let request = ListGrantsRequest {
                key_id,
                grant_id: None,
                grantee_principal: None,
                limit: None,
                marker: None,
            };
            service.list_grants(caller, request).await.map(drop)
        }
        "kms:GetKeyPolicy" => {
            let request = GetKeyPolicyRequest {
                key_id,
                policy_name: None,
            };
            service.get_key_policy(caller, request).await.map(drop)
        }
        "kms:CreateGrant" => {
            let request = CreateGrantRequest {
                dry_run: true,
                ..granting(named, "arn:aws:iam::111122223333:user/ann", &[GrantOperation::Encrypt])
            };
            service.create_grant(caller, request).await.map(drop)
        }
        _ => {
            let request = ListKeysRequest {
                limit: None,
                marker: None,
            };
            service.list_keys(caller, request).await.map(drop)
        }
    }
}

fn newest_event(h: &Harness) -> Value {
    let data = h.store.edit();
    let event = data.events.last().expect("an event");
    serde_json::from_slice(&event.event).expect("JSON")
}

/// Lives through one setup; fails with what differs.
async fn live(setup: &Setup) -> Result<(), String> {
    let h = Harness::new().await;
    let operator = h.operator();
    let mut people = Vec::new();
    for (account, name, role) in PEOPLE {
        let administrator = call(Caller::operator(account.parse().expect("an account")));
        let made = h
            .service
            .create_principal(&administrator, name.parse().expect("a name"), role)
            .await
            .expect("creates");
        people.push((made.principal.arn, h.call(&made.credentials.access_key_id).await));
    }
    let key = h.key().await;
    let alias = CreateAliasRequest {
        alias_name: "alias/app".to_owned(),
        target_key_id: key.key_id.to_string(),
    };
    h.service.create_alias(&operator, alias).await.expect("names");
    for (who, operations, tenant) in &setup.grants {
        let mut request = granting(key.key_id.as_str(), people[*who].0.as_str(), operations);
        if operations.contains(&GrantOperation::Encrypt) {
            request.constraints.subset = tenant.map(|tenant| [("tenant".to_owned(), tenant.to_owned())].into());
        }
        h.service.create_grant(&operator, request).await.expect("grants");
    }
    for (who, statements) in &setup.identity {
        give(&h, &people[*who].0, statements).await;
    }
    let policy = PutKeyPolicyRequest {
        key_id: key.key_id.to_string(),
        policy_name: None,
        policy: json!({"Version": "2012-10-17", "Statement": setup.key_policy}).to_string(),
        bypass_policy_lockout_safety_check: true,
    };
    h.service.put_key_policy(&operator, policy).await.expect("writes");
    for ask in &setup.asks {
        let (arn, caller) = &people[ask.who];
        let keys_only = !matches!(
            ask.action,
            "kms:Encrypt" | "kms:Decrypt" | "kms:GenerateDataKey" | "kms:DescribeKey"
        );
        let place = "arn:aws:kms:us-east-1:111122223333:";
        let named = match (ask.named, keys_only) {
            (0, _) => key.key_id.to_string(),
            (2, false) => "alias/app".to_owned(),
            (3, false) => format!("{place}alias/app"),
            (4, _) => format!("{place}key/{NOTHING}"),
            _ => key.arn.to_string(),
        };
        let enforced = enforce(&h, caller, ask, &named).await;
        let event = newest_event(&h);
        let has_context = matches!(ask.action, "kms:Encrypt" | "kms:Decrypt" | "kms:GenerateDataKey");
        let request = ExplainRequest {
            encryption_context: if has_context {
                context(&ask.context)
            } else {
                Context::empty()
            },
            parameters: event["requestParameters"].as_object().cloned().unwrap_or_default(),
            resource: match ask.action {
                "kms:ListKeys" => ExplainedResource::Other("*".to_owned()),
                _ => ExplainedResource::Key(named.clone()),
            },
            source_ip: Some("192.0.2.7".to_owned()),
            ..question(arn, ask.action, &named)
        };
        let explained = h.service.explain(&operator, request).await;
        let differs = |what: &str| Err(format!("{what}: {ask:?} {named}\n{enforced:?}\n{explained:?}"));
        match (&enforced, &explained) {
            (Err(ServiceError::AccessDenied(denial)), Ok(explanation)) => {
                if explanation.allowed || explanation.denial.as_ref() != Some(denial) {
                    return differs("a denial");
                }
            }
            // Neither tells of a key that is not there.
            (Err(ServiceError::NotFound(_)), Err(ServiceError::NotFound(_))) => continue,
            (Err(ServiceError::AccessDenied(_) | ServiceError::NotFound(_)), _) => return differs("an answer"),
            (_, Ok(explanation)) if explanation.allowed => {}
            _ => return differs("an allowance"),
        }
        let Ok(explanation) = &explained else { continue };
        let shown = &event["additionalEventData"]["decidedBy"];
        let usual = |reason: &Value| !reason["role"].is_null() || reason["policy"] == "key policy";
        let same = match shown {
            // The event leaves out what it says elsewhere.
            Value::Null => explanation.decided_by.iter().all(usual),
            shown => *shown == json!(explanation.decided_by),
        };
        if !same {
            return differs("what decided");
        }
    }
    Ok(())
}

/// 2,500 setups of 40 questions with `./scripts/test --full`.
fn setups() -> u32 {
    if std::env::var_os("BULLA_TEST_FULL").is_some() {
        2_500
    } else {
        40
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: setups(), max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_is_explained_is_what_is_enforced(setup in setup()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        prop_assert_eq!(runtime.block_on(live(&setup)), Ok(()));
    }
}
