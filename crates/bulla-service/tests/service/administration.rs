use bulla_crypto::keys::{KeySpec as Spec, WrappingAlgorithm as Wrapping};
use bulla_model::{KeySpec, KeyUsage, PrincipalArn, Role, WrappingAlgorithm};
use bulla_service::*;

use crate::harness::*;
use crate::importing::*;
use crate::secret_search;

// Held by the compiler: a secret is neither cloned nor printed.
bulla_testkit::assert_not_impl!([NewCredentials, Initialised, CreatePrincipalResponse]: Clone, Copy, std::fmt::Display);

#[tokio::test]
async fn a_user_is_made_listed_disabled_and_deleted() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let made = h
        .service
        .create_principal(&admin, "ann".parse().expect("a name"), Role::Auditor)
        .await
        .expect("creates");
    let arn: PrincipalArn = "arn:aws:iam::111122223333:user/ann".parse().expect("an ARN");
    assert_eq!(
        (&made.principal.arn, made.principal.role, made.principal.enabled),
        (&arn, Role::Auditor, true)
    );
    assert!(made.credentials.access_key_id.starts_with("AKIA") && made.credentials.access_key_id.len() == 20);
    assert_eq!(made.credentials.secret_access_key.len(), 40);
    assert!(
        !format!("{made:?}")
            .contains(std::str::from_utf8(made.credentials.secret_access_key.expose_secret()).expect("ASCII"))
    );
    let again = h
        .service
        .create_principal(&admin, "ann".parse().expect("a name"), Role::User)
        .await;
    assert_eq!(refusal(again).0, "AlreadyExistsException");

    let credential = h
        .service
        .credential(&made.credentials.access_key_id)
        .await
        .expect("reads")
        .expect("there");
    assert_eq!(
        credential.secret().expose_secret(),
        made.credentials.secret_access_key.expose_secret()
    );
    assert_eq!(h.service.list_principals(&admin).await.expect("lists").len(), 2);

    h.service
        .set_principal_enabled(&admin, arn.clone(), false)
        .await
        .expect("disables");
    assert!(
        h.service
            .credential(&made.credentials.access_key_id)
            .await
            .expect("reads")
            .is_none()
    );
    h.service
        .set_principal_enabled(&admin, arn.clone(), true)
        .await
        .expect("enables");
    assert!(
        h.service
            .credential(&made.credentials.access_key_id)
            .await
            .expect("reads")
            .is_some()
    );

    h.service.delete_principal(&admin, arn.clone()).await.expect("deletes");
    assert!(
        h.service
            .credential(&made.credentials.access_key_id)
            .await
            .expect("reads")
            .is_none()
    );
    assert_eq!(
        refusal(h.service.delete_principal(&admin, arn).await).0,
        "NotFoundException"
    );
    h.verify();
}

#[tokio::test]
async fn a_user_has_two_access_keys_at_most() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let (arn, _) = h.user("ann", Role::User).await;
    let second = h
        .service
        .create_access_key(&admin, arn.clone())
        .await
        .expect("creates")
        .credentials;
    assert_eq!(
        refusal(h.service.create_access_key(&admin, arn.clone()).await).0,
        "LimitExceededException"
    );
    let listed = h.service.list_access_keys(&admin, arn.clone()).await.expect("lists");
    assert_eq!(listed.len(), 2);
    h.service
        .set_access_key_enabled(&admin, &second.access_key_id, false)
        .await
        .expect("disables");
    assert!(
        h.service
            .credential(&second.access_key_id)
            .await
            .expect("reads")
            .is_none()
    );
    h.service
        .delete_access_key(&admin, &second.access_key_id)
        .await
        .expect("deletes");
    assert_eq!(
        refusal(h.service.delete_access_key(&admin, &second.access_key_id).await).0,
        "NotFoundException"
    );
    assert_eq!(h.service.list_access_keys(&admin, arn).await.expect("lists").len(), 1);
    h.verify();
}

#[tokio::test]
async fn only_administrators_administer() {
    let h = Harness::new().await;
    let (arn, ann) = h.user("ann", Role::Auditor).await;
    let denied = "AccessDeniedException";
    assert_eq!(
        refusal(
            h.service
                .create_principal(&ann, "eve".parse().expect("a name"), Role::Admin)
                .await
        )
        .0,
        denied
    );
    assert_eq!(
        refusal(h.service.set_principal_role(&ann, arn.clone(), Role::Admin).await).0,
        denied
    );
    assert_eq!(refusal(h.service.create_access_key(&ann, arn.clone()).await).0, denied);
    assert_eq!(
        refusal(
            h.service
                .delete_access_key(&ann, &h.initialised.credentials.access_key_id)
                .await
        )
        .0,
        denied
    );
    assert_eq!(
        refusal(h.service.replace_roots(&ann, std::slice::from_ref(&h.root), &[]).await).0,
        denied
    );
    // An auditor reads; a user does not.
    h.service.read_audit_events(&ann, 0, 10).await.expect("reads");
    h.service.read_checkpoint(&ann).await.expect("reads");
    h.service.list_principals(&ann).await.expect("lists");
    h.service
        .set_principal_role(&h.operator(), arn, Role::User)
        .await
        .expect("demotes");
    assert_eq!(refusal(h.service.read_audit_events(&ann, 0, 10).await).0, denied);
}

