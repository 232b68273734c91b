use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use bulla_crypto::record::Record;
use bulla_crypto::{Context, SecretBytes};
use bulla_envelope::OpenError;
use futures::{StreamExt, TryStreamExt, stream};

use crate::codec::{Keyed, Opened};
use crate::error::{CodecError, PayloadError};
use crate::finished::{Finished, Output};
use crate::foreign::ReplacedSeal;
use crate::reference::is_storage_reference;
use crate::stats::Counters;
use crate::{ENCODING, ENCODING_FAMILY, OnPlaintext, OnUndecodable, PURPOSE, Payload, json};

/// A request of which everything is done that needs no key provider.
///
/// Nothing of it is handed out before [`finish`](Self::finish).
pub struct Work {
    keyed: Arc<Keyed>,
    /// Where the namespace's keys are kept, and whether they are not there yet.
    kept_in: Option<(Arc<Opened>, bool)>,
    steps: Vec<Step>,
    usage: Usage,
    encodes: bool,
    /// The data keys that are not here, by their key and wrapped form.
    missing: HashSet<(String, Vec<u8>)>,
}

/// What a request does, as far as it is known before a provider is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// Payloads of the request.
    pub payloads: usize,
    /// Those that are sealed or opened; the others stay as they are.
    pub worked_on: usize,
    /// Those of them whose data key was in the cache.
    pub hits: usize,
    /// Those whose data key a provider has to be asked for, or that wait for one that has.
    pub misses: usize,
    /// The keys of what is sealed and opened, resolved, as far as known: a data key that has yet to be made has none.
    pub keys: BTreeSet<String>,
}

/// What is left to do for one payload.
enum Step {
    Done(Output),
    Seal(SecretBytes),
    /// Stays if it opens, else it is sealed.
    SealUnlessOpen(Payload),
    Open(Payload),
    OpenReplaced {
        original: Payload,
        data: Vec<u8>,
        seal: ReplacedSeal,
    },
}

/// At most so many data keys are asked for at once.
const OPENS_AT_ONCE: usize = 16;
/// The keys that one request may name: whoever sends payloads writes their names.
pub(crate) const MAX_KEYS: usize = 64;
/// The data keys that one request may have asked for, which whoever sends payloads writes, too. A page of a history has at most as many
/// events, and hourly data keys are shared by many.
pub(crate) const MAX_DATA_KEYS: usize = 256;

impl Work {
    /// What the request does.
    #[must_use]
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// The key that seals in this namespace, as configured: the scheme of its provider, and its name there.
    #[must_use]
    pub fn sealing_key(&self) -> (&'static str, &str) {
        (self.keyed.scheme(), self.keyed.key())
    }

