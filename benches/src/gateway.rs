//! pgbench's select-only mode in its three protocols, at 1 and at 8 clients: directly, through PgBouncer and through
//! veilgate with a row filter and two masks. The three take turns, and each turn is short, so that what disturbs the
//! machine disturbs all of them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use testkit::postgres::{GATEWAY, SUPERUSER, free_port, program};
use testkit::watchdog::Watched;
use testkit::{Postgres, workspace};

use crate::median;

/// Turns of each peer; `BENCH_ROUNDS` sets another number.
const ROUNDS: usize = 7;
/// How long a turn takes, in seconds; `BENCH_SECONDS` sets another number.
const TURN_SECONDS: usize = 3;
/// pgbench's scale: 100,000 accounts each.
const SCALE: &str = "5";
const PASSWORD: &str = "demo";
/// The verifier of [`PASSWORD`], as in `fixtures/callers.yaml`.
const VERIFIER: &str = "SCRAM-SHA-256$4096:dmVpbGdhdGUgZGVtbyAwMQ==$+c0FruvtCaIjgKr4l6EUbYtixiUfT3cc/so9hIZh5Y8=:vTIshNt9kdswvjCkiMmEeo4hWU03JtxdjX+zGGLW5X8=";

const POLICY: &str = "\
veilgate: 1
caller:
  branch_max: {type: int}
data:
  pg://bench/public.pgbench_accounts:
    aid: key
    bid: open
    abalance: money
    filler: note
  # pgbench counts them to find its scale.
  pg://bench/public.pgbench_branches: {bid: key}
masks:
  money: {constant: 0}
  note: {first: 2}
rules:
  - allow: everybody-reads-their-branches
    to: anyone
    data: pg://bench/public.pgbench_accounts
    do: read
    rows: bid <= caller.branch_max
  - allow: everybody-counts-branches
    to: anyone
    data: pg://bench/public.pgbench_branches
    do: read
";

/// One way to the server.
struct Peer {
    name: &'static str,
    port: u16,
    user: &'static str,
    /// What clients name: of the gateway its store.
    database: String,
}

pub(crate) fn run() -> String {
    let server = Postgres::start();
    let database = server.database();
    let store = ("127.0.0.1", server.port(), database.name.clone());
    let mut fill = pgbench(store.1, SUPERUSER, &store.2);
    assert!(fill.args(["-i", "-q", "-s", SCALE]).output().unwrap().status.success(), "pgbench -i failed");
    database.run(&format!("grant select on all tables in schema public to {GATEWAY}"));
    database.run("vacuum analyze");

    let (veilgate, _gateway) = veilgate(store.1, &store.2);
    let (bouncer, _bouncer) = pgbouncer(store.1);
    let peers = [
        Peer { name: "direct", port: store.1, user: GATEWAY, database: store.2.clone() },
        Peer { name: "PgBouncer", port: bouncer, user: GATEWAY, database: store.2.clone() },
        Peer { name: "veilgate", port: veilgate, user: "bench", database: "bench".into() },
    ];
    let mut report = String::from(
        "Transactions a second and latency: medians of the turns, and their ratio to direct and to PgBouncer.\n\n\
         | protocol | clients | peer | tps | latency us | to direct | to PgBouncer |\n|---|---|---|---|---|---|---|\n",
    );
    for protocol in ["simple", "extended", "prepared"] {
        for clients in ["1", "8"] {
            compare(&peers, protocol, clients, &mut report);
        }
    }
    report
}

fn compare(peers: &[Peer; 3], protocol: &str, clients: &str, report: &mut String) {
    let mut tps = [const { Vec::new() }; 3];
    for _ in 0..setting("BENCH_ROUNDS", ROUNDS) {
        for (peer, tps) in peers.iter().zip(&mut tps) {
            tps.push(turn(peer, protocol, clients));
        }
    }
    let [direct, bouncer, _] = tps.each_ref().map(|tps| median(tps));
    for (peer, tps) in peers.iter().zip(&tps) {
        let tps = median(tps);
        let latency = clients.parse::<f64>().unwrap() / tps * 1e6;
        writeln!(
            report,
            "| {protocol} | {clients} | {} | {tps:.0} | {latency:.1} | {:.3} | {:.3} |",
            peer.name,
            tps / direct,
            tps / bouncer
        )
        .unwrap();
        println!("{protocol} {clients} {} {tps:.0}", peer.name);
    }
}

