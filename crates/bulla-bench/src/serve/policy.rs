//! What policies and grants cost: `Encrypt` under a key policy of 50 statements, for somebody whom only one of 1,000 grants permits it,
//! beside `Encrypt` under the default policy by the administrator.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bulla_testkit::{BullaCommand, Signer, load};
use serde_json::{Value, json};

use super::{REGION, Service, data_dir, program};
use crate::report::Figure;

pub(super) const NAME: &str = "serve/encrypt-policy";

const STATEMENTS: usize = 50;
const GRANTS: usize = 1_000;
const CONNECTIONS: usize = 64;
const ROUNDS: usize = 5;

/// Measures both in turns; the floor is the rate of `serve/encrypt`, the ratio the median of the rounds' ratios.
pub(super) fn figure(service: &Service, time: Duration, emit: &mut dyn FnMut(Figure)) -> Result<()> {
    let (target, plain) = service.ask("encrypt")?;
    let user = User::create(service)?;
    let key_id = key_of_many(service, &user)?;
    let mut body: Value = serde_json::from_str(&plain)?;
    body["KeyId"] = key_id.into();
    let body = body.to_string();
    let with_policy = |time| service.measure_as(user.signer(service), CONNECTIONS, time, &target, &body);
    // A user who may not would be refused faster.
    let answered = service.call_as(user.signer(service), &target, &body)?;
    ensure!(answered["CiphertextBlob"].is_string(), "not permitted: {answered}");
    with_policy(time / 4)?;
    service.measure(CONNECTIONS, time / 4, &target, &plain)?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let floor = service.measure(CONNECTIONS, time / 3, &target, &plain)?.per_second();
        rounds.push((with_policy(time / 3)?.per_second(), floor));
    }
    rounds.sort_by(|(one, of_one), (other, of_other)| (one / of_one).total_cmp(&(other / of_other)));
    let (rate, floor) = rounds[ROUNDS / 2];
    emit(Figure::rate(NAME, rate, "op/s", floor));
    Ok(())
}

/// A key with so many statements, none of which allows the user to encrypt, and so many grants, one of which does.
fn key_of_many(service: &Service, user: &User) -> Result<String> {
    let key_id = service.create_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")?;
    let account = account_of(&user.arn)?;
    let root = json!({"Effect": "Allow", "Principal": {"AWS": account}, "Action": "kms:*", "Resource": "*"});
    let others = (1..STATEMENTS).map(|number| {
        json!({
            "Sid": format!("Client{number}"),
            "Effect": if number % 10 == 0 { "Deny" } else { "Allow" },
            "Principal": {"AWS": [user.arn, format!("arn:aws:iam::{account}:user/service-{number}")]},
            "Action": ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*"],
            "Resource": "*",
            "Condition": {
                "StringEquals": {"kms:EncryptionContext:client_id": format!("client_{}", 1000 + number)},
                "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["client_id", "purpose"]},
            },
        })
    });
    let statements: Vec<Value> = std::iter::once(root).chain(others).collect();
    let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    service.call("PutKeyPolicy", &json!({"KeyId": key_id, "Policy": policy}))?;
    let mut signer = service.signer();
    let (mut next, of_key, arn) = (0, key_id.clone(), user.arn.clone());
    // One after the other: each makes what others decided by stale.
    load::run_counted(
        service.address,
        1,
        GRANTS,
        move |request| {
            let grantee = match next {
                500 => arn.clone(),
                number => format!("arn:aws:iam::{account}:user/grantee-{number}"),
            };
            next += 1;
            let grant = json!({"KeyId": of_key, "GranteePrincipal": grantee, "Operations": ["Encrypt", "Decrypt"],
                "Constraints": {"EncryptionContextSubset": {"client_id": "client_123"}}});
            signer.request_now(request, "CreateGrant", grant.to_string().as_bytes());
        },
        |_| {},
    )?;
    Ok(key_id)
}

fn account_of(arn: &str) -> Result<String> {
    let account = arn.split(':').nth(4);
    Ok(account.context("an ARN has an account")?.to_owned())
}

/// A user who may do nothing but what he is granted.
struct User {
    arn: String,
    access_key_id: String,
    secret_access_key: String,
}

impl User {
    fn create(service: &Service) -> Result<Self> {
        let data = data_dir(service.dir.path());
        let on_data = |args: &[&str]| -> Result<Value> {
            let done = BullaCommand::new(program()?)
                .args(args)
                .args(["--output", "json", "--data-dir"])
                .arg(&data)
                .run()?;
            ensure!(done.succeeded(), "bulla {args:?} failed: {}", done.stderr);
            Ok(serde_json::from_slice(&done.stdout)?)
        };
        let made = on_data(&["principal", "create", "granted", "--role", "user"])?;
        let listed = on_data(&["principal", "list"])?;
        let text = |value: &Value| {
            value
                .as_str()
                .map(str::to_owned)
                .context("bulla principal prints texts")
        };
        let mut all = listed["Principals"].as_array().into_iter().flatten();
        let arn = all.find_map(|one| one["Arn"].as_str().filter(|arn| arn.ends_with("user/granted")));
        Ok(Self {
            arn: arn.context("the user is listed")?.to_owned(),
            access_key_id: text(&made["AccessKeyId"])?,
            secret_access_key: text(&made["SecretAccessKey"])?,
        })
    }

    fn signer(&self, service: &Service) -> Signer {
        let host = service.process.address();
        Signer::new(&self.access_key_id, &self.secret_access_key, REGION, host)
    }
}