    /// Whether the namespace's keys are not in memory yet: [`finish`](Self::finish) then puts them there, in the place of others where there are
    /// many. So it is to be decided before whether the caller may have that.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.kept_in.as_ref().is_some_and(|(_, new)| *new)
    }

    pub(crate) fn kept_in(mut self, opened: Arc<Opened>, new: bool) -> Self {
        self.kept_in = Some((opened, new));
        self
    }

    /// The context that the namespace's payloads are bound to, as providers and policies see it.
    #[must_use]
    pub fn context(&self) -> Context {
        let bound = self.keyed.context().with_own("bulla:purpose", PURPOSE);
        bound.expect("a namespace and a purpose are within the limits of a context")
    }

    pub(crate) fn encode(keyed: Arc<Keyed>, payloads: Vec<Payload>) -> Result<Self, CodecError> {
        let mut work = Self::begin(keyed, payloads.len(), true);
        for (index, payload) in payloads.into_iter().enumerate() {
            let step = work.begin_encode(index, payload)?;
            work.push(step)?;
        }
        Ok(work)
    }

    pub(crate) fn decode(keyed: Arc<Keyed>, payloads: Vec<Payload>) -> Result<Self, CodecError> {
        let mut work = Self::begin(keyed, payloads.len(), false);
        for (index, payload) in payloads.into_iter().enumerate() {
            let step = work.begin_decode(index, payload)?;
            work.push(step)?;
        }
        Ok(work)
    }

    fn push(&mut self, step: Step) -> Result<(), CodecError> {
        self.steps.push(step);
        if self.missing.len() > MAX_DATA_KEYS {
            return Err(CodecError::TooManyKeys);
        }
        self.usage.check()
    }

    fn begin(keyed: Arc<Keyed>, payloads: usize, encodes: bool) -> Self {
        let usage = Usage {
            payloads,
            ..Usage::default()
        };
        Self {
            keyed,
            kept_in: None,
            steps: Vec::with_capacity(payloads),
            missing: HashSet::new(),
            usage,
            encodes,
        }
    }

    /// "Each payload is sealed, whatever its metadata claims, but for two kinds, which stay as they are".
    fn begin_encode(&mut self, index: usize, payload: Payload) -> Result<Step, CodecError> {
        if is_storage_reference(&payload) {
            return Ok(self.pass(payload));
        }
        if payload.claims_to_be_sealed() {
            return match self.keyed.try_open(&payload.data) {
                Some(Ok(_)) => {
                    self.usage.worked_on += 1;
                    self.usage.hits += 1;
                    self.usage.note_key(&payload.data);
                    Ok(self.pass(payload))
                }
                Some(Err(_)) => self.begin_seal(index, &payload),
                None => {
                    self.usage.worked_on += 1;
                    self.usage.misses += 1;
                    self.note_missing(&payload);
                    Ok(Step::SealUnlessOpen(payload))
                }
            };
        }
        self.begin_seal(index, &payload)
    }

    fn begin_seal(&mut self, index: usize, payload: &Payload) -> Result<Step, CodecError> {
        let plaintext = payload.to_wire();
        self.usage.worked_on += 1;
        let sealed = self
            .keyed
            .sealing()
            .try_seal_cached(self.keyed.context(), b"", plaintext.expose_secret());
        match sealed {
            Some(Ok(record)) => {
                self.usage.hits += 1;
                self.usage.note_key(&record);
                Counters::add(&self.keyed.counters.sealed, 1);
                Ok(Step::Done(Output::Sealed(record)))
            }
            Some(Err(error)) => Err(CodecError::of_seal(index, error)),
            None => {
                self.usage.misses += 1;
                Ok(Step::Seal(plaintext))
            }
        }
    }

    /// "The first row that fits decides."
    fn begin_decode(&mut self, index: usize, payload: Payload) -> Result<Step, CodecError> {
        let encoding = payload.encoding();
        if payload.claims_to_be_sealed() {
            return self.begin_open(index, payload);
        }
        if encoding.starts_with(ENCODING_FAMILY) {
            return Err(self.refuse(index, PayloadError::UnknownVersion));
        }
        match encoding {
            b"binary/encrypted" => self.begin_foreign(index, payload, None),
            b"temporal-codec" => match json::read_replaced(&payload.data) {
                Ok(inner) if inner.encoding() == b"binary/encrypted" => self.begin_foreign(index, payload, Some(inner)),
                _ => self.undecodable(index, payload),
            },
            _ if self.keyed.on_plaintext == OnPlaintext::Error && !is_in_the_clear(&payload) => {
                Err(self.refuse(index, PayloadError::Plaintext))
            }
            _ => Ok(self.pass(payload)),
        }
    }

    fn begin_open(&mut self, index: usize, payload: Payload) -> Result<Step, CodecError> {
        self.usage.worked_on += 1;
        match self.keyed.try_open(&payload.data) {
            Some(Ok(plaintext)) => {
                self.usage.hits += 1;
                self.usage.note_key(&payload.data);
                let inner = self.inner(index, &plaintext)?;
                Ok(Step::Done(Output::Payload(inner)))
            }
            Some(Err(_)) => Err(self.refuse(index, PayloadError::Refused)),
            None => {
                self.usage.misses += 1;
                self.usage.note_key(&payload.data);
                self.note_missing(&payload);
                Ok(Step::Open(payload))
            }
        }
    }

    /// Something else's payload: `inner` is what `original` carries, where that is another.
    fn begin_foreign(&mut self, index: usize, original: Payload, inner: Option<Payload>) -> Result<Step, CodecError> {
        let sealed = inner.as_ref().unwrap_or(&original);
        if !sealed.metadata.contains_key("encrypted_data_key") {
            return match self.keyed.samples.open(sealed) {
                Some(opened) => {
                    self.usage.worked_on += 1;
                    self.usage.hits += 1;
                    Counters::add(&self.keyed.counters.opened, 1);
                    Ok(Step::Done(Output::Payload(opened)))
                }
                None => self.undecodable(index, original),
            };
        }
        let Some(seal) = ReplacedSeal::of(sealed, |id| self.keyed.scheme_of_replaced(id)) else {
            return self.undecodable(index, original);
        };
        if seal.is_record(&sealed.data) {
            let sealed = Payload::new(ENCODING, sealed.data.clone());
            return self.begin_open(index, sealed);
        }
        self.usage.worked_on += 1;
        self.usage.keys.insert(seal.key.clone());
        if let Some(key) = self.keyed.cached_replaced(&seal) {
            self.usage.hits += 1;
            return match key.open(&sealed.data) {
                Some(data) => Ok(Step::Done(Output::Payload(self.of_replaced(&data)))),
                None => self.undecodable(index, original),
            };
        }
        self.usage.misses += 1;
        self.missing.insert((seal.key.clone(), seal.wrapped.clone()));
        let data = sealed.data.clone();
        Ok(Step::OpenReplaced { original, data, seal })
    }

    /// Asks providers for what is missing, and hands out the payloads: same count, same order.
    ///
    /// # Errors
    /// [`CodecError`]; then nothing is handed out.
    pub async fn finish(self) -> Result<Finished, CodecError> {
        let kept = self.kept_in.map(|(opened, _)| opened.keep(&self.keyed));
        let keyed = kept.unwrap_or(self.keyed);
        let (keyed, mut usage) = (&*keyed, self.usage);
        let outputs: Vec<Output> = if self.steps.iter().all(Step::is_done) {
            self.steps.into_iter().filter_map(Step::done).collect()
        } else {
            let steps = stream::iter(self.steps.into_iter().enumerate());
            let finished = steps.map(|(index, step)| finish_one(keyed, index, step));
            finished.buffered(OPENS_AT_ONCE).try_collect().await?
        };
        if self.encodes {
            // Each was sealed here, or opened here; what stands outside a record is the caller's word and says nothing.
            usage.keys.clear();
            let records = outputs.iter().filter_map(Output::record);
            records.for_each(|record| usage.note_key(record));
            usage.check()?;
        }
        Ok(Finished { outputs, usage })
    }

    fn note_missing(&mut self, sealed: &Payload) {
        if let Ok(record) = Record::parse(&sealed.data) {
            self.missing
                .insert((record.key().to_owned(), record.wrapped_key().to_vec()));
        }
    }

    fn pass(&self, payload: Payload) -> Step {
        Counters::add(&self.keyed.counters.passed, 1);
        Step::Done(Output::Payload(payload))
    }

    fn undecodable(&self, index: usize, original: Payload) -> Result<Step, CodecError> {
        undecodable(&self.keyed, index, original).map(|payload| Step::Done(Output::Payload(payload)))
    }

    fn refuse(&self, index: usize, reason: PayloadError) -> CodecError {
        refuse(&self.keyed, index, reason)
    }

    fn inner(&self, index: usize, plaintext: &SecretBytes) -> Result<Payload, CodecError> {
        inner(&self.keyed, index, plaintext)
    }

    fn of_replaced(&self, data: &[u8]) -> Payload {
        of_replaced(&self.keyed, data)
    }
}

