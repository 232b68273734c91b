//! A call of every operation that succeeds for who may, with keys, aliases and grants of its own.

use bulla_model::{AccountId, Role};
use bulla_service::{Call, Caller};
use bulla_testkit::Signer;
use serde_json::{Value, json};

use crate::harness::{Answer, Harness, NOW, REGION};
use crate::import::{external_key, import, parameters};

/// A call, and what decides whether it is allowed.
pub(crate) struct Made {
    /// Keys by their ARNs, aliases by their names.
    pub(crate) input: Value,
    /// The ARNs of the keys that it is on, in the order in which they are asked; none where it is on no key.
    pub(crate) keys: Vec<String>,
    /// What has to be allowed, in the order in which it is asked.
    pub(crate) actions: Vec<String>,
    /// What it is answered where it is allowed: `ok`, or the code of an error.
    pub(crate) allowed: &'static str,
    /// The operations of a grant that permits it; none where a grant can not.
    pub(crate) granted: Vec<&'static str>,
    /// Every operation that a grant of the key can have.
    pub(crate) grantable: Vec<&'static str>,
    /// Whether all that is asked is asked of keys, which have the tag `team` = `red`.
    pub(crate) tagged: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    Symmetric,
    Signing,
    Mac,
    Agreement,
    Encapsulation,
    MultiRegion,
}

impl Kind {
    fn request(self) -> Value {
        let of = |spec: &str, usage: &str| json!({"KeySpec": spec, "KeyUsage": usage});
        let mut request = match self {
            Kind::Symmetric => json!({}),
            Kind::Signing => of("ECC_NIST_P256", "SIGN_VERIFY"),
            Kind::Mac => of("HMAC_256", "GENERATE_VERIFY_MAC"),
            Kind::Agreement => of("ECC_NIST_P256", "KEY_AGREEMENT"),
            Kind::Encapsulation => of("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"),
            Kind::MultiRegion => json!({"MultiRegion": true}),
        };
        request["Tags"] = json!([{"TagKey": "team", "TagValue": "red"}]);
        request
    }

    fn grantable(self) -> Vec<&'static str> {
        let own: &[&str] = match self {
            Kind::Symmetric | Kind::MultiRegion => &[
                "Decrypt",
                "Encrypt",
                "GenerateDataKey",
                "GenerateDataKeyWithoutPlaintext",
                "GenerateDataKeyPair",
                "GenerateDataKeyPairWithoutPlaintext",
                "ReEncryptFrom",
                "ReEncryptTo",
            ],
            Kind::Signing => &["Sign", "Verify", "GetPublicKey"],
            Kind::Mac => &["GenerateMac", "VerifyMac"],
            Kind::Agreement => &["DeriveSharedSecret", "GetPublicKey"],
            Kind::Encapsulation => &["Encapsulate", "Decapsulate", "GetPublicKey"],
        };
        [own, &["CreateGrant", "RetireGrant", "DescribeKey"]].concat()
    }
}

async fn key(server: &Harness, kind: Kind) -> String {
    let made = server.ok("CreateKey", kind.request()).await;
    made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
}

const MESSAGE: &str = "bWVzc2FnZQ==";
const APP: &str = "arn:aws:iam::000000000000:user/app";

/// A call of an operation, with everything that it needs made by the administrator. An operation without a call fails the suite.
pub(crate) async fn made(server: &Harness, operation: &'static str) -> Made {
    match operation {
        "ConnectCustomKeyStore" | "DisconnectCustomKeyStore" | "DeleteCustomKeyStore" | "UpdateCustomKeyStore" => {
            Made {
                allowed: "CustomKeyStoreNotFoundException",
                ..on_nothing(operation, json!({"CustomKeyStoreId": "cks-1"}))
            }
        }
        "CreateCustomKeyStore" => Made {
            allowed: "UnsupportedOperationException",
            ..on_nothing(
                operation,
                json!({"CustomKeyStoreName": "mine", "CloudHsmClusterId": "cluster-2a23b4cdefg",
                    "KeyStorePassword": "Hush4711hush", "TrustAnchorCertificate": "-----BEGIN CERTIFICATE-----"}),
            )
        },
        "DescribeCustomKeyStores" | "ListAliases" | "ListKeys" => on_nothing(operation, json!({})),
        "GenerateRandom" => on_nothing(operation, json!({"NumberOfBytes": 16})),
        "ListRetirableGrants" => {
            let principal = format!("arn:aws:iam::{}:user/app", server.initialised.account);
            on_nothing(operation, json!({ "RetiringPrincipal": principal }))
        }
        "CreateKey" => Made {
            actions: actions(&["CreateKey", "TagResource"]),
            ..on_nothing(operation, Kind::Symmetric.request())
        },
        "CreateAlias" | "DeleteAlias" | "UpdateAlias" => aliased(server, operation).await,
        "CreateGrant" | "ListGrants" | "RetireGrant" | "RevokeGrant" => granting(server, operation).await,
        "Sign" | "Verify" | "GetPublicKey" | "GenerateMac" | "VerifyMac" | "DeriveSharedSecret" | "Encapsulate"
        | "Decapsulate" => of_another_kind(server, operation).await,
        "GetParametersForImport" | "ImportKeyMaterial" | "DeleteImportedKeyMaterial" => {
            imported(server, operation).await
        }
        "ReplicateKey" | "UpdatePrimaryRegion" => in_regions(server, operation).await,
        _ => symmetric(server, operation).await,
    }
}

