//! The service beside the model: does what a step says, and compares what is answered with what the model says of it.

use std::collections::BTreeMap;

use bulla_crypto::DataKey;
use bulla_crypto::blob::Material;
use bulla_model::{
    Clock as _, EncryptionAlgorithm, GrantConstraints, GrantOperation, ImportState, ImportType, KeyOrigin, KeyState,
    MaterialId, MultiRegionKeyType, Role,
};
use bulla_service::*;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::harness::*;
use crate::model::{As, Policy, REGIONS, State, Step, Use, Who, World};
use crate::{importing, regions};

/// The service.
pub(crate) struct Bulla {
    /// Taken while it runs something.
    pub(crate) runtime: Option<Runtime>,
    harness: Harness,
    /// Who may nothing of herself.
    ann: Call,
    /// Key ids, by place.
    keys: Vec<String>,
    /// Keys and ids of grants, by place.
    grants: Vec<(usize, String)>,
    /// Ciphertexts, each of the same plaintext, by place.
    sealed: Vec<Vec<u8>>,
    /// What the last import into a key was prepared with, and on which day.
    parameters: BTreeMap<usize, (u32, GetParametersForImportResponse)>,
}

/// What a step answers beside its code is of no interest.
fn done<T>(_: T) {}

fn alias(number: u8) -> String {
    format!("alias/a{number}")
}

