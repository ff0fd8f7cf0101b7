//! `veilgate init`: a first configuration from a live database, which grants nothing and shows nothing.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use access::Catalog;
use pg_proxy::scram::make_verifier;
use pg_proxy::survey::{self, Ground};
use pg_proxy::upstream::{Password, UpstreamConfig};
use zeroize::Zeroizing;

use crate::config::StoreTls;
use crate::draft::files::{self, File};
use crate::draft::login::Login;
use crate::draft::policy::Governed;
use crate::draft::source::Source;
use crate::error::{Error, count};
use crate::{config, keys, output, password, tls, yaml};

/// Write a first configuration and policy from a live database
///
/// Every table and field is named, every field is hidden, and nothing is granted: whoever connects sees nothing until you
/// say so. The database is only read. Nothing is written over.
///
/// Standard output is the SQL that makes the gateway's own login, with no more rights than it needs. Look at it, then run
/// it as the owner of the database. All else is said on standard error.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    veilgate init --from postgres://postgres@127.0.0.1/crm > login.sql\n  \
    psql postgres://postgres@127.0.0.1/crm -f login.sql\n  \
    veilgate check\n\n  \
    DATABASE_URL='postgres://ann@db.example.org/crm?sslmode=verify-full&sslrootcert=ca.pem' veilgate init --schema public\n\n\
    What it writes, beside veilgate.yaml:\n  \
    policy/             every table and field, with guesses at their classes from the names\n  \
    callers.yaml        who may connect; `veilgate user add` writes it\n  \
    secrets/            the key of the mask `hash` and the password of the gateway's login: never into git")]
pub(crate) struct Init {
    /// The database, and a login that may read its catalogue. A password comes better by PGPASSWORD, or is asked for:
    /// others can see a command line. It is written nowhere
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true, hide_default_value = true)]
    from: Hidden,

    /// What clients will name as their database; without it, the database's own name
    #[arg(long, value_name = "NAME")]
    store: Option<String>,

    /// The gateway's own login, which the printed SQL makes
    #[arg(long, value_name = "NAME", default_value = "veilgate")]
    login: String,

    /// Only this schema; may be given several times
    #[arg(long = "schema", value_name = "NAME")]
    schemas: Vec<String>,
}

/// A URL with a password in it, which no `{:?}` shows.
#[derive(Clone)]
struct Hidden(Zeroizing<String>);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden")
    }
}

impl std::str::FromStr for Hidden {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl Init {
    pub(crate) async fn run(&self, config_file: &Path) -> Result<(), Error> {
        let source = Source::parse(&self.from.0).map_err(Error::Message)?;
        let store = self.store(&source)?;
        let (catalog, ground) = asked(&source, &store).await?;
        self.check(&catalog, &ground)?;
        let extensions: BTreeSet<_> = ground.of_extensions.into_iter().collect();
        let governed = Governed::of(&catalog, &extensions, &self.schemas);

        let password = keys::new()?;
        let verifier = make_verifier(&password).map_err(|error| Error::Message(error.to_string()))?;
        let login = Login {
            name: &self.login,
            database: &source.database,
            verifier: &verifier,
            relations: governed.relations.iter().map(|relation| &relation.name).collect(),
        };
        let folder = config_file.parent().unwrap_or(Path::new(""));
        let drafted = Drafted { source: &source, store: &store, login: &self.login, folder };
        let files = drafted.files(config_file, &governed, password)?;
        drafted.check(&files, &catalog)?;
        files::write(&files)?;

        output::line(login.sql().trim_end());
        let (relations, fields) =
            (count(governed.relations.len(), "relation"), count(governed.fields(), "field"));
        output::note(format_args!("{relations} with {fields}, all hidden. Written:"));
        for file in &files {
            output::note(format_args!("  {}", file.path.display()));
        }
        output::note(drafted.next(config_file));
        Ok(())
    }

