//! The gate of the tests: alice and bob read all tables but the secret one.

use std::sync::Arc;

use gate::{Gate, HashKeys};
use policy::{Policy, Source};

use crate::catalog;
use crate::upstream::UpstreamConfig;

/// What the policy refuses.
pub(super) const FORBIDDEN: &str = "select pg_read_file('x')";

/// A gate over the live catalogue, with `word` shown as this says.
pub(super) async fn gate(config: &UpstreamConfig) -> Arc<Gate> {
    let catalog = catalog::load(config, "crm").await.unwrap();
    let log = audit::Log::memory();
    let (gate, diagnostics) =
        Gate::new(policy("clear"), vec![Arc::new(catalog)], log, sql::Limits::default());
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    Arc::new(gate.with_hash_keys(Some(Arc::new(hash_keys()))))
}

/// The keys of hashes.
pub(super) fn hash_keys() -> HashKeys {
    let secret = b"0123456789abcdef0123456789abcdef".to_vec();
    HashKeys::new([(1, secret.into())], 1).unwrap()
}

/// The policy in which `word` has this mask.
pub(super) fn policy(word: &str) -> Policy {
    let text = format!(
        "
veilgate: 1
data:
  pg://crm/public.numbers: {{n: open, word: text.word}}
  pg://crm/other.numbers: {{n: open, word: open}}
  pg://crm/public.wide: {{n: open, filling: open}}
masks:
  text.word: {word}
rules:
  - allow: all
    to: caller.id in ('alice', 'bob')
    data: [pg://crm/public.*, pg://crm/other.*]
    do: read
"
    );
    policy::parse(&[Source { path: "policy.yaml".into(), text }]).unwrap()
}