#[tokio::test]
async fn unknown_and_misshapen_access_keys_are_nobody() {
    let h = Harness::new().await;
    for id in [
        "",
        "AKIA",
        "AKIAAAAAAAAAAAAAAAAA",
        "akiaaaaaaaaaaaaaaaaa",
        &"A".repeat(600),
    ] {
        assert!(h.service.credential(id).await.expect("reads").is_none(), "{id}");
    }
}

#[tokio::test]
async fn the_development_administrator_exists_in_development_only() {
    let h = Harness::new().await;
    let dev = call(Caller::dev_admin("111122223333".parse().expect("an account")));
    let result = h
        .service
        .generate_random(&dev, GenerateRandomRequest { number_of_bytes: 1 })
        .await;
    assert_eq!(refusal(result).0, "UnrecognizedClientException");
}

#[tokio::test]
async fn no_secret_is_in_the_database() {
    let h = Harness::new().await;
    let key = h.key().await;
    let plaintext = h
        .service
        .generate_data_key(&h.operator(), data_key_request(key.key_id.as_str()))
        .await
        .expect("generates")
        .plaintext;
    let made = h
        .service
        .create_principal(&h.operator(), "ann".parse().expect("a name"), Role::User)
        .await
        .expect("creates");
    let operator = h.operator();
    let mut imported = Vec::new();
    for (spec, usage, material) in [
        (
            KeySpec::SymmetricDefault,
            KeyUsage::EncryptDecrypt,
            secret_search::secret(32, 1),
        ),
        (
            KeySpec::Hmac384,
            KeyUsage::GenerateVerifyMac,
            secret_search::secret(48, 2),
        ),
        (KeySpec::EccNistP256, KeyUsage::SignVerify, pkcs8(Spec::EccNistP256)),
    ] {
        let id = external_key(&h.service, &operator, spec, usage)
            .await
            .key_id
            .to_string();
        let request = GetParametersForImportRequest {
            wrapping_algorithm: WrappingAlgorithm::RsaAesKeyWrapSha256,
            ..parameters_request(&id)
        };
        let given = h.service.get_parameters_for_import(&operator, request).await;
        let given = given.expect("gives parameters");
        let request = ImportKeyMaterialRequest {
            encrypted_key_material: wrap(&given, Wrapping::RsaAesKeyWrapSha256, &material),
            ..import_request(&id, &given, &[0; 32])
        };
        h.service
            .import_key_material(&operator, request)
            .await
            .expect("imports");
        imported.push(material);
    }
    // Of the curve's key only the scalar is secret.
    let scalar = imported.pop().expect("three")[36..68].to_vec();
    let data = h.store.edit().clone();
    let secrets = [
        plaintext.expose_secret(),
        made.credentials.secret_access_key.expose_secret(),
        h.initialised.credentials.secret_access_key.expose_secret(),
        &imported[0],
        &imported[1],
        &scalar,
    ];
    for (at, secret) in secrets.into_iter().enumerate() {
        secret_search::sees_what_is_not_wrapped(&data, secret);
        assert_eq!(secret_search::find(&data, secret), None, "secret {at}");
    }
}

#[tokio::test]
async fn what_is_denied_on_a_user_is_denied_on_his_access_keys() {
    let h = Harness::new().await;
    let (ann_arn, ann) = h.user("ann", Role::Admin).await;
    let operator = h.operator();
    let bob = h
        .service
        .create_principal(&operator, "bob".parse().expect("a name"), Role::User)
        .await;
    let bob = bob.expect("creates");
    let (bob_arn, id) = (bob.principal.arn, bob.credentials.access_key_id.as_str());
    let never = serde_json::json!({"Effect": "Deny", "Action": "bulla:*", "Resource": bob_arn.as_str()});
    crate::policies::give(&h, &ann_arn, "never", crate::policies::identity(never)).await;
    let denied = |refused: (&'static str, String)| assert_eq!(refused.0, "AccessDeniedException", "{refused:?}");
    denied(refusal(h.service.create_access_key(&ann, bob_arn.clone()).await));
    denied(refusal(h.service.set_access_key_enabled(&ann, id, false).await));
    denied(refusal(h.service.delete_access_key(&ann, id).await));
    assert!(h.service.credential(id).await.expect("reads").is_some());
    // Others' are his to decide, and of one that is not there he learns so.
    let own = h.initialised.credentials.access_key_id.as_str();
    h.service
        .set_access_key_enabled(&ann, own, true)
        .await
        .expect("enables");
    let unknown = h.service.delete_access_key(&ann, "AKIAAAAAAAAAAAAAAAAA").await;
    assert_eq!(refusal(unknown).0, "NotFoundException");
}
