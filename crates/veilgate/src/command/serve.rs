//! `veilgate serve`: the gateway itself, from its start to its drained end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use audit::{Durability, Event, Log};
use gate::Gate;
use pg_proxy::startup::Acceptor;
use pg_proxy::upstream::{self, UpstreamConfig};
use pg_proxy::{Limits, Pool, PoolLimits, Proxy};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::admin::Admin;
use crate::config::{self, Config, ListenerTls, Store};
use crate::error::Error;
use crate::health::{Endpoint, Health};
use crate::reload::{self, Reloader};
use crate::{gateway, keys, tls};

/// Serve clients
///
/// Everything is checked before the first of them is: the configuration, the policy, the callers, the record. A store
/// that cannot be reached yet is tried again; until then its clients are told so. SIGTERM and SIGINT let transactions
/// end and stop; SIGHUP reloads policy and callers.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  veilgate serve --config veilgate.yaml\n  \
    VEILGATE_LISTENERS_POSTGRES_ADDRESS=0.0.0.0:6432 veilgate serve\n\n\
    Then: psql 'host=127.0.0.1 port=6432 dbname=STORE user=CALLER sslmode=require'")]
pub(crate) struct Serve {}

impl Serve {
    pub(crate) async fn run(&self, config_file: &Path) -> Result<(), Error> {
        let config = config::load(config_file)?;
        let policy = gateway::policy(&config.policy)?;
        let hash_keys = keys::for_policy(&config, &policy)?;
        let callers = gateway::callers(&config)?;
        let stores = upstreams(&config)?;
        let acceptor = acceptor(&config)?;
        let log =
            Log::open(&config.audit, Durability::Os).map_err(|error| Error::Message(error.to_string()))?;

        let gate = gate(&config, policy, log.clone()).with_identities(gateway::identities(&callers));
        let gate = Arc::new(gate.with_hash_keys(hash_keys));
        let pools = stores.iter().map(|(store, upstream)| pool(store, upstream));
        let logins = gateway::logins(&callers)?;
        let proxy = Arc::new(Proxy::new(Arc::clone(&gate), logins, pools, acceptor, limits(&config)));

        // Before clients can come.
        let endpoint = match config.admin_address {
            Some(address) => Some(Endpoint::bind(address).await?),
            None => None,
        };
        let address = config.postgres.address;
        let listener = TcpListener::bind(address).await;
        let listener =
            listener.map_err(|error| Error::Message(format!("cannot listen on {address}: {error}")))?;
        let admin = Admin::bind(&config.admin_socket)?;
        let started = Event::Started { version: env!("CARGO_PKG_VERSION"), policy: &gate.revision() };
        if let Err(error) = log.write(&started) {
            tracing::error!(%error, "every request is refused until it can be recorded");
        }

        let reloader = Arc::new(Reloader::new(config_file.to_owned(), Arc::clone(&proxy)));
        let shutdown = until_stopped(Arc::clone(&reloader))?;
        let reloads = reloader.done();
        let named = stores.iter().map(|(store, upstream)| (store.name.clone(), upstream.clone()));
        let health = Arc::new(Health::new(Arc::clone(&gate), named.collect(), shutdown.clone()));
        let commands = tokio::spawn(admin.serve(reloader, Arc::clone(&health)));
        let endpoint = endpoint.map(|endpoint| tokio::spawn(endpoint.serve(health)));
        watch_catalogs(&gate, stores, &reloads).await;
        tracing::info!(%address, policy = %gate.revision(), callers = callers.len(), "serving");
        pg_proxy::serve(listener, proxy, shutdown).await;

        if let Some(endpoint) = endpoint {
            endpoint.abort();
        }
        commands.abort();
        // Its socket goes with it.
        let _ = commands.await;
        let stopped = log.write(&Event::Stopped).and_then(|_| log.sync());
        stopped.map_err(|error| Error::Message(error.to_string()))?;
        tracing::info!("stopped");
        Ok(())
    }
}

fn gate(config: &Config, policy: policy::Policy, log: Log) -> Gate {
    let limits = sql::Limits {
        statement_bytes_max: config.limits.statement_bytes_max,
        nesting_max: config.limits.nesting_max,
    };
    // Catalogues come as their stores answer; what a policy has to say about them is said then.
    Gate::new(policy, Vec::new(), log, limits).0
}

fn upstreams(config: &Config) -> Result<Vec<(&Store, UpstreamConfig)>, Error> {
    config.stores.iter().map(|store| Ok((store, gateway::upstream(store)?))).collect()
}

