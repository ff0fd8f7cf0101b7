//! `fixtures/policy/*.case`: a policy and callers, and what is decided, or what is wrong.
//!
//! Given are `policy`, perhaps `lock` (of fields), and `caller NAME` (`attribute: value, value`; `touch: read public.orders`; `hour: 9`; `ip: …`).
//! Produced are `lints` (where there is such a section), `errors` (of the text), `told` (over the catalogue) and `decision NAME`. A policy without a `data` block
//! stands beside `fixtures/policy/base.yaml`. With `VEILGATE_REWRITE=1` what is produced is written back.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use access::{Action, Identity, RelationName, Request, Touch};

use super::world::catalog;
use crate::{Diagnostic, Policy, Source};

#[test]
fn cases() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/policy"));
    let base = std::fs::read_to_string(folder.join("base.yaml")).unwrap();
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "case"));
    paths.sort();
    assert!(paths.len() > 20);
    let mut failures = String::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let got = run(&text, &base);
        if got != text && std::env::var_os("VEILGATE_REWRITE").is_some_and(|value| value == "1") {
            std::fs::write(&path, &got).unwrap();
        } else if got != text {
            let _ = writeln!(failures, "{}: expected\n{text}\n got\n{got}", path.display());
        }
    }
    assert!(failures.is_empty(), "{failures}(VEILGATE_REWRITE=1 writes what was got)");
}

/// The case with all that is produced written anew.
fn run(text: &str, base: &str) -> String {
    let mut parts = text.split("--- ");
    let head = parts.next().unwrap();
    let sections: Vec<(&str, &str)> =
        parts.map(|part| part.split_once('\n').unwrap()).map(|(name, body)| (name.trim(), body)).collect();
    let written = sections.iter().find(|(name, _)| *name == "policy").expect("a policy").1;
    let mut sources = vec![Source { path: "policy.yaml".into(), text: written.to_owned() }];
    if !written.lines().any(|line| line.starts_with("data:")) {
        sources.push(Source { path: "base.yaml".into(), text: base.to_owned() });
    }
    let mut got = format!("{head}--- policy\n{written}");
    if let Some((_, lock)) = sections.iter().find(|(name, _)| *name == "lock") {
        sources.push(Source { path: "fields.lock".into(), text: (*lock).to_owned() });
        let _ = write!(got, "--- lock\n{lock}");
    }
    let policy = match crate::parse(&sources) {
        Ok(policy) => policy,
        Err(errors) => {
            let _ = writeln!(got, "--- errors\n{}", drawn(&errors));
            return got;
        }
    };
    if sections.iter().any(|(name, _)| *name == "lints") {
        let _ = writeln!(got, "--- lints\n{}", drawn(&policy.lints()));
    }
    if sections.iter().any(|(name, _)| *name == "accepted") {
        let lock = policy.lock(&[catalog()]).unwrap_or_else(|errors| drawn(&errors));
        let _ = write!(got, "--- accepted\n{lock}");
    }
    let (bound, told) = policy.bind(&[catalog()]);
    if !told.is_empty() {
        let _ = writeln!(got, "--- told\n{}", drawn(&told));
    }
    for (name, body) in sections.iter().filter(|(name, _)| name.starts_with("caller")) {
        let asked = Asked::read(body);
        let decision = name.replacen("caller", "decision", 1);
        let _ = write!(got, "--- {name}\n{body}--- {decision}\n{}", asked.decide(&policy, &bound));
    }
    got
}

fn drawn(told: &[Diagnostic]) -> String {
    told.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
}

struct Asked {
    identity: Identity,
    purpose: Option<String>,
    request: Request,
    touches: Vec<Touch>,
}

impl Asked {
    fn read(body: &str) -> Self {
        let mut identity = Identity { id: "anna".into(), attributes: BTreeMap::new(), purposes: Vec::new() };
        let mut request = Request { time_us: 1_795_528_799_000_000, ip: "192.0.2.7".parse().unwrap() };
        let (mut purpose, mut touches) = (None, Vec::new());
        for line in body.lines().filter(|line| !line.is_empty()) {
            let (key, value) = line.split_once(':').unwrap();
            let value = value.trim();
            let values = || value.split(", ").filter(|value| !value.is_empty()).map(str::to_owned).collect();
            match key {
                "id" => identity.id = value.into(),
                "purpose" => identity.purposes = values(),
                "asks for" => purpose = Some(value.to_owned()),
                "touch" => touches.push(touch(value)),
                "hour" => request.time_us = value.parse::<i64>().unwrap() * 3_600_000_000,
                "ip" => request.ip = value.parse().unwrap(),
                _ => drop(identity.attributes.insert(key.to_owned(), values())),
            }
        }
        if touches.is_empty() {
            touches.push(touch("read public.customers"));
        }
        Self { identity, purpose, request, touches }
    }

    fn decide(&self, policy: &Policy, bound: &crate::Bound) -> String {
        let refused = |refusal: access::Refusal| {
            let hint = refusal.hint.map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
            format!("{:?}: {}{hint}\n", refusal.kind, refusal.message)
        };
        let caller = match policy.caller(&self.identity, self.purpose.as_deref()) {
            Ok(caller) => caller,
            Err(refusal) => return refused(refusal),
        };
        let explanation = bound.explain("crm", &caller, &self.request, &self.touches);
        let mut text = explanation.to_string();
        match bound.guards("crm", &caller, &self.request, &self.touches) {
            Ok(guards) => {
                let _ = writeln!(text, "applied: {}", guards.rules.join(", "));
            }
            Err(refusal) => text.push_str(&refused(refusal)),
        }
        text
    }
}

fn touch(text: &str) -> Touch {
    let (action, relation) = text.split_once(' ').unwrap();
    let (schema, name) = relation.split_once('.').unwrap();
    let action = match action {
        "read" => Action::Read,
        "explain" => Action::Explain,
        _ => panic!("unknown action {action}"),
    };
    Touch::new(RelationName::new(schema, name), action)
}
