//! A small model of what AWS documents of a key's life: states, rotations, deletion, aliases, and which ciphertexts open.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

pub(crate) const KEYS: usize = 3;
pub(crate) const ALIASES: u8 = 3;
const ON_DEMAND_LIMIT: u32 = 25;

/// What a caller does, or what time does; keys are named by their place.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Create,
    /// A key whose material comes from outside.
    CreateExternal,
    /// One of two materials, for ever or for so many days.
    Import(usize, u8, Option<u32>),
    DeleteImported(usize),
    Enable(usize),
    Disable(usize),
    ScheduleDeletion(usize, u32),
    CancelDeletion(usize),
    RotateOnDemand(usize),
    EnableRotation(usize, u32),
    DisableRotation(usize),
    RotationStatus(usize),
    Describe(usize),
    UpdateDescription(usize, u8),
    CreateAlias(u8, usize),
    UpdateAlias(u8, usize),
    DeleteAlias(u8),
    /// Encrypts under the alias, so that it must lead to the right key.
    EncryptByAlias(u8),
    Encrypt(usize),
    GenerateDataKey(usize),
    Decrypt(usize),
    ReEncrypt(usize, usize),
    /// Time passes; what is due may be done by the sweep, or wait for it.
    Pass(u32, bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Enabled,
    Disabled,
    PendingImport,
    PendingDeletion { at: u32 },
    Gone,
}

#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) state: State,
    pub(crate) description: Option<u8>,
    /// Period in days, and the day of the next rotation.
    pub(crate) rotation: Option<(u32, u32)>,
    pub(crate) automatic: u32,
    pub(crate) on_demand: u32,
    pub(crate) outside: Option<Outside>,
}

/// What was imported.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Outside {
    /// The first material, which is the only one that may come again.
    first: Option<u8>,
    is_there: bool,
    /// The day on which it ends.
    until: Option<u32>,
}

impl Outside {
    fn has_material(self, day: u32) -> bool {
        self.is_there && self.until.is_none_or(|until| day < until)
    }
}

/// A ciphertext of a key; whichever rotation it is from, it opens as long as the key is enabled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sealed {
    pub(crate) key: usize,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    /// Days since the start.
    pub(crate) day: u32,
    pub(crate) keys: Vec<Key>,
    pub(crate) aliases: BTreeMap<u8, usize>,
    pub(crate) sealed: Vec<Sealed>,
    /// How the last step was refused, if it was.
    pub(crate) refused: Option<&'static str>,
}

/// AWS's code, or none.
pub(crate) type Answer = Result<(), &'static str>;

const DISABLED: Answer = Err("DisabledException");
const INVALID_STATE: Answer = Err("KMSInvalidStateException");
const UNSUPPORTED: Answer = Err("UnsupportedOperationException");
const NOT_FOUND: Answer = Err("NotFoundException");

impl World {
    pub(crate) fn state(&self, key: usize) -> State {
        match self.keys[key].state {
            State::PendingDeletion { at } if at <= self.day => State::Gone,
            State::Enabled | State::Disabled
                if self.keys[key]
                    .outside
                    .is_some_and(|outside| !outside.has_material(self.day)) =>
            {
                State::PendingImport
            }
            state => state,
        }
    }

    pub(crate) fn rotations(&self, key: usize) -> u32 {
        self.keys[key].automatic + self.keys[key].on_demand
    }

    /// For operations that need the key enabled.
    fn use_of(&self, key: usize) -> Answer {
        match self.state(key) {
            State::Enabled => Ok(()),
            State::Disabled => DISABLED,
            State::PendingDeletion { .. } | State::PendingImport => INVALID_STATE,
            State::Gone => NOT_FOUND,
        }
    }

    /// For operations that any key bears that is not pending deletion.
    fn change_of(&self, key: usize) -> Answer {
        match self.state(key) {
            State::PendingDeletion { .. } => INVALID_STATE,
            State::Gone => NOT_FOUND,
            State::Enabled | State::Disabled | State::PendingImport => Ok(()),
        }
    }

    /// For operations on imported material.
    fn import_into(&self, key: usize, material: u8) -> Answer {
        let first = self.keys[key].outside.and_then(|outside| outside.first);
        self.change_of(key)?;
        match first {
            Some(first) if first != material => Err("IncorrectKeyMaterialException"),
            _ => Ok(()),
        }
    }

    /// A ciphertext is opened under its key, without naming it: a key that is gone is like one that never was.
    fn opening_of(&self, sealed: usize) -> Answer {
        match self.use_of(self.sealed[sealed].key) {
            NOT_FOUND => Err("AccessDeniedException"),
            answer => answer,
        }
    }

