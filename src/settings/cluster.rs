//! `run.distributed`: the processes of a run, if there are several.

use super::ClusterSettings;
use super::error::Diagnostics;
use super::table as keys;
use super::values::Values;
use crate::providers::Secret;
use std::time::Duration;

/// What connects the processes: `run.distributed.backend`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClusterBackend {
    /// The dataflow's own connections.
    Timely,
    /// The same, with Ray to place the processes.
    Ray,
}

/// Who starts the processes: `run.distributed.launcher`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launcher {
    /// The command itself, all of them on this machine.
    Local,
    /// The user, each by `dlgforge worker` on its host.
    Manual,
}

/// How a run is made by several processes, if it is.
pub(super) fn cluster(values: &Values, report: &mut Diagnostics) -> Option<ClusterSettings> {
    if !values.get(keys::DISTRIBUTED_ENABLED) {
        return None;
    }
    if values.get(keys::DISTRIBUTED_BACKEND) == ClusterBackend::Ray {
        let key = keys::DISTRIBUTED_BACKEND;
        let text = format!(
            "`{key}`: `ray` is not supported yet; set it to `timely`, and have Ray start `dlgforge worker --process N` on \
             its nodes with `{}: manual`",
            keys::LAUNCHER
        );
        report.conflict(&[key.path], values.place(key), text);
    }
    let launcher = values.get(keys::LAUNCHER);
    let hosts: Vec<String> = values.get(keys::HOSTS).into_iter().map(|host| host.trim().to_owned()).collect();
    let processes = usize::from(values.get(keys::PROCESSES));
    let hub = match launcher {
        Launcher::Local => {
            if !hosts.is_empty() {
                let text = format!(
                    "`{}` names hosts, and `{}: local` starts all processes on this machine; leave it empty, or set \
                     `{}: manual`",
                    keys::HOSTS,
                    keys::LAUNCHER,
                    keys::LAUNCHER
                );
                report.conflict(&[keys::HOSTS.path], values.place(keys::HOSTS), text);
            }
            "127.0.0.1:0".to_owned()
        }
        Launcher::Manual => hub(&hosts, values, report),
    };
    let secret = Secret::new(values.get(keys::CLUSTER_SECRET).trim().to_owned());
    if launcher == Launcher::Manual && secret.reveal().is_empty() {
        report.warn(format!(
            "`{}` is empty: whoever reaches the port of process 0 may join; set DLGFORGE_CLUSTER_SECRET to the same word for \
             all processes",
            keys::CLUSTER_SECRET
        ));
    }
    Some(ClusterSettings {
        processes,
        workers: usize::from(values.get(keys::CLUSTER_WORKERS)),
        launcher,
        hub,
        secret,
        patience: Duration::from_secs_f64(values.get(keys::START_TIMEOUT)),
        restarts: values.get(keys::RESTARTS),
    })
}

/// Where the first process listens: at the first host, and the port that it names or else `run.distributed.port`.
fn hub(hosts: &[String], values: &Values, report: &mut Diagnostics) -> String {
    let port = values.get(keys::CLUSTER_PORT);
    match hosts.first().map(String::as_str) {
        None | Some("") => {
            let text = format!(
                "`{}` is empty: with `{}: manual` its first item is the host of process 0, which the others must reach, \
                 such as `10.0.0.1` or `node1:{port}`",
                keys::HOSTS,
                keys::LAUNCHER
            );
            report.conflict(&[keys::HOSTS.path], values.place(keys::HOSTS), text);
            String::new()
        }
        Some(host) if has_port(host) => host.to_owned(),
        // An IPv6 address stands in brackets before its port.
        Some(host) if host.contains(':') && !host.starts_with('[') => format!("[{host}]:{port}"),
        Some(host) => format!("{host}:{port}"),
    }
}

/// Whether a host is given with a port.
fn has_port(host: &str) -> bool {
    let is_whole = |name: &str| !name.contains(':') || (name.starts_with('[') && name.ends_with(']'));
    host.rsplit_once(':').is_some_and(|(name, port)| is_whole(name) && port.parse::<u16>().is_ok())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use crate::settings::Launcher;
    use crate::settings::tests::{BUILTIN, load};

    fn cluster(keys: &str) -> Result<Option<(Launcher, String, usize)>, String> {
        let text = format!("{BUILTIN}run: {{distributed: {{enabled: true, {keys}}}}}\n");
        let settings = load(&text, &[], &[])?;
        Ok(settings.cluster.map(|cluster| (cluster.launcher, cluster.hub, cluster.processes)))
    }

    #[test]
    fn the_first_host_is_where_the_first_process_listens() {
        for (keys, hub) in [
            ("hosts: [10.0.0.1]", "10.0.0.1:2101"),
            ("hosts: ['node1:7'], port: 9", "node1:7"),
            ("hosts: [node1, node2], port: 9", "node1:9"),
            ("hosts: ['fd00::1']", "[fd00::1]:2101"),
            ("hosts: ['[fd00::1]:7']", "[fd00::1]:7"),
        ] {
            let found = cluster(&format!("launcher: manual, {keys}")).unwrap().unwrap();
            assert_eq!(found, (Launcher::Manual, hub.to_owned(), 2), "{keys}");
        }
        assert_eq!(cluster("processes: 4").unwrap(), Some((Launcher::Local, "127.0.0.1:0".to_owned(), 4)));
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for (keys, told) in [
            (
                "launcher: manual",
                "`run.distributed.hosts` is empty: with `run.distributed.launcher: manual` its first item",
            ),
            ("hosts: [a]", "`run.distributed.hosts` names hosts, and `run.distributed.launcher: local` starts all"),
            ("backend: ray", "`run.distributed.backend`: `ray` is not supported yet"),
            ("processes: 0", "run.distributed.processes"),
            ("workers: 0", "run.distributed.workers"),
        ] {
            let error = cluster(keys).unwrap_err();
            assert!(error.contains(told), "{keys}: {error}");
        }
    }
}