fn acceptor(config: &Config) -> Result<Acceptor, Error> {
    Ok(Acceptor {
        tls: tls::server(&config.postgres)?,
        tls_required: config.postgres.tls == ListenerTls::Require,
        startup_ms_max: config.limits.login_ms_max,
        message_bytes_max: config.limits.message_bytes_max,
    })
}

fn limits(config: &Config) -> Limits {
    Limits {
        connections_max: config.limits.connections_max,
        idle_ms_max: config.limits.idle_ms_max,
        transaction_idle_ms_max: config.limits.transaction_idle_ms_max,
        drain_ms_max: config.limits.drain_ms_max,
        statements_max: config.limits.statements_max,
    }
}

fn pool(store: &Store, upstream: &UpstreamConfig) -> Pool {
    let limits = PoolLimits {
        pool_size_max: store.pool.connections_max,
        pool_wait_ms_max: store.pool.wait_ms_max,
        connection_age_ms_max: store.pool.age_ms_max,
        statements_max: store.pool.statements_max,
    };
    Pool::new(store.name.as_str(), upstream.clone(), limits)
}

/// Turns true at the first SIGTERM or SIGINT. A SIGHUP reloads until then.
fn until_stopped(reloader: Arc<Reloader>) -> Result<watch::Receiver<bool>, Error> {
    let on =
        |kind| signal(kind).map_err(|error| Error::Message(format!("cannot watch for signals: {error}")));
    let (mut terminate, mut interrupt) = (on(SignalKind::terminate())?, on(SignalKind::interrupt())?);
    let mut hangup = on(SignalKind::hangup())?;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => {
                    let reloader = Arc::clone(&reloader);
                    // What came of it is in the log and in the record.
                    let _ = tokio::task::spawn_blocking(move || reloader.reload()).await;
                }
            }
        }
        tracing::info!("stopping once transactions have ended");
        let _ = stop.send(true);
    });
    Ok(stopped)
}

/// Looks at all catalogues once, so that the first client finds what is there, then again and again, and after a reload.
async fn watch_catalogs(
    gate: &Arc<Gate>,
    stores: Vec<(&Store, UpstreamConfig)>,
    reloads: &watch::Receiver<()>,
) {
    let mut first = JoinSet::new();
    for (store, upstream) in stores {
        let refresh = Duration::from_millis(store.catalog_refresh_ms);
        let mut reloads = reloads.clone();
        let mut watch = Watch { gate: Arc::clone(gate), name: store.name.clone(), upstream, known: None };
        first.spawn(async move {
            watch.look().await;
            tokio::spawn(async move {
                loop {
                    tokio::select! {
                        () = tokio::time::sleep(refresh) => {}
                        Ok(()) = reloads.changed() => {}
                    }
                    watch.look().await;
                }
            });
        });
    }
    while first.join_next().await.is_some() {}
}

/// A store whose catalogue is watched.
struct Watch {
    gate: Arc<Gate>,
    name: String,
    upstream: UpstreamConfig,
    /// The fingerprint of the catalogue that is decided over.
    known: Option<String>,
}

impl Watch {
    /// Loads the catalogue where it has changed, or was never had.
    async fn look(&mut self) {
        let fingerprint = match changed(&self.upstream, self.known.as_deref()).await {
            Ok(None) => return,
            Ok(Some(fingerprint)) => fingerprint,
            Err(error) => {
                tracing::warn!(store = self.name, %error, "cannot look at the catalogue");
                return;
            }
        };
        match gateway::catalog(&self.name, &self.upstream).await {
            Ok(catalog) => {
                if let Some(reason) = &catalog.added.untrusted {
                    tracing::error!(store = self.name, "{reason}: nothing is read from this store");
                }
                let relations = catalog.relations.len();
                reload::warn(&self.gate.refresh(catalog));
                // From here on requests are decided over it.
                tracing::info!(store = self.name, relations, fingerprint, "catalogue loaded");
                self.known = Some(fingerprint);
            }
            Err(error) => tracing::warn!("{error}"),
        }
    }
}

/// The fingerprint of the catalogue where it is another than the one that is known. It is taken before the catalogue is
/// read, so that a change in between is seen the next time.
async fn changed(
    upstream: &UpstreamConfig,
    known: Option<&str>,
) -> Result<Option<String>, Box<dyn std::error::Error + Send + Sync>> {
    let mut connection = upstream::connect(upstream).await?;
    let fingerprint = pg_proxy::catalog::fingerprint(&mut connection).await;
    connection.close().await;
    let fingerprint = fingerprint?;
    Ok((known != Some(fingerprint.as_str())).then_some(fingerprint))
}