fn actions(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("kms:{name}")).collect()
}

fn on_nothing(operation: &str, input: Value) -> Made {
    Made {
        input,
        keys: Vec::new(),
        actions: actions(&[operation]),
        allowed: "ok",
        granted: Vec::new(),
        grantable: Vec::new(),
        tagged: false,
    }
}

fn on(operation: &'static str, kind: Kind, key: String, more: Value) -> Made {
    let mut input = json!({ "KeyId": key });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let grantable = kind.grantable();
    Made {
        input,
        keys: vec![key],
        actions: actions(&[operation]),
        allowed: "ok",
        granted: grantable.iter().filter(|name| **name == operation).copied().collect(),
        grantable,
        tagged: true,
    }
}

async fn symmetric(server: &Harness, operation: &'static str) -> Made {
    let key = key(server, Kind::Symmetric).await;
    let of_key = json!({ "KeyId": key });
    let context = json!({"tenant": "a"});
    let sealed = async || {
        let input = json!({"KeyId": key, "Plaintext": MESSAGE, "EncryptionContext": context});
        server.ok("Encrypt", input).await["CiphertextBlob"].clone()
    };
    let more = match operation {
        "DescribeKey"
        | "DisableKey"
        | "DisableKeyRotation"
        | "EnableKeyRotation"
        | "GetKeyLastUsage"
        | "GetKeyPolicy"
        | "GetKeyRotationStatus"
        | "ListKeyPolicies"
        | "ListKeyRotations"
        | "ListResourceTags"
        | "RotateKeyOnDemand"
        | "ScheduleKeyDeletion" => json!({}),
        "CancelKeyDeletion" => {
            server.ok("ScheduleKeyDeletion", of_key).await;
            json!({})
        }
        "EnableKey" => {
            server.ok("DisableKey", of_key).await;
            json!({})
        }
        "Encrypt" => json!({"Plaintext": MESSAGE, "EncryptionContext": context}),
        "Decrypt" => json!({"CiphertextBlob": sealed().await, "EncryptionContext": context}),
        "ReEncrypt" => {
            let other = self::key(server, Kind::Symmetric).await;
            let input = json!({"SourceKeyId": key, "CiphertextBlob": sealed().await, "SourceEncryptionContext": context,
                "DestinationKeyId": other});
            return Made {
                input,
                keys: vec![key, other],
                actions: actions(&["ReEncryptFrom", "ReEncryptTo"]),
                granted: vec!["ReEncryptFrom", "ReEncryptTo"],
                ..on(operation, Kind::Symmetric, String::new(), json!({}))
            };
        }
        "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => {
            json!({"KeySpec": "AES_256", "EncryptionContext": context})
        }
        "GenerateDataKeyPair" | "GenerateDataKeyPairWithoutPlaintext" => {
            json!({"KeyPairSpec": "ECC_NIST_P256", "EncryptionContext": context})
        }
        "PutKeyPolicy" => {
            let policy = server.ok("GetKeyPolicy", of_key).await["Policy"].clone();
            json!({ "Policy": policy })
        }
        "TagResource" => json!({"Tags": [{"TagKey": "stage", "TagValue": "test"}]}),
        "UntagResource" => json!({"TagKeys": ["stage"]}),
        "UpdateKeyDescription" => json!({"Description": "renamed"}),
        _ => panic!("{operation} has no call: every operation needs one, and by it its cases"),
    };
    on(operation, Kind::Symmetric, key, more)
}

