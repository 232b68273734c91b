//! Which steps can be taken, and how often each is.

use proptest::prelude::*;
use proptest::sample::select;

use super::{ALIASES, As, KEYS, KEYS_AND_REPLICAS, Kind, Policy, REGIONS, Step, Use, Who, World};

fn kind() -> impl Strategy<Value = Kind> {
    let external = prop_oneof![2 => Just(false), 1 => Just(true)];
    (external, any::<bool>()).prop_map(|(external, multi_region)| Kind { external, multi_region })
}

impl World {
    pub(super) fn steps(&self) -> BoxedStrategy<Step> {
        if self.keys.is_empty() {
            return kind().prop_map(Step::Create).boxed();
        }
        let mut steps = self.steps_on_keys();
        let key = || 0..self.keys.len();
        let region = || 0..REGIONS.len();
        if self.families.len() < KEYS {
            steps.push((3, kind().prop_map(Step::Create).boxed()));
        }
        let of = |predicate: &dyn Fn(usize) -> bool| -> Vec<usize> { key().filter(|key| predicate(*key)).collect() };
        let multi_region = of(&|key| self.family(key).multi_region);
        if !multi_region.is_empty() {
            let one = || select(multi_region.clone());
            if self.keys.len() < KEYS_AND_REPLICAS {
                let replicate = (one(), region()).prop_map(|(key, region)| Step::Replicate(key, region));
                steps.push((5, replicate.boxed()));
            }
            let update = (one(), region()).prop_map(|(key, region)| Step::UpdatePrimary(key, region));
            steps.push((2, update.boxed()));
        }
        let outside = of(&|key| self.family(key).outside.is_some());
        if !outside.is_empty() {
            let one = || select(outside.clone());
            // The first one mostly, the others now and then.
            let material = || prop_oneof![4 => Just(0_u8), 3 => Just(1), 1 => Just(2)];
            let days = prop::option::weighted(0.4, 1..=100_u32);
            let said = prop::option::of(prop_oneof![Just(As::New), Just(As::Existing)]);
            let import = (one(), material(), days, said);
            let import = import.prop_map(|(key, material, days, said)| Step::Import(key, material, days, said));
            steps.push((9, import.boxed()));
            let delete = (one(), prop::option::of(material()));
            steps.push((
                2,
                delete.prop_map(|(key, which)| Step::DeleteImported(key, which)).boxed(),
            ));
        }
        if !self.grants.is_empty() {
            steps.push((1, (0..self.grants.len()).prop_map(Step::Revoke).boxed()));
        }
        if !self.sealed.is_empty() {
            let sealed = || 0..self.sealed.len();
            let decrypt = (who(), sealed(), region());
            steps.push((
                5,
                decrypt
                    .prop_map(|(who, at, region)| Step::Decrypt(who, at, region))
                    .boxed(),
            ));
            let again = (sealed(), key()).prop_map(|(sealed, key)| Step::ReEncrypt(sealed, key));
            steps.push((2, again.boxed()));
        }
        proptest::strategy::Union::new_weighted(steps).boxed()
    }

    fn steps_on_keys(&self) -> Vec<(u32, BoxedStrategy<Step>)> {
        let key = || 0..self.keys.len();
        let (alias, region) = (|| 0..ALIASES, || 0..REGIONS.len());
        let policy = select(vec![Policy::Usual, Policy::AllowsAnn, Policy::DeniesAnn]);
        let permits = select(vec![Use::Encrypt, Use::Decrypt]);
        vec![
            (3, key().prop_map(Step::Enable).boxed()),
            (2, key().prop_map(Step::Disable).boxed()),
            (
                3,
                (key(), 7..=30_u32)
                    .prop_map(|(key, days)| Step::ScheduleDeletion(key, days))
                    .boxed(),
            ),
            (3, key().prop_map(Step::CancelDeletion).boxed()),
            (4, key().prop_map(Step::RotateOnDemand).boxed()),
            (
                2,
                (key(), 90..=93_u32)
                    .prop_map(|(key, days)| Step::EnableRotation(key, days))
                    .boxed(),
            ),
            (1, key().prop_map(Step::DisableRotation).boxed()),
            (2, key().prop_map(Step::RotationStatus).boxed()),
            (2, key().prop_map(Step::Describe).boxed()),
            (
                1,
                (key(), any::<u8>())
                    .prop_map(|(key, text)| Step::UpdateDescription(key, text))
                    .boxed(),
            ),
            (
                2,
                (alias(), key())
                    .prop_map(|(alias, key)| Step::CreateAlias(alias, key))
                    .boxed(),
            ),
            (
                1,
                (alias(), key())
                    .prop_map(|(alias, key)| Step::UpdateAlias(alias, key))
                    .boxed(),
            ),
            (
                1,
                (region(), alias())
                    .prop_map(|(region, alias)| Step::DeleteAlias(region, alias))
                    .boxed(),
            ),
            (
                2,
                (region(), alias())
                    .prop_map(|(region, alias)| Step::EncryptByAlias(region, alias))
                    .boxed(),
            ),
            (
                2,
                (key(), policy)
                    .prop_map(|(key, policy)| Step::PutPolicy(key, policy))
                    .boxed(),
            ),
            (
                2,
                (key(), permits)
                    .prop_map(|(key, permits)| Step::Grant(key, permits))
                    .boxed(),
            ),
            (4, (who(), key()).prop_map(|(who, key)| Step::Encrypt(who, key)).boxed()),
            (1, key().prop_map(Step::GenerateDataKey).boxed()),
            (
                4,
                (1..=100_u32, any::<bool>())
                    .prop_map(|(days, sweeps)| Step::Pass(days, sweeps))
                    .boxed(),
            ),
        ]
    }

    /// Whether everything that a step names is there: a sequence that is made shorter may lack it.
    pub(super) fn can(&self, step: &Step) -> bool {
        let key = |key: usize| key < self.keys.len();
        let sealed = |at: usize| at < self.sealed.len();
        match *step {
            Step::Create(_) => self.families.len() < KEYS,
            Step::Replicate(at, _) => key(at) && self.keys.len() < KEYS_AND_REPLICAS,
            Step::Import(at, ..) | Step::DeleteImported(at, _) => key(at) && self.family(at).outside.is_some(),
            Step::UpdatePrimary(at, _)
            | Step::Enable(at)
            | Step::Disable(at)
            | Step::ScheduleDeletion(at, _)
            | Step::CancelDeletion(at)
            | Step::RotateOnDemand(at)
            | Step::EnableRotation(at, _)
            | Step::DisableRotation(at)
            | Step::RotationStatus(at)
            | Step::Describe(at)
            | Step::UpdateDescription(at, _)
            | Step::CreateAlias(_, at)
            | Step::UpdateAlias(_, at)
            | Step::PutPolicy(at, _)
            | Step::Grant(at, _)
            | Step::Encrypt(_, at)
            | Step::GenerateDataKey(at) => key(at),
            Step::Revoke(at) => at < self.grants.len(),
            Step::Decrypt(_, at, _) => sealed(at),
            Step::ReEncrypt(from, to) => sealed(from) && key(to),
            Step::DeleteAlias(..) | Step::EncryptByAlias(..) | Step::Pass(..) => true,
        }
    }
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![2 => Just(Who::Owner), 1 => Just(Who::Ann)]
}