    /// The store's name, from the database's where none is given.
    fn store(&self, source: &Source) -> Result<String, Error> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        let is_name = |name: &str| !name.is_empty() && name.chars().all(plain);
        match &self.store {
            Some(name) if is_name(name) => Ok(name.clone()),
            Some(name) => Err(Error::Message(format!(
                "`{}` is not the name of a store: its letters are a-z, digits, `_` and `-`",
                yaml::comment(name)
            ))),
            None if is_name(&source.database) => Ok(source.database.clone()),
            None => Err(Error::Message(
                "the database's name cannot be that of a store: give one of a-z, digits, `_` and `-` with --store".into(),
            )),
        }
    }

    /// What would make the draft one that does not work.
    fn check(&self, catalog: &Catalog, ground: &Ground) -> Result<(), Error> {
        if self.login.is_empty() || self.login.starts_with("pg_") {
            return Err(Error::Message("--login is a name, and none that begins with `pg_`".into()));
        }
        if ground.roles.contains(&self.login) {
            let login = yaml::comment(&self.login);
            return Err(Error::Message(format!(
                "the server has a role `{login}` already, whose rights and password stay as they are: choose another \
                 name with --login, or drop it first (DROP OWNED BY, DROP ROLE)"
            )));
        }
        match self.schemas.iter().find(|schema| !catalog.schemas.iter().any(|known| **known == ***schema)) {
            None => Ok(()),
            Some(schema) => {
                let near = policy::did_you_mean(schema, catalog.schemas.iter().map(|known| &**known));
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                Err(Error::Message(format!("the database has no schema `{}`{near}", yaml::comment(schema))))
            }
        }
    }
}

/// The catalogue, and what else there is to know. A password is asked for where the server does, and there is somebody to ask.
async fn asked(source: &Source, store: &str) -> Result<(Arc<Catalog>, Ground), Error> {
    let given = source.password.clone().or_else(|| std::env::var("PGPASSWORD").ok().map(Zeroizing::new));
    let mut upstream = upstream(source, given.as_ref().map(|password| password.as_str()))?;
    let mut ground = survey::ground(&upstream).await;
    if ground.as_ref().is_err_and(survey::asks_for_password) && io::stdin().is_terminal() {
        let password =
            password::ask(&format!("Password of {} at the database: ", yaml::comment(&source.user)))?;
        upstream = self::upstream(source, Some(&password))?;
        ground = survey::ground(&upstream).await;
    }
    let ground = ground.map_err(|error| {
        let hint = if survey::asks_for_password(&error) { "; it may stand in PGPASSWORD" } else { "" };
        Error::Message(format!("cannot ask the database: {error}{hint}"))
    })?;
    let catalog = pg_proxy::catalog::load(&upstream, store).await;
    let catalog = catalog.map_err(|error| Error::Message(format!("cannot read the catalogue: {error}")))?;
    Ok((Arc::new(catalog), ground))
}

fn upstream(source: &Source, password: Option<&str>) -> Result<UpstreamConfig, Error> {
    Ok(UpstreamConfig {
        host: source.host.clone(),
        port: source.port,
        database: source.database.clone(),
        user: source.user.clone(),
        password: password.map(Password::new),
        tls: tls::client(source.tls, source.ca_file.as_deref())?,
        extension_schemas: Vec::new(),
        settings: Vec::new(),
        connect_ms_max: 10_000,
    })
}

/// What is written, and where.
struct Drafted<'a> {
    source: &'a Source,
    store: &'a str,
    login: &'a str,
    folder: &'a Path,
}

