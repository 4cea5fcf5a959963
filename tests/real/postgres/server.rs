//! A PostgreSQL server of a test's own: on a free port of this machine, with its data in a temporary folder.

use crate::parts::{free_port, shared};
use dlgforge::store::postgres::{Dsn, Options};
use dlgforge::store::{Backend, Store, StoreError, open};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The password of the only user.
pub const PASSWORD: &str = "s3cret-word";

static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());

/// A server with a database `runs`. It ends with this value.
pub struct Server {
    child: Mutex<Child>,
    port: u16,
    folder: TempDir,
}

impl Server {
    /// The server of the tests that leave it as it is.
    pub fn shared() -> Arc<Self> {
        shared(&SHARED, Self::start)
    }

    /// Starts one.
    pub fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        // Its user must find the data.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        let (data, word) = (folder.path().join("data"), folder.path().join("word"));
        fs::write(&word, PASSWORD).expect("a file");
        if is_root() {
            let mut install = Command::new("install");
            run(install.args(["-d", "-o", "postgres", "-g", "postgres", "-m", "700"]).arg(&data));
        }
        let mut init = as_user(&program("initdb"));
        init.args(["-A", "scram-sha-256", "-U", "dialog", "-E", "UTF8", "--locale=C.UTF-8", "-D"]).arg(&data);
        run(init.arg("--pwfile").arg(&word));
        certify(&data);
        let port = free_port();
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\nmax_connections = 40\nssl = on\n"
        );
        let path = data.join("postgresql.conf");
        let before = fs::read_to_string(&path).expect("its settings");
        fs::write(&path, format!("{before}\n{settings}")).expect("its settings");
        let server = Self { child: Mutex::new(spawn(folder.path())), port, folder };
        server.wait();
        server.ask("postgres", "CREATE DATABASE runs");
        server
    }

    /// Kills it as a power cut would, without waiting for anything.
    pub fn kill(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        child.kill().expect("a kill");
        child.wait().expect("it ends");
    }

    /// Starts it again after a kill.
    pub fn restart(&self) {
        let started = Instant::now();
        loop {
            let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
            *child = spawn(self.folder.path());
            // What is left of the one before it may still hold its memory: then the new one ends.
            while child.try_wait().expect("a child").is_none() {
                if self.is_ready() {
                    return;
                }
                assert!(started.elapsed() < Duration::from_secs(60), "it starts again:\n{}", self.log());
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    fn wait(&self) {
        let started = Instant::now();
        while !self.is_ready() {
            assert!(started.elapsed() < Duration::from_secs(60), "it starts:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn is_ready(&self) -> bool {
        let url = self.url(self.port, "postgres", "");
        let asked = Command::new(program("psql")).args([&url, "-Atc", "SELECT 1"]).stderr(Stdio::null()).output();
        asked.expect("psql runs").stdout == b"1\n"
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Its port on this machine.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its certificate, which is signed by itself and made out to `localhost`.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("data/server.crt")
    }

    fn url(&self, port: u16, database: &str, options: &str) -> String {
        format!("postgresql://dialog:{PASSWORD}@127.0.0.1:{port}/{database}{options}")
    }

    /// The connection string of its database.
    pub fn dsn(&self) -> String {
        self.url(self.port, "runs", "")
    }

    /// The connection string of its database through another port.
    pub fn dsn_through(&self, port: u16) -> String {
        self.url(port, "runs", "?sslmode=disable")
    }

    /// What it answers to a statement in the database `runs`.
    pub fn sql(&self, statement: &str) -> String {
        self.ask("runs", statement)
    }

    fn ask(&self, database: &str, statement: &str) -> String {
        let url = self.url(self.port, database, "");
        let asked = Command::new(program("psql")).args([&url, "-Atqc", statement]).output().expect("psql runs");
        assert!(asked.status.success(), "{statement}: {}", String::from_utf8_lossy(&asked.stderr));
        String::from_utf8_lossy(&asked.stdout).trim().to_owned()
    }

    /// A statement that is under way while the value lives.
    pub fn holding(&self, statement: &str) -> Child {
        let mut psql = Command::new(program("psql"));
        psql.args([&self.dsn(), "-Atqc", statement]).stdout(Stdio::null()).spawn().expect("psql runs")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        // It may have ended by itself.
        _ = child.kill();
        _ = child.wait();
    }
}

fn spawn(folder: &Path) -> Child {
    let log = File::options().create(true).append(true).open(folder.join("log")).expect("a file");
    let mut server = as_user(&program("postgres"));
    let server = server.arg("-D").arg(folder.join("data")).stdin(Stdio::null());
    server.stdout(log.try_clone().expect("a file")).stderr(log).spawn().expect("the server runs")
}

/// A program of the newest PostgreSQL that Debian's packages have put here.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed: see tests/run");
    let newest = versions
        .map(|entry| entry.expect("a folder").path())
        .max_by_key(|path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()).unwrap_or_default());
    newest.expect("a version of PostgreSQL").join("bin").join(name)
}

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// A command as the user that may start servers, which root may not.
fn as_user(program: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/").env("LC_ALL", "C.UTF-8");
    command
}

fn certify(data: &Path) {
    let (key, certificate) = (data.join("server.key"), data.join("server.crt"));
    let mut openssl = as_user(Path::new("openssl"));
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
    openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"]).arg(&key).arg("-out").arg(&certificate);
    run(&mut openssl);
}

fn run(command: &mut Command) {
    let ran = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(ran.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

/// Options for this connection string.
pub fn options(dsn: &str) -> Options {
    let dsn = Dsn::parse(dsn).expect("a connection string");
    Options { dsn, least: 1, most: 8, statement_timeout: Some(Duration::from_secs(30)) }
}

/// The store of a folder at this connection string.
pub fn opened(folder: &Path, dsn: &str) -> Result<Arc<dyn Store>, StoreError> {
    open(folder, &Backend::Postgres(Box::new(options(dsn))))
}
