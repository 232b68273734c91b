use anyhow::Context as _;
use bulla_tokens::ClientId;
use bulla_tokens_service::AliasTemplate;
use clap::Args;
use serde_json::{Value, json};

use crate::failure::Explained;
use crate::key::service::{Service, explain, no_answer};
use crate::key::{Common, Provider};
use crate::output::{self, Format};
use crate::settings::Settings;

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The client
    id: String,
    /// Alias of the key; {client_hash} for names that no alias may have
    #[arg(long, value_name = "TEMPLATE", default_value = "alias/tokens-{client}")]
    alias: String,
    /// ARN of who may use the client's tokens. May be given several times; identity policies may allow others
    #[arg(long = "principal", value_name = "ARN")]
    principals: Vec<String>,
    /// Prints the three AWS calls instead of making them
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Add {
    pub(super) async fn run(&self, settings: &Settings) -> Result<(), anyhow::Error> {
        let client = ClientId::new(self.id.as_str()).map_err(|error| Explained::misuse(error.to_string()))?;
        // In a policy that would be a variable.
        if self.id.contains("${") || self.common.provider == Provider::Local {
            return Err(
                Explained::misuse("no policy can name this client, or no file can have one")
                    .hint("name a client without ${, and --provider bulla or aws-kms")
                    .into(),
            );
        }
        let template = AliasTemplate::new(&self.alias).map_err(|error| Explained::misuse(error.to_string()))?;
        let alias = template
            .alias(&client)
            .map_err(|error| Explained::misuse(error.to_string()).hint("give --alias alias/tokens-{client_hash}"))?;
        if self.print {
            return output::bytes(self.calls(&alias).as_bytes());
        }
        let service = Service::new(&self.common, settings).await?;
        self.make(&service, &alias).await
    }

    /// The alias comes last: with it the key is in use.
    async fn make(&self, service: &Service, alias: &str) -> Result<(), anyhow::Error> {
        let (kms, place) = (&service.client, service.place.as_str());
        if let Ok(known) = kms.describe_key().key_id(alias).send().await {
            let key = known
                .key_metadata()
                .and_then(|key| key.arn())
                .unwrap_or("a key")
                .to_owned();
            return Err(Explained::new(format!("the client has a key: {alias} is {key}")).into());
        }
        let made = kms.create_key().description(self.description()).send().await;
        let made = made.map_err(|error| explain(error, place))?;
        let key = made.key_metadata().ok_or_else(no_answer)?;
        let (id, arn) = (key.key_id(), key.arn().unwrap_or_else(|| key.key_id()));
        let account = arn.split(':').nth(4).ok_or_else(no_answer)?;
        let policy = serde_json::to_string(&self.policy(account))?;
        let finish = async {
            let put = kms.put_key_policy().key_id(id).policy_name("default").policy(policy);
            put.send().await.map_err(|error| explain(error, place))?;
            let named = kms.create_alias().alias_name(alias).target_key_id(id);
            named.send().await.map_err(|error| explain(error, place))
        };
        finish
            .await
            .with_context(|| format!("the key {arn} was made, and is not the client's yet"))?;
        match self.common.output {
            Format::Json => output::json(&json!({"Client": self.id, "Alias": alias, "KeyArn": arn})),
            Format::Text => output::pairs(&[
                vec!["client".to_owned(), self.id.clone()],
                vec!["alias".to_owned(), alias.to_owned()],
                vec!["key".to_owned(), arn.to_owned()],
            ]),
        }
    }

    /// The three calls, for a shell.
    fn calls(&self, alias: &str) -> String {
        let quoted = |text: &str| text.replace('\'', "'\\''");
        let policy = quoted(&self.policy("ACCOUNT").to_string());
        let policy = policy.replace("arn:aws:iam::ACCOUNT:root", "arn:aws:iam::'\"$ACCOUNT\"':root");
        let description = quoted(&self.description());
        format!(
            "read -r KEY ACCOUNT < <(aws kms create-key --description '{description}' --query 'KeyMetadata.[KeyId,AWSAccountId]' --output text)\n\
             aws kms put-key-policy --key-id \"$KEY\" --policy-name default --policy '{policy}'\n\
             aws kms create-alias --alias-name '{alias}' --target-key-id \"$KEY\"\n"
        )
    }

    fn description(&self) -> String {
        let name: String = self.id.chars().filter(|c| !c.is_control()).take(200).collect();
        format!("tokens of client {name}")
    }

    /// The account's own policies decide who uses the key, and nobody uses it under another client's context.
    fn policy(&self, account: &str) -> Value {
        let context = json!({"kms:EncryptionContext:client_id": self.id});
        let mut statements = vec![
            json!({"Sid": "Account", "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{account}:root")},
                "Action": "kms:*", "Resource": "*"}),
            json!({"Sid": "ThisClientAlone", "Effect": "Deny", "Principal": {"AWS": "*"},
                "Action": ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"], "Resource": "*",
                "Condition": {"StringNotEquals": context}}),
        ];
        if !self.principals.is_empty() {
            let mut actions = vec!["kms:GenerateDataKey", "kms:Decrypt"];
            if self.common.provider == Provider::Bulla && !self.print {
                actions.extend([
                    "bulla:GetToken",
                    "bulla:PutToken",
                    "bulla:DeleteToken",
                    "bulla:ListTokens",
                ]);
            }
            statements.push(
                json!({"Sid": "Tokens", "Effect": "Allow", "Principal": {"AWS": self.principals},
                "Action": actions, "Resource": "*", "Condition": {"StringEquals": context}}),
            );
            statements.push(
                json!({"Sid": "State", "Effect": "Allow", "Principal": {"AWS": self.principals},
                "Action": "kms:DescribeKey", "Resource": "*"}),
            );
        }
        json!({"Version": "2012-10-17", "Statement": statements})
    }
}
