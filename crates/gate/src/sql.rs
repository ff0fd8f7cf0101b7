//! A text's statements, decided: read, guarded, rewritten, printed, verified. The only caller of `sql`'s stages.

use std::sync::Arc;

use access::{Caller, Guards, Refusal, RefusalKind, RelationName, Request, Touch};
use sql::{Effect, Hidden, Kind, Session, Statement};

use crate::Gate;
use crate::hash::DerivedKey;
use crate::session::SqlSession;
use crate::snapshot::Snapshot;

/// What was decided about one text. It holds for its caller, and until the generation changes.
#[derive(Debug)]
pub struct SqlDecision {
    /// The generation that it was made by.
    pub generation: u64,
    /// Its statements in their order; none where the text holds none.
    pub statements: Vec<Decided>,
    /// The text, to be decided again.
    asked: Arc<str>,
    /// The declared types of its parameters.
    parameters: Arc<[u32]>,
    /// The path that its first statement was read with.
    search_path: Vec<Arc<str>>,
}

/// One statement that may be sent.
#[derive(Debug)]
pub struct Decided {
    /// The client's text of this statement.
    pub asked: Arc<str>,
    /// What is sent.
    pub text: Arc<str>,
    /// What kind it is.
    pub kind: Kind,
    /// What it does to the session once it has completed.
    pub effect: Effect,
    /// The command tag that the client gets, where it is not that of the text sent.
    pub tag: Option<&'static str>,
    /// The rules that were applied.
    pub rules: Vec<Arc<str>>,
    /// The revision of the policy.
    pub revision: Arc<str>,
    /// Whether it touches any relation: its errors are then made safe.
    pub protected: bool,
    /// The parameters, counted from 1, that are patterns of LIKE. What is bound to them is looked at by
    /// [`Gate::permit_bound`].
    pub(crate) patterns: Vec<u16>,
    /// Values of the parameters that follow the client's own: the keys of hashes.
    hidden: Vec<DerivedKey>,
    /// How many parameters of its own the client has, where any follow.
    parameters: u16,
    /// What holds for its relations, to see whether time has changed it.
    guards: Guards,
    touches: Vec<Touch>,
}

impl Gate {
    /// Decides every statement of a text before any of it is sent. One that is refused refuses all, and is recorded.
    pub fn decide_sql(
        &self,
        session: &SqlSession,
        text: &str,
        parameters: &[u32],
    ) -> Result<Arc<SqlDecision>, Refusal> {
        let decision = self.decide(session, text, parameters, &session.search_path);
        decision.inspect_err(|refusal| self.refused(session, text, refusal))
    }

    /// The decision itself where it still holds, otherwise the same text decided anew.
    pub(crate) fn renewed(
        &self,
        session: &SqlSession,
        decision: &Arc<SqlDecision>,
    ) -> Result<Arc<SqlDecision>, Refusal> {
        // A prepared statement follows the session's path; the statements of one string follow each other.
        let path = match &decision.statements[..] {
            [_] => &session.search_path,
            _ => &decision.search_path,
        };
        let snapshot = self.snapshot.load();
        let holds = decision.generation == snapshot.generation
            && *path == decision.search_path
            && decision.holds_now(session, &snapshot)?;
        if holds {
            return Ok(Arc::clone(decision));
        }
        self.decide(session, &decision.asked, &decision.parameters, path)
    }

    fn decide(
        &self,
        session: &SqlSession,
        text: &str,
        parameters: &[u32],
        path: &[Arc<str>],
    ) -> Result<Arc<SqlDecision>, Refusal> {
        let snapshot = self.snapshot.load();
        let caller = session.caller(&snapshot)?;
        let deciding = Deciding { snapshot: &snapshot, session, caller: &caller, request: session.request() };
        let statements = sql::on_stack(text.len(), || {
            let batch = sql::parse(text, &self.limits)?;
            let mut path = path.to_vec();
            let decide = |statement| deciding.statement(&statement, parameters, &mut path);
            batch.statements().map(decide).collect::<Result<Vec<_>, Refusal>>()
        })?;
        Ok(Arc::new(SqlDecision {
            generation: snapshot.generation,
            statements,
            asked: text.into(),
            parameters: parameters.into(),
            search_path: path.to_vec(),
        }))
    }
}

/// By what, and for whom, a text is decided.
pub(crate) struct Deciding<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) session: &'a SqlSession,
    pub(crate) caller: &'a Caller,
    pub(crate) request: Request,
}

