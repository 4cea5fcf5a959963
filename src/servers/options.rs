//! Which servers a run has, as its settings say.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Whose the servers behind the endpoints are: `llm.mode`.
#[derive(Debug, Clone, PartialEq)]
pub enum Serving {
    /// Nobody's that the run knows of: endpoints are asked as they are.
    Api,
    /// The user's, which run already: they are looked at before the run.
    Attached,
    /// The run's own, which it starts.
    Managed(Box<ServerOptions>),
}

/// The servers that a run starts: so many replicas of one.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerOptions {
    /// The section of the settings, for messages: `llm.vllm`.
    pub section: &'static str,
    /// What each of them is, with what its command line says of that.
    pub engine: Engine,
    /// The program, with arguments that come before all others.
    pub command: Vec<String>,
    /// Arguments that come after all others.
    pub args: Vec<String>,
    /// The name that the model is served under.
    pub served_name: String,
    /// The names that agents ask for: each replica must list them.
    pub wanted: Vec<String>,
    /// How many of them there are, 1 or more.
    pub replicas: u16,
    /// The address that they listen on.
    pub host: String,
    /// The address that agents reach them at; empty where `host` says it.
    pub advertise_host: String,
    /// The port of the first one; the next ones count on.
    pub port_start: u16,
    /// How long each may take to become ready.
    pub health_timeout: Duration,
    /// Whether they end with the run.
    pub auto_stop: bool,
    /// The folder of their logs.
    pub logs: PathBuf,
    /// This program, which guards them as `dlgforge guard-server`; the program that runs where none is said.
    pub program: Option<PathBuf>,
}

/// What a server is.
#[derive(Debug, Clone, PartialEq)]
pub enum Engine {
    /// vLLM, started as `vllm serve`.
    Vllm {
        /// The model, a name on the Hub or a folder.
        model: String,
        /// GPUs for each replica: below 1 several share one, and 0 leaves them to vLLM.
        gpus: f64,
        /// GPUs that the model is split over.
        tensor_parallel_size: u32,
        /// Share of a GPU's memory that a server takes.
        gpu_memory_utilization: f64,
        /// Sequences at the same time.
        max_num_seqs: u32,
    },
    /// The server of llama.cpp, `llama-server`.
    LlamaCpp {
        /// The file of the model.
        model: PathBuf,
        /// Tokens of context, shared by the slots; 0 for as much as the model has.
        context: u32,
        /// Requests at the same time.
        slots: u32,
        /// Threads of a server; its own choice where none is said.
        threads: Option<u32>,
    },
}

/// Where a replica is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedEndpoint {
    /// Its name in messages, such as `managed-vllm-0`.
    pub name: String,
    /// The root of its API, such as `http://127.0.0.1:18000/v1`.
    pub base_url: String,
    /// The name that its model is served under.
    pub model: String,
    /// Most requests at a time.
    pub max_in_flight: u32,
}

impl ServerOptions {
    /// Where all replicas are asked, in their order; known before they are started.
    ///
    /// ```
    /// # use dlgforge::servers::{Engine, ServerOptions};
    /// # use std::time::Duration;
    /// let engine = Engine::LlamaCpp { model: "m.gguf".into(), context: 4096, slots: 2, threads: None };
    /// let options = ServerOptions {
    ///     section: "llm.llamacpp",
    ///     engine,
    ///     command: vec!["llama-server".into()],
    ///     args: Vec::new(),
    ///     served_name: "m".into(),
    ///     wanted: vec!["m".into()],
    ///     replicas: 2,
    ///     host: "127.0.0.1".into(),
    ///     advertise_host: String::new(),
    ///     port_start: 18000,
    ///     health_timeout: Duration::from_secs(180),
    ///     auto_stop: true,
    ///     logs: "logs".into(),
    ///     program: None,
    /// };
    /// let second = &options.endpoints()[1];
    /// assert_eq!((second.name.as_str(), second.max_in_flight), ("managed-llamacpp-1", 2));
    /// assert_eq!(second.base_url, "http://127.0.0.1:18001/v1");
    /// ```
    pub fn endpoints(&self) -> Vec<ServedEndpoint> {
        let endpoint = |replica| ServedEndpoint {
            name: self.name(replica),
            base_url: format!("http://{}:{}/v1", bracketed(self.reached_at()), self.port(replica)),
            model: self.served_name.clone(),
            max_in_flight: match self.engine {
                Engine::Vllm { max_num_seqs, .. } => (max_num_seqs / 2).max(64),
                // What is more waits in its queue, while another one may be idle.
                Engine::LlamaCpp { slots, .. } => slots,
            },
        };
        (0..self.replicas).map(endpoint).collect()
    }

