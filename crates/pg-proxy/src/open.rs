//! From a login to a session: who it is, where to, and with which settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use access::{Identity, Refusal, RefusalKind};
use gate::SqlSession;
use sql::Effect;
use tokio::sync::OwnedSemaphorePermit;

use crate::answer::Answer;
use crate::cancel;
use crate::login::authenticate;
use crate::pool::Pool;
use crate::serve::Proxy;
use crate::settings::Settings;
use crate::startup::{Startup, StartupError};

/// What a login has led to.
pub(crate) struct Opened {
    pub sql: SqlSession,
    pub pool: Arc<Pool>,
    pub settings: Settings,
    pub cancels: cancel::Registration,
    pub slot: OwnedSemaphorePermit,
}

/// Who this is, and where to. Nothing to answer where nobody listens.
pub(crate) async fn open(startup: &mut Startup, proxy: &Proxy) -> Result<Opened, Option<Answer>> {
    let id = proxy.next_session();
    let logins = proxy.logins.load_full();
    let authenticated = authenticate(startup, &proxy.acceptor, &logins).await;
    let known = authenticated.as_ref().map_or_else(|_| claimed(&startup.user), Arc::clone);
    let store = startup.database.as_str();
    let sql = SqlSession::new(id, store.into(), known, startup.purpose.clone(), startup.peer.ip());
    if let Err(error) = authenticated {
        proxy.gate.login_failed(&sql, &error.to_string());
        return Err(rejected(&error));
    }
    let Ok(slot) = Arc::clone(&proxy.slots).try_acquire_owned() else {
        proxy.gate.login_failed(&sql, "there are too many sessions");
        return Err(Some(Answer::fatal("53300", "sorry, too many clients already")));
    };
    let Some(pool) = proxy.stores.get(store) else {
        proxy.gate.login_failed(&sql, "there is no such store");
        return Err(Some(Answer::fatal("3D000", format!("database \"{store}\" does not exist"))));
    };
    let refused = |refusal: Refusal| Answer { fatal: true, ..Answer::refusal(&refusal, "") };
    let settings = initial_settings(&startup.settings).map_err(|refusal| {
        proxy.gate.login_failed(&sql, &refusal.message);
        refused(refusal)
    })?;
    proxy.gate.login(&sql).map_err(refused)?;
    let registered = proxy.cancels.register(startup.minor);
    let cancels = registered.map_err(|error| Answer::fatal("58000", error.to_string()))?;
    Ok(Opened { sql, pool: Arc::clone(pool), settings, cancels, slot })
}

/// Somebody who has proven nothing, for the record.
fn claimed(user: &str) -> Arc<Identity> {
    Arc::new(Identity { id: user.into(), attributes: BTreeMap::new(), purposes: Vec::new() })
}

/// What a client is told whose start-up failed, if anything.
pub(crate) fn rejected(error: &StartupError) -> Option<Answer> {
    Some(Answer::fatal(error.sqlstate()?, error.to_string()))
}

/// What the start-up asks for, by the allow list.
fn initial_settings(asked: &[(String, String)]) -> Result<Settings, Refusal> {
    let mut set = BTreeMap::new();
    let mut path = SqlSession::default_search_path();
    for (name, value) in asked {
        let effect = sql::start_up_setting(name, value)?;
        if let Effect::Set { name, value, local: false } = effect {
            set.insert(name.into(), value.into());
        } else if let Effect::SetSearchPath(Some(schemas)) = effect {
            path = schemas;
        } else if effect != Effect::None {
            let message = format!("setting `{name}` cannot be set at start-up");
            return Err(Refusal::new(RefusalKind::Setting, message));
        }
    }
    Ok(Settings::new(set, path))
}
