//! A relay to a server that cuts connections where it hurts: when a transaction is committed.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What a client sends to end a transaction.
const COMMIT: &[u8] = b"COMMIT\0";

/// Hands on to a port of this machine, both ways. Every second commit it cuts the connection: by turns before the server has
/// read the commit, and after it has answered, without handing the answer on.
pub struct Cutter {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    commits: AtomicU64,
    cut: AtomicU64,
    closed: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Cutter {
    /// A relay to this port; commits are cut only where it says so.
    pub fn to(behind: u16, cuts: bool) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::<State>::default();
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.expect("a client");
                if shared.closed.load(Ordering::SeqCst) {
                    continue;
                }
                let server = TcpStream::connect(("127.0.0.1", behind)).expect("a server");
                let copy = |stream: &TcpStream| stream.try_clone().expect("a socket");
                shared.open.lock().expect("sockets").extend([copy(&client), copy(&server)]);
                let deaf = Arc::new(AtomicBool::new(false));
                let (state, back, forth, mute) = (shared.clone(), copy(&server), copy(&client), deaf.clone());
                thread::spawn(move || answer(back, forth, &mute));
                thread::spawn(move || hand_on(client, server, &state, cuts, &deaf));
            }
        });
        Self { port, state }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many commits it has cut so far.
    pub fn cut(&self) -> u64 {
        self.state.cut.load(Ordering::SeqCst)
    }

    /// Ends all connections, and takes no more until it is opened.
    pub fn close(&self) {
        self.state.closed.store(true, Ordering::SeqCst);
        for stream in self.state.open.lock().expect("sockets").drain(..) {
            // It may have ended by itself.
            _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Takes connections again.
    pub fn open(&self) {
        self.state.closed.store(false, Ordering::SeqCst);
    }
}

fn hand_on(mut client: TcpStream, mut server: TcpStream, state: &State, cuts: bool, deaf: &AtomicBool) {
    let mut buffer = [0; 64 * 1024];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        let sent = &buffer[..length];
        if cuts && sent.windows(COMMIT.len()).any(|bytes| bytes == COMMIT) {
            let commit = state.commits.fetch_add(1, Ordering::SeqCst);
            if commit % 2 == 1 {
                state.cut.fetch_add(1, Ordering::SeqCst);
                if commit % 4 == 1 {
                    deaf.store(true, Ordering::SeqCst);
                    _ = server.write_all(sent);
                    // The server commits meanwhile, or does so after the connection has ended.
                    thread::sleep(Duration::from_millis(commit % 8));
                }
                break;
            }
        }
        if server.write_all(sent).is_err() {
            break;
        }
    }
    _ = client.shutdown(Shutdown::Both);
    _ = server.shutdown(Shutdown::Both);
}

fn answer(mut server: TcpStream, mut client: TcpStream, deaf: &AtomicBool) {
    let mut buffer = [0; 64 * 1024];
    while let Ok(length @ 1..) = server.read(&mut buffer) {
        if deaf.load(Ordering::SeqCst) || client.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    _ = client.shutdown(Shutdown::Both);
}
