use bulla_crypto::record::{self, MAX_RECORD_BYTES, Record};
use bulla_envelope::SealError;
use clap::{Args, ValueEnum};

use crate::failure::{CommandResult, Explained, Outcome};
use crate::process;
use crate::sealing::Sealing;
use crate::settings::{Environment, Flags, Settings};

/// Seals a value from stdin or a file, at most 64 MiB with what the record adds.
#[derive(Debug, Args)]
pub(crate) struct Seal {
    #[command(flatten)]
    sealing: Sealing,
    /// Form of the sealed value
    #[arg(long, value_enum, default_value_t)]
    format: RecordFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum RecordFormat {
    /// One line: bulla.1.<base64url>
    #[default]
    Text,
    /// The record's bytes
    Binary,
    /// A JSON object
    Json,
}

impl Seal {
    pub(crate) fn run(self, environment: &Environment) -> CommandResult {
        let settings = Settings::load(environment, None, &Flags::default())?;
        let context = self.sealing.context()?;
        process::runtime(Some(1))?.block_on(async {
            let sealer = self.sealing.sealer(&settings, &[]).await?;
            let plaintext = self.sealing.read(MAX_RECORD_BYTES)?;
            let sealed = sealer
                .seal(&context, self.sealing.binding(), &plaintext)
                .await
                .map_err(explain)?;
            let bytes = match self.format {
                RecordFormat::Binary => sealed,
                RecordFormat::Text => format!("{}\n", record::to_text(&sealed)).into_bytes(),
                RecordFormat::Json => format!("{}\n", record::to_json(&Record::parse(&sealed)?)).into_bytes(),
            };
            self.sealing.write(&bytes)?;
            Ok(Outcome::Done)
        })
    }
}

fn explain(error: SealError) -> anyhow::Error {
    let explained = match &error {
        SealError::TooLong { .. } => Explained::new("the value is longer than one record holds")
            .hint("a record has at most 64 MiB; split the file"),
        _ => Explained::new("the value was not sealed"),
    };
    anyhow::Error::new(error).context(explained)
}
