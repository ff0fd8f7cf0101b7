//! A throw-away PostgreSQL: started for a test, gone with it, whatever becomes of the test.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio_postgres::{Client, Config, NoTls};

use crate::certificate;
use crate::data_folder;
use crate::installation::Installation;
use crate::watchdog::Watched;

/// The superuser's name; its password is the same where one is asked for.
pub const SUPERUSER: &str = "postgres";
/// The login that may read all tables and change nothing; its password is the same where one is asked for.
pub const GATEWAY: &str = "gateway";

/// How long a start may take before it counts as failed.
const START_SECONDS_MAX: u64 = 60;

/// How a client over TCP proves itself. Over the Unix socket everybody is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Auth {
    /// Everybody is who they say.
    #[default]
    Trust,
    /// SCRAM-SHA-256.
    Scram,
    /// MD5.
    Md5,
    /// A password in the clear.
    Password,
}

/// Whether the server speaks TLS, with a self-signed certificate of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tls {
    /// It does not.
    #[default]
    Off,
    /// A client may ask for it.
    Offered,
    /// A client over TCP must.
    Required,
}

/// What is special about a server.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How a client proves itself.
    pub auth: Auth,
    /// Whether it speaks TLS.
    pub tls: Tls,
    /// Further settings, as on the server's command line.
    pub settings: Vec<(String, String)>,
}

impl Options {
    /// The same with one more setting.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A running server. Dropping it stops it and removes its files.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    port: u16,
    databases: AtomicU32,
    program: Watched,
}

impl Postgres {
    /// Starts a server that trusts everybody.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&Options::default())
    }

    /// Starts a server with these options.
    #[must_use]
    pub fn start_with(options: &Options) -> Self {
        let installation = Installation::find();
        // A free port can be taken by somebody else before the server has it.
        let server = (0..5).find_map(|_| Self::try_start(&installation, options));
        let server = server.expect("PostgreSQL found no free port in 5 tries");
        if options.auth != Auth::Trust {
            let set = format!(
                "alter role {SUPERUSER} password '{SUPERUSER}'; alter role {GATEWAY} password '{GATEWAY}'"
            );
            server.run("postgres", &set);
        }
        server
    }

    /// The server that all tests of this process share, started by the first that asks.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// An empty database of its own.
    #[must_use]
    pub fn database(&self) -> Database<'_> {
        self.database_like("template1")
    }

    /// A copy of a database, to which nobody may be connected.
    #[must_use]
    pub fn database_like(&self, template: &str) -> Database<'_> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.run("postgres", &format!("create database {name} template {template}"));
        Database { server: self, name }
    }

    /// A database with the schema and rows of a folder under `fixtures/`: `crm`.
    #[must_use]
    pub fn database_with(&self, fixture: &str) -> Database<'_> {
        let database = self.database();
        for file in ["schema.sql", "data.sql"] {
            database.run(&crate::workspace::fixture_text(&format!("{fixture}/{file}")));
        }
        database
    }

    /// The version, as `server_version_num` has it but for what stands behind the major one: 150000.
    #[must_use]
    pub fn version(&self) -> u32 {
        crate::installation::server_version()
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the Unix socket, a host name to all clients.
    #[must_use]
    pub fn socket_folder(&self) -> &Path {
        &self.folder
    }

    /// The certificate that a client has to trust, as PEM; there only with TLS on.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("server.crt")
    }

    /// What the server has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.program.log()
    }

    /// How the superuser connects over the Unix socket, for tokio-postgres.
    #[must_use]
    pub fn config(&self, database: &str) -> Config {
        let mut config = Config::new();
        config.host_path(&self.folder).port(self.port).user(SUPERUSER).dbname(database);
        config
    }

    /// How a login connects over TCP, as a connection string; the password is the login's own name.
    #[must_use]
    pub fn url(&self, login: &str, database: &str) -> String {
        format!("host=127.0.0.1 port={} user={login} password={login} dbname={database}", self.port)
    }

    /// Runs statements as the superuser and waits for them.
    pub fn run(&self, database: &str, statements: &str) {
        let config = self.config(database);
        let ran = blocking(async move { connect(&config).await.batch_execute(statements).await });
        ran.unwrap_or_else(|error| panic!("{}\n{statements}", described(&error)));
    }

    fn try_start(installation: &Installation, options: &Options) -> Option<Self> {
        let folder =
            tempfile::Builder::new().prefix("vg-").tempdir().expect("a temporary folder can be made").keep();
        data_folder::hand_over(&folder, installation.user).expect("a temporary folder can be given away");
        data_folder::create(installation, &folder.join("data"));
        write_access(installation, &folder, options);
        if options.tls != Tls::Off {
            write_certificate(installation, &folder);
        }
        let port = free_port();
        let program = spawn(installation, &folder, port, options);
        let mut server = Self { folder, port, databases: AtomicU32::new(0), program };
        server.await_ready().then_some(server)
    }

    /// Waits until the server says that it is ready, in the last line of its pid file. False where the port was taken.
    fn await_ready(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        while Instant::now() < deadline {
            let pid_file = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap_or_default();
            if pid_file.lines().nth(7).is_some_and(|status| status.trim() == "ready") {
                return true;
            }
            if self.program.ended().is_some() {
                let log = self.log();
                let _ = fs::remove_dir_all(&self.folder);
                assert!(log.contains("could not bind"), "PostgreSQL did not start:\n{log}");
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("PostgreSQL was not ready in {START_SECONDS_MAX} s:\n{}", self.log());
    }
}

/// A database of a server, dropped with it.
#[derive(Debug)]
pub struct Database<'a> {
    server: &'a Postgres,
    /// Its name.
    pub name: String,
}