async fn aliased(server: &Harness, operation: &'static str) -> Made {
    let (old, new) = (key(server, Kind::Symmetric).await, key(server, Kind::Symmetric).await);
    let name = format!("alias/{}", old.rsplit('/').next().unwrap());
    if operation != "CreateAlias" {
        let input = json!({"AliasName": name, "TargetKeyId": old});
        server.ok("CreateAlias", input).await;
    }
    let (input, keys) = match operation {
        "CreateAlias" => (json!({"AliasName": name, "TargetKeyId": old}), vec![old]),
        "UpdateAlias" => (json!({"AliasName": name, "TargetKeyId": new}), vec![old, new]),
        _ => (json!({ "AliasName": name }), vec![old]),
    };
    Made {
        input,
        keys,
        tagged: false,
        ..on(operation, Kind::Symmetric, String::new(), json!({}))
    }
}

async fn granting(server: &Harness, operation: &'static str) -> Made {
    let key = key(server, Kind::Symmetric).await;
    let grant = json!({"KeyId": key, "GranteePrincipal": APP, "Operations": ["Encrypt"]});
    let made = on(operation, Kind::Symmetric, key, json!({}));
    if operation == "CreateGrant" {
        return Made {
            input: grant,
            granted: vec!["CreateGrant", "Encrypt"],
            ..made
        };
    }
    let id = server.ok("CreateGrant", grant).await["GrantId"].clone();
    let input = json!({"KeyId": made.keys[0], "GrantId": id});
    match operation {
        "ListGrants" => made,
        "RevokeGrant" => Made { input, ..made },
        // A grant permits its own retirement.
        _ => Made {
            input,
            granted: vec!["RetireGrant", "Encrypt"],
            ..made
        },
    }
}

async fn of_another_kind(server: &Harness, operation: &'static str) -> Made {
    let kind = match operation {
        "GenerateMac" | "VerifyMac" => Kind::Mac,
        "DeriveSharedSecret" => Kind::Agreement,
        "Encapsulate" | "Decapsulate" => Kind::Encapsulation,
        _ => Kind::Signing,
    };
    let key = key(server, kind).await;
    let with = |extra: &[(&str, Value)]| {
        let mut input = json!({});
        for (name, value) in extra {
            input[*name] = value.clone();
        }
        input
    };
    let (message, ecdsa) = (
        ("Message", json!(MESSAGE)),
        ("SigningAlgorithm", json!("ECDSA_SHA_256")),
    );
    let (mac, kem) = (
        ("MacAlgorithm", json!("HMAC_SHA_256")),
        ("EncapsulationAlgorithm", json!("ML_KEM")),
    );
    let of_key = ("KeyId", json!(key));
    let more = match operation {
        "GetPublicKey" => json!({}),
        "Sign" => with(&[message, ecdsa]),
        "Verify" => {
            let signed = server.ok("Sign", with(&[of_key, message.clone(), ecdsa.clone()])).await;
            with(&[message, ecdsa, ("Signature", signed["Signature"].clone())])
        }
        "GenerateMac" => with(&[message, mac]),
        "VerifyMac" => {
            let made = server
                .ok("GenerateMac", with(&[of_key, message.clone(), mac.clone()]))
                .await;
            with(&[message, mac, ("Mac", made["Mac"].clone())])
        }
        "Encapsulate" => with(&[kem]),
        "Decapsulate" => {
            let made = server.ok("Encapsulate", with(&[of_key, kem.clone()])).await;
            let blob = made["SharedSecretCiphertextBlob"].clone();
            with(&[kem, ("SharedSecretCiphertextBlob", blob)])
        }
        _ => {
            let peer = self::key(server, Kind::Agreement).await;
            let public = server.ok("GetPublicKey", json!({ "KeyId": peer })).await["PublicKey"].clone();
            with(&[("KeyAgreementAlgorithm", json!("ECDH")), ("PublicKey", public)])
        }
    };
    on(operation, kind, key, more)
}

