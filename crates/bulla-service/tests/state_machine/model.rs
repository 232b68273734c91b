//! A small model of what AWS documents of a key's life: states, rotations, imports, regions, deletion, aliases, who may use it, and which
//! ciphertexts open.

mod answers;
mod effects;
mod steps;

use std::collections::BTreeMap;

use proptest_state_machine::ReferenceStateMachine;

/// Keys that are made, and those with the replicas of them.
pub(crate) const KEYS: usize = 3;
pub(crate) const KEYS_AND_REPLICAS: usize = 6;
pub(crate) const ALIASES: u8 = 3;
/// Regions are named by their place here; keys are made in the first.
pub(crate) const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-southeast-2"];

/// What a caller does, or what time does; keys, ciphertexts, grants and regions are named by their place.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Create(Kind),
    Replicate(usize, usize),
    UpdatePrimary(usize, usize),
    /// One of a few materials, for ever or for so many days, as what it is said to be.
    Import(usize, u8, Option<u32>, Option<As>),
    /// The current one, or one that is named.
    DeleteImported(usize, Option<u8>),
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
    /// An alias is of the key's region.
    CreateAlias(u8, usize),
    UpdateAlias(u8, usize),
    DeleteAlias(usize, u8),
    /// Encrypts under the alias, so that it must lead to the right key.
    EncryptByAlias(usize, u8),
    PutPolicy(usize, Policy),
    Grant(usize, Use),
    Revoke(usize),
    Encrypt(Who, usize),
    GenerateDataKey(usize),
    /// A ciphertext, in a region.
    Decrypt(Who, usize, usize),
    /// A ciphertext, in the region of the new key.
    ReEncrypt(usize, usize),
    /// Time passes; what is due may be done by the sweep, or wait for it.
    Pass(u32, bool),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// Material comes from outside.
    pub(crate) external: bool,
    pub(crate) multi_region: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum As {
    New,
    Existing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Whom the account's own key policy lets in.
    Owner,
    /// Who may nothing of herself.
    Ann,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    Usual,
    AllowsAnn,
    DeniesAnn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Encrypt,
    Decrypt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Enabled,
    Disabled,
    PendingImport,
    PendingDeletion {
        at: u32,
    },
    /// A primary that waits for its replicas, and then for so many days.
    PendingReplicaDeletion {
        days: u32,
    },
    Gone,
}

/// A key of one region.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) family: usize,
    pub(crate) region: usize,
    /// As somebody last set it; see [`World::state`].
    pub(crate) state: State,
    pub(crate) description: Option<u8>,
    pub(crate) policy: Policy,
    /// Imported material that is here, and the day on which it ends.
    pub(crate) held: BTreeMap<u8, Option<u32>>,
}

/// What the keys of one multi-Region key share; a key of one region has it for itself.
#[derive(Debug, Clone)]
pub(crate) struct Family {
    pub(crate) multi_region: bool,
    /// The primary's region.
    pub(crate) primary: usize,
    /// Period in days, and the day of the next rotation.
    pub(crate) rotation: Option<(u32, u32)>,
    pub(crate) automatic: u32,
    pub(crate) on_demand: u32,
    pub(crate) outside: Option<Outside>,
}

/// Which material was imported, ever.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outside {
    /// What is the key's for good; the last is current.
    pub(crate) permanent: Vec<u8>,
    /// What waits for its rotation.
    pub(crate) pending: Option<u8>,
}

/// A ciphertext of a key; whichever rotation it is from, it opens as long as a key of the family in that region can be used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sealed {
    pub(crate) family: usize,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Grant {
    pub(crate) key: usize,
    pub(crate) permits: Use,
    pub(crate) revoked: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    /// Days since the start.
    pub(crate) day: u32,
    pub(crate) families: Vec<Family>,
    pub(crate) keys: Vec<Key>,
    /// By region and number.
    pub(crate) aliases: BTreeMap<(usize, u8), usize>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) sealed: Vec<Sealed>,
    /// How the last step was refused, if it was.
    pub(crate) refused: Option<&'static str>,
}

impl World {
    /// The state that AWS tells: a key without its material waits for it, one past its deletion date is gone.
    pub(crate) fn state(&self, key: usize) -> State {
        match self.keys[key].state {
            State::PendingDeletion { at } if at <= self.day => State::Gone,
            State::Enabled | State::Disabled if self.lacks_material(key) => State::PendingImport,
            state => state,
        }
    }

    pub(crate) fn family(&self, key: usize) -> &Family {
        &self.families[self.keys[key].family]
    }

    pub(crate) fn is_primary(&self, key: usize) -> bool {
        self.family(key).primary == self.keys[key].region
    }

    /// The keys of a family that were not yet swept away.
    pub(crate) fn members(&self, family: usize) -> impl Iterator<Item = usize> + '_ {
        let is_member = move |key: &usize| self.keys[*key].family == family && self.keys[*key].state != State::Gone;
        (0..self.keys.len()).filter(is_member)
    }

    pub(crate) fn member_in(&self, family: usize, region: usize) -> Option<usize> {
        self.members(family).find(|key| self.keys[*key].region == region)
    }

    /// Whether imported material is here, and not past its end.
    pub(crate) fn holds(&self, key: usize, material: u8) -> bool {
        let until = self.keys[key].held.get(&material);
        until.is_some_and(|until| until.is_none_or(|until| self.day < until))
    }

    pub(crate) fn lacks_material(&self, key: usize) -> bool {
        let outside = self.family(key).outside.as_ref();
        outside.is_some_and(|outside| {
            let mut all = outside.permanent.iter();
            outside.permanent.is_empty() || all.any(|material| !self.holds(key, *material))
        })
    }

    pub(crate) fn rotations(&self, key: usize) -> u32 {
        self.family(key).automatic + self.family(key).on_demand
    }

    /// The key of an alias, while both are there.
    pub(crate) fn target(&self, region: usize, alias: u8) -> Option<usize> {
        let key = self.aliases.get(&(region, alias)).copied();
        key.filter(|key| self.state(*key) != State::Gone)
    }

    /// Whether Ann may: a denial stands above all, then policy or grant.
    pub(crate) fn ann_may(&self, key: usize, what: Use) -> bool {
        let granted = |grant: &Grant| grant.key == key && grant.permits == what && !grant.revoked;
        match self.keys[key].policy {
            Policy::DeniesAnn => false,
            Policy::AllowsAnn => true,
            Policy::Usual => self.grants.iter().any(granted),
        }
    }
}

impl ReferenceStateMachine for World {
    type State = World;
    type Transition = Step;

    fn init_state() -> proptest::strategy::BoxedStrategy<World> {
        proptest::strategy::Strategy::boxed(proptest::strategy::Just(World::default()))
    }

    fn transitions(world: &World) -> proptest::strategy::BoxedStrategy<Step> {
        world.steps()
    }

    fn apply(world: World, step: &Step) -> World {
        world.apply(step)
    }

    fn preconditions(world: &World, step: &Step) -> bool {
        world.can(step)
    }
}