    /// What AWS answers.
    pub(crate) fn answer(&self, step: &Step) -> Answer {
        match *step {
            Step::Create | Step::CreateExternal | Step::Pass(..) => Ok(()),
            Step::Import(key, material, _) => self.import_into(key, material),
            Step::DeleteImported(key) => match self.state(key) {
                State::Gone => NOT_FOUND,
                _ => Ok(()),
            },
            Step::Enable(key) | Step::Disable(key) => match self.state(key) {
                State::PendingImport => INVALID_STATE,
                _ => self.change_of(key),
            },
            Step::ScheduleDeletion(key, _) | Step::UpdateDescription(key, _) => self.change_of(key),
            Step::CancelDeletion(key) => match self.state(key) {
                State::PendingDeletion { .. } => Ok(()),
                State::Gone => NOT_FOUND,
                State::Enabled | State::Disabled | State::PendingImport => INVALID_STATE,
            },
            // Nothing new was imported that it could be rotated to.
            Step::RotateOnDemand(key) if self.keys[key].outside.is_some() => self.use_of(key).and(INVALID_STATE),
            Step::RotateOnDemand(key) => self.use_of(key).and_then(|()| {
                if self.keys[key].on_demand < ON_DEMAND_LIMIT {
                    Ok(())
                } else {
                    Err("LimitExceededException")
                }
            }),
            Step::EnableRotation(key, _) | Step::DisableRotation(key) => {
                match (self.keys[key].outside, self.use_of(key)) {
                    (None, answer) => answer,
                    // Of a key that waits for material, AWS names the origin.
                    (Some(_), Ok(())) => UNSUPPORTED,
                    (Some(_), _) if self.state(key) == State::PendingImport => UNSUPPORTED,
                    (Some(_), answer) => answer,
                }
            }
            Step::RotationStatus(key) | Step::Describe(key) => match self.state(key) {
                State::Gone => NOT_FOUND,
                _ => Ok(()),
            },
            // Which of two mistakes it names here, AWS does not document.
            Step::CreateAlias(alias, key) => match (self.change_of(key), self.target(alias)) {
                (Ok(()) | INVALID_STATE, Some(_)) => Err("AlreadyExistsException"),
                (answer, _) => answer,
            },
            Step::UpdateAlias(alias, key) => match self.target(alias) {
                None => NOT_FOUND,
                Some(_) => self.change_of(key),
            },
            Step::DeleteAlias(alias) => self.target(alias).map(|_| ()).ok_or("NotFoundException"),
            Step::EncryptByAlias(alias) => match self.target(alias) {
                None => NOT_FOUND,
                Some(key) => self.use_of(key),
            },
            Step::Encrypt(key) | Step::GenerateDataKey(key) => self.use_of(key),
            Step::Decrypt(sealed) => self.opening_of(sealed),
            // That both keys are there comes before their states.
            Step::ReEncrypt(sealed, key) => match (self.opening_of(sealed), self.use_of(key)) {
                (gone @ Err("AccessDeniedException"), _) | (_, gone @ NOT_FOUND) => gone,
                (source, destination) => source.and(destination),
            },
        }
    }

    /// The key of an alias, while both are there.
    pub(crate) fn target(&self, alias: u8) -> Option<usize> {
        self.aliases
            .get(&alias)
            .copied()
            .filter(|key| self.state(*key) != State::Gone)
    }

    /// What is different afterwards.
    pub(crate) fn apply(mut self, step: &Step) -> Self {
        self.refused = self.answer(step).err();
        if let Step::Pass(days, sweeps) = *step {
            self.pass(days, sweeps);
            return self;
        }
        if self.refused.is_some() {
            return self;
        }
        let day = self.day;
        match *step {
            Step::Create | Step::CreateExternal => self.keys.push(Key {
                outside: matches!(step, Step::CreateExternal).then(Outside::default),
                state: State::Enabled,
                description: None,
                rotation: None,
                automatic: 0,
                on_demand: 0,
            }),
            Step::Import(key, material, days) => {
                if self.state(key) == State::PendingImport {
                    self.keys[key].state = State::Enabled;
                }
                self.keys[key].outside = Some(Outside {
                    first: Some(material),
                    is_there: true,
                    until: days.map(|days| day + days),
                });
            }
            Step::DeleteImported(key) => {
                if let Some(outside) = &mut self.keys[key].outside {
                    outside.is_there = false;
                }
            }
            Step::Enable(key) => self.keys[key].state = State::Enabled,
            Step::Disable(key) | Step::CancelDeletion(key) => self.keys[key].state = State::Disabled,
            Step::ScheduleDeletion(key, days) => self.keys[key].state = State::PendingDeletion { at: day + days },
            Step::RotateOnDemand(key) => self.keys[key].on_demand += 1,
            Step::EnableRotation(key, period) => self.keys[key].rotation = Some((period, day + period)),
            Step::DisableRotation(key) => self.keys[key].rotation = None,
            Step::UpdateDescription(key, text) => self.keys[key].description = Some(text),
            Step::CreateAlias(alias, key) | Step::UpdateAlias(alias, key) => drop(self.aliases.insert(alias, key)),
            Step::DeleteAlias(alias) => drop(self.aliases.remove(&alias)),
            Step::EncryptByAlias(alias) => {
                let key = self.aliases[&alias];
                self.seal(key);
            }
            Step::Encrypt(key) | Step::GenerateDataKey(key) | Step::ReEncrypt(_, key) => self.seal(key),
            Step::RotationStatus(_) | Step::Describe(_) | Step::Decrypt(_) | Step::Pass(..) => {}
        }
        self
    }

