//! The servers as guards: started on first use, shared while a test holds them, ended with the last.

use crate::support::shipped;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;

static SMOLLM: Mutex<Weak<LlamaServer>> = Mutex::new(Weak::new());
static QWEN: Mutex<Weak<LlamaServer>> = Mutex::new(Weak::new());
static LITELLM: Mutex<Weak<LiteLlm>> = Mutex::new(Weak::new());

/// A llama.cpp server with one model in four slots.
pub struct LlamaServer {
    server: Server,
}

impl LlamaServer {
    /// This process's server of SmolLM2-135M, which is quick and writes poorly.
    pub fn shared() -> Arc<Self> {
        shared(&SMOLLM, || Self::start("weights/model.gguf", 2048))
    }

    /// This process's server of Qwen2.5-Coder-0.5B, which is slow and does much of what it is told.
    pub fn qwen() -> Arc<Self> {
        shared(&QWEN, || Self::start("qwen/model.gguf", 4096))
    }

    fn start(model: &str, context: u32) -> Self {
        let (port, key, folder) = (free_port(), key(), TempDir::new().expect("a temporary folder"));
        let (model, prompts) = (real(model).display().to_string(), folder.path().join("prompts"));
        fs::create_dir(&prompts).expect("a folder");
        let (number, context, prompts) = (port.to_string(), context.to_string(), prompts.display().to_string());
        let arguments = [model.as_str(), &number, &key, &context, &prompts];
        let server = Server::start("llama", &arguments, port, key.clone(), folder);
        // The key is this server's alone: another one on the port does not know it.
        server.wait_for(&["/health", "/props"]);
        Self { server }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// The root of its OpenAI-compatible API.
    pub fn base_url(&self) -> String {
        format!("{}/v1", self.server.url())
    }

    /// Every prompt it has read, as it has read it.
    pub fn prompts(&self) -> Vec<String> {
        let files = fs::read_dir(self.server.folder.path().join("prompts")).expect("its prompts");
        files.map(|file| fs::read_to_string(file.expect("a file").path()).expect("UTF-8")).collect()
    }

    /// The key it demands.
    pub fn key(&self) -> &str {
        &self.server.key
    }
}

/// A LiteLLM proxy that serves the llama.cpp server as `local`.
pub struct LiteLlm {
    server: Server,
    _behind: Arc<LlamaServer>,
}

impl LiteLlm {
    /// The proxy of this process.
    pub fn shared() -> Arc<Self> {
        shared(&LITELLM, Self::start)
    }

    fn start() -> Self {
        let behind = LlamaServer::shared();
        let (port, key, folder) = (free_port(), key(), TempDir::new().expect("a temporary folder"));
        let config = format!(
            "model_list:\n  - model_name: local\n    litellm_params: {{model: openai/local, \
             api_base: \"{}\", api_key: \"{}\"}}\n\
             general_settings: {{master_key: \"{key}\"}}\nlitellm_settings: {{callbacks: hook.hook}}\n",
            behind.base_url(),
            behind.key(),
        );
        let path = folder.path().join("config.yaml");
        fs::write(&path, config).expect("a file");
        fs::copy(shipped("tests/real/hook.py"), folder.path().join("hook.py")).expect("a file");
        let path = path.display().to_string();
        let server = Server::start("litellm", &[&path, &port.to_string()], port, key, folder);
        server.wait_for(&["/health/liveliness", "/v1/models"]);
        Self { server, _behind: behind }
    }

    /// Where it is, without a path.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The key it demands.
    pub fn key(&self) -> &str {
        &self.server.key
    }
}

/// What is started by whoever needs it first, and ends with the last that does.
pub fn shared<T>(current: &Mutex<Weak<T>>, start: impl FnOnce() -> T) -> Arc<T> {
    // A start that failed leaves nothing behind: the next test tries, and says for itself what is wrong.
    let mut current = current.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    current.upgrade().unwrap_or_else(|| {
        let started = Arc::new(start());
        *current = Arc::downgrade(&started);
        started
    })
}

/// A process that serves on a port of this machine. It ends with this value, or with this process: its standard input
/// ends then, which it watches.
struct Server {
    child: Mutex<Child>,
    port: u16,
    key: String,
    folder: TempDir,
}

impl Server {
    /// Starts `serve.py` with these arguments, in the virtual environment of this name.
    fn start(name: &str, arguments: &[&str], port: u16, key: String, folder: TempDir) -> Self {
        let log = File::create(folder.path().join("log")).expect("a file");
        let child = Command::new(python(name))
            .arg(shipped("tests/real/serve.py"))
            .arg(name)
            .args(arguments)
            .current_dir(folder.path())
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { child: Mutex::new(child), port, key, folder }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits until all of these paths answer 200 while the process lives.
    fn wait_for(&self, paths: &[&str]) {
        let started = Instant::now();
        while !paths.iter().all(|path| self.answers(path)) {
            self.expect_alive();
            assert!(started.elapsed() < Duration::from_secs(180), "not ready in time:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
        self.expect_alive();
    }

    fn expect_alive(&self) {
        let ended = self.child.lock().expect("a child").try_wait().expect("a child");
        assert!(ended.is_none(), "it ended with {ended:?}:\n{}", self.log());
    }

    /// Whether a request for this path, with the key, is answered 200.
    fn answers(&self, path: &str) -> bool {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            let Self { port, key, .. } = self;
            let headers = format!("Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\nConnection: close");
            write!(stream, "GET {path} HTTP/1.1\r\n{headers}\r\n\r\n")?;
            let mut status = [0; 12];
            stream.read_exact(&mut status)?;
            Ok(String::from_utf8_lossy(&status).into_owned())
        };
        ask().is_ok_and(|status| status.ends_with(" 200"))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The Python of a virtual environment.
pub fn python(name: &str) -> PathBuf {
    real(name).join("bin/python")
}

/// A path in the folder where `tests/run` installs the servers.
pub fn real(inside: &str) -> PathBuf {
    let folder = std::env::var_os("DLGFORGE_REAL").expect(
        "DLGFORGE_REAL is not set: it names the folder of the servers; `tests/run` installs them there and sets it",
    );
    PathBuf::from(folder).join(inside)
}

/// A key that no other server has.
fn key() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock").as_nanos();
    format!("sk-{}-{now}", std::process::id())
}

/// A port below those that the system gives to clients, so that none of them takes it away, and another one each time: a server
/// takes its own seconds after it is started.
pub fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 8000).expect("a small number");
    (0..8000)
        .map(|_| 20_000 + (first + TAKEN.fetch_add(1, Ordering::SeqCst) % 8000) % 8000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}
