use std::path::PathBuf;
use std::str::FromStr;

use bulla_kms::{KeySpec, KeyUsage};
use bulla_kms_aws::{NewKey, RotationPolicy};
use bulla_model::{Clock as _, SystemClock};
use clap::Args;
use serde_json::json;

use super::service::Service;
use super::{Common, alias, describe, local, policy, tag};
use crate::failure::Explained;
use crate::output::{self, Format};

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What the key is for
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// A name for it, with or without alias/ before it; made in every region of the key
    #[arg(long, value_name = "NAME")]
    alias: Option<String>,
    /// Takes the key that the alias names already, if it is such a key
    #[arg(long)]
    if_missing: bool,
    /// Kind of material: SYMMETRIC_DEFAULT, RSA_2048, ECC_NIST_P256, ECC_NIST_EDWARDS25519, HMAC_256, ML_DSA_65, …
    #[arg(long, value_name = "SPEC", default_value = "SYMMETRIC_DEFAULT", value_parser = KeySpec::from_str)]
    spec: KeySpec,
    /// What it may do: ENCRYPT_DECRYPT, SIGN_VERIFY, GENERATE_VERIFY_MAC, KEY_AGREEMENT; default: what its spec is for, where that is
    /// one thing
    #[arg(long, value_name = "USAGE", value_parser = KeyUsage::from_str)]
    usage: Option<KeyUsage>,
    /// Lets it be replicated into other regions, now or later
    #[arg(long)]
    multi_region: bool,
    /// Regions of its replicas
    #[arg(long, value_name = "REGION", num_args = 1.., value_delimiter = ',')]
    replica_regions: Vec<String>,
    /// Keeps its material in this custom key store
    #[arg(long, value_name = "ID")]
    custom_key_store: Option<String>,
    /// Makes it without material, for bulla key import
    #[arg(long)]
    external: bool,
    /// Its key policy, as JSON; - is stdin; default: AWS's own, which leaves it to IAM
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// A tag of it; may be given several times
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag::pair)]
    tags: Vec<(String, String)>,
    /// With --provider local: the file to make
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Create {
    pub(super) async fn carry_out(&self, service: &Service) -> Result<(), anyhow::Error> {
        if self.file.is_some() {
            return Err(Explained::misuse("--file goes with --provider local").into());
        }
        let created = service.provider.create(&self.new_key()?).await;
        let created = created.map_err(|error| service.explain(error))?;
        if !created.made {
            output::say("the alias names such a key already");
        }
        let now = SystemClock.now().as_micros().div_euclid(1_000_000);
        match (service.provider.report(&created.arn, now).await, self.common.output) {
            (Ok(report), Format::Text) => {
                let mut text = describe::text(&report, RotationPolicy::default());
                for replica in &created.replicas {
                    text.push_str(&format!("replica      {replica}\n"));
                }
                output::bytes(text.as_bytes())
            }
            (Ok(report), Format::Json) => {
                let mut document = describe::document(&report, RotationPolicy::default());
                document["Created"] = json!(created.made);
                document["Replicas"] = json!(created.replicas);
                output::json(&document)
            }
            // The key is there, whoever may describe it.
            (Err(_), Format::Text) => output::line(&format!("arn          {}", created.arn)),
            (Err(_), Format::Json) => output::json(&json!({
                "Arn": created.arn, "Created": created.made, "Replicas": created.replicas,
            })),
        }
    }

    pub(super) fn locally(&self) -> Result<(), anyhow::Error> {
        let only_in_kms = self.policy.is_some()
            || !self.tags.is_empty()
            || self.multi_region
            || self.custom_key_store.is_some()
            || self.external
            || self.alias.is_some()
            || self.if_missing;
        if only_in_kms || !self.replica_regions.is_empty() {
            return Err(Explained::misuse(
                "a key in a file has no alias, policy, tags, replicas, store or imported material",
            )
            .into());
        }
        let file = self.file.as_deref().ok_or_else(|| {
            Explained::misuse("no file is named").hint("name the file to make with --file, as in --file signing.key")
        })?;
        let usage = self.spec.usage(self.usage.or(Some(KeyUsage::SignVerify)));
        usage.map_err(|error| Explained::misuse(error.to_string()))?;
        local::create(file, self.spec, self.common.output)
    }

    fn new_key(&self) -> Result<NewKey, anyhow::Error> {
        Ok(NewKey {
            spec: self.spec,
            usage: self.usage,
            description: self.description.clone(),
            alias: self.alias.as_deref().map(alias::alias_name),
            if_missing: self.if_missing,
            multi_region: self.multi_region,
            replica_regions: self.replica_regions.clone(),
            custom_key_store: self.custom_key_store.clone(),
            external: self.external,
            policy: self.policy.as_deref().map(policy::read_policy).transpose()?,
            tags: self.tags.clone(),
        })
    }
}
