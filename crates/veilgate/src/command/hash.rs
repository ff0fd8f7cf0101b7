//! `veilgate hash`: keys of the mask `hash`, and the tokens that they make.

use std::io::{self, IsTerminal, Read};
use std::path::Path;

use access::HashKey;
use gate::HashKeys;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::{config, gateway, keys, output};

/// Make a key for the mask `hash`, or compare tokens with values
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  veilgate hash new > pii-2.key && chmod 600 pii-2.key\n  \
    printf '%s' ann@example.org | veilgate hash token --class pii.email --purpose training\n  \
    printf '%s' ann@example.org | veilgate hash verify --class pii.email --purpose training 773cd68b6006f307")]
pub(crate) struct Hash {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    New(New),
    Token(Token),
    Verify(Verify),
}

/// Print a new key: 64 random hexadecimal digits
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  veilgate hash new > pii-2.key && chmod 600 pii-2.key")]
struct New {}

/// Print the token of a value
///
/// The value is read without echo from a terminal, otherwise from standard input, where one line break at its end does
/// not count: it never stands on the command line, which other users can see.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  printf '%s' ann@example.org | veilgate hash token --class pii.email --purpose training"
)]
struct Token {
    #[command(flatten)]
    field: Field,

    /// The version of the key; without it the one that is used
    #[arg(long)]
    version: Option<u32>,

    /// The type of the column
    #[arg(long = "type", value_enum, default_value = "text")]
    ty: Type,
}

/// Say under which version of the key a value has this token
///
/// The value is read as `veilgate hash token` reads it. Every type is tried: text, uuid, bigint, and bytea that is
/// written `\x…`. The exit code is 1 where no version gives the token.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  printf '%s' ann@example.org | veilgate hash verify --class pii.email --purpose training 773cd68b6006f307"
)]
struct Verify {
    #[command(flatten)]
    field: Field,

    /// The token, as a query shows it
    token: String,
}

/// What tells one derived key from another.
#[derive(Debug, clap::Args)]
struct Field {
    /// The class of the field; its first part is what counts
    #[arg(long)]
    class: String,

    /// The purpose of the caller, where the policy declares `purpose`
    #[arg(long)]
    purpose: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Type {
    Text,
    Uuid,
    Bigint,
    Bytea,
}

impl Hash {
    pub(crate) fn run(&self, config_file: &Path) -> Result<(), Error> {
        match &self.what {
            What::New(New {}) => {
                output::line(&*keys::new()?);
                Ok(())
            }
            What::Token(Token { field, version, ty }) => {
                let (keys, key) = field.keys(config_file)?;
                output::line(token(&keys, &key, version.unwrap_or(keys.current()), *ty, &value()?)?);
                Ok(())
            }
            What::Verify(Verify { field, token }) => {
                let (keys, key) = field.keys(config_file)?;
                verify(&keys, &key, &value()?, token)
            }
        }
    }
}

impl Field {
    /// The keys of the configuration, and which one of those that derive from them is meant.
    fn keys(&self, config_file: &Path) -> Result<(std::sync::Arc<HashKeys>, HashKey), Error> {
        let config = config::load(config_file)?;
        let policy = gateway::policy(&config.policy)?;
        let keys = keys::read(&config)?;
        let keys = keys.ok_or_else(|| Error::Message("there is no key: name one under `keys`".into()))?;
        let key = policy.hash_key(&self.class, self.purpose.as_deref()).map_err(Error::Message)?;
        Ok((keys, key))
    }
}

fn token(keys: &HashKeys, key: &HashKey, version: u32, ty: Type, value: &str) -> Result<String, Error> {
    let Some(derived) = keys.derived_by(version, key) else {
        let known = keys.versions().map(|version| version.to_string()).collect::<Vec<_>>().join(", ");
        return Err(Error::Message(format!("there is no version {version} of the key; there are: {known}")));
    };
    let token = match ty {
        Type::Text => Some(derived.text(value)),
        Type::Uuid => derived.of_uuid(value),
        Type::Bigint => value.trim().parse().ok().map(|number| derived.bigint(number).to_string()),
        Type::Bytea => derived.of_bytes(value),
    };
    let what = match ty {
        Type::Text => "a text",
        Type::Uuid => "a UUID",
        Type::Bigint => "a whole number of 64 bits",
        Type::Bytea => "`\\x` and hexadecimal digits",
    };
    token.ok_or_else(|| Error::Message(format!("the value is not {what}")))
}

fn verify(keys: &HashKeys, key: &HashKey, value: &str, token: &str) -> Result<(), Error> {
    match keys.version_of(key, value, token) {
        Some(version) if version == keys.current() => {
            output::line(format_args!("version {version}, the one in use"))
        }
        Some(version) => {
            output::line(format_args!("version {version}; version {} is in use", keys.current()))
        }
        None => {
            output::line("no version of the key gives this value this token");
            return Err(Error::Problems);
        }
    }
    Ok(())
}

fn value() -> Result<Zeroizing<String>, Error> {
    let failed = |error: io::Error| Error::Message(format!("standard input: {error}"));
    if io::stdin().is_terminal() {
        return rpassword::prompt_password("Value: ").map(Zeroizing::new).map_err(failed);
    }
    let mut text = Zeroizing::new(String::new());
    io::stdin().lock().read_to_string(&mut text).map_err(failed)?;
    let value = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Zeroizing::new(value.strip_suffix('\r').unwrap_or(value).to_owned()))
}
