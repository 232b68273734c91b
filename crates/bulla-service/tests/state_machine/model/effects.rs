//! What is different afterwards.

use std::collections::BTreeMap;

use super::{Family, Grant, Key, Outside, Policy, Sealed, State, Step, World};

impl World {
    /// Does a step, or notes how it is refused.
    pub(crate) fn apply(mut self, step: &Step) -> Self {
        self.refused = self.answer(step).err();
        if let Step::Pass(days, sweeps) = *step {
            self.day += days;
            if sweeps {
                self.sweep();
            }
        } else if self.refused.is_none() {
            self.change(step);
        }
        self
    }

    fn change(&mut self, step: &Step) {
        let day = self.day;
        match *step {
            Step::Create(kind) => {
                self.families.push(Family {
                    multi_region: kind.multi_region,
                    primary: 0,
                    rotation: None,
                    automatic: 0,
                    on_demand: 0,
                    outside: kind.external.then(Outside::default),
                });
                self.add_key(self.families.len() - 1, 0);
            }
            Step::Replicate(key, region) => self.add_key(self.keys[key].family, region),
            Step::UpdatePrimary(key, region) => self.family_mut(key).primary = region,
            Step::Import(key, material, days, _) => self.import_there(key, material, days.map(|days| day + days)),
            Step::DeleteImported(key, material) => {
                let current = self
                    .family(key)
                    .outside
                    .as_ref()
                    .and_then(|outside| outside.permanent.last().copied());
                if let Some(material) = material.or(current) {
                    self.remove_there(key, material);
                }
            }
            Step::Enable(key) => self.keys[key].state = State::Enabled,
            Step::Disable(key) | Step::CancelDeletion(key) => self.keys[key].state = State::Disabled,
            Step::ScheduleDeletion(key, days) => {
                let waits = self.is_primary(key) && self.members(self.keys[key].family).count() > 1;
                self.keys[key].state = match waits {
                    true => State::PendingReplicaDeletion { days },
                    false => State::PendingDeletion { at: day + days },
                };
            }
            Step::RotateOnDemand(key) => {
                let family = self.family_mut(key);
                family.on_demand += 1;
                if let Some(outside) = &mut family.outside {
                    outside.permanent.extend(outside.pending.take());
                }
            }
            Step::EnableRotation(key, period) => {
                let rotation = &mut self.family_mut(key).rotation;
                // The same period again changes nothing.
                if rotation.is_none_or(|(before, _)| before != period) {
                    *rotation = Some((period, day + period));
                }
            }
            Step::DisableRotation(key) => self.family_mut(key).rotation = None,
            Step::UpdateDescription(key, text) => self.keys[key].description = Some(text),
            Step::CreateAlias(alias, key) | Step::UpdateAlias(alias, key) => {
                self.aliases.insert((self.keys[key].region, alias), key);
            }
            Step::DeleteAlias(region, alias) => drop(self.aliases.remove(&(region, alias))),
            Step::EncryptByAlias(region, alias) => self.seal(self.aliases[&(region, alias)]),
            Step::PutPolicy(key, policy) => self.keys[key].policy = policy,
            Step::Grant(key, permits) => self.grants.push(Grant {
                key,
                permits,
                revoked: false,
            }),
            Step::Revoke(grant) => self.grants[grant].revoked = true,
            Step::Encrypt(_, key) | Step::GenerateDataKey(key) | Step::ReEncrypt(_, key) => self.seal(key),
            Step::RotationStatus(_) | Step::Describe(_) | Step::Decrypt(..) | Step::Pass(..) => {}
        }
    }

    fn family_mut(&mut self, key: usize) -> &mut Family {
        let family = self.keys[key].family;
        &mut self.families[family]
    }

    /// A replica that comes again where one was deleted has its id, and so its place; nothing else of it.
    fn add_key(&mut self, family: usize, region: usize) {
        let key = Key {
            family,
            region,
            state: State::Enabled,
            description: None,
            policy: Policy::Usual,
            held: BTreeMap::new(),
        };
        let before = |key: &&mut Key| (key.family, key.region) == (family, region);
        match self.keys.iter_mut().find(before) {
            Some(gone) => *gone = key,
            None => self.keys.push(key),
        }
    }

    fn seal(&mut self, key: usize) {
        let family = self.keys[key].family;
        self.sealed.push(Sealed { family });
    }

    fn import_there(&mut self, key: usize, material: u8, until: Option<u32>) {
        let waited = self.state(key) == State::PendingImport;
        let Some(outside) = &mut self.family_mut(key).outside else {
            return;
        };
        let known = outside.permanent.contains(&material) || outside.pending == Some(material);
        if outside.permanent.is_empty() {
            outside.permanent.push(material);
        } else if !known {
            // What waited and has expired gives its place up.
            self.forget_pending(key);
            if let Some(outside) = &mut self.family_mut(key).outside {
                outside.pending = Some(material);
            }
        }
        self.keys[key].held.insert(material, until);
        if waited && !self.lacks_material(key) {
            self.keys[key].state = State::Enabled;
        }
    }

    /// What only waited for its rotation is gone everywhere with the primary's.
    fn remove_there(&mut self, key: usize, material: u8) {
        let pending = self.family(key).outside.as_ref().and_then(|outside| outside.pending);
        let there = self.keys[key].held.contains_key(&material);
        if there && pending == Some(material) && self.is_primary(key) {
            self.forget_pending(key);
        } else {
            self.keys[key].held.remove(&material);
        }
    }

    fn forget_pending(&mut self, key: usize) {
        let Some(pending) = self
            .family_mut(key)
            .outside
            .as_mut()
            .and_then(|outside| outside.pending.take())
        else {
            return;
        };
        let family = self.keys[key].family;
        for key in self.keys.iter_mut().filter(|key| key.family == family) {
            key.held.remove(&pending);
        }
    }

    /// Deletions, expiries and rotations that are due.
    fn sweep(&mut self) {
        let day = self.day;
        for key in 0..self.keys.len() {
            if self.keys[key].state == State::Gone {
                continue;
            }
            if self.state(key) == State::Gone {
                self.delete(key);
                continue;
            }
            let ended = |until: &Option<u32>| until.is_some_and(|until| until <= day);
            let held = self.keys[key].held.iter();
            let expired: Vec<u8> = held
                .filter(|(_, until)| ended(until))
                .map(|(material, _)| *material)
                .collect();
            for material in expired {
                self.remove_there(key, material);
            }
            let (enabled, primary) = (self.keys[key].state == State::Enabled, self.is_primary(key));
            let family = self.family_mut(key);
            if let (true, true, Some((period, next))) = (enabled, primary, family.rotation)
                && next <= day
            {
                family.automatic += 1;
                family.rotation = Some((period, day + period));
            }
        }
    }

    /// A primary that waited for its last replica begins its own waiting period.
    fn delete(&mut self, key: usize) {
        self.keys[key].state = State::Gone;
        self.aliases.retain(|_, target| *target != key);
        for grant in self.grants.iter_mut().filter(|grant| grant.key == key) {
            grant.revoked = true;
        }
        let family = self.keys[key].family;
        let left: Vec<usize> = self.members(family).collect();
        if let [last] = left[..]
            && let State::PendingReplicaDeletion { days } = self.keys[last].state
        {
            self.keys[last].state = State::PendingDeletion { at: self.day + days };
        }
    }
}