    /// The name of a replica in messages, from 0.
    pub(super) fn name(&self, replica: u16) -> String {
        let kind = match self.engine {
            Engine::Vllm { .. } => "vllm",
            Engine::LlamaCpp { .. } => "llamacpp",
        };
        format!("managed-{kind}-{replica}")
    }

    /// The port of a replica. That there are so many ports is for the settings to see to.
    pub(super) fn port(&self, replica: u16) -> u16 {
        self.port_start.saturating_add(replica)
    }

    fn reached_at(&self) -> &str {
        let everywhere = self.host.parse::<IpAddr>().is_ok_and(|host| host.is_unspecified());
        match (self.advertise_host.is_empty(), everywhere) {
            (false, _) => &self.advertise_host,
            (true, true) => "127.0.0.1",
            (true, false) => &self.host,
        }
    }
}

/// A host as an address has it: IPv6 in brackets.
fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
pub(super) mod samples {
    use super::*;

    /// Two replicas of vLLM with this on their command line.
    pub fn vllm(args: &[&str]) -> ServerOptions {
        let engine = Engine::Vllm {
            model: "org/model".into(),
            gpus: 1.0,
            tensor_parallel_size: 1,
            gpu_memory_utilization: 0.9,
            max_num_seqs: 256,
        };
        ServerOptions {
            section: "llm.vllm",
            engine,
            command: vec!["vllm".into()],
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            served_name: "model".into(),
            wanted: vec!["model".into()],
            replicas: 2,
            host: "127.0.0.1".into(),
            advertise_host: String::new(),
            port_start: 18000,
            health_timeout: Duration::from_secs(1),
            auto_stop: true,
            logs: "logs".into(),
            program: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::samples::vllm;
    use super::*;

    #[test]
    fn endpoints_are_as_the_contract_says() {
        let mut options = vllm(&[]);
        let endpoint = |name: &str, base_url: &str, max_in_flight| ServedEndpoint {
            name: name.into(),
            base_url: base_url.into(),
            model: "model".into(),
            max_in_flight,
        };
        assert_eq!(
            options.endpoints(),
            [
                endpoint("managed-vllm-0", "http://127.0.0.1:18000/v1", 128),
                endpoint("managed-vllm-1", "http://127.0.0.1:18001/v1", 128)
            ]
        );
        if let Engine::Vllm { max_num_seqs, .. } = &mut options.engine {
            *max_num_seqs = 16;
        }
        options.replicas = 1;
        assert_eq!(options.endpoints(), [endpoint("managed-vllm-0", "http://127.0.0.1:18000/v1", 64)]);
    }

    #[test]
    fn servers_are_reached_where_they_listen_unless_another_address_is_said() {
        for (host, advertise_host, reached) in [
            ("127.0.0.1", "", "127.0.0.1"),
            ("0.0.0.0", "", "127.0.0.1"),
            ("::", "", "127.0.0.1"),
            ("10.0.0.7", "", "10.0.0.7"),
            ("0.0.0.0", "10.0.0.7", "10.0.0.7"),
            ("::1", "", "[::1]"),
        ] {
            let options = ServerOptions { host: host.into(), advertise_host: advertise_host.into(), ..vllm(&[]) };
            assert_eq!(options.endpoints()[0].base_url, format!("http://{reached}:18000/v1"), "{host}");
        }
    }
}
