use bulla_kms::{KeySpec, KeyUsage, SpecUsageError};

/// A key to be made in AWS KMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// What kind of material it has.
    pub spec: KeySpec,
    /// What it is for; `None` is the one thing that its spec is for, where there is one.
    pub usage: Option<KeyUsage>,
    /// What people read of it, at most 8,192 characters.
    pub description: String,
    /// A name for it, `alias/…`, at most 256 characters; made in every region of the key.
    pub alias: Option<String>,
    /// Whether a key that the alias already names is taken instead, if it is such a key as this.
    pub if_missing: bool,
    /// Whether it may be replicated into other regions; decided for ever when it is made.
    pub multi_region: bool,
    /// Regions of its replicas, besides its own.
    pub replica_regions: Vec<String>,
    /// The custom key store (`cks-…`) that holds it, in place of KMS itself.
    pub custom_key_store: Option<String>,
    /// Whether its material comes from outside: it is made without, and waits for an import.
    pub external: bool,
    /// Its key policy, as JSON; `None` is AWS's own, which leaves it to IAM.
    pub policy: Option<String>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// What contradicts itself in a [`NewKey`]; known before anything is asked of AWS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NewKeyError {
    /// Spec and usage do not go together.
    #[error(transparent)]
    SpecUsage(#[from] SpecUsageError),
    /// A custom key store holds single-Region keys only.
    #[error("a key in a custom key store can't be a multi-Region key: its material never leaves the store")]
    CustomKeyStoreMultiRegion,
    /// A custom key store holds symmetric keys only.
    #[error("a custom key store holds keys of spec SYMMETRIC_DEFAULT, and not of {spec}")]
    CustomKeyStoreSpec {
        /// The spec asked for.
        spec: KeySpec,
    },
    /// A custom key store makes its own material.
    #[error("a key in a custom key store takes no imported material: the store makes it")]
    CustomKeyStoreExternal,
    /// A replica is made of a key that has its material.
    #[error("a key without its material can't be replicated: import it first, then replicate the key")]
    ReplicasOfExternal,
    /// Only a multi-Region key has replicas.
    #[error("only a multi-Region key has replicas, and a key can't become one later")]
    ReplicasOfSingleRegion,
    /// A region is named that has the key already.
    #[error("the region {region} is named twice")]
    RegionTwice {
        /// The region.
        region: String,
    },
    /// Nothing says which key might be there already.
    #[error("whether a key is missing is told by its alias, and none is given")]
    IfMissingWithoutAlias,
    /// AWS keeps these names to itself.
    #[error("{alias} is not a name that a key can get: alias/ and 1 to 250 of A-Za-z0-9/_-, and not alias/aws/")]
    Alias {
        /// The name asked for.
        alias: String,
    },
}

impl Default for NewKey {
    fn default() -> Self {
        Self {
            spec: KeySpec::SymmetricDefault,
            usage: None,
            description: String::new(),
            alias: None,
            if_missing: false,
            multi_region: false,
            replica_regions: Vec::new(),
            custom_key_store: None,
            external: false,
            policy: None,
            tags: Vec::new(),
        }
    }
}

impl NewKey {
    /// Checks spec, usage, store, regions and name in combination, and gives the usage. `home` is the region where it is made.
    ///
    /// # Errors
    /// What contradicts itself.
    pub fn check(&self, home: Option<&str>) -> Result<KeyUsage, NewKeyError> {
        let usage = self.spec.usage(self.usage)?;
        if self.custom_key_store.is_some() && (self.multi_region || !self.replica_regions.is_empty()) {
            return Err(NewKeyError::CustomKeyStoreMultiRegion);
        }
        if self.custom_key_store.is_some() && self.spec != KeySpec::SymmetricDefault {
            return Err(NewKeyError::CustomKeyStoreSpec { spec: self.spec });
        }
        self.check_external()?;
        if !self.multi_region && !self.replica_regions.is_empty() {
            return Err(NewKeyError::ReplicasOfSingleRegion);
        }
        check_regions(home, &self.replica_regions)?;
        match &self.alias {
            None if self.if_missing => Err(NewKeyError::IfMissingWithoutAlias),
            Some(alias) if !is_alias(alias) => Err(NewKeyError::Alias { alias: alias.clone() }),
            _ => Ok(usage),
        }
    }
}

