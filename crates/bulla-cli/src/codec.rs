//! The Temporal codec server alone: no store, keys of any provider.

mod file;
mod jwks;
mod sink;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bulla_envelope::Settings as CacheSettings;
use bulla_model::SystemClock;
use bulla_server::codec::{
    BoundCodecServer, Codec, CodecConfig, CodecServer, CodecServerConfig, Gate, Origins, TableGate,
};
use bulla_server::{Network, TlsFiles};
use bulla_temporal::{KeyName, NamespaceKeys, Namespaces, PayloadCodec, Unknown};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::{CommandResult, Explained, Outcome};
use crate::node::system_random;
use crate::serve::{announce, explain_server, logging};
use crate::settings::{Environment, Flags, LogFormat, Settings};
use crate::{process, roots};

pub(crate) use file::Table;
use sink::Sink;

/// Runs the Temporal codec server alone until SIGTERM or SIGINT; SIGHUP opens the record again, renews data keys and reads the certificate again.
///
/// KMS_KEY_ALIAS, DATA_KEY_ROTATION_INTERVAL, KMS_CACHE_TTL (seconds) and PORT are read where no flag says otherwise.
#[derive(Debug, Args)]
pub(crate) struct RunCodec {
    /// Key URI for every namespace: aws-kms:///alias/app, local:///path/to/root.key; default: $KMS_KEY_ALIAS
    #[arg(long, value_name = "URI", conflicts_with = "table")]
    key: Option<String>,
    /// Namespaces, their keys, and who may do what (TOML, docs/temporal.md)
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// Address and port; default: 127.0.0.1 and $PORT, else 8081
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Authorities of clients' certificates (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    client_ca: Option<PathBuf>,
    /// Plain HTTP off loopback, because a proxy in front does TLS
    #[arg(long)]
    behind_tls_proxy: bool,
    /// Addresses or ranges of proxies whose X-Forwarded-For is believed, with commas
    #[arg(long, value_name = "NETWORKS")]
    trusted_proxies: Option<String>,
    /// Lets whoever reaches an address off loopback encode and decode, where the table names nobody
    #[arg(long)]
    allow_anybody: bool,
    /// Writes the record of accesses to this file, synced before each answer, instead of stdout
    #[arg(long, value_name = "FILE")]
    access_log: Option<PathBuf>,
    /// Where AWS KMS is; default: $AWS_ENDPOINT_URL, else AWS's own
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Threads that serve requests; default: one per processor
    #[arg(long, value_name = "COUNT")]
    worker_threads: Option<usize>,
    /// Form of the log, on stderr
    #[arg(long, value_enum)]
    log_format: Option<LogFormat>,
}

