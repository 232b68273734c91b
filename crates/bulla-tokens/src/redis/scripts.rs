//! What must happen in one step, in Lua.
//!
//! Versions are compared as strings of 20 digits: Lua's numbers are floats, and digits are in order in every locale.

use std::fmt;

use redis::Script;

pub(super) struct Scripts {
    pub(super) write: Script,
    pub(super) list: Script,
    pub(super) revoke: Script,
    pub(super) acquire: Script,
    pub(super) release: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            write: Script::new(include_str!("write.lua")),
            list: Script::new(include_str!("list.lua")),
            revoke: Script::new(include_str!("revoke.lua")),
            acquire: Script::new(include_str!("acquire.lua")),
            release: Script::new(include_str!("release.lua")),
        }
    }
}

impl fmt::Debug for Scripts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripts")
    }
}