impl NewKey {
    fn check_external(&self) -> Result<(), NewKeyError> {
        if !self.external {
            return Ok(());
        }
        if self.custom_key_store.is_some() {
            return Err(NewKeyError::CustomKeyStoreExternal);
        }
        if !self.replica_regions.is_empty() {
            return Err(NewKeyError::ReplicasOfExternal);
        }
        Ok(())
    }
}

/// Checks that no region is named twice.
pub(crate) fn check_regions(home: Option<&str>, replicas: &[String]) -> Result<(), NewKeyError> {
    for (at, region) in replicas.iter().enumerate() {
        if Some(region.as_str()) == home || replicas[..at].contains(region) {
            return Err(NewKeyError::RegionTwice { region: region.clone() });
        }
    }
    Ok(())
}

fn is_alias(alias: &str) -> bool {
    let character = |b: u8| b.is_ascii_alphanumeric() || b"/_-".contains(&b);
    alias
        .strip_prefix("alias/")
        .is_some_and(|name| (1..=250).contains(&name.len()) && name.bytes().all(character) && !name.starts_with("aws/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(change: impl FnOnce(&mut NewKey)) -> Result<KeyUsage, NewKeyError> {
        let mut key = NewKey::default();
        change(&mut key);
        key.check(Some("eu-west-1"))
    }

    #[test]
    fn what_fits_together_is_taken() {
        assert_eq!(checked(|_| ()), Ok(KeyUsage::EncryptDecrypt));
        assert_eq!(checked(|key| key.spec = KeySpec::MlDsa65), Ok(KeyUsage::SignVerify));
        let rsa = checked(|key| {
            key.spec = KeySpec::Rsa2048;
            key.usage = Some(KeyUsage::SignVerify);
        });
        assert_eq!(rsa, Ok(KeyUsage::SignVerify));
        let replicas = checked(|key| {
            key.multi_region = true;
            key.replica_regions = vec!["us-east-1".into(), "us-west-2".into()];
            key.alias = Some("alias/app".into());
            key.if_missing = true;
        });
        assert_eq!(replicas, Ok(KeyUsage::EncryptDecrypt));
        assert!(checked(|key| key.custom_key_store = Some("cks-1".into())).is_ok());
    }

    #[test]
    fn what_contradicts_itself_is_named() {
        use NewKeyError::*;
        let store = |key: &mut NewKey| key.custom_key_store = Some("cks-1".into());
        assert!(matches!(checked(|key| key.spec = KeySpec::Rsa2048), Err(SpecUsage(_))));
        let data_keys_of_a_signing_key = checked(|key| {
            key.spec = KeySpec::EccNistP256;
            key.usage = Some(KeyUsage::EncryptDecrypt);
        });
        assert!(matches!(data_keys_of_a_signing_key, Err(SpecUsage(_))));
        let both = checked(|key| {
            store(key);
            key.multi_region = true;
        });
        assert_eq!(both, Err(CustomKeyStoreMultiRegion));
        let imported = checked(|key| {
            store(key);
            key.external = true;
        });
        assert_eq!(imported, Err(CustomKeyStoreExternal));
        let replicated = checked(|key| {
            key.external = true;
            key.multi_region = true;
            key.replica_regions = vec!["us-east-1".into()];
        });
        assert_eq!(replicated, Err(ReplicasOfExternal));
        let hmac = checked(|key| {
            store(key);
            key.spec = KeySpec::Hmac256;
        });
        assert_eq!(hmac, Err(CustomKeyStoreSpec { spec: KeySpec::Hmac256 }));
        let replicas = |regions: &'static [&str]| {
            checked(move |key| {
                key.multi_region = true;
                key.replica_regions = regions.iter().map(|region| (*region).to_owned()).collect();
            })
        };
        assert!(matches!(replicas(&["eu-west-1"]), Err(RegionTwice { .. })));
        assert!(matches!(replicas(&["us-east-1", "us-east-1"]), Err(RegionTwice { .. })));
        let single = checked(|key| key.replica_regions = vec!["us-east-1".into()]);
        assert_eq!(single, Err(ReplicasOfSingleRegion));
        assert_eq!(checked(|key| key.if_missing = true), Err(IfMissingWithoutAlias));
        for alias in ["app", "alias/", "alias/aws/s3", "alias/a b"] {
            assert!(
                matches!(checked(|key| key.alias = Some(alias.into())), Err(Alias { .. })),
                "{alias}"
            );
        }
    }
}
