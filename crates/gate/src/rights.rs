//! `SHOW veilgate.rights`: what a caller may do, as rows, and as one text for whoever reads one value better.

use std::collections::BTreeMap;

use access::{Action, Refusal};
use policy::Right;
use serde_json::{Value, json};
use sql::{Rights, Statement};

use crate::sql::{Decided, Deciding};

/// A right, and the purposes of the caller under which it holds.
type ByRight = BTreeMap<Right, Vec<String>>;

impl Deciding<'_> {
    pub(crate) fn rights(&self, statement: &Statement<'_>, form: Rights) -> Result<Decided, Refusal> {
        let now = self.snapshot.bound.rights(&self.session.store, self.caller, &self.request);
        let (all, purposes) = self.for_all_purposes(&now)?;
        let has_purposes = !purposes.is_empty();
        let text = match form {
            Rights::Rows => rows(&all, &now, has_purposes)?,
            Rights::Text => {
                let rights: Vec<Value> =
                    all.iter().map(|(right, under)| json(right, under, now.contains(right))).collect();
                let purpose = self.caller.text("purpose");
                let told = json!({"caller": &*self.caller.id, "purpose": purpose, "purposes": purposes, "rights": rights});
                ::sql::answer("veilgate.rights_json", &told.to_string())?
            }
        };
        let mut decided = self.decided(statement, &text);
        decided.tag = Some("SHOW");
        decided.of_now = true;
        Ok(decided)
    }

    /// Rights under each purpose that the caller may choose, since it could come back with another.
    fn for_all_purposes(&self, now: &[Right]) -> Result<(ByRight, Vec<String>), Refusal> {
        let Self { snapshot, session, caller: _, request } = self;
        let identity = snapshot.identity(&session.identity)?;
        let purposes: Vec<String> = snapshot.policy.purposes(identity).map(str::to_owned).collect();
        let mut all: ByRight = now.iter().map(|right| (right.clone(), Vec::new())).collect();
        for purpose in &purposes {
            // One that the policy does not let it log in with gives no rights.
            let Ok(caller) = snapshot.policy.caller(identity, Some(purpose)) else { continue };
            for right in snapshot.bound.rights(&session.store, &caller, request) {
                all.entry(right).or_default().push(purpose.clone());
            }
        }
        Ok((all, purposes))
    }
}

fn rows(all: &ByRight, now: &[Right], has_purposes: bool) -> Result<String, Refusal> {
    let mut rows = Vec::new();
    for (right, under) in all {
        let purposes = has_purposes.then(|| under.join(", "));
        let holds = if now.contains(right) { "yes" } else { "no" };
        let row = |field: Option<(String, String)>| {
            let (field, shows) = field.unzip();
            [
                Some(right.relation.to_string()),
                Some(actions(right).join(", ")),
                Some(right.rows.clone()),
                field,
                shows,
                purposes.clone(),
                Some(holds.to_owned()),
            ]
        };
        // A relation of which no field is there can still be counted.
        if right.fields.is_empty() {
            rows.push(row(None));
        }
        rows.extend(right.fields.iter().map(|(field, shows)| row(Some((field.to_string(), shows.clone())))));
    }
    ::sql::table(["relation", "rights", "rows", "field", "shows", "purposes", "now"], &rows)
}

fn json(right: &Right, under: &[String], now: bool) -> Value {
    let fields: serde_json::Map<String, Value> =
        right.fields.iter().map(|(field, shows)| (field.to_string(), shows.clone().into())).collect();
    json!({
        "relation": right.relation.to_string(),
        "rights": actions(right),
        "rows": right.rows,
        "fields": fields,
        "purposes": under,
        "now": now,
    })
}

fn actions(right: &Right) -> Vec<String> {
    right.actions.iter().map(Action::to_string).collect()
}