impl Usage {
    /// Adds a record's key.
    fn note_key(&mut self, record: &[u8]) {
        if let Ok(record) = Record::parse(record)
            && !self.keys.contains(record.key())
        {
            self.keys.insert(record.key().to_owned());
        }
    }

    fn check(&self) -> Result<(), CodecError> {
        if self.keys.len() > MAX_KEYS {
            return Err(CodecError::TooManyKeys);
        }
        Ok(())
    }
}

impl Step {
    fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }

    fn done(self) -> Option<Output> {
        match self {
            Self::Done(output) => Some(output),
            _ => None,
        }
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work")
            .field("namespace", self.keyed.namespace())
            .field("usage", &self.usage)
            .finish_non_exhaustive()
    }
}

async fn finish_one(keyed: &Keyed, index: usize, step: Step) -> Result<Output, CodecError> {
    match step {
        Step::Done(output) => Ok(output),
        Step::Seal(plaintext) => seal(keyed, index, &plaintext).await,
        Step::SealUnlessOpen(payload) => match keyed.open(&payload.data).await {
            Ok(_) => {
                Counters::add(&keyed.counters.passed, 1);
                Ok(Output::Payload(payload))
            }
            Err(OpenError::DataKey(error)) if error.is_retryable() => Err(CodecError::KeyUnavailable(error)),
            Err(_) => seal(keyed, index, &payload.to_wire()).await,
        },
        Step::Open(payload) => match keyed.open(&payload.data).await {
            Ok(plaintext) => inner(keyed, index, &plaintext).map(Output::Payload),
            Err(error) => {
                Counters::add(&keyed.counters.refused, 1);
                Err(CodecError::of_open(index, error))
            }
        },
        Step::OpenReplaced { original, data, seal } => match keyed.obtain_replaced(&seal).await {
            Ok(key) => match key.open(&data) {
                Some(data) => Ok(Output::Payload(of_replaced(keyed, &data))),
                None => undecodable(keyed, index, original).map(Output::Payload),
            },
            Err(OpenError::DataKey(error)) if error.is_retryable() => Err(CodecError::KeyUnavailable(error)),
            Err(_) => undecodable(keyed, index, original).map(Output::Payload),
        },
    }
}

