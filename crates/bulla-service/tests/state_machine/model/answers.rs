//! What AWS answers: its code, or none.

use super::{As, State, Step, Use, Who, World};

pub(crate) type Answer = Result<(), &'static str>;

const ON_DEMAND_LIMIT: u32 = 25;

const DISABLED: Answer = Err("DisabledException");
const INVALID_STATE: Answer = Err("KMSInvalidStateException");
const UNSUPPORTED: Answer = Err("UnsupportedOperationException");
const NOT_FOUND: Answer = Err("NotFoundException");
const ALREADY_THERE: Answer = Err("AlreadyExistsException");
const DENIED: Answer = Err("AccessDeniedException");
const INCORRECT: Answer = Err("IncorrectKeyMaterialException");

impl World {
    /// What AWS answers.
    pub(crate) fn answer(&self, step: &Step) -> Answer {
        match *step {
            Step::Create(_) | Step::Pass(..) => Ok(()),
            Step::Replicate(key, region) => self.replicate(key, region),
            Step::UpdatePrimary(key, region) => self.update_primary(key, region),
            Step::Import(key, material, _, said) => self.change_of(key).and_then(|()| self.import(key, material, said)),
            Step::DeleteImported(key, material) => self.there(key).and_then(|()| self.delete_imported(key, material)),
            Step::Enable(key) | Step::Disable(key) => match self.state(key) {
                State::PendingImport => INVALID_STATE,
                _ => self.change_of(key),
            },
            Step::ScheduleDeletion(key, _) | Step::UpdateDescription(key, _) => self.change_of(key),
            Step::CancelDeletion(key) => match self.state(key) {
                State::PendingDeletion { .. } | State::PendingReplicaDeletion { .. } => Ok(()),
                State::Gone => NOT_FOUND,
                State::Enabled | State::Disabled | State::PendingImport => INVALID_STATE,
            },
            Step::RotateOnDemand(key) => self.use_of(key).and_then(|()| self.rotate(key)),
            Step::EnableRotation(key, _) | Step::DisableRotation(key) => self.change_rotation(key),
            // Of a key that waits for material, AWS names the origin.
            Step::RotationStatus(key) => match self.state(key) {
                State::PendingImport => UNSUPPORTED,
                _ => self.there(key),
            },
            Step::Describe(key) | Step::PutPolicy(key, _) => self.there(key),
            // Which of two mistakes it names here, AWS does not document.
            Step::CreateAlias(alias, key) => match (self.change_of(key), self.target(self.keys[key].region, alias)) {
                (Ok(()) | INVALID_STATE, Some(_)) => ALREADY_THERE,
                (answer, _) => answer,
            },
            Step::UpdateAlias(alias, key) => match self.target(self.keys[key].region, alias) {
                None => NOT_FOUND,
                Some(_) => self.change_of(key),
            },
            Step::DeleteAlias(region, alias) => self.target(region, alias).map(|_| ()).ok_or("NotFoundException"),
            Step::EncryptByAlias(region, alias) => match self.target(region, alias) {
                None => NOT_FOUND,
                Some(key) => self.use_of(key),
            },
            Step::Grant(key, _) | Step::GenerateDataKey(key) | Step::Encrypt(Who::Owner, key) => self.use_of(key),
            Step::Revoke(grant) if self.grants[grant].revoked => NOT_FOUND,
            Step::Revoke(grant) => self.there(self.grants[grant].key),
            // Who may nothing of herself learns nothing of what is gone.
            Step::Encrypt(Who::Ann, key) => match self.state(key) {
                State::Gone => DENIED,
                _ if !self.ann_may(key, Use::Encrypt) => DENIED,
                _ => self.use_of(key),
            },
            Step::Decrypt(who, sealed, region) => self.open(who, sealed, region),
            // That both keys are there comes before their states.
            Step::ReEncrypt(sealed, key) => {
                let source = self.open(Who::Owner, sealed, self.keys[key].region);
                match (source, self.use_of(key)) {
                    (DENIED, _) => DENIED,
                    (_, NOT_FOUND) => NOT_FOUND,
                    (source, destination) => source.and(destination),
                }
            }
        }
    }

    /// For operations in any state.
    fn there(&self, key: usize) -> Answer {
        match self.state(key) {
            State::Gone => NOT_FOUND,
            _ => Ok(()),
        }
    }