impl Database<'_> {
    /// The server it lives on.
    #[must_use]
    pub fn server(&self) -> &Postgres {
        self.server
    }

    /// How the superuser connects over the Unix socket.
    #[must_use]
    pub fn config(&self) -> Config {
        self.server.config(&self.name)
    }

    /// How a login connects over TCP, as a connection string.
    #[must_use]
    pub fn url(&self, login: &str) -> String {
        self.server.url(login, &self.name)
    }

    /// Runs statements as the superuser and waits for them.
    pub fn run(&self, statements: &str) {
        self.server.run(&self.name, statements);
    }

    /// A connection of the superuser.
    pub async fn connect(&self) -> Client {
        connect(&self.config()).await
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        // The server is thrown away whole; a database that somebody is still connected to goes with it.
        let config = self.server.config("postgres");
        let statement = format!("drop database if exists {} with (force)", self.name);
        blocking(async move {
            if let Ok((client, connection)) = config.connect(NoTls).await {
                tokio::spawn(connection);
                let _ = client.batch_execute(&statement).await;
            }
        });
    }
}

/// Connects without TLS and drives the connection on the runtime at hand.
pub async fn connect(config: &Config) -> Client {
    let (client, connection) =
        config.connect(NoTls).await.unwrap_or_else(|error| panic!("{}", described(&error)));
    tokio::spawn(connection);
    client
}

/// Awaits on a thread and runtime of its own, so that it can be called from inside of another runtime and from outside.
fn blocking<T: Send>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(work)
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// An error with what the server said.
fn described(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{}: {}", said.code().code(), said.message()),
        None => error.to_string(),
    }
}

/// A client program, `psql` or `pgbench`: of the PostgreSQL that servers are started from, else of Debian's.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    Installation::find().client(name)
}

/// A port on loopback that nobody has at the moment.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a listener has an address").port()
}

fn write_access(installation: &Installation, folder: &Path, options: &Options) {
    let method = match options.auth {
        Auth::Trust => "trust",
        Auth::Scram => "scram-sha-256",
        Auth::Md5 => "md5",
        Auth::Password => "password",
    };
    let kind = if options.tls == Tls::Required { "hostssl" } else { "host" };
    let text = format!("local all all trust\n{kind} all all 127.0.0.1/32 {method}\n");
    write_private(installation, &folder.join("data/pg_hba.conf"), &text);
}

fn write_certificate(installation: &Installation, folder: &Path) {
    let made = certificate::self_signed();
    write_private(installation, &folder.join("server.crt"), &made.certificate_pem);
    write_private(installation, &folder.join("server.key"), &made.key_pem);
}

/// Writes a file that only the server's user may read.
fn write_private(installation: &Installation, path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).expect("a file in the server's folder can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("its mode can be set");
    data_folder::hand_over(path, installation.user).expect("it can be given away");
}

fn spawn(installation: &Installation, folder: &Path, port: u16, options: &Options) -> Watched {
    let mut program =
        vec![installation.bin.join("postgres").into_os_string(), "-D".into(), folder.join("data").into()];
    for (name, value) in settings(folder, port, options) {
        program.extend(["-c".into(), format!("{name}={value}").into()]);
    }
    // SIGQUIT is the server's immediate shutdown: nothing of it will be needed.
    Watched::start(folder, "QUIT", program, |shell| installation.run_as_user(shell))
}