async fn seal(keyed: &Keyed, index: usize, plaintext: &SecretBytes) -> Result<Output, CodecError> {
    let sealed = keyed
        .sealing()
        .seal(keyed.context(), b"", plaintext.expose_secret())
        .await;
    keyed.note_sealing(sealed.is_ok());
    let record = sealed.map_err(|error| CodecError::of_seal(index, error))?;
    Counters::add(&keyed.counters.sealed, 1);
    Ok(Output::Sealed(record))
}

/// "a storage reference, and a payload without data and without metadata other than `encoding` "binary/null""
fn is_in_the_clear(payload: &Payload) -> bool {
    let empty = payload.data.is_empty() && payload.external_payloads.is_empty();
    let bare = payload.metadata.is_empty() || (payload.metadata.len() == 1 && payload.encoding() == b"binary/null");
    (empty && bare) || is_storage_reference(payload)
}

fn inner(keyed: &Keyed, index: usize, plaintext: &SecretBytes) -> Result<Payload, CodecError> {
    match Payload::from_wire(plaintext.expose_secret()) {
        Some(payload) => {
            Counters::add(&keyed.counters.opened, 1);
            Ok(payload)
        }
        None => Err(refuse(keyed, index, PayloadError::Refused)),
    }
}

/// "the plaintext is the data of a payload of `encoding` "json/plain""
fn of_replaced(keyed: &Keyed, data: &[u8]) -> Payload {
    Counters::add(&keyed.counters.opened, 1);
    Payload::new("json/plain", data.to_vec())
}

fn undecodable(keyed: &Keyed, index: usize, original: Payload) -> Result<Payload, CodecError> {
    match keyed.on_undecodable {
        OnUndecodable::Error => Err(refuse(keyed, index, PayloadError::Undecodable)),
        OnUndecodable::PassThrough => {
            Counters::add(&keyed.counters.passed, 1);
            Ok(original)
        }
    }
}

fn refuse(keyed: &Keyed, index: usize, reason: PayloadError) -> CodecError {
    Counters::add(&keyed.counters.refused, 1);
    CodecError::payload(index, reason)
}
