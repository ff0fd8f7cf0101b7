//! The log in its bad hours: full disks, cut lines, syncs that fail.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::{Decided, Finished, Outcome, Phase, Refused, Session};

const SESSION: Session<'static> = Session {
    id: 7,
    caller: "alice",
    purpose: Some("support"),
    model: None,
    peer: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
    store: "crm",
    database: "shop",
};

fn decided<'a>(asked: &'a str, rules: &'a [Arc<str>]) -> Event<'a> {
    Event::Decided(Decided {
        session: SESSION,
        phase: Phase::Execute,
        kind: "select",
        rules,
        policy: "0123456789abcdef",
        asked,
        sent: "SELECT 1",
    })
}

fn lines(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_request_is_two_lines_joined_by_an_id() {
    let log = Log::memory();
    let id = log.write(&decided("select '\n'", &["a".into(), "b".into()])).unwrap();
    log.write(&Event::Finished(Finished { id, outcome: Outcome::Done, rows: 3, us: 41 })).unwrap();
    let lines = lines(&log.contents());
    let at = lines[0]["at"].as_str().unwrap().to_owned();
    assert_eq!((at.len(), at.ends_with('Z')), (27, true), "{at}");
    let mut first = lines[0].clone();
    first["at"] = "now".into();
    let expected = serde_json::json!({
        "at": "now", "event": "decided", "id": id.0, "session": 7, "caller": "alice", "purpose": "support",
        "peer": "127.0.0.1", "store": "crm", "database": "shop", "phase": "execute", "kind": "select",
        "rules": ["a", "b"], "policy": "0123456789abcdef", "asked": "select '\n'", "sent": "SELECT 1",
    });
    assert_eq!(first, expected);
    assert_eq!(lines[1]["id"], id.0);
    assert_eq!((&lines[1]["outcome"], &lines[1]["rows"]), (&"done".into(), &3.into()));
}

#[test]
fn records_of_one_batch_are_one_write_with_numbers_that_count_up() {
    let log = Log::memory();
    let first = log.write_all(&[decided("a", &[]), decided("b", &[])]).unwrap();
    let next = log.write(&decided("c", &[])).unwrap();
    let ids: Vec<_> = lines(&log.contents()).iter().map(|line| line["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [first.0, first.0 + 1, first.0 + 2]);
    assert_eq!(next.0, first.0 + 2);
}

#[test]
fn a_long_refused_text_is_cut_between_characters() {
    let log = Log::memory();
    let asked = "ü".repeat(40_000);
    let refusal = access::Refusal::new(access::RefusalKind::TooComplex, "too long").rule("r");
    log.write(&Event::Refused(Refused { session: SESSION, policy: "p", refusal: &refusal, asked: &asked }))
        .unwrap();
    let line = &lines(&log.contents())[0];
    assert_eq!(line["asked"].as_str().unwrap().len(), 64 * 1024);
    assert_eq!(line["asked_bytes"], 80_000);
    assert_eq!((&line["refusal"], &line["rule"]), (&"TooComplex".into(), &"r".into()));
}

#[test]
fn a_full_device_refuses() {
    let log = Log::open("/dev/full", Durability::Os).unwrap();
    for _ in 0..3 {
        let error = log.write(&decided("a", &[])).unwrap_err();
        assert!(
            matches!(&error, Error::Write(error) if error.kind() == io::ErrorKind::StorageFull),
            "{error}"
        );
        assert!(!log.is_sound());
    }
}

/// Takes as many bytes as it has room for; syncs as told.
#[derive(Default)]
struct Scripted {
    room: AtomicUsize,
    taken: Mutex<Vec<u8>>,
    sync_fails: bool,
}

impl Sink for Scripted {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.room.load(Ordering::Relaxed).min(bytes.len());
        if taken == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room.fetch_sub(taken, Ordering::Relaxed);
        self.taken.lock().unwrap().extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn sync(&self) -> io::Result<()> {
        if self.sync_fails { Err(io::Error::other("the disk is gone")) } else { Ok(()) }
    }
}

#[test]
fn after_a_cut_line_nothing_is_taken_until_a_probe_is_and_no_line_is_lost() {
    let disk = Arc::new(Scripted::default());
    disk.room.store(500, Ordering::Relaxed);
    let log = Log::new(disk.clone(), None, None);
    log.write(&decided("whole", &[])).unwrap();
    log.write(&decided("cut", &[])).unwrap_err();
    log.write(&decided("refused", &[])).unwrap_err();
    disk.room.store(100_000, Ordering::Relaxed);
    log.write(&decided("again", &[])).unwrap();
    assert!(log.is_sound());
    let text = String::from_utf8(disk.taken.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[0].contains("whole") && serde_json::from_str::<serde_json::Value>(lines[1]).is_err());
    let probe: serde_json::Value = serde_json::from_str(lines[2]).unwrap();
    assert_eq!((&probe["event"], &probe["refused"]), (&"log_recovered".into(), &2.into()));
    assert!(lines[3].contains("again"));
}

#[test]
fn a_failed_sync_refuses_for_good() {
    let disk =
        Arc::new(Scripted { room: AtomicUsize::new(100_000), sync_fails: true, ..Scripted::default() });
    let log = Log::new(disk, None, None);
    log.write(&decided("a", &[])).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while log.is_sound() {
        assert!(std::time::Instant::now() < deadline, "the background sync has not run");
        thread::sleep(Duration::from_millis(1));
    }
    for _ in 0..2 {
        assert!(matches!(log.write(&decided("b", &[])).unwrap_err(), Error::Sync(_)));
    }
}

#[test]
fn a_line_cut_by_a_crash_is_ended_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    std::fs::write(&path, "{\"event\":\"decided\"}\n{\"event\":\"deci").unwrap();
    let log = Log::open(&path, Durability::Os).unwrap();
    log.write(&Event::Stopped).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("{\"event\":\"decided\"}\n{\"event\":\"deci\n{\"at\":"), "{text}");
    assert!(text.ends_with("\"event\":\"stopped\"}\n"), "{text}");
}

#[test]
fn one_process_writes_a_log_and_it_can_be_moved_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let log = Log::open(&path, Durability::Os).unwrap();
    assert!(matches!(Log::open(&path, Durability::Os), Err(Error::Held { .. })));
    log.write(&decided("before", &[])).unwrap();
    log.reopen().unwrap();
    log.write(&decided("same file", &[])).unwrap();
    std::fs::rename(&path, dir.path().join("old")).unwrap();
    log.reopen().unwrap();
    log.write(&decided("after", &[])).unwrap();
    assert_eq!(lines(&std::fs::read_to_string(dir.path().join("old")).unwrap()).len(), 2);
    assert_eq!(lines(&std::fs::read_to_string(&path).unwrap()).len(), 1);
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    log.reopen().unwrap_err();
    log.write(&decided("still the old one", &[])).unwrap();
    std::fs::remove_dir(&path).unwrap();
    log.reopen().unwrap();
    drop(log);
    Log::open(&path, Durability::Os).unwrap();
}

#[test]
fn a_path_that_cannot_be_opened_says_which() {
    let error = Log::open("/nowhere/audit.jsonl", Durability::Os).unwrap_err();
    assert!(error.to_string().starts_with("cannot open the audit log /nowhere/audit.jsonl: "), "{error}");
}