impl Deciding<'_> {
    /// One statement, from its tree to the text that is sent. `path` is what the statements before it have left.
    pub(crate) fn statement(
        &self,
        statement: &Statement<'_>,
        parameters: &[u32],
        path: &mut Vec<Arc<str>>,
    ) -> Result<Decided, Refusal> {
        let decided = match statement.kind() {
            Kind::Select | Kind::Explain => self.guarded(statement, parameters, path)?,
            Kind::Transaction | Kind::Set | Kind::Show | Kind::Session | Kind::Empty => {
                let forwarded = sql::forward(statement, path)?;
                Decided { tag: forwarded.tag, ..self.decided(statement, &forwarded.text) }
            }
        };
        if let Some(next) = decided.effect.path(&self.session.start_path) {
            *path = next.to_vec();
        }
        Ok(decided)
    }

    /// A statement that reads: the stages of a request, one after the other.
    fn guarded(
        &self,
        statement: &Statement<'_>,
        parameters: &[u32],
        path: &[Arc<str>],
    ) -> Result<Decided, Refusal> {
        let Self { snapshot, session, caller, request } = self;
        let catalog = snapshot.catalog(&session.store)?;
        let names = Session { search_path: path, caller: &caller.id, parameters };

        let scope = sql::scope(statement, catalog, names)?;
        // A relation that is not there for this caller and one that is not there at all answer alike, before any rule.
        let entry = |relation: &RelationName| snapshot.bound.entry(&session.store, relation);
        if let Some(missing) = scope.missing(entry) {
            return Err(missing);
        }
        let touches = scope.touches(entry);
        let guards = snapshot.bound.guards(&session.store, caller, request, &touches)?;
        let rewritten = sql::rewrite(&scope, &guards)?;
        let printed = sql::print(&rewritten)?;
        sql::verify(&printed, &guards, catalog)?;
        let hidden = self.hidden(statement, rewritten.hidden())?;

        Ok(Decided {
            rules: guards.rules.clone(),
            protected: !touches.is_empty(),
            patterns: rewritten.patterns().to_vec(),
            hidden,
            parameters: rewritten.hidden().after(),
            guards,
            touches,
            ..self.decided(statement, printed.text())
        })
    }

    /// The keys that a statement makes hashes with.
    fn hidden(&self, statement: &Statement<'_>, hidden: &Hidden) -> Result<Vec<DerivedKey>, Refusal> {
        match (statement.kind(), hidden.keys()) {
            (_, []) => Ok(Vec::new()),
            (Kind::Select, keys) => keys.iter().map(|key| self.snapshot.derived_key(key)).collect(),
            (_, _) => {
                let message = "this statement cannot be run over a hashed column";
                Err(Refusal::new(RefusalKind::Unsupported, message).hint("read the column by a SELECT"))
            }
        }
    }

    fn decided(&self, statement: &Statement<'_>, text: &str) -> Decided {
        Decided {
            asked: statement.source().into(),
            text: text.into(),
            kind: statement.kind(),
            effect: statement.effect().clone(),
            tag: None,
            rules: Vec::new(),
            revision: Arc::clone(&self.snapshot.revision),
            protected: false,
            patterns: Vec::new(),
            hidden: Vec::new(),
            parameters: 0,
            guards: Guards::default(),
            touches: Vec::new(),
        }
    }
}

impl SqlDecision {
    /// The client's text.
    #[must_use]
    pub fn asked(&self) -> &str {
        &self.asked
    }

    /// Whether the same guards come out now: a policy may look at the clock.
    fn holds_now(&self, session: &SqlSession, snapshot: &Snapshot) -> Result<bool, Refusal> {
        if !snapshot.reads_clock {
            return Ok(true);
        }
        let caller = session.caller(snapshot)?;
        let request = session.request();
        for statement in &self.statements {
            let now = snapshot.bound.guards(&session.store, &caller, &request, &statement.touches)?;
            if now != statement.guards {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Decided {
    /// The keys of hashes, as values of the parameters that follow the client's own: two for each key.
    #[must_use]
    pub fn hidden(&self) -> &[DerivedKey] {
        &self.hidden
    }

    /// How many parameters of its own the client has, where hidden ones follow.
    #[must_use]
    pub fn parameters(&self) -> u16 {
        self.parameters
    }

    /// The kind as records name it.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Select => "select",
            Kind::Explain => "explain",
            Kind::Transaction => "transaction",
            Kind::Set => "set",
            Kind::Show => "show",
            Kind::Session => "session",
            Kind::Empty => "empty",
        }
    }
}
