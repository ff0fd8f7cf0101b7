//! A text's statements, decided: read, guarded, rewritten, printed, verified. The only caller of `sql`'s stages.

use std::borrow::Cow;
use std::sync::Arc;

use access::{Caller, Guards, Refusal, RefusalKind, RelationName, Request, Touch};
use sql::{Effect, Hidden, Kind, Query, Session, Statement};

use crate::Gate;
use crate::hash::DerivedKey;
use crate::names::{Cursor, Names};
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
    /// Of a PREPARE, its query, decided as a statement of its own.
    pub query: Option<Arc<SqlDecision>>,
    /// Whether it answers with what holds at this moment: the rights of the caller.
    pub(crate) of_now: bool,
    /// Of a DECLARE, what the cursor is.
    pub(crate) cursor: Option<Arc<Cursor>>,
}

/// What the statements of a text that stand before one have left to it.
#[derive(Debug, Clone)]
pub(crate) struct State<'s> {
    /// The path that names are looked up on.
    path: Vec<Arc<str>>,
    /// The names of prepared queries and of cursors.
    names: Cow<'s, Names>,
}

impl<'s> State<'s> {
    /// What the session has left to the first.
    pub(crate) fn new(session: &'s SqlSession, path: &[Arc<str>]) -> Self {
        Self { path: path.to_vec(), names: Cow::Borrowed(&session.names) }
    }

    pub(crate) fn path(&self) -> &[Arc<str>] {
        &self.path
    }

    fn follow(&mut self, decided: &Decided, session: &SqlSession) {
        if let Some(next) = decided.effect.path(&session.start_path) {
            self.path = next.to_vec();
        }
        if Names::follows(&decided.effect) {
            self.names.to_mut().follow(decided);
        }
    }
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
            && !decision.uses_names()
            && !decision.tells_of_now()
            && decision.holds_now(session, &snapshot)?;
        if holds {
            return Ok(Arc::clone(decision));
        }
        self.decide(session, &decision.asked, &decision.parameters, path)
    }

    pub(crate) fn check_cursor(&self, session: &SqlSession, name: &str) -> Result<(), Refusal> {
        let snapshot = self.snapshot.load();
        let caller = session.caller(&snapshot)?;
        let deciding = Deciding { snapshot: &snapshot, session, caller: &caller, request: session.request() };
        let cursor = session.names.cursor(name).ok_or_else(|| unknown_cursor(name))?;
        deciding.check_cursor(name, cursor, &self.limits)
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
            let mut state = State::new(session, path);
            let decide = |statement| deciding.statement(&statement, parameters, &mut state, &self.limits);
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
    /// One statement, from its tree to the text that is sent. `state` is what the statements before it have left.
    pub(crate) fn statement(
        &self,
        statement: &Statement<'_>,
        parameters: &[u32],
        state: &mut State<'_>,
        limits: &::sql::Limits,
    ) -> Result<Decided, Refusal> {
        let decided = match statement.kind() {
            Kind::Select | Kind::Explain | Kind::Copy | Kind::CopyRelation => {
                self.guarded(statement, parameters, state.path())?
            }
            Kind::Declare => self.declared(statement, parameters, state.path())?,
            Kind::Prepare => self.prepared(statement, state.path(), limits)?,
            Kind::Execute => self.executed(statement, state, limits)?,
            Kind::Fetch => self.fetched(statement, state, limits)?,
            Kind::Transaction | Kind::Set | Kind::Show | Kind::Session | Kind::Empty => {
                if let Some(form) = statement.shows_rights() {
                    return self.rights(statement, form);
                }
                if let Some(name) = statement.cursor() {
                    open_cursor(name, state)?;
                }
                self.forwarded(statement, state.path())?
            }
        };
        state.follow(&decided, self.session);
        Ok(decided)
    }

    fn forwarded(&self, statement: &Statement<'_>, path: &[Arc<str>]) -> Result<Decided, Refusal> {
        let forwarded = sql::forward(statement, path)?;
        Ok(Decided { tag: forwarded.tag, ..self.decided(statement, &forwarded.text) })
    }

    /// A cursor is decided where it is declared, and remembers by what.
    fn declared(
        &self,
        statement: &Statement<'_>,
        parameters: &[u32],
        path: &[Arc<str>],
    ) -> Result<Decided, Refusal> {
        let decided = self.guarded(statement, parameters, path)?;
        let cursor = Cursor {
            asked: Arc::clone(&decided.asked),
            parameters: parameters.to_vec(),
            path: path.to_vec(),
            text: Arc::clone(&decided.text),
            generation: self.snapshot.generation,
            rules: decided.rules.clone(),
        };
        Ok(Decided { cursor: Some(Arc::new(cursor)), ..decided })
    }

    /// FETCH and MOVE. What a cursor shows was decided when it was declared: it is not read on where that would be
    /// decided otherwise now.
    fn fetched(
        &self,
        statement: &Statement<'_>,
        state: &State<'_>,
        limits: &::sql::Limits,
    ) -> Result<Decided, Refusal> {
        let name = statement.cursor().unwrap_or_default();
        let cursor = open_cursor(name, state)?;
        self.check_cursor(name, cursor, limits)?;
        let decided = self.forwarded(statement, state.path())?;
        // Its rows are computed now, and so are the errors that they make.
        Ok(Decided { protected: true, rules: cursor.rules.clone(), ..decided })
    }

    pub(crate) fn check_cursor(
        &self,
        name: &str,
        cursor: &Cursor,
        limits: &::sql::Limits,
    ) -> Result<(), Refusal> {
        if cursor.generation == self.snapshot.generation && !self.snapshot.reads_clock {
            return Ok(());
        }
        let text: Result<_, Refusal> = sql::on_stack(cursor.asked.len(), || {
            let batch = sql::parse(&cursor.asked, limits)?;
            let statement = batch.get(0).ok_or_else(|| unknown_cursor(name))?;
            Ok(self.guarded(&statement, &cursor.parameters, &cursor.path)?.text)
        });
        if text.is_ok_and(|text| text == cursor.text) {
            return Ok(());
        }
        let message = format!("cursor \"{name}\" was declared under rules that have changed");
        Err(Refusal::new(RefusalKind::Unsupported, message).hint("declare it again"))
    }

    /// PREPARE: its query is decided now, and again whenever it runs.
    fn prepared(
        &self,
        statement: &Statement<'_>,
        path: &[Arc<str>],
        limits: &::sql::Limits,
    ) -> Result<Decided, Refusal> {
        let catalog = self.snapshot.catalog(&self.session.store)?;
        let names = Session { search_path: path, caller: &self.caller.id, parameters: &[] };
        let Query { text, types } = sql::prepared_query(statement, catalog, names)?;
        let batch = sql::parse(&text, limits)?;
        // A place in the text of the query is none in the client's.
        let decide = |inner: Statement<'_>| self.guarded(&inner, &types, path).map_err(without_place);
        let statements = batch.statements().map(decide).collect::<Result<Vec<_>, _>>()?;
        let (guards, touches, rules) = statements.first().map_or_else(Default::default, |only| {
            (only.guards.clone(), only.touches.clone(), only.rules.clone())
        });
        let query = SqlDecision {
            generation: self.snapshot.generation,
            statements,
            asked: text.into(),
            parameters: types.into(),
            search_path: path.to_vec(),
        };
        let decided = self.forwarded(statement, path)?;
        Ok(Decided { query: Some(Arc::new(query)), guards, touches, rules, ..decided })
    }

    /// EXECUTE: the prepared query with its arguments, as if the client had sent that.
    fn executed(
        &self,
        statement: &Statement<'_>,
        state: &State<'_>,
        limits: &::sql::Limits,
    ) -> Result<Decided, Refusal> {
        let name = sql::executes(statement).unwrap_or_default();
        let query = state.names.prepared(name).ok_or_else(|| {
            let message = format!("prepared statement \"{name}\" does not exist");
            Refusal::new(RefusalKind::SessionName, message)
        })?;
        let catalog = self.snapshot.catalog(&self.session.store)?;
        sql::on_stack(query.text.len() + statement.source().len(), || {
            let batch = sql::execute(statement, query, catalog, limits)?;
            let inner = batch.get(0).ok_or_else(|| {
                Refusal::new(RefusalKind::Unsupported, "EXECUTE of an empty statement is not mediated")
            })?;
            let decided = self.guarded(&inner, &[], state.path()).map_err(without_place)?;
            Ok(Decided { asked: statement.source().into(), kind: Kind::Execute, ..decided })
        })
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
        scope.check_copied()?;
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

    pub(crate) fn decided(&self, statement: &Statement<'_>, text: &str) -> Decided {
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
            query: None,
            of_now: false,
            cursor: None,
        }
    }
}