impl Drafted<'_> {
    fn files(
        &self,
        config_file: &Path,
        governed: &Governed<'_>,
        password: Zeroizing<String>,
    ) -> Result<Vec<File>, Error> {
        let at = |name: &str| self.folder.join(name);
        let mut files = vec![File::new(config_file.to_owned(), self.configuration())];
        files.push(File::secret(at("callers.yaml"), Zeroizing::new(CALLERS.to_owned())));
        for (name, text) in governed.files() {
            files.push(File::new(at("policy").join(name), text));
        }
        files.push(File::secret(at(&self.password_file()), password));
        files.push(File::secret(at(KEY_FILE), keys::new()?));
        files.push(File::new(
            at("secrets/.gitignore"),
            "# Secrets are backed up elsewhere, never in git.\n*\n".to_owned(),
        ));
        Ok(files)
    }

    fn password_file(&self) -> String {
        format!("secrets/{}.password", self.store)
    }

    fn configuration(&self) -> String {
        let Source { host, port, database, tls, ca_file, user: _, password: _ } = self.source;
        let place = if host.starts_with('/') { "socket" } else { "host" };
        let tls = match (tls, ca_file) {
            (StoreTls::Off, _) | (_, None) => "{mode: off}".to_owned(),
            (StoreTls::Verify, Some(ca_file)) => format!("{{mode: verify, ca_file: {}}}", path(ca_file)),
            (StoreTls::Authority, Some(ca_file)) => {
                format!("{{mode: authority, ca_file: {}}}", path(ca_file))
            }
        };
        format!(
            "\
# Drafted by `veilgate init`. docs/configuration.md describes every setting.
policy: policy                    # a folder of policy files
callers_file: callers.yaml        # `veilgate user add` writes it

audit:
  path: audit.jsonl               # one JSON line a decision

listeners:
  postgres:
    address: 127.0.0.1:6432
    tls: require                  # without cert_file and key_file the gateway signs its own certificate

stores:
  {store}:
    {place}: {host}
    port: {port}
    database: {database}
    user: {login}
    password_file: {password_file}
    tls: {tls}

keys:
  pii:                            # of the mask `hash`
    versions:
      1: {{file: {KEY_FILE}}}
",
            store = yaml::scalar(self.store),
            host = yaml::scalar(host),
            database = yaml::scalar(database),
            login = yaml::scalar(self.login),
            password_file = yaml::scalar(&self.password_file()),
        )
    }

    /// Reads what is to be written, before it is: a name that nobody has thought of must not make a policy that says more
    /// than it should, nor one that cannot be read.
    fn check(&self, files: &[File], catalog: &Arc<Catalog>) -> Result<(), Error> {
        let source = |file: &File| policy::Source {
            path: file.path.display().to_string(),
            text: file.text.to_string(),
        };
        if let Some(file) = files.first() {
            config::read(&source(file), &config::Environment::default())?;
        }
        let folder = self.folder.join("policy");
        // All files of a folder are one policy: a rule that was left there would grant what this one does not.
        if std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
            let message = "there are files in it already, which would be a part of the policy";
            return Err(Error::file(&folder, message));
        }
        let sources: Vec<_> =
            files.iter().filter(|file| file.path.starts_with(&folder)).map(source).collect();
        let policy = policy::parse(&sources)?;
        for diagnostic in policy.bind(std::slice::from_ref(catalog)).1 {
            output::note(format_args!("{diagnostic}\n"));
        }
        Ok(())
    }

    fn next(&self, config_file: &Path) -> String {
        let config = if config_file == Path::new("veilgate.yaml") {
            String::new()
        } else {
            format!(" --config {}", config_file.display())
        };
        let Self { store, login, folder, .. } = self;
        let (login, key) = (yaml::comment(login), folder.join(KEY_FILE));
        let key = key.display();
        format!(
            "
Next:
  1. Look at the SQL and run it as the owner of the database. It makes the login `{login}`.
  2. veilgate check{config}
  3. veilgate user add{config} NAME
  4. Give the fields that may be shown a class, in {policy}, and write a rule.
  5. veilgate serve{config}, then: psql 'host=127.0.0.1 port=6432 dbname={store} user=NAME sslmode=require'

Back up {key} now, apart from the policy and the configuration: whoever has it, and tokens, can try
values on them. Without it no token that was made before can be made again, and joins with such tokens are lost.",
            policy = folder.join("policy/10-data.yaml").display(),
        )
    }
}

fn path(path: &Path) -> String {
    yaml::scalar(&PathBuf::from(path).display().to_string())
}

const KEY_FILE: &str = "secrets/pii-1.key";

const CALLERS: &str = "\
# Who may connect. `veilgate user add NAME` appends to this file; an entry is
#
# alice:
#   verifier: SCRAM-SHA-256$…          # printed by: veilgate verifier
#   purposes: [support]
#   attributes: {roles: [support]}
";