fn settings(folder: &Path, port: u16, options: &Options) -> Vec<(String, String)> {
    let folder = folder.display();
    let mut settings: Vec<(String, String)> = [
        // Fast, since nothing outlives the test.
        ("fsync", "off"),
        ("synchronous_commit", "off"),
        ("full_page_writes", "off"),
        ("wal_level", "minimal"),
        ("max_wal_senders", "0"),
        ("autovacuum", "off"),
        ("jit", "off"),
        ("shared_buffers", "16MB"),
        ("max_connections", "200"),
        ("listen_addresses", "127.0.0.1"),
        ("timezone", "UTC"),
        ("log_line_prefix", "%a|"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    settings.push(("port".into(), port.to_string()));
    settings.push(("unix_socket_directories".into(), folder.to_string()));
    if options.auth == Auth::Md5 {
        settings.push(("password_encryption".into(), "md5".into()));
    }
    if options.tls != Tls::Off {
        settings.push(("ssl".into(), "on".into()));
        settings.push(("ssl_cert_file".into(), format!("{folder}/server.crt")));
        settings.push(("ssl_key_file".into(), format!("{folder}/server.key")));
    }
    settings.extend(options.settings.iter().cloned());
    settings
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[tokio::test]
    async fn starts_serves_and_leaves_nothing() {
        let began = Instant::now();
        let server = Postgres::start_with(&Options::default().setting("log_statement", "all"));
        eprintln!("start: {:?}", began.elapsed());
        let database = server.database();
        database.run("create table t (x int); insert into t values (7)");
        let client = database.connect().await;
        let row = client.query_one("select x from t", &[]).await.unwrap();
        assert_eq!(row.get::<_, i32>(0), 7);
        let gateway = connect(&database.url(GATEWAY).parse().unwrap()).await;
        assert!(gateway.query_one("select x from t", &[]).await.is_ok());
        assert!(gateway.batch_execute("insert into t values (8)").await.is_err());
        assert!(server.log().contains("select x from t"));

        drop(database);
        let folder = server.socket_folder().to_owned();
        drop(server);
        assert!(!folder.exists());
    }

    #[tokio::test]
    async fn asks_for_a_password() {
        for auth in [Auth::Scram, Auth::Md5, Auth::Password] {
            let server = Postgres::start_with(&Options { auth, ..Options::default() });
            let mut config: Config = server.url(GATEWAY, "postgres").parse().unwrap();
            drop(connect(&config).await);
            config.password("wrong");
            let error = config.connect(NoTls).await.err().unwrap();
            assert_eq!(error.code().unwrap().code(), "28P01", "{auth:?}");
        }
    }

    #[tokio::test]
    async fn insists_on_tls() {
        let server = Postgres::start_with(&Options { tls: Tls::Required, ..Options::default() });
        assert!(fs::read_to_string(server.certificate()).unwrap().starts_with("-----BEGIN CERTIFICATE"));
        let config: Config = server.url(GATEWAY, "postgres").parse().unwrap();
        let error = config.connect(NoTls).await.err().unwrap();
        assert_eq!(error.code().unwrap().code(), "28000");
    }

    #[tokio::test]
    async fn fills_a_database_with_a_fixture() {
        let database = Postgres::shared().database_with("crm");
        let client = database.connect().await;
        let rows =
            client.query("select id from customers where region = 'EU' order by id", &[]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>(), [1, 3]);
        for table in ["customers", "orders", "employees", "events_2025", "events_2026"] {
            let count = client.query_one(&format!("select count(*) from {table}"), &[]).await.unwrap();
            assert!(count.get::<_, i64>(0) > 5, "{table}");
        }
    }

    /// The child of this test starts a server and dies without a word; the server must follow.
    #[test]
    fn follows_a_process_that_died() {
        const CHILD: &str = "VEILGATE_TEST_DIE_AT";
        if let Some(file) = std::env::var_os(CHILD) {
            let server = Postgres::start();
            fs::write(file, server.socket_folder().to_str().unwrap()).unwrap();
            std::process::abort();
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "postgres::tests::follows_a_process_that_died"]).env(CHILD, file.path());
        child.stdout(Stdio::null()).stderr(Stdio::null());
        assert!(!child.status().unwrap().success());

        let folder = PathBuf::from(fs::read_to_string(file.path()).unwrap());
        assert!(folder.starts_with(std::env::temp_dir()), "the child did not come so far: {folder:?}");
        let deadline = Instant::now() + Duration::from_secs(20);
        while folder.exists() {
            assert!(Instant::now() < deadline, "the server outlives its test");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
