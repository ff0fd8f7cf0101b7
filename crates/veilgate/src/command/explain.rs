//! `veilgate explain`: what a caller's statement would become, and why. Nothing is run.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use access::{Identity, Refusal};
use audit::Log;
use gate::{Explained, Gate, SqlSession};

use crate::config::{self, Config, Store};
use crate::error::Error;
use crate::{gateway, keys, output};

/// Explain what a statement of a caller would become, and why
///
/// Prints the rules that apply and those that do not, the rows and the masks of each relation, and the SQL that would be
/// sent. The statement is not run; the store is asked for its catalogue only.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  veilgate explain --as alice 'select id, ssn from customers'\n  \
    veilgate explain --as agent --purpose training 'select count(*) from customers'")]
pub(crate) struct Explain {
    /// The caller, as the configuration names them
    #[arg(long = "as", value_name = "CALLER")]
    caller: String,

    /// The purpose, where the caller may choose from several
    #[arg(long)]
    purpose: Option<String>,

    /// The store, where there are several
    #[arg(long)]
    store: Option<String>,

    /// The address that the caller comes from
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    ip: IpAddr,

    /// The statement, or several with semicolons
    sql: String,
}

impl Explain {
    pub(crate) async fn run(&self, config_file: &Path) -> Result<(), Error> {
        let config = config::load(config_file)?;
        let policy = gateway::policy(&config.policy)?;
        let hash_keys = keys::for_policy(&config, &policy)?;
        let identity = self.identity(&config)?;
        let store = store(&config, self.store.as_deref())?;
        let catalog = gateway::trusted(gateway::catalog(&store.name, &gateway::upstream(store)?).await?)?;
        let (gate, diagnostics) = Gate::new(policy, vec![catalog], Log::memory(), sql::Limits::default());
        let gate = gate.with_hash_keys(hash_keys);
        for diagnostic in diagnostics {
            output::line(format_args!("{diagnostic}\n"));
        }
        let session = SqlSession::new(0, store.name.as_str().into(), identity, self.purpose.clone(), self.ip);
        let explained = gate.explain_sql(&session, &self.sql).map_err(|refusal| refused(&refusal))?;
        let mut refusals = 0;
        for statement in &explained {
            refusals += usize::from(statement.sent.is_err());
            print(statement);
        }
        if refusals == 0 { Ok(()) } else { Err(Error::Problems) }
    }

    fn identity(&self, config: &Config) -> Result<Arc<Identity>, Error> {
        let callers = gateway::callers(config)?;
        let names = || callers.keys().map(|name| &**name);
        match callers.get(self.caller.as_str()) {
            Some(entry) => Ok(Arc::clone(&entry.identity)),
            None => Err(unknown("caller", &self.caller, names())),
        }
    }
}

/// The store of this name, or the only one.
pub(crate) fn store<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a Store, Error> {
    let names = || config.stores.iter().map(|store| store.name.as_str());
    match (name, &config.stores[..]) {
        (None, [only]) => Ok(only),
        (None, _) => {
            let names = names().collect::<Vec<_>>().join(", ");
            Err(Error::Message(format!("there are several stores: choose one of {names} with --store")))
        }
        (Some(name), stores) => {
            stores.iter().find(|store| store.name == name).ok_or_else(|| unknown("store", name, names()))
        }
    }
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let near = policy::did_you_mean(name, known);
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Error::Message(format!("there is no {what} `{name}`{hint}"))
}

fn print(statement: &Explained) {
    let Explained { asked, explanation, sent } = statement;
    output::line(format_args!("-- asked\n{asked}\n"));
    if let Some(explanation) = explanation {
        output::line(format_args!("{}\n", explanation.to_string().trim_end()));
    }
    match sent {
        Ok(sent) => output::line(format_args!("-- sent\n{sent}\n")),
        Err(refusal) => output::line(format_args!("-- refused\n{}\n", text(refusal))),
    }
}

fn refused(refusal: &Refusal) -> Error {
    Error::Message(format!("refused: {}", text(refusal)))
}

/// The message, and what to do about it.
fn text(refusal: &Refusal) -> String {
    let hint = refusal.hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    let rule = refusal.rule.as_ref().map(|rule| format!("\nrule: {rule}")).unwrap_or_default();
    format!("{}{rule}{hint}", refusal.message)
}
