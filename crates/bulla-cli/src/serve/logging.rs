use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;

use crate::failure::Explained;
use crate::settings::{LogFormat, LogSettings};

/// The target of the line that says where the server listens, which no filter hides: who starts a server waits for it.
pub(crate) const ANNOUNCEMENT: &str = "bulla";

/// Starts logging to stderr.
///
/// # Errors
/// The filter can't be read.
pub(crate) fn start(settings: &LogSettings) -> Result<(), anyhow::Error> {
    let filter = settings.filter.as_deref().unwrap_or("info");
    let filter: EnvFilter = filter.parse().map_err(|error| {
        anyhow::Error::new(error)
            .context(Explained::misuse("the log filter can't be read").hint("write it as in info,bulla_service=debug"))
    })?;
    let announcement: Directive = format!("{ANNOUNCEMENT}=info").parse()?;
    let filter = filter.add_directive(announcement);
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    match settings.format.unwrap_or_default() {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}
