//! `--metrics`: the figures of a run in the text format of Prometheus, over HTTP, while it goes on.

mod figures;

use super::events::{Event, Listener};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use figures::Figures;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::{CancellationToken, DropGuard};

/// What Prometheus knows the format by.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves the figures of what it hears at `/metrics`, as long as it is there.
pub struct MetricsServer {
    figures: Arc<Mutex<Figures>>,
    address: SocketAddr,
    _served: DropGuard,
}

/// The address that was typed: a port is one of this machine, that nobody else reaches; a port after an address is one of that.
///
/// # Errors
/// When it is neither, or its host is not known.
pub fn metrics_address(typed: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = typed.trim_start_matches(':').parse() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    let found = typed.to_socket_addrs().ok().and_then(|mut found| found.next());
    found.ok_or_else(|| format!("`{typed}` is neither a port nor an address with one, such as 9464 or 0.0.0.0:9464"))
}

impl MetricsServer {
    /// Serves them at this address, or at a free port of it where the port is 0.
    ///
    /// # Errors
    /// When it can't be listened at.
    pub fn start(address: SocketAddr) -> io::Result<Self> {
        let listener = crate::cluster::listener(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let figures = Arc::new(Mutex::new(Figures::default()));
        let stop = CancellationToken::new();
        let (told, stopped) = (figures.clone(), stop.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let text = move || {
            let text = told.lock().unwrap_or_else(PoisonError::into_inner).text();
            async move { ([(CONTENT_TYPE, TEXT)], text) }
        };
        let serve = async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let app = Router::new().route("/metrics", get(text));
            tokio::select! {
                served = async { axum::serve(listener, app).await } => served,
                // Connections that are kept open hold nobody up.
                () = stopped.cancelled() => Ok(()),
            }
        };
        let serve = move || {
            if let Err(error) = runtime.block_on(serve) {
                tracing::warn!("the metrics are not served any more: {error}");
            }
        };
        std::thread::Builder::new().name("metrics".into()).spawn(serve)?;
        Ok(Self { figures, address, _served: stop.drop_guard() })
    }

    /// Where Prometheus finds them.
    pub fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }
}

impl Listener for MetricsServer {
    fn hear(&self, event: &Event<'_>) {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner).hear(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_full_address_is_open_to_others() {
        for (typed, expected) in [
            ("9464", Some("127.0.0.1:9464")),
            (":0", Some("127.0.0.1:0")),
            ("0.0.0.0:9464", Some("0.0.0.0:9464")),
            ("[::1]:80", Some("[::1]:80")),
            ("99999", None),
            ("0.0.0.0", None),
            ("", None),
        ] {
            assert_eq!(metrics_address(typed).ok().map(|found| found.to_string()).as_deref(), expected, "{typed}");
        }
    }
}
