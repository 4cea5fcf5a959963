//! A relay in front of a server that keeps what clients send.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What one connection's client has sent so far.
type Sent = Arc<Mutex<Vec<u8>>>;

/// Hands on to a port of this machine, both ways, byte by byte.
pub struct Relay {
    port: u16,
    connections: Arc<Mutex<Vec<Sent>>>,
}

impl Relay {
    /// A relay to this port.
    pub fn to(behind: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let connections = Arc::<Mutex<Vec<_>>>::default();
        let all = connections.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) =
                    (client.expect("a client"), TcpStream::connect(("127.0.0.1", behind)).expect("a server"));
                let sent = Sent::default();
                all.lock().expect("connections").push(sent.clone());
                let (back, forth) = (server.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
                thread::spawn(move || {
                    copy(client, server, |bytes| sent.lock().expect("bytes").extend_from_slice(bytes))
                });
                thread::spawn(move || copy(back, forth, |_| {}));
            }
        });
        Self { port, connections }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The bodies of all requests so far that have one.
    pub fn requests(&self) -> Vec<Value> {
        let connections = self.connections.lock().expect("connections");
        connections.iter().flat_map(|sent| bodies(&sent.lock().expect("bytes"))).collect()
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, mut keep: impl FnMut(&[u8])) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        keep(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    // The other side may be gone already.
    let _ = to.shutdown(Shutdown::Both);
}

/// The bodies of whole requests sent one after another; a look at the list of models has none.
fn bodies(mut sent: &[u8]) -> Vec<Value> {
    let mut bodies = Vec::new();
    while let Some(end) = sent.windows(4).position(|window| window == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&sent[..end]).to_lowercase();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
        let Some(body) = sent.get(end + 4..end + 4 + length) else { break };
        bodies.extend((length > 0).then(|| serde_json::from_slice::<Value>(body).expect("JSON")));
        sent = &sent[end + 4 + length..];
    }
    bodies
}
