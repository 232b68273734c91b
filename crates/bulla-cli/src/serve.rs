mod codec;
mod dev;
mod issuers;
pub(crate) mod logging;
mod tokens;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bulla_model::{Clock, SystemClock};
use bulla_server::{AuthMode, DevClock, Server, ServerConfig, ServerError, TlsFiles};
use bulla_service::Mode;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::data_dir::DataDir;
use crate::failure::{CommandResult, Explained, Outcome};
use crate::node::{Site, default_region, system_random};
use crate::place::Place;
use crate::process;
use crate::settings::{Environment, LogFormat, ServerSettings, Settings};

/// Runs the service until SIGTERM or SIGINT; SIGHUP reads the certificate again.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// A throw-away service that takes everybody for the administrator; where a data directory is named, it is kept
    #[arg(long)]
    dev: bool,
    #[command(flatten)]
    place: Place,
    /// Address and port; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Plain HTTP off loopback, because a proxy in front does TLS
    #[arg(long)]
    behind_tls_proxy: bool,
    /// Lets --dev listen off loopback, as in a container
    #[arg(long, requires = "dev")]
    dev_allow_remote: bool,
    /// Where tokens are kept: embedded, sqlite:///path/tokens.db, redis://…, rediss://…; default: $REDIS_URL, else with --dev embedded
    #[arg(long, value_name = "URL")]
    token_store: Option<String>,
    /// URI of clients' keys; default: bulla:///alias/tokens-{client}
    #[arg(long, value_name = "URI")]
    token_key: Option<String>,
    /// Keys of single clients, and how tokens are fetched (TOML, docs/tokens.md)
    #[arg(long, value_name = "FILE")]
    token_table: Option<PathBuf>,
    /// Threads that serve requests; default: one per processor
    #[arg(long, value_name = "COUNT")]
    worker_threads: Option<u32>,
    /// Form of the log, on stderr
    #[arg(long, value_enum)]
    log_format: Option<LogFormat>,
}

impl Serve {
    pub(crate) fn run(self, environment: &Environment) -> CommandResult {
        let named = Settings::name_a_data_dir(environment, self.place.config.as_deref(), &self.place.flags()?)?;
        let throw_away = (self.dev && !named).then(dev::throw_away_dir).transpose()?;
        let mut settings = self.settings(environment, throw_away.as_ref().map(tempfile::TempDir::path))?;
        if let Some(path) = settings.store.data_dir.take() {
            settings.store.data_dir = Some(std::path::absolute(path)?);
        }
        logging::start(&settings.log)?;
        let served = process::runtime(settings.server.worker_threads)?.block_on(async {
            if self.dev {
                dev::prepare(settings.data_dir()?.to_owned(), &settings).await?;
            }
            serve(&settings, environment, self.dev).await
        });
        if let Some(dir) = throw_away {
            dir.close().context("removing the temporary directory")?;
        }
        served.map(|()| Outcome::Done)
    }

    fn settings(
        &self,
        environment: &Environment,
        throw_away: Option<&std::path::Path>,
    ) -> Result<Settings, anyhow::Error> {
        let mut flags = self.place.flags()?;
        flags.set_path("store.data_dir", throw_away)?;
        flags.set("server.listen", self.listen.clone());
        flags.set_path("server.tls_cert", self.tls_cert.as_deref())?;
        flags.set_path("server.tls_key", self.tls_key.as_deref())?;
        flags.set_switch("server.behind_tls_proxy", self.behind_tls_proxy);
        flags.set_switch("server.dev_allow_remote", self.dev_allow_remote);
        flags.set("server.worker_threads", self.worker_threads.map(i64::from));
        flags.set("tokens.store", self.token_store.clone());
        flags.set("tokens.key", self.token_key.clone());
        flags.set_path("tokens.table", self.token_table.as_deref())?;
        let format = self.log_format.map(|format| match format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        });
        flags.set("log.format", format);
        Settings::load(environment, self.place.config.as_deref(), &flags)
    }
}

