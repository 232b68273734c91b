//! Seals what an application stores, under data keys that a key provider wraps: at memory speed, with every key at an end.
//!
//! [`Sealer`] is the whole of it: [`seal`](Sealer::seal) a value into a record, [`open`](Sealer::open) it again. A provider
//! ([`KeyProvider`](bulla_kms::KeyProvider)) is asked for one data key for each context and period, not for each value.
//!
//! # The two caches
//! One identity function: provider instance (one a Sealer), key, the caller's canonical context, and the Sealer's own pairs such as the
//! purpose (constant in a Sealer); entries are compared by those bytes, and a hash only finds where to compare.
//!
//! - *Current data keys*, one for each context: end at [`max_age`](Settings::max_age), [`max_messages`](Settings::max_messages) or
//!   [`max_bytes`](Settings::max_bytes). A key that is used is replaced in the background before its end; the alias is
//!   resolved again by that, because the provider is asked for the key as configured.
//! - *Unwrapped data keys*, by context, key and wrapped bytes: end at [`unwrapped_ttl`](Settings::unwrapped_ttl) from their insertion.
//!
//! A miss is one provider call, however many wait for it, made by a task of its own. A failure is told to those who wait and is not
//! kept. A generated key is not put among the unwrapped ones: who may seal and not open stays so.
//!
//! A hit takes no lock, writes nothing that threads share, and calls no random generator: see `shelf`, `cache` (why there is
//! nothing to model-check) and `lane`.
//!
//! # Nonces and counts: threads, forks, snapshots
//! Nonces are random, 96 bits, drawn for each thread in batches ([`nonce_batch`](Settings::nonce_batch)), and wiped as they are
//! handed out. A thread counts messages and bytes against a part of the data key's limits that it has drawn in advance; what is
//! drawn counts as used, so the limits hold over all threads.
//!
//! Both are copied with the process's memory:
//! - **fork without exec** (an embedding in a pre-forking server): parent and child would hand out the rest of one batch twice,
//!   under one data key, which breaks AES-GCM for these records. A Tokio runtime does not survive a fork either, so a Sealer
//!   must be made after it. Who can't: call [`clear`](Sealer::clear) in the child before it seals, so that it has other
//!   data keys, or set `nonce_batch` to 1, so that each nonce comes from the random generator, which knows of forks.
//!   `fork` followed by `exec`, as [`std::process::Command`] does, is harmless.
//! - **VM snapshots** that are resumed more than once: the same, and nothing in the process can tell. Take the snapshot before the
//!   first seal, call [`clear`](Sealer::clear) upon resuming, or set `nonce_batch` to 1 on a kernel with SysGenID or vmgenid.
//! - The limits then hold for each copy. The default of 2^24 messages leaves room for 256 copies up to the bound of 2^32.
//!
//! # Time
//! Ages are measured on Tokio's monotonic clock. On Linux that clock stands still while the machine is suspended.
//!
//! # What who can write the stored records gets
//! Denial of service: a changed record does not open. A record of another place or context does not open. A record under a key of
//! their own is refused by the [`KeyRing`] before any call about that key; at most once a poll interval it makes the Sealer ask where
//! its own alias leads. A record of a key that can't be reached opens the circuit to that key alone. A record with a wrapped key that is garbage costs one provider call,
//! which fails. An older record of the same place opens: a record has no time.

#![deny(clippy::await_holding_lock, clippy::await_holding_refcell_ref)]

mod access;
mod breaker;
mod budget;
mod builder;
mod cache;
mod calls;
mod current;
mod error;
mod foreign;
mod keeper;
mod key_ring;
mod known;
mod lane;
mod open;
mod rewrap;
mod seal;
mod sealer;
mod settings;
mod shelf;
mod stats;
mod unwrapped;

pub use access::{Access, AccessLog, AccessLogError, AccessOperation, AccessRecord};
pub use builder::SealerBuilder;
pub use error::{BuildError, DataKeyError, OpenError, RewrapError, SealError};
pub use key_ring::{KeyPattern, KeyPatternError, KeyRing};
pub use sealer::Sealer;
pub use settings::{MAX_MESSAGES, Settings};
pub use stats::Stats;
