//! The connections that the dataflow of a cluster runs over: one between any two processes.

use super::ClusterError;
use super::line::SILENCE;
use serde::{Deserialize, Serialize};
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use timely::WorkerConfig;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::communication::{Hooks, WorkerGuards};
use timely::worker::Worker;

/// How long the processes of a cluster, all of them there, may take to connect.
const CONNECTING: Duration = Duration::from_secs(30);

/// How long somebody may take to say who it is.
const GREETING: Duration = Duration::from_millis(500);

/// The first words on a connection.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Greeting {
    /// Tells this start of the cluster from all others.
    start: u128,
    process: usize,
}

/// The connections of one process, by the number of the other one; none to itself.
pub struct Mesh {
    process: usize,
    streams: Vec<Option<TcpStream>>,
}

impl Mesh {
    /// Connects a process, which listens already, to all others: it calls those before it, and those after it call.
    ///
    /// # Errors
    /// When some of them can't be reached in time.
    pub fn connect(
        process: usize,
        listener: &TcpListener,
        addresses: &[SocketAddr],
        start: u128,
    ) -> Result<Self, ClusterError> {
        let deadline = Instant::now() + CONNECTING;
        let mut streams: Vec<Option<TcpStream>> = addresses.iter().map(|_| None).collect();
        for (other, address) in addresses.iter().enumerate().take(process) {
            let connect = || {
                let mut stream = TcpStream::connect_timeout(address, CONNECTING)?;
                super::line::write(&mut stream, &Greeting { start, process })?;
                prepared(stream)
            };
            let stream =
                connect().map_err(|cause| ClusterError::Unreached { process: other, address: *address, cause })?;
            streams[other] = Some(stream);
        }
        listener.set_nonblocking(true).map_err(ClusterError::Listen)?;
        while streams[process + 1..].iter().any(Option::is_none) {
            match listener.accept() {
                Ok((stream, _)) => {
                    if let Some((other, stream)) = greeted(stream, start)
                        && let Some(place @ None) = streams.get_mut(other).filter(|_| other > process)
                    {
                        *place = Some(stream);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(5)),
                Err(error) => return Err(ClusterError::Listen(error)),
            }
            if Instant::now() > deadline {
                let missing = (process + 1..).zip(&streams[process + 1..]).filter(|(_, stream)| stream.is_none());
                return Err(ClusterError::Unconnected(missing.map(|(other, _)| other).collect()));
            }
        }
        Ok(Self { process, streams })
    }

    /// Runs `work` on so many workers of this process, which make one cluster with those of the others.
    ///
    /// # Errors
    /// When the threads can't be started.
    pub fn execute<T: Send + 'static>(
        self,
        threads: usize,
        work: impl Fn(&mut Worker) -> T + Send + Sync + 'static,
    ) -> Result<WorkerGuards<T>, String> {
        let hooks = Hooks::default();
        let within = ProcessBuilder::new_typed_vector(threads, hooks.refill.clone(), hooks.spill.clone());
        let network = initialize_networking_from_sockets(within, self.streams, self.process, threads, hooks);
        let (builders, guard) = network.map_err(|error| error.to_string())?;
        let builders = builders.into_iter().map(AllocatorBuilder::Tcp).collect();
        timely::execute::execute_from(builders, Box::new(guard), WorkerConfig::default(), work)
    }
}

/// The process at the other end, if it belongs to this start of the cluster.
fn greeted(mut stream: TcpStream, start: u128) -> Option<(usize, TcpStream)> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(GREETING)).ok()?;
    let greeting: Greeting = super::line::read(&mut stream).ok()??;
    (greeting.start == start).then_some(())?;
    Some((greeting.process, prepared(stream).ok()?))
}

/// A connection on which a peer that is gone, or out of reach, is noticed.
fn prepared(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(None)?;
    let socket = SockRef::from(&stream);
    let beat = Duration::from_secs(2);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(beat).with_interval(beat).with_retries(3))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(SILENCE))?;
    Ok(stream)
}