async fn serve(settings: &Settings, environment: &Environment, dev: bool) -> Result<(), anyhow::Error> {
    let mode = if dev { Mode::Development } else { Mode::Production };
    let site = Site::find(settings)?;
    if let Some(dir) = &site.dir {
        dir.require(mode)?;
    }
    let site = Site { mode, ..site };
    // The address first: who may not listen learns it before anything is opened.
    let mut config = server_config(&settings.server, settings.listen(), mode)?;
    let clock: Arc<dyn Clock> = if dev {
        let clock = Arc::new(DevClock::new(Arc::new(SystemClock)));
        config.dev_clock = Some(clock.clone());
        clock
    } else {
        Arc::new(SystemClock)
    };
    let tls = config.tls.is_some();
    let mut service_settings = bulla_service::Settings::new(mode);
    service_settings.regions = config.regions.clone();
    service_settings.oidc = issuers::issuers(&settings.oidc)?;
    let (service, store) = site.service_with(settings, service_settings, clock.clone()).await?;
    // A service that can record nothing could do nothing.
    if let Err(error) = service.ready().await {
        service.shutdown().await;
        return Err(anyhow::Error::new(error).context(
            Explained::new("the database can't be written")
                .hint("see the cause: permissions of the file and of those beside it, the disk, or another process that holds it locked"),
        ));
    }
    let codec = codec::mount(&service, settings.codec.table.as_deref(), dev).await;
    let codec = match codec {
        Ok(codec) => codec,
        Err(error) => {
            service.shutdown().await;
            return Err(error);
        }
    };
    let directory = site.dir.as_ref().map(DataDir::path);
    let region = config.regions.first().cloned().map_or_else(default_region, Ok)?;
    let mounted = tokens::mount(
        &service,
        &settings.tokens,
        environment,
        directory,
        region,
        clock.clone(),
        dev,
    );
    config.tokens = match mounted.await {
        Ok(tokens) => tokens,
        Err(error) => {
            service.shutdown().await;
            return Err(error);
        }
    };
    let payload_codec = codec.as_ref().map(|codec| Arc::clone(codec.payload_codec()));
    config.codec = codec;
    let server = Server::bind(config, service.clone(), clock, system_random()).await;
    let server = match server {
        Ok(server) => server,
        Err(error) => {
            service.shutdown().await;
            return Err(explain_server(error));
        }
    };
    let reload = server.reload_handle();
    let mut hang_up = signal(SignalKind::hangup())?;
    let reloading = tokio::spawn(async move {
        while hang_up.recv().await.is_some() {
            if let Some(codec) = &payload_codec
                && let Err(error) = codec.rotate(None).await
            {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "not all data keys of the codec were renewed");
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
    });
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    announce(server.local_addr(), tls);
    server
        .run(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await;
    reloading.abort();
    service.shutdown().await;
    // Leaves one whole file behind, where the database is one.
    store.close().await;
    tracing::info!("bulla has stopped");
    Ok(())
}

/// The line that scripts and tests wait for.
pub(crate) fn announce(address: SocketAddr, tls: bool) {
    let scheme = if tls { "https" } else { "http" };
    tracing::info!(target: logging::ANNOUNCEMENT, "bulla is listening on {scheme}://{address}");
}

/// Turns settings into what the server takes.
///
/// # Errors
/// One of them can't be read, or certificate and key are not both set.
pub(crate) fn server_config(
    settings: &ServerSettings,
    listen: &str,
    mode: Mode,
) -> Result<ServerConfig, anyhow::Error> {
    let listen: SocketAddr = listen.parse().map_err(|_| {
        Explained::misuse(format!("{listen} is not an address and a port"))
            .hint("write it as in 127.0.0.1:4599 or [::1]:4599")
    })?;
    let mut config = ServerConfig::new(listen);
    config.auth = match mode {
        Mode::Production => AuthMode::SignatureV4,
        Mode::Development => AuthMode::Dev,
    };
    config.tls = match (&settings.tls_cert, &settings.tls_key) {
        (Some(certificates), Some(key)) => Some(TlsFiles {
            certificates: certificates.clone(),
            key: key.clone(),
            poll: Duration::from_secs(60),
        }),
        (None, None) => None,
        _ => return Err(Explained::misuse("server.tls_cert and server.tls_key are set together or not at all").into()),
    };
    config.regions = Settings::list("server.regions", settings.regions.as_deref())?;
    config.trusted_proxies = Settings::list("server.trusted_proxies", settings.trusted_proxies.as_deref())?;
    if let Some(most) = settings.connections_per_client {
        config.limits.connections_per_client = most;
    }
    config.dev_hosts = Settings::list("server.dev_hosts", settings.dev_hosts.as_deref())?;
    config.behind_tls_proxy = settings.behind_tls_proxy;
    config.allow_remote_dev = settings.dev_allow_remote;
    Ok(config)
}

/// Says what to do about a server that does not come up.
pub(crate) fn explain_server(error: ServerError) -> anyhow::Error {
    let hint = match &error {
        ServerError::PlainHttpOffLoopback(_) => "give --tls-cert and --tls-key, or --behind-tls-proxy",
        ServerError::OpenCodecOffLoopback(_) => {
            "name tokens, issuers or a client authority, or say --allow-anybody where nobody else reaches it"
        }
        ServerError::DevOffLoopback(_) => "listen on 127.0.0.1, or say --dev-allow-remote where nobody else reaches it",
        ServerError::Listen { .. } => "another process may be listening there: choose another port with --listen",
        ServerError::Tls(_) => "give the chain and its private key as PEM files",
    };
    anyhow::Error::new(error).context(Explained::new("the server can't listen").hint(hint))
}
