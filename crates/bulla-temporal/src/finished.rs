use bulla_crypto::record::Record;

use crate::json::{self, Shape, WriteError};
use crate::{ENCODING, Payload, Usage};

/// What came of a request.
#[derive(Debug)]
pub struct Finished {
    pub(crate) outputs: Vec<Output>,
    /// What it took. The keys are those that sealed and opened, and no others.
    pub usage: Usage,
}

/// One payload of the answer.
pub(crate) enum Output {
    Payload(Payload),
    /// A record, which is all that a payload which was sealed here is made of.
    Sealed(Vec<u8>),
}

impl Finished {
    /// Gives the payloads: same count, same order.
    #[must_use]
    pub fn into_payloads(self) -> Vec<Payload> {
        self.outputs.into_iter().map(Output::into_payload).collect()
    }

    /// Writes the payloads as the answer's body, as [`json::write`] does.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn write(&self, shape: Shape) -> Result<Vec<u8>, WriteError> {
        json::write_outputs(shape, &self.outputs)
    }
}

impl Output {
    /// The record, where this is a sealed payload.
    pub(crate) fn record(&self) -> Option<&[u8]> {
        match self {
            Self::Sealed(record) => Some(record),
            Self::Payload(payload) => payload.claims_to_be_sealed().then_some(&payload.data),
        }
    }

    /// "`bulla-format`, "record-1"; `bulla-key-id`, the record's key. For people."
    fn into_payload(self) -> Payload {
        match self {
            Self::Payload(payload) => payload,
            Self::Sealed(record) => {
                let mut payload = Payload::new(ENCODING, Vec::new());
                if let Ok(record) = Record::parse(&record) {
                    let names = [("bulla-format", FORMAT), ("bulla-key-id", record.key())];
                    let entries = names.map(|(name, value)| (name.to_owned(), value.into()));
                    payload.metadata.extend(entries);
                }
                payload.data = record;
                payload
            }
        }
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Payload(payload) => payload.fmt(f),
            Self::Sealed(record) => write!(f, "Sealed({} bytes)", record.len()),
        }
    }
}

/// The value of `bulla-format`: the record's version.
const FORMAT: &str = "record-1";