fn policy(which: Policy) -> String {
    let account = json!({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"});
    let of_ann = |effect: &str, actions: &[&str]| {
        let ann = "arn:aws:iam::111122223333:user/ann";
        json!({"Effect": effect, "Principal": {"AWS": ann}, "Action": actions, "Resource": "*"})
    };
    let statements = match which {
        Policy::Usual => vec![account],
        Policy::AllowsAnn => vec![account, of_ann("Allow", &["kms:Encrypt", "kms:Decrypt"])],
        Policy::DeniesAnn => vec![account, of_ann("Deny", &["kms:*"])],
    };
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

impl Bulla {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let harness = runtime.block_on(Harness::new());
        let (_, ann) = runtime.block_on(harness.user("ann", Role::User));
        Self {
            runtime: Some(runtime),
            harness,
            ann,
            keys: Vec::new(),
            grants: Vec::new(),
            sealed: Vec::new(),
            parameters: BTreeMap::new(),
        }
    }

    fn id(&self, key: usize) -> String {
        self.keys[key].clone()
    }

    fn call(&self, who: Who, region: usize) -> Call {
        match who {
            Who::Owner => regions::in_region(&self.harness.operator(), REGIONS[region]),
            Who::Ann => regions::in_region(&self.ann, REGIONS[region]),
        }
    }

    /// The account's own call in the region of what a step is about.
    fn call_of(&self, world: &World, step: &Step) -> Call {
        let region = match *step {
            Step::Create(_) | Step::Pass(..) => 0,
            Step::DeleteAlias(region, _) | Step::EncryptByAlias(region, _) | Step::Decrypt(_, _, region) => region,
            Step::Revoke(grant) => world.keys[self.grants[grant].0].region,
            Step::CreateAlias(_, key) | Step::UpdateAlias(_, key) | Step::ReEncrypt(_, key) | Step::Encrypt(_, key) => {
                world.keys[key].region
            }
            Step::Replicate(key, _)
            | Step::UpdatePrimary(key, _)
            | Step::Import(key, ..)
            | Step::DeleteImported(key, _)
            | Step::Enable(key)
            | Step::Disable(key)
            | Step::ScheduleDeletion(key, _)
            | Step::CancelDeletion(key)
            | Step::RotateOnDemand(key)
            | Step::EnableRotation(key, _)
            | Step::DisableRotation(key)
            | Step::RotationStatus(key)
            | Step::Describe(key)
            | Step::UpdateDescription(key, _)
            | Step::PutPolicy(key, _)
            | Step::Grant(key, _)
            | Step::GenerateDataKey(key) => world.keys[key].region,
        };
        self.call(Who::Owner, region)
    }

    /// Does a step, and says what was answered; compares what was answered with what the model says of it.
    pub(crate) async fn step(&mut self, world: &World, step: &Step) -> Result<(), ServiceError> {
        let (service, call) = (self.harness.service.clone(), self.call_of(world, step));
        match *step {
            Step::Create(kind) => {
                let request = CreateKeyRequest {
                    origin: if kind.external {
                        KeyOrigin::External
                    } else {
                        KeyOrigin::AwsKms
                    },
                    multi_region: kind.multi_region,
                    ..create_key_request()
                };
                self.keys
                    .push(service.create_key(&call, request).await?.key.key_id.to_string());
            }
            Step::Replicate(key, region) => {
                let request = ReplicateKeyRequest {
                    description: "a key".to_owned(),
                    ..regions::replicate_request(&self.id(key), REGIONS[region])
                };
                let made = service.replicate_key(&call, request).await?.key;
                assert_eq!(made.key_id.as_str(), self.id(key));
                if self.keys.len() < world.keys.len() {
                    self.keys.push(self.id(key));
                }
            }
            Step::UpdatePrimary(key, region) => {
                regions::update_primary(&service, &call, &self.id(key), REGIONS[region]).await?;
            }
            Step::Import(key, material, days, said) => self.import(world, &call, (key, material, days, said)).await?,
            Step::DeleteImported(key, material) => {
                let request = DeleteImportedKeyMaterialRequest {
                    key_id: self.id(key),
                    key_material_id: material.map(|material| self.material_id(key, material)),
                };
                done(service.delete_imported_key_material(&call, request).await?);
            }
            Step::Enable(key) => done(
                service
                    .enable_key(&call, EnableKeyRequest { key_id: self.id(key) })
                    .await?,
            ),
            Step::Disable(key) => done(
                service
                    .disable_key(&call, DisableKeyRequest { key_id: self.id(key) })
                    .await?,
            ),
            Step::ScheduleDeletion(key, days) => {
                let request = ScheduleKeyDeletionRequest {
                    key_id: self.id(key),
                    pending_window_in_days: Some(days),
                };
                done(service.schedule_key_deletion(&call, request).await?);
            }
            Step::CancelDeletion(key) => {
                done(
                    service
                        .cancel_key_deletion(&call, CancelKeyDeletionRequest { key_id: self.id(key) })
                        .await?,
                );
            }
            Step::RotateOnDemand(key) => {
                done(
                    service
                        .rotate_key_on_demand(&call, RotateKeyOnDemandRequest { key_id: self.id(key) })
                        .await?,
                );
            }
            Step::EnableRotation(key, period) => {
                let request = EnableKeyRotationRequest {
                    key_id: self.id(key),
                    rotation_period_in_days: Some(period),
                };
                done(service.enable_key_rotation(&call, request).await?);
            }
            Step::DisableRotation(key) => {
                done(
                    service
                        .disable_key_rotation(&call, DisableKeyRotationRequest { key_id: self.id(key) })
                        .await?,
                );
            }
            Step::RotationStatus(key) => {
                let request = GetKeyRotationStatusRequest { key_id: self.id(key) };
                let status = service.get_key_rotation_status(&call, request).await?;
                let goes = matches!(
                    world.state(key),
                    State::PendingDeletion { .. } | State::PendingReplicaDeletion { .. }
                );
                assert_eq!(
                    status.enabled,
                    world.family(key).rotation.is_some() && !goes,
                    "{world:?}"
                );
            }
            Step::Describe(key) => self.describe(world, key).await?,
            Step::UpdateDescription(key, text) => {
                let request = UpdateKeyDescriptionRequest {
                    key_id: self.id(key),
                    description: text.to_string(),
                };
                done(service.update_key_description(&call, request).await?);
            }
            Step::CreateAlias(number, key) => {
                let request = CreateAliasRequest {
                    alias_name: alias(number),
                    target_key_id: self.id(key),
                };
                done(service.create_alias(&call, request).await?);
            }
            Step::UpdateAlias(number, key) => {
                let request = UpdateAliasRequest {
                    alias_name: alias(number),
                    target_key_id: self.id(key),
                };
                done(service.update_alias(&call, request).await?);
            }
            Step::DeleteAlias(_, number) => {
                let alias_name = alias(number);
                done(service.delete_alias(&call, DeleteAliasRequest { alias_name }).await?);
            }
            Step::EncryptByAlias(_, number) => self.encrypt(&call, &alias(number)).await?,
            Step::PutPolicy(key, which) => {
                let request = PutKeyPolicyRequest {
                    key_id: self.id(key),
                    policy_name: None,
                    policy: policy(which),
                    bypass_policy_lockout_safety_check: false,
                };
                done(service.put_key_policy(&call, request).await?);
            }
            Step::Grant(key, permits) => {
                let request = CreateGrantRequest {
                    key_id: self.id(key),
                    grantee_principal: self.ann.caller.arn().to_string(),
                    retiring_principal: None,
                    operations: vec![match permits {
                        Use::Encrypt => GrantOperation::Encrypt,
                        Use::Decrypt => GrantOperation::Decrypt,
                    }],
                    constraints: GrantConstraints::default(),
                    name: None,
                    grant_tokens: Vec::new(),
                    dry_run: false,
                };
                let made = service.create_grant(&call, request).await?;
                self.grants.push((key, made.grant_id.to_string()));
            }
            Step::Revoke(grant) => {
                let (key, grant_id) = self.grants[grant].clone();
                let request = RevokeGrantRequest {
                    key_id: self.id(key),
                    grant_id,
                    dry_run: false,
                };
                done(service.revoke_grant(&call, request).await?);
            }
            Step::Encrypt(who, key) => {
                let call = self.call(who, world.keys[key].region);
                self.encrypt(&call, &self.id(key)).await?;
            }
            Step::GenerateDataKey(key) => {
                // Kept as a ciphertext like the others: the model knows only which key opens it.
                let request = data_key_request(&self.id(key));
                done(service.generate_data_key(&call, request).await?);
                self.encrypt(&call, &self.id(key)).await?;
            }
            Step::Decrypt(who, at, region) => {
                let call = self.call(who, region);
                let opened = service.decrypt(&call, decrypt_request(&self.sealed[at])).await?;
                assert_eq!(opened.plaintext.expose_secret(), b"the plaintext");
                let key = world.member_in(world.sealed[at].family, region).expect("a key");
                assert_eq!(opened.key_arn.key_id(), self.keys[key]);
                assert!(
                    opened.key_arn.as_str().contains(REGIONS[region]),
                    "the region's own key"
                );
            }
            Step::ReEncrypt(at, key) => {
                let request = ReEncryptRequest {
                    ciphertext_blob: self.sealed[at].clone(),
                    source_encryption_context: context(&[("tenant", "a")]),
                    source_key_id: None,
                    destination_key_id: self.id(key),
                    destination_encryption_context: context(&[("tenant", "a")]),
                    source_encryption_algorithm: EncryptionAlgorithm::SymmetricDefault,
                    destination_encryption_algorithm: EncryptionAlgorithm::SymmetricDefault,
                    grant_tokens: Vec::new(),
                    dry_run: false,
                };
                self.sealed
                    .push(service.re_encrypt(&call, request).await?.ciphertext_blob);
            }
            Step::Pass(days, sweeps) => {
                self.harness.days(days);
                if sweeps {
                    service.sweep().await?;
                }
            }
        }
        Ok(())
    }

    async fn import(
        &mut self,
        world: &World,
        call: &Call,
        (key, material, days, said): (usize, u8, Option<u32>, Option<As>),
    ) -> Result<(), ServiceError> {
        let (service, id) = (self.harness.service.clone(), self.id(key));
        // A token is good for a day; asking for another makes an RSA key.
        let known = self.parameters.get(&key).filter(|(day, _)| *day == world.day);
        let parameters = match known {
            Some((_, parameters)) => parameters.clone(),
            None => {
                let request = importing::parameters_request(&id);
                service.get_parameters_for_import(call, request).await?
            }
        };
        self.parameters.insert(key, (world.day, parameters.clone()));
        let bytes = bytes_of(material);
        let request = match days {
            Some(days) => {
                let end = self.harness.clock.now().plus_days(days);
                importing::import_until(&id, &parameters, &bytes, end)
            }
            None => importing::import_request(&id, &parameters, &bytes),
        };
        let request = ImportKeyMaterialRequest {
            import_type: said.map(|said| match said {
                As::New => ImportType::NewKeyMaterial,
                As::Existing => ImportType::ExistingKeyMaterial,
            }),
            ..request
        };
        let imported = service.import_key_material(call, request).await?;
        assert_eq!(imported.key_material_id, Some(self.material_id(key, material)));
        Ok(())
    }

    fn material_id(&self, key: usize, material: u8) -> MaterialId {
        let secret = DataKey::from_slice(&bytes_of(material)).expect("32 bytes");
        MaterialId(*Material::new(&secret, &self.keys[key]).expect("material").id())
    }

    async fn encrypt(&mut self, call: &Call, key: &str) -> Result<(), ServiceError> {
        let made = self.harness.service.encrypt(call, encrypt_request(key)).await?;
        self.sealed.push(made.ciphertext_blob);
        Ok(())
    }

    async fn describe(&self, world: &World, key: usize) -> Result<(), ServiceError> {
        let call = self.call(Who::Owner, world.keys[key].region);
        let request = DescribeKeyRequest {
            key_id: self.id(key),
            grant_tokens: Vec::new(),
        };
        let described = self.harness.service.describe_key(&call, request).await?.key;
        let state = match world.state(key) {
            State::Enabled => KeyState::Enabled,
            State::Disabled => KeyState::Disabled,
            State::PendingImport => KeyState::PendingImport,
            State::PendingReplicaDeletion { .. } => KeyState::PendingReplicaDeletion,
            State::PendingDeletion { .. } | State::Gone => KeyState::PendingDeletion,
        };
        assert_eq!(described.state, state, "{world:?}");
        assert_eq!(described.deletion_date.is_some(), state == KeyState::PendingDeletion);
        assert_eq!(
            described.pending_window_in_days.is_some(),
            state == KeyState::PendingReplicaDeletion
        );
        let text = world.keys[key].description;
        assert_eq!(
            described.description,
            text.map_or("a key".to_owned(), |text| text.to_string())
        );
        assert_eq!(described.multi_region.is_some(), world.family(key).multi_region);
        if let Some(keys) = described.multi_region {
            let kind = if world.is_primary(key) {
                MultiRegionKeyType::Primary
            } else {
                MultiRegionKeyType::Replica
            };
            let (primary, family) = (world.family(key).primary, world.keys[key].family);
            assert_eq!((keys.kind, keys.primary.region.as_str()), (kind, REGIONS[primary]));
            let mut replicas: Vec<&str> = world
                .members(family)
                .map(|member| world.keys[member].region)
                .filter(|region| *region != primary)
                .map(|region| REGIONS[region])
                .collect();
            replicas.sort_unstable();
            let listed: Vec<&str> = keys.replicas.iter().map(|replica| replica.region.as_str()).collect();
            assert_eq!(listed, replicas, "{world:?}");
        }
        Ok(())
    }

    /// The rotations of a key, and which of its imported materials are there.
    async fn compare_materials(&self, world: &World, key: usize) {
        let call = self.call(Who::Owner, world.keys[key].region);
        let all = importing::rotations(&self.harness.service, &call, &self.keys[key]).await;
        let rotated = all.iter().filter(|version| version.rotation_type.is_some()).count();
        assert_eq!(rotated, world.rotations(key) as usize, "{world:?}");
        let Some(outside) = &world.family(key).outside else {
            return;
        };
        let known = outside.permanent.iter().chain(&outside.pending);
        let expected: BTreeMap<_, _> = known
            .map(|material| (self.material_id(key, *material), world.holds(key, *material)))
            .collect();
        let listed: BTreeMap<_, _> = all
            .iter()
            .map(|version| {
                (
                    version.key_material_id,
                    version.import_state == Some(ImportState::Imported),
                )
            })
            .collect();
        assert_eq!(listed, expected, "{world:?}");
    }

    /// Everything that the model says of the keys and ciphertexts, and the audit log.
    pub(crate) async fn compare_all(&mut self, world: &World) {
        for key in 0..world.keys.len() {
            let gone = world.state(key) == State::Gone;
            let described = self.describe(world, key).await.err().map(|error| error.code());
            assert_eq!(described, gone.then_some("NotFoundException"));
            if !gone {
                self.compare_materials(world, key).await;
            }
        }
        for (at, region) in (0..world.sealed.len()).flat_map(|at| (0..REGIONS.len()).map(move |region| (at, region))) {
            for who in [Who::Owner, Who::Ann] {
                let step = Step::Decrypt(who, at, region);
                let said = self.step(world, &step).await.err().map(|error| error.code());
                assert_eq!(said, world.answer(&step).err(), "{step:?} with {world:?}");
            }
        }
        self.harness.verify();
    }
}

fn bytes_of(material: u8) -> [u8; 32] {
    [material + 1; 32]
}
