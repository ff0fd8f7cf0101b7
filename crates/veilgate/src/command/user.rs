//! `veilgate user`: who may connect, and as what the policy knows them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use access::Identity;
use pg_proxy::scram::Verifier;

use crate::callers_file::{self, CallersFile};
use crate::config::{self, CallerEntry, CallersFrom, Config};
use crate::error::{Error, count};
use crate::{gateway, output, password, yaml};

/// Add, list and remove those who may connect
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veilgate user add alice --purpose support --attribute roles=support\n  \
    veilgate user list\n  veilgate user remove alice && veilgate reload"
)]
pub(crate) struct User {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Add(Add),
    List(List),
    Remove(Remove),
}

/// Add somebody who may connect
///
/// The password is asked for twice at a terminal, otherwise it is one line of standard input. What is kept of it is a
/// SCRAM-SHA-256 verifier, which proves it without holding it.
///
/// Attributes are those that the policy's `caller` block declares, and rules speak of: `caller.roles`, `caller.region`.
/// Purposes are what this caller may choose from when it connects; of several, it has to choose one. Whom the policy would
/// not let log in is not added.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    veilgate user add alice --purpose support --attribute roles=support --attribute region=EU\n  \
    veilgate user add trainer --purpose training --attribute model=model-x < password.txt\n  \
    veilgate user add bob --attribute roles=analyst --attribute roles=hr      a set of two\n\n\
    Then: veilgate reload, and\n  \
    psql 'host=127.0.0.1 port=6432 dbname=STORE user=alice sslmode=require options=-cveilgate.purpose=support'")]
struct Add {
    /// What the caller gives as its user
    name: String,

    /// A purpose that the caller may choose; may be given several times
    #[arg(long = "purpose", value_name = "PURPOSE")]
    purposes: Vec<String>,

    /// An attribute; given several times for a set
    #[arg(long = "attribute", value_name = "NAME=VALUE")]
    attributes: Vec<String>,
}

/// List those who may connect, with their purposes and attributes
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  veilgate user list")]
struct List {}

/// Remove somebody
///
/// A running gateway takes it with a reload: from then on every statement of this caller is refused, in open sessions too.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  veilgate user remove alice && veilgate reload")]
struct Remove {
    /// The caller
    name: String,
}

impl User {
    pub(crate) fn run(&self, config_file: &Path) -> Result<(), Error> {
        let config = config::load(config_file)?;
        match &self.what {
            What::Add(add) => add.run(&config),
            What::List(List {}) => list(&config),
            What::Remove(remove) => remove.run(&config),
        }
    }
}

impl Add {
    fn run(&self, config: &Config) -> Result<(), Error> {
        let name = &self.name;
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(Error::Message("the name of a caller is a text without control characters".into()));
        }
        if gateway::callers(config)?.contains_key(name.as_str()) {
            return Err(Error::Message(format!(
                "there is a caller `{name}` already: `veilgate user remove` it first"
            )));
        }
        let identity = Arc::new(self.identity(config)?);
        let path = file(config);
        let verifier = password::verifier()?;
        let verifier = Verifier::parse(&verifier).map_err(|error| Error::Message(error.to_string()))?;
        let entry = CallerEntry { verifier, identity };
        let Ok(path) = path else {
            output::line(callers_file::entry(name, &entry, "  ").trim_end());
            output::note(
                "the callers stand in the configuration, which no command changes: put this below `callers:`",
            );
            return Err(Error::Problems);
        };
        let file = CallersFile::open(&path)?;
        // It may have come since.
        if file.callers.contains_key(name.as_str()) {
            return Err(Error::Message(format!("there is a caller `{name}` already")));
        }
        file.add(name, &entry)?;
        output::line(format_args!(
            "{}: `{name}` added; `veilgate reload` makes a running gateway take it",
            path.display()
        ));
        Ok(())
    }

    /// Who this will be, as the policy types it, with each of the purposes.
    fn identity(&self, config: &Config) -> Result<Identity, Error> {
        let policy = gateway::policy(&config.policy)?;
        let mut attributes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for given in &self.attributes {
            let Some((name, value)) = given.split_once('=') else {
                return Err(Error::Message(format!(
                    "`{given}` is no attribute: write --attribute NAME=VALUE"
                )));
            };
            if name == "purpose" || name == "id" {
                let with = if name == "id" { "the name itself" } else { "--purpose" };
                return Err(Error::Message(format!("`{name}` is said with {with}")));
            }
            if !policy.attributes().any(|known| known == name) {
                let near = policy::did_you_mean(name, policy.attributes());
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                return Err(Error::Message(format!(
                    "the policy's `caller` block declares no attribute `{}`{near}",
                    yaml::comment(name)
                )));
            }
            attributes.entry(name.to_owned()).or_default().push(value.to_owned());
        }
        let identity =
            Identity { id: self.name.as_str().into(), attributes, purposes: self.purposes.clone() };
        match gateway::cannot_log_in(&policy, &identity).first() {
            None => Ok(identity),
            Some((_, refusal)) => Err(Error::Message(refusal.to_string())),
        }
    }
}

impl Remove {
    fn run(&self, config: &Config) -> Result<(), Error> {
        let Ok(path) = file(config) else {
            return Err(Error::Message(
                "the callers stand in the configuration, which no command changes: take the entry out there"
                    .into(),
            ));
        };
        let file = CallersFile::open(&path)?;
        let name = &self.name;
        if !file.callers.contains_key(name.as_str()) {
            let near = policy::did_you_mean(name, file.callers.keys().map(|known| &**known));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(Error::Message(format!("there is no caller `{}`{near}", yaml::comment(name))));
        }
        file.remove(name)?;
        output::line(format_args!(
            "{}: `{name}` removed; `veilgate reload` makes a running gateway take it",
            path.display()
        ));
        Ok(())
    }
}

/// The file of the callers, where they have one of their own.
fn file(config: &Config) -> Result<PathBuf, ()> {
    match &config.callers {
        CallersFrom::File(path) => Ok(path.clone()),
        CallersFrom::Here(_) => Err(()),
    }
}

fn list(config: &Config) -> Result<(), Error> {
    let callers = gateway::callers(config)?;
    for (name, entry) in &callers {
        let Identity { id: _, attributes, purposes } = &*entry.identity;
        let mut parts = Vec::new();
        if !purposes.is_empty() {
            parts.push(format!("purposes {}", purposes.join(", ")));
        }
        parts.extend(attributes.iter().map(|(name, values)| format!("{name} {}", values.join(", "))));
        output::line(format_args!("{:<20} {}", yaml::comment(name), yaml::comment(&parts.join("; "))));
    }
    output::note(count(callers.len(), "caller"));
    Ok(())
}
