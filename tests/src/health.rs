//! Whether a gateway says of itself what is so: to who restarts it, and to who sends clients to it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use testkit::postgres::free_port;

use crate::gateway::{Gateway, Setup, executable};

/// How long a change may take until it is told.
const TOLD_SECONDS_MAX: u64 = 30;

fn started(record: Option<&str>) -> (Gateway, u16) {
    let port = free_port();
    let record = record.map(Into::into);
    (Gateway::start_with(&Setup { health: Some(port), record, ..Setup::default() }), port)
}

fn asked(port: u16, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(TOLD_SECONDS_MAX))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // One that says too much may find the connection closed before it has said all.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

fn get(port: u16, path: &str) -> String {
    asked(port, format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
}

/// Asks until it is told.
fn until(port: u16, path: &str, told: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(TOLD_SECONDS_MAX);
    loop {
        let answer = get(port, path);
        if answer.contains(told) {
            return answer;
        }
        assert!(Instant::now() < deadline, "no word of {told}: {answer}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn health(gateway: &Gateway, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(executable());
    command.env_clear().arg("health").args(arguments).arg("--config").arg(gateway.configuration());
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[test]
fn a_gateway_that_serves_is_ready() {
    let (gateway, port) = started(None);
    assert!(get(port, "/healthz").starts_with("HTTP/1.1 200 OK\r\n"));
    let ready = until(port, "/readyz", "200 OK");
    for line in
        ["ok      policy ", "ok      the record can be written", "is loaded", "it lets the gateway in"]
    {
        assert!(ready.contains(line), "no {line} in {ready}");
    }
    let head = asked(port, b"HEAD /readyz HTTP/1.0\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
    let (good, told) = health(&gateway, &[]);
    assert!(good && told.contains("ok      policy"), "{told}");
    assert!(health(&gateway, &["--alive"]).0);

    // Nothing else is there, least of all a command; and nothing that is said to it hurts.
    for (bytes, status) in [
        (&b"GET /reload HTTP/1.1\r\n\r\n"[..], "404"),
        (b"GET / HTTP/1.1\r\n\r\n", "404"),
        (b"POST /readyz HTTP/1.1\r\ncontent-length: 6\r\n\r\nreload", "405"),
        (b"reload\n", "400"),
        (b"\x16\x03\x01\x02\x00\x01", "400"),
        (&[b"GET /readyz HTTP/1.1\r\nx: ", vec![b'x'; 9000].as_slice()].concat(), "400"),
    ] {
        let answer = asked(port, bytes);
        assert!(
            answer.is_empty() || answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{bytes:?}: {answer}"
        );
    }
    assert!(get(port, "/healthz").contains("200 OK"));
}

#[test]
fn a_record_that_cannot_be_written_is_told() {
    let (gateway, port) = started(Some("/dev/full"));
    let ready = until(port, "/readyz", "503 Service Unavailable");
    assert!(ready.contains("FAILED  the record cannot be written"), "{ready}");
    assert!(get(port, "/healthz").contains("200 OK"), "a restart would not help");
    let (good, told) = health(&gateway, &[]);
    assert!(!good && told.contains("FAILED  the record"), "{told}");
}

#[test]
fn a_store_that_is_away_is_told_and_so_is_its_return() {
    let (gateway, port) = started(None);
    until(port, "/readyz", "200 OK");
    let server = gateway.store.server();
    let name = &gateway.store.name;
    server.run("postgres", &format!("alter database {name} allow_connections false"));
    let ready = until(port, "/readyz", "503");
    assert!(ready.contains("FAILED  store `crm`: cannot connect"), "{ready}");
    server.run("postgres", &format!("alter database {name} allow_connections true"));
    until(port, "/readyz", "200 OK");
}

#[tokio::test]
async fn one_that_stops_takes_no_new_clients_and_still_lives() {
    let (gateway, port) = started(None);
    let alice = gateway.client("alice").await;
    alice.batch_execute("begin; select id from customers").await.unwrap();
    gateway.signal("TERM");
    let ready = until(port, "/readyz", "stopping");
    assert!(ready.contains("503"), "{ready}");
    assert!(get(port, "/healthz").contains("200 OK"));
    alice.batch_execute("commit").await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(TOLD_SECONDS_MAX);
    while TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(Instant::now() < deadline, "it does not stop");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