    fn seal(&mut self, key: usize) {
        self.sealed.push(Sealed { key });
    }

    fn pass(&mut self, days: u32, sweeps: bool) {
        self.day += days;
        let day = self.day;
        for key in 0..self.keys.len() {
            if !sweeps {
                break;
            }
            if self.state(key) == State::Gone {
                self.keys[key].state = State::Gone;
                self.aliases.retain(|_, target| *target != key);
            }
            let key = &mut self.keys[key];
            if let (State::Enabled, Some((period, next))) = (key.state, key.rotation)
                && next <= day
            {
                key.automatic += 1;
                key.rotation = Some((period, day + period));
            }
        }
    }
}

impl ReferenceStateMachine for World {
    type State = World;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<World> {
        Just(World::default()).boxed()
    }

    fn transitions(world: &World) -> BoxedStrategy<Step> {
        if world.keys.is_empty() {
            return prop_oneof![4 => Just(Step::Create), 1 => Just(Step::CreateExternal)].boxed();
        }
        let key = || 0..world.keys.len();
        let alias = || 0..ALIASES;
        let mut steps = vec![
            (3, key().prop_map(Step::Enable).boxed()),
            (2, key().prop_map(Step::Disable).boxed()),
            (
                2,
                (key(), 7..=30_u32)
                    .prop_map(|(key, days)| Step::ScheduleDeletion(key, days))
                    .boxed(),
            ),
            (3, key().prop_map(Step::CancelDeletion).boxed()),
            (3, key().prop_map(Step::RotateOnDemand).boxed()),
            (
                2,
                (key(), 90..=120_u32)
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
            (1, alias().prop_map(Step::DeleteAlias).boxed()),
            (2, alias().prop_map(Step::EncryptByAlias).boxed()),
            (3, key().prop_map(Step::Encrypt).boxed()),
            (1, key().prop_map(Step::GenerateDataKey).boxed()),
            (
                3,
                (1..=120_u32, any::<bool>())
                    .prop_map(|(days, sweeps)| Step::Pass(days, sweeps))
                    .boxed(),
            ),
        ];
        if world.keys.len() < KEYS {
            steps.push((2, Just(Step::Create).boxed()));
            steps.push((1, Just(Step::CreateExternal).boxed()));
        }
        let outside: Vec<usize> = (0..world.keys.len())
            .filter(|key| world.keys[*key].outside.is_some())
            .collect();
        if !outside.is_empty() {
            let outside = || prop::sample::select(outside.clone());
            let days = || prop::option::of(1..=100_u32);
            // The wrong one now and then.
            let material = || prop_oneof![5 => Just(0_u8), 1 => Just(1)];
            let import =
                (outside(), material(), days()).prop_map(|(key, material, days)| Step::Import(key, material, days));
            steps.push((4, import.boxed()));
            steps.push((2, outside().prop_map(Step::DeleteImported).boxed()));
        }
        if !world.sealed.is_empty() {
            let sealed = || 0..world.sealed.len();
            steps.push((4, sealed().prop_map(Step::Decrypt).boxed()));
            steps.push((
                2,
                (sealed(), key())
                    .prop_map(|(sealed, key)| Step::ReEncrypt(sealed, key))
                    .boxed(),
            ));
        }
        proptest::strategy::Union::new_weighted(steps).boxed()
    }

    fn apply(world: World, step: &Step) -> World {
        world.apply(step)
    }

    fn preconditions(world: &World, step: &Step) -> bool {
        let key = |key: usize| key < world.keys.len();
        let sealed = |at: usize| at < world.sealed.len();
        match *step {
            Step::Create | Step::CreateExternal => world.keys.len() < KEYS,
            Step::Import(at, ..) | Step::DeleteImported(at) => key(at) && world.keys[at].outside.is_some(),
            Step::RotationStatus(at) => key(at) && world.keys[at].outside.is_none(),
            Step::Enable(at)
            | Step::Disable(at)
            | Step::ScheduleDeletion(at, _)
            | Step::CancelDeletion(at)
            | Step::RotateOnDemand(at)
            | Step::EnableRotation(at, _)
            | Step::DisableRotation(at)
            | Step::Describe(at)
            | Step::UpdateDescription(at, _)
            | Step::CreateAlias(_, at)
            | Step::UpdateAlias(_, at)
            | Step::Encrypt(at)
            | Step::GenerateDataKey(at) => key(at),
            Step::Decrypt(at) => sealed(at),
            Step::ReEncrypt(from, to) => sealed(from) && key(to),
            Step::DeleteAlias(_) | Step::EncryptByAlias(_) | Step::Pass(..) => true,
        }
    }
}