impl RunCodec {
    pub(crate) fn run(self, environment: &Environment) -> CommandResult {
        let mut flags = Flags::default();
        let format = self.log_format.map(|format| match format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        });
        flags.set("log.format", format);
        let settings = Settings::load(environment, None, &flags)?;
        logging::start(&settings.log)?;
        process::runtime(self.worker_threads)?.block_on(self.serve(environment))?;
        Ok(Outcome::Done)
    }

    async fn serve(self, environment: &Environment) -> Result<(), anyhow::Error> {
        let table = self.table.as_deref().map(Table::read).transpose()?.unwrap_or_default();
        let payload_codec = self.payload_codec(environment, &table).await?;
        let config = table.codec_config()?;
        let record = sink::start(self.access_log.as_deref())?;
        let (gate, open) = self.gate(&table, record.clone())?;
        let server_config = self.server_config(environment, open)?;
        let tls = server_config.tls.is_some();
        let payload_codec = Arc::new(payload_codec);
        let codec = Arc::new(Codec::new(
            Arc::clone(&payload_codec),
            gate,
            CodecConfig {
                open_statistics: open,
                ..config
            },
            system_random(),
        ));
        let server = CodecServer::bind(server_config, codec).await.map_err(explain_server)?;
        let renewing = tokio::spawn(renew_on_hang_up(&server, payload_codec, record)?);
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        announce(server.local_addr(), tls);
        let shutdown = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        server.run(shutdown).await;
        renewing.abort();
        tracing::info!("bulla has stopped");
        Ok(())
    }

    async fn payload_codec(&self, environment: &Environment, table: &Table) -> Result<PayloadCodec, anyhow::Error> {
        let namespaces = if self.table.is_some() {
            table.namespaces(self.endpoint.as_deref(), None).await?
        } else {
            let alias = || {
                environment
                    .get("KMS_KEY_ALIAS")
                    .map(|alias| format!("aws-kms:///{alias}"))
            };
            let uri = self.key.clone().or_else(alias).ok_or_else(|| {
                Explained::misuse("no key is named").hint("give --key or --table, or set KMS_KEY_ALIAS")
            })?;
            let key = roots::open(&uri, self.endpoint.as_deref(), None, &system_random()).await?;
            roots::check_wraps(&key, &uri).await?;
            let keys = NamespaceKeys::new(KeyName {
                provider: key.provider,
                name: key.name,
            });
            Namespaces::new(Vec::new(), Unknown::Use(Box::new(keys)))
        };
        let defaults = PayloadCodec::default_settings();
        let settings = CacheSettings {
            max_age: seconds(environment, "DATA_KEY_ROTATION_INTERVAL")?.unwrap_or(defaults.max_age),
            unwrapped_ttl: seconds(environment, "KMS_CACHE_TTL")?.unwrap_or(defaults.unwrapped_ttl),
            ..defaults
        };
        Ok(PayloadCodec::new(namespaces, settings, system_random()))
    }

    /// The gate, and whether it asks nobody who he is.
    fn gate(&self, table: &Table, record: Sink) -> Result<(Arc<dyn Gate>, bool), anyhow::Error> {
        let sink = Arc::new(record);
        let clock = Arc::new(SystemClock);
        if table.names_somebody() || self.client_ca.is_some() {
            let (tokens, issuers, allow) = (table.tokens()?, table.issuers()?, table.allow()?);
            let source = Arc::new(jwks::HttpSource::new()?);
            let gate = TableGate::new(tokens, issuers, source, allow, sink, clock);
            return Ok((Arc::new(gate), false));
        }
        Ok((Arc::new(TableGate::open(sink, clock)), true))
    }

    fn server_config(&self, environment: &Environment, open: bool) -> Result<CodecServerConfig, anyhow::Error> {
        let listen = match &self.listen {
            Some(listen) => listen.parse().map_err(|_| {
                Explained::misuse(format!("{listen} is not an address and a port"))
                    .hint("write it as in 127.0.0.1:8081 or [::1]:8081")
            })?,
            None => {
                let port = environment.get("PORT").map_or(Ok(8081), str::parse);
                let port = port.map_err(|_| Explained::misuse("the variable PORT is not a port"))?;
                SocketAddr::from((Ipv4Addr::LOCALHOST, port))
            }
        };
        let tls = self.tls_cert.clone().zip(self.tls_key.clone());
        let networks: Vec<Network> = Settings::list("--trusted-proxies", self.trusted_proxies.as_deref())?;
        Ok(CodecServerConfig {
            listen,
            tls: tls.map(|(certificates, key)| TlsFiles {
                certificates,
                key,
                poll: Duration::from_secs(60),
            }),
            client_authority: self.client_ca.clone(),
            behind_tls_proxy: self.behind_tls_proxy,
            anybody: self.allow_anybody,
            open,
            trusted_proxies: networks,
        })
    }
}

/// Opens the record by its name again, renews data keys and reads the certificate again, each time the process is told to.
fn renew_on_hang_up(
    server: &BoundCodecServer,
    codec: Arc<PayloadCodec>,
    record: Sink,
) -> Result<impl Future<Output = ()> + Send + 'static, anyhow::Error> {
    let reload = server.reload_handle();
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        while hang_up.recv().await.is_some() {
            match record.reopen().await {
                Ok(()) => tracing::info!("the record was opened again"),
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(
                        error,
                        "the record can't be opened again: the file that was open is written"
                    );
                }
            }
            match codec.rotate(None).await {
                Ok(renewed) => tracing::info!(renewed, "data keys were renewed"),
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(
                        error,
                        "not all data keys were renewed: the old ones stay until their end"
                    );
                }
            }
            let reload = reload.clone();
            match tokio::task::spawn_blocking(move || reload.reload()).await {
                Ok(Ok(())) => tracing::info!("the certificate was read again"),
                Ok(Err(error)) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(error, "the certificate can't be used: the old one stays");
                }
                Err(_) => tracing::error!("the certificate was not read again"),
            }
        }
    })
}

fn seconds(environment: &Environment, name: &str) -> Result<Option<Duration>, anyhow::Error> {
    let Some(text) = environment.get(name) else {
        return Ok(None);
    };
    let seconds: u32 = text
        .parse()
        .map_err(|_| Explained::misuse(format!("the variable {name} is not a number of seconds")))?;
    Ok(Some(Duration::from_secs(seconds.into())))
}

/// The origins where a table lists none.
const NO_ORIGINS: Origins = Origins::Listed(Vec::new());