async fn imported(server: &Harness, operation: &'static str) -> Made {
    let id = external_key(server).await;
    let given = parameters(server, &id).await;
    let key = given["KeyId"].as_str().unwrap().to_owned();
    let tag = json!({"KeyId": key, "Tags": [{"TagKey": "team", "TagValue": "red"}]});
    server.ok("TagResource", tag).await;
    let more = match operation {
        "GetParametersForImport" => json!({"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}),
        "ImportKeyMaterial" => import(&given, 7),
        _ => {
            server.ok("ImportKeyMaterial", import(&given, 7)).await;
            json!({})
        }
    };
    on(operation, Kind::Symmetric, key, more)
}

async fn in_regions(server: &Harness, operation: &'static str) -> Made {
    let key = key(server, Kind::MultiRegion).await;
    let input = json!({"KeyId": key, "ReplicaRegion": "eu-west-1", "Tags": [{"TagKey": "team", "TagValue": "red"}]});
    if operation == "ReplicateKey" {
        return Made {
            input,
            actions: actions(&["ReplicateKey", "CreateKey", "TagResource"]),
            tagged: false,
            ..on(operation, Kind::MultiRegion, key, json!({}))
        };
    }
    server.ok("ReplicateKey", input).await;
    on(operation, Kind::MultiRegion, key, json!({"PrimaryRegion": "eu-west-1"}))
}

/// A user with an access key.
pub(crate) struct Person {
    pub(crate) arn: bulla_model::PrincipalArn,
    access_key_id: String,
    secret_access_key: String,
}

impl Harness {
    /// Who administers an account from within this process.
    pub(crate) fn operator_of(&self, account: &AccountId) -> Call {
        Call {
            caller: Caller::operator(account.clone()),
            region: REGION.parse().unwrap(),
            request_id: "test".into(),
            source_ip: "in-process".into(),
            user_agent: "test/1".into(),
            secure_transport: true,
        }
    }

    /// Makes a user of an account who may do nothing.
    pub(crate) async fn person(&self, account: &AccountId, name: &str) -> Person {
        let operator = self.operator_of(account);
        let made = self
            .service
            .create_principal(&operator, name.parse().unwrap(), Role::User);
        let made = made.await.unwrap();
        let secret = made.credentials.secret_access_key.expose_secret();
        Person {
            arn: made.principal.arn,
            access_key_id: made.credentials.access_key_id,
            secret_access_key: std::str::from_utf8(secret).unwrap().to_owned(),
        }
    }

    /// Gives somebody the one identity policy of these statements; takes it where there are none.
    pub(crate) async fn give(&self, person: &Person, statements: &Value) {
        let (operator, name) = (self.operator_of(&person.arn.account()), "given".to_owned());
        if statements == &json!([]) {
            let taken = self
                .service
                .delete_principal_policy(&operator, person.arn.clone(), name);
            drop(taken.await);
            return;
        }
        let document = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let given = self
            .service
            .put_principal_policy(&operator, person.arn.clone(), name, document);
        given.await.unwrap();
    }

    /// Grants somebody operations on a key, and leaves the key in the state that it was in.
    pub(crate) async fn grant(&self, key: &str, person: &Person, operations: &[&str]) -> Value {
        let of_key = json!({ "KeyId": key });
        let state = self.ok("DescribeKey", of_key.clone()).await["KeyMetadata"]["KeyState"].clone();
        let (before, after): (&[&str], Option<&str>) = match state.as_str() {
            Some("PendingDeletion") => (&["CancelKeyDeletion", "EnableKey"], Some("ScheduleKeyDeletion")),
            Some("Disabled") => (&["EnableKey"], Some("DisableKey")),
            _ => (&[], None),
        };
        for operation in before {
            self.ok(operation, of_key.clone()).await;
        }
        let after = match state.as_str() {
            Some("PendingImport") => {
                let given = parameters(self, key).await;
                self.ok("ImportKeyMaterial", import(&given, 7)).await;
                Some("DeleteImportedKeyMaterial")
            }
            _ => after,
        };
        let grant = json!({"KeyId": key, "GranteePrincipal": person.arn.as_str(), "Operations": operations});
        let made = self.ok("CreateGrant", grant).await;
        if let Some(operation) = after {
            self.ok(operation, of_key).await;
        }
        made
    }

    /// A request that somebody signed, as bytes.
    pub(crate) fn signed_as(&self, person: &Person, operation: &str, input: &Value) -> Vec<u8> {
        let (id, secret) = (&person.access_key_id, &person.secret_access_key);
        let mut signer = Signer::new(id, secret, REGION, &self.address.to_string());
        let mut bytes = Vec::new();
        signer.request(&mut bytes, operation, input.to_string().as_bytes(), NOW);
        bytes
    }

    /// Signs as somebody and sends.
    pub(crate) async fn send_as(&self, person: &Person, operation: &str, input: &Value) -> Answer {
        self.raw(&self.signed_as(person, operation, input)).await
    }
}

impl Answer {
    /// `ok`, or the code of the error and its message.
    pub(crate) fn said(&self) -> (String, String) {
        if self.status == 200 {
            return ("ok".to_owned(), String::new());
        }
        let body = self.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        (text("__type"), text("message") + &text("Message"))
    }
}
