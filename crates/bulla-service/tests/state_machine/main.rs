//! Random sequences of operations against a small model of AWS's state machine: the same answers, and the same keys afterwards.
//!
//! A few hundred sequences; with `scripts/test --full`, which sets `BULLA_TEST_FULL`, 10,000.

#[path = "../service/harness.rs"]
#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod harness;
#[path = "../service/importing.rs"]
#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod importing;
#[path = "../service/memory_store.rs"]
#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod memory_store;
mod model;

use std::collections::BTreeMap;

use bulla_model::{Clock as _, EncryptionAlgorithm, KeySpec, KeyState, KeyUsage};
use bulla_service::*;
use proptest::test_runner::Config;
use proptest_state_machine::{StateMachineTest, prop_state_machine};
use tokio::runtime::Runtime;

use crate::harness::*;
use crate::model::{State, Step, World};

/// The service beside the model.
struct Bulla {
    /// Taken while it runs something.
    runtime: Option<Runtime>,
    harness: Harness,
    /// Key ids, by place.
    keys: Vec<String>,
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

impl Bulla {
    fn id(&self, key: usize) -> String {
        self.keys[key].clone()
    }

    /// Does a step, and says what was answered; compares what was answered with what the model says of it.
    async fn step(&mut self, world: &World, step: &Step) -> Result<(), ServiceError> {
        let (service, call) = (self.harness.service.clone(), self.harness.operator());
        match *step {
            Step::Create => self.keys.push(self.harness.key().await.key_id.to_string()),
            Step::CreateExternal => {
                let (spec, usage) = (KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt);
                let made = importing::external_key(&service, &call, spec, usage).await;
                self.keys.push(made.key_id.to_string());
            }
            Step::Import(key, material, days) => {
                let id = self.id(key);
                // A token is good for a day; asking for another makes an RSA key.
                let known = self.parameters.get(&key).filter(|(day, _)| *day == world.day);
                let parameters = match known {
                    Some((_, parameters)) => parameters.clone(),
                    None => {
                        let request = importing::parameters_request(&id);
                        service.get_parameters_for_import(&call, request).await?
                    }
                };
                self.parameters.insert(key, (world.day, parameters.clone()));
                let bytes = [material + 1; 32];
                let request = match days {
                    Some(days) => {
                        let end = self.harness.clock.now().plus_days(days);
                        importing::import_until(&id, &parameters, &bytes, end)
                    }
                    None => importing::import_request(&id, &parameters, &bytes),
                };
                done(service.import_key_material(&call, request).await?);
            }
            Step::DeleteImported(key) => {
                let request = DeleteImportedKeyMaterialRequest {
                    key_id: self.id(key),
                    key_material_id: None,
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
                let pending = matches!(world.state(key), State::PendingDeletion { .. });
                assert_eq!(
                    status.enabled,
                    world.keys[key].rotation.is_some() && !pending,
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
            Step::DeleteAlias(number) => {
                done(
                    service
                        .delete_alias(
                            &call,
                            DeleteAliasRequest {
                                alias_name: alias(number),
                            },
                        )
                        .await?,
                );
            }
            Step::EncryptByAlias(number) => self.encrypt(&call, &alias(number)).await?,
            Step::Encrypt(key) => self.encrypt(&call, &self.id(key)).await?,
            Step::GenerateDataKey(key) => {
                // Kept as a ciphertext like the others: the model knows only which key opens it.
                done(
                    service
                        .generate_data_key(&call, data_key_request(&self.id(key)))
                        .await?,
                );
                self.encrypt(&call, &self.id(key)).await?;
            }
            Step::Decrypt(at) => {
                let opened = service.decrypt(&call, decrypt_request(&self.sealed[at])).await?;
                assert_eq!(opened.plaintext.expose_secret(), b"the plaintext");
                assert_eq!(opened.key_arn.key_id(), self.keys[world.sealed[at].key]);
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

    async fn encrypt(&mut self, call: &Call, key: &str) -> Result<(), ServiceError> {
        let made = self.harness.service.encrypt(call, encrypt_request(key)).await?;
        self.sealed.push(made.ciphertext_blob);
        Ok(())
    }

    async fn describe(&self, world: &World, key: usize) -> Result<(), ServiceError> {
        let request = DescribeKeyRequest {
            key_id: self.id(key),
            grant_tokens: Vec::new(),
        };
        let described = self
            .harness
            .service
            .describe_key(&self.harness.operator(), request)
            .await?
            .key;
        let state = match world.state(key) {
            State::Enabled => KeyState::Enabled,
            State::Disabled => KeyState::Disabled,
            State::PendingImport => KeyState::PendingImport,
            State::PendingDeletion { .. } | State::Gone => KeyState::PendingDeletion,
        };
        assert_eq!(described.state, state);
        assert_eq!(described.deletion_date.is_some(), state == KeyState::PendingDeletion);
        let text = world.keys[key].description;
        assert_eq!(
            described.description,
            text.map_or("a key".to_owned(), |text| text.to_string())
        );
        Ok(())
    }

    /// Everything that the model says of the keys and ciphertexts, and the audit log.
    async fn compare_all(&mut self, world: &World) {
        for key in 0..world.keys.len() {
            let gone = world.state(key) == State::Gone;
            let described = self.describe(world, key).await.err().map(|error| error.code());
            assert_eq!(described, gone.then_some("NotFoundException"));
            if !gone && world.keys[key].outside.is_none() {
                let request = ListKeyRotationsRequest {
                    key_id: self.id(key),
                    include_all_material: false,
                    limit: None,
                    marker: None,
                };
                let service = &self.harness.service;
                let listed = service.list_key_rotations(&self.harness.operator(), request).await;
                assert_eq!(
                    listed.expect("lists").rotations.len(),
                    world.rotations(key) as usize,
                    "{world:?}"
                );
            }
        }
        for at in 0..world.sealed.len() {
            let step = Step::Decrypt(at);
            let said = self.step(world, &step).await.err().map(|error| error.code());
            assert_eq!(said, world.answer(&step).err(), "{step:?} with {world:?}");
        }
        self.harness.verify();
    }
}

impl StateMachineTest for Bulla {
    type SystemUnderTest = Bulla;
    type Reference = World;

    fn init_test(_: &World) -> Bulla {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let harness = runtime.block_on(Harness::new());
        Bulla {
            runtime: Some(runtime),
            harness,
            keys: Vec::new(),
            sealed: Vec::new(),
            parameters: BTreeMap::new(),
        }
    }

    fn apply(mut bulla: Bulla, after: &World, step: Step) -> Bulla {
        let runtime = bulla.runtime.take().expect("a runtime");
        let said = runtime.block_on(bulla.step(after, &step));
        bulla.runtime = Some(runtime);
        let said = said.err().map(|error| error.code());
        assert_eq!(said, after.refused, "{step:?} with {after:?}");
        bulla
    }

    fn teardown(mut bulla: Bulla, world: World) {
        let runtime = bulla.runtime.take().expect("a runtime");
        runtime.block_on(bulla.compare_all(&world));
    }
}

/// Ten thousand sequences in the long form.
fn cases() -> u32 {
    let full = std::env::var_os("BULLA_TEST_FULL").is_some();
    if full { 10_000 } else { 200 }
}

prop_state_machine! {
    #![proptest_config(Config {
        cases: cases(),
        max_shrink_iters: 2_000,
        ..Config::default()
    })]

    #[test]
    fn every_sequence_of_operations_is_answered_as_awss_state_machine_has_it(sequential 1..40 => Bulla);
}
