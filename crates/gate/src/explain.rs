//! Why a decision is what it is: the rules, the rows and masks, and the text that would be sent. Nothing is sent.

use std::sync::Arc;

use access::Refusal;
use policy::Explanation;
use sql::{Kind, Session, Statement};

use crate::Gate;
use crate::session::SqlSession;
use crate::sql::{Deciding, State};

/// One statement, explained.
#[derive(Debug)]
pub struct Explained {
    /// The client's text of it.
    pub asked: String,
    /// The rules that applied and why, rows and masks per relation; for a statement that reads.
    pub explanation: Option<Explanation>,
    /// What would be sent, or why nothing would.
    pub sent: Result<String, Refusal>,
}

impl Gate {
    /// Explains every statement of a text to somebody who may know the policy. Nothing is recorded, nothing is sent.
    pub fn explain_sql(&self, session: &SqlSession, text: &str) -> Result<Vec<Explained>, Refusal> {
        let snapshot = self.snapshot.load();
        let caller = session.caller(&snapshot)?;
        let deciding = Deciding { snapshot: &snapshot, session, caller: &caller, request: session.request() };
        sql::on_stack(text.len(), || {
            let batch = sql::parse(text, &self.limits)?;
            let mut state = State::new(session, &session.search_path);
            let explain = |statement| deciding.explained(&statement, &mut state, &self.limits);
            batch.statements().map(explain).collect()
        })
    }
}

impl Deciding<'_> {
    fn explained(
        &self,
        statement: &Statement<'_>,
        state: &mut State<'_>,
        limits: &::sql::Limits,
    ) -> Result<Explained, Refusal> {
        let reads = matches!(
            statement.kind(),
            Kind::Select | Kind::Explain | Kind::Copy | Kind::CopyRelation | Kind::Declare | Kind::Prepare
        );
        let explanation = if reads { Some(self.explanation(statement, state.path())?) } else { None };
        let sent = self.statement(statement, &[], state, limits);
        Ok(Explained {
            asked: statement.source().to_owned(),
            explanation,
            sent: sent.map(|decided| decided.text.to_string()),
        })
    }

    fn explanation(&self, statement: &Statement<'_>, path: &[Arc<str>]) -> Result<Explanation, Refusal> {
        let Self { snapshot, session, caller, request } = self;
        let catalog = snapshot.catalog(&session.store)?;
        let names = Session { search_path: path, caller: &caller.id, parameters: &[] };
        let scope = sql::scope(statement, catalog, names)?;
        let touches = scope.touches(|relation| snapshot.bound.entry(&session.store, relation));
        Ok(snapshot.bound.explain(&session.store, caller, request, &touches))
    }
}
