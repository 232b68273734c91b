use bulla_crypto::record::{self, MAX_RECORD_BYTES, TEXT_PREFIX};
use bulla_envelope::OpenError;
use clap::Args;

use crate::failure::{CommandResult, Explained, Outcome};
use crate::process;
use crate::sealing::Sealing;
use crate::settings::{Environment, Flags, Settings};

/// Opens a sealed value in any of its forms.
#[derive(Debug, Args)]
pub(crate) struct Open {
    #[command(flatten)]
    sealing: Sealing,
    /// Further keys whose values are opened, as resolved, with * for parts; default: the keys of the same account
    #[arg(long, value_name = "KEY")]
    accept: Vec<String>,
}

impl Open {
    pub(crate) fn run(self, environment: &Environment) -> CommandResult {
        let settings = Settings::load(environment, None, &Flags::default())?;
        let context = self.sealing.context()?;
        process::runtime(Some(1))?.block_on(async {
            let sealer = self.sealing.sealer(&settings, &self.accept).await?;
            // Text and JSON are longer than the record by a third, JSON by its names besides.
            let input = self.sealing.read(MAX_RECORD_BYTES / 2 * 3)?;
            let record = unwrap_form(&input)?;
            let opened = sealer
                .open(&record, &context, self.sealing.binding())
                .await
                .map_err(explain)?;
            self.sealing.write(opened.expose_secret())?;
            Ok(Outcome::Done)
        })
    }
}

/// Finds out which form the value has: a record begins with a byte that neither text nor JSON begins with.
fn unwrap_form(input: &[u8]) -> Result<Vec<u8>, anyhow::Error> {
    let not_sealed =
        || Explained::new("that is no sealed value").hint("give what bulla seal wrote, whole and unchanged");
    let text = || std::str::from_utf8(input).map(str::trim).map_err(|_| not_sealed());
    let explained = |error| anyhow::Error::new(error).context(not_sealed());
    match input.trim_ascii_start().first() {
        Some(b'{') => record::from_json(text()?).map_err(explained),
        Some(_) if input.trim_ascii_start().starts_with(TEXT_PREFIX.as_bytes()) => {
            record::from_text(text()?).map_err(explained)
        }
        _ => Ok(input.to_vec()),
    }
}

fn explain(error: OpenError) -> anyhow::Error {
    let explained = match &error {
        OpenError::Format(_) => {
            Explained::new("that is no sealed value").hint("give what bulla seal wrote, whole and unchanged")
        }
        OpenError::KeyNotAccepted { .. } => Explained::new("the value was sealed under another key")
            .hint("if that key is trusted, name it with --accept"),
        OpenError::Refused => Explained::new("the value does not open")
            .hint("give the same --context and --binding that it was sealed with"),
        _ => Explained::new("the value was not opened"),
    };
    anyhow::Error::new(error).context(explained)
}