/// Transactions a second of one turn.
fn turn(peer: &Peer, protocol: &str, clients: &str) -> f64 {
    let seconds = setting("BENCH_SECONDS", TURN_SECONDS).to_string();
    let mut bench = pgbench(peer.port, peer.user, &peer.database);
    bench.args(["-S", "-n", "-M", protocol, "-c", clients, "-j", "1", "-s", SCALE, "-T", &seconds]);
    let output = bench.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let tps =
        said.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok());
    tps.unwrap_or_else(|| {
        panic!("{} {protocol}: {said}{}", peer.name, String::from_utf8_lossy(&output.stderr))
    })
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn pgbench(port: u16, user: &str, database: &str) -> Command {
    let mut command = Command::new(program("pgbench"));
    command.env("PGPASSWORD", PASSWORD).env("PGSSLMODE", "disable");
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", user]);
    command.env("PGDATABASE", database);
    command
}

/// The built gateway before the store.
fn veilgate(store: u16, database: &str) -> (u16, Watched) {
    let folder = tempfile::Builder::new().prefix("vg-bench-").tempdir().unwrap().keep();
    let port = free_port();
    fs::create_dir(folder.join("policy")).unwrap();
    fs::write(folder.join("policy/bench.yaml"), POLICY).unwrap();
    let callers = format!("bench:\n  verifier: {VERIFIER}\n  attributes: {{branch_max: 1000000}}\n");
    fs::write(folder.join("callers.yaml"), callers).unwrap();
    let home = folder.display();
    let config = format!(
        "policy: {home}/policy\ncallers_file: {home}/callers.yaml\naudit: {{path: {home}/audit.jsonl}}\n\
         admin: {{socket: {home}/admin.sock}}\nlisteners: {{postgres: {{address: \"127.0.0.1:{port}\", tls: allow}}}}\n\
         stores:\n  bench: {{port: {store}, database: {database}, user: {GATEWAY}, tls: {{mode: off}}}}\n"
    );
    fs::write(folder.join("veilgate.yaml"), config).unwrap();
    let words = [
        built("veilgate").into_os_string(),
        "serve".into(),
        "--config".into(),
        folder.join("veilgate.yaml").into(),
    ];
    let running = Watched::start(&folder, "TERM", words, |_| {});
    await_port(port, &running);
    (port, running)
}

/// PgBouncer by session, since Debian's version keeps no prepared statements between transactions.
fn pgbouncer(store: u16) -> (u16, Watched) {
    let folder = tempfile::Builder::new().prefix("vg-bouncer-").tempdir().unwrap().keep();
    let port = free_port();
    let home = folder.display();
    fs::write(folder.join("users.txt"), format!("\"{GATEWAY}\" \"\"\n")).unwrap();
    let config = format!(
        "[databases]\n* = host=127.0.0.1 port={store}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         auth_type = trust\nauth_file = {home}/users.txt\npool_mode = session\nunix_socket_dir =\n\
         ignore_startup_parameters = extra_float_digits\nlog_connections = 0\nlog_disconnections = 0\n"
    );
    fs::write(folder.join("pgbouncer.ini"), config).unwrap();
    open_to_all(&folder);
    // It refuses to run as root.
    let words = ["pgbouncer", "-u", "nobody"].map(Into::into).into_iter();
    let words: Vec<std::ffi::OsString> = words.chain([folder.join("pgbouncer.ini").into()]).collect();
    let running = Watched::start(&folder, "TERM", words, |shell| {
        let path = std::env::var("PATH").unwrap_or_default();
        shell.env("PATH", format!("{path}:/usr/sbin"));
    });
    await_port(port, &running);
    (port, running)
}

fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}

/// An executable beside this one.
fn built(name: &str) -> PathBuf {
    let path = std::env::current_exe().unwrap().with_file_name(name);
    assert!(
        path.is_file(),
        "{} is missing: cargo build --release, in {}",
        path.display(),
        workspace::root().display()
    );
    path
}

fn await_port(port: u16, program: &Watched) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "nothing listens on {port}:\n{}", program.log());
        std::thread::sleep(Duration::from_millis(10));
    }
}