fn open_cursor<'a>(name: &str, state: &'a State<'_>) -> Result<&'a Cursor, Refusal> {
    state.names.cursor(name).map(|cursor| &**cursor).ok_or_else(|| unknown_cursor(name))
}

fn unknown_cursor(name: &str) -> Refusal {
    Refusal::new(RefusalKind::UnknownCursor, format!("cursor \"{name}\" does not exist"))
}

fn without_place(refusal: Refusal) -> Refusal {
    Refusal { position: None, ..refusal }
}

impl SqlDecision {
    /// The client's text.
    #[must_use]
    pub fn asked(&self) -> &str {
        &self.asked
    }

    /// Whether it depends on what names mean when it runs.
    #[must_use]
    pub fn uses_names(&self) -> bool {
        self.statements.iter().any(|decided| decided.kind == Kind::Execute || decided.needs_cursor())
    }

    /// Whether it answers with what holds at this moment, such as the rights of the caller.
    fn tells_of_now(&self) -> bool {
        self.statements.iter().any(|decided| decided.of_now)
    }

    /// The text and the types of its parameters, for who executes it by its name.
    #[must_use]
    pub fn as_query(&self) -> Query {
        Query { text: self.asked.to_string(), types: self.parameters.to_vec() }
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

    /// Of a PREPARE, what it keeps.
    pub(crate) fn prepares(&self) -> Option<Arc<Query>> {
        self.query.as_ref().map(|query| Arc::new(query.as_query()))
    }

    /// Whether a cursor has to be open for it.
    fn needs_cursor(&self) -> bool {
        self.kind == Kind::Fetch || matches!(self.effect, Effect::CloseCursor(Some(_)))
    }

    /// The kind as records name it.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Select => "select",
            Kind::Explain => "explain",
            Kind::Copy | Kind::CopyRelation => "copy",
            Kind::Declare => "declare",
            Kind::Fetch => "fetch",
            Kind::Prepare => "prepare",
            Kind::Execute => "execute",
            Kind::Transaction => "transaction",
            Kind::Set => "set",
            Kind::Show => "show",
            Kind::Session => "session",
            Kind::Empty => "empty",
        }
    }
}