    /// For operations that need the key enabled.
    fn use_of(&self, key: usize) -> Answer {
        match self.state(key) {
            State::Enabled => Ok(()),
            State::Disabled => DISABLED,
            State::PendingDeletion { .. } | State::PendingReplicaDeletion { .. } | State::PendingImport => {
                INVALID_STATE
            }
            State::Gone => NOT_FOUND,
        }
    }

    /// For operations that any key bears that is not to be deleted.
    fn change_of(&self, key: usize) -> Answer {
        match self.state(key) {
            State::PendingDeletion { .. } | State::PendingReplicaDeletion { .. } => INVALID_STATE,
            State::Gone => NOT_FOUND,
            State::Enabled | State::Disabled | State::PendingImport => Ok(()),
        }
    }

    fn primary_only(&self, key: usize) -> Answer {
        match self.family(key).multi_region && self.is_primary(key) {
            true => Ok(()),
            false => UNSUPPORTED,
        }
    }

    fn no_replica(&self, key: usize) -> Answer {
        if self.is_primary(key) { Ok(()) } else { UNSUPPORTED }
    }

    fn replicate(&self, key: usize, region: usize) -> Answer {
        self.use_of(key)?;
        self.primary_only(key)?;
        match self.member_in(self.keys[key].family, region) {
            Some(_) => ALREADY_THERE,
            None => Ok(()),
        }
    }

    fn update_primary(&self, key: usize, region: usize) -> Answer {
        let in_state = |key| match self.state(key) {
            State::PendingImport => Ok(()),
            _ => self.use_of(key),
        };
        in_state(key)?;
        self.primary_only(key)?;
        if region == self.keys[key].region {
            return UNSUPPORTED;
        }
        match self.member_in(self.keys[key].family, region) {
            Some(replica) => in_state(replica),
            None => NOT_FOUND,
        }
    }

    fn import(&self, key: usize, material: u8, said: Option<As>) -> Answer {
        let Some(outside) = &self.family(key).outside else {
            return UNSUPPORTED;
        };
        let (is_new, pending) = (outside.permanent.is_empty(), outside.pending);
        let known = outside.permanent.contains(&material) || pending == Some(material);
        let by_default = if is_new { As::New } else { As::Existing };
        match said.unwrap_or(by_default) {
            As::Existing if known => Ok(()),
            As::Existing => INCORRECT,
            As::New if !self.is_primary(key) => UNSUPPORTED,
            As::New if pending == Some(material) && !self.holds(key, material) => Ok(()),
            As::New if known => INCORRECT,
            As::New if pending.is_some_and(|pending| self.holds(key, pending)) => INVALID_STATE,
            As::New => Ok(()),
        }
    }

    fn delete_imported(&self, key: usize, material: Option<u8>) -> Answer {
        let Some(outside) = &self.family(key).outside else {
            return UNSUPPORTED;
        };
        match material {
            Some(material) if !outside.permanent.contains(&material) && outside.pending != Some(material) => NOT_FOUND,
            _ => Ok(()),
        }
    }

    fn rotate(&self, key: usize) -> Answer {
        self.no_replica(key)?;
        let family = self.family(key);
        if family.on_demand >= ON_DEMAND_LIMIT {
            return Err("LimitExceededException");
        }
        let Some(outside) = &family.outside else { return Ok(()) };
        // Every region must have what it is to be rotated to.
        let mut members = self.members(self.keys[key].family);
        let everywhere = outside
            .pending
            .is_some_and(|pending| members.all(|member| self.holds(member, pending)));
        if everywhere { Ok(()) } else { INVALID_STATE }
    }

    fn change_rotation(&self, key: usize) -> Answer {
        match (&self.family(key).outside, self.use_of(key)) {
            (None, answer) => answer.and_then(|()| self.no_replica(key)),
            // Of a key that waits for material, AWS names the origin.
            (Some(_), Ok(())) => UNSUPPORTED,
            (Some(_), _) if self.state(key) == State::PendingImport => UNSUPPORTED,
            (Some(_), answer) => answer,
        }
    }

    /// A ciphertext is opened without naming its key: one that is gone is like one that never was, and like one of another region.
    fn open(&self, who: Who, sealed: usize, region: usize) -> Answer {
        let Some(key) = self.member_in(self.sealed[sealed].family, region) else {
            return DENIED;
        };
        match (who, self.use_of(key)) {
            (_, NOT_FOUND) => DENIED,
            (Who::Ann, _) if !self.ann_may(key, Use::Decrypt) => DENIED,
            (_, answer) => answer,
        }
    }
}
