//! `run.distributed`: the processes of a run, if there are several.

use super::error::Diagnostics;
use super::table as keys;
use super::types::{Setting, word_of};
use super::values::Values;
use super::{ClusterSettings, RaySettings};
use crate::providers::Secret;
use std::time::Duration;

/// What places the processes: `run.distributed.backend`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClusterBackend {
    /// What `run.distributed.launcher` says.
    Timely,
    /// Ray, whatever the launcher is by default.
    Ray,
}

/// Who starts the processes: `run.distributed.launcher`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launcher {
    /// The command itself, all of them on this machine.
    Local,
    /// The user, each by `dlgforge worker` on its host.
    Manual,
    /// The command, over the nodes of Slurm's allocation.
    Slurm,
    /// Kubernetes, each in a pod of an indexed Job or a StatefulSet.
    Kubernetes,
    /// The command, as jobs of a Ray cluster.
    Ray,
}

/// How a run is made by several processes, if it is.
pub(super) fn cluster(values: &Values, report: &mut Diagnostics) -> Option<ClusterSettings> {
    if !values.get(keys::DISTRIBUTED_ENABLED) {
        return None;
    }
    let launcher = launcher(values, report);
    let hosts: Vec<String> = values.get(keys::HOSTS).into_iter().map(|host| host.trim().to_owned()).collect();
    let port = values.get(keys::CLUSTER_PORT);
    let hub = hosts.first().filter(|host| !host.is_empty()).map(|host| hub(host, port));
    let mut wrong = |text: String| report.conflict(&[keys::HOSTS.path], values.place(keys::HOSTS), text);
    match (launcher, &hub) {
        (Launcher::Local, Some(_)) => wrong(format!(
            "`{}` names hosts, and `{}: local` starts all processes on this machine; leave it empty, or set `{}: manual`",
            keys::HOSTS,
            keys::LAUNCHER,
            keys::LAUNCHER
        )),
        (Launcher::Manual, None) => wrong(format!(
            "`{}` is empty: with `{}: manual` its first item is the host of process 0, which the others must reach, such as \
             `10.0.0.1` or `node1:{port}`",
            keys::HOSTS,
            keys::LAUNCHER
        )),
        _ => {}
    }
    let secret = Secret::new(values.get(keys::CLUSTER_SECRET).trim().to_owned());
    if matches!(launcher, Launcher::Manual | Launcher::Kubernetes) && secret.reveal().is_empty() {
        report.warn(format!(
            "`{}` is empty: whoever reaches the port of process 0 may join; set DLGFORGE_CLUSTER_SECRET to the same word for \
             all processes",
            keys::CLUSTER_SECRET
        ));
    }
    if !values.get(keys::SPAWN_WORKERS) {
        let (key, enabled) = (keys::SPAWN_WORKERS, keys::DISTRIBUTED_ENABLED);
        let text = format!(
            "`{key}` is false, and the processes of a run are all started; set `{enabled}` to false for one alone"
        );
        report.conflict(&[key.path], values.place(key), text);
    }
    let replicas = (launcher == Launcher::Ray).then(|| replicas(values, report)).flatten();
    Some(ClusterSettings {
        processes: replicas.unwrap_or_else(|| usize::from(values.get(keys::PROCESSES))),
        is_sized: values.place(keys::PROCESSES).is_some(),
        workers: usize::from(values.get(keys::CLUSTER_WORKERS)),
        launcher,
        hub,
        port,
        secret,
        patience: Duration::from_secs_f64(values.get(keys::START_TIMEOUT)),
        restarts: values.get(keys::RESTARTS),
        ray: ray(launcher, values, report),
    })
}

/// Who starts the processes; the backend `ray` is a launcher by another name.
fn launcher(values: &Values, report: &mut Diagnostics) -> Launcher {
    let (launcher, backend) = (keys::LAUNCHER, keys::DISTRIBUTED_BACKEND);
    if values.get(backend) != ClusterBackend::Ray {
        return values.get(launcher);
    }
    if values.place(launcher).is_some() && values.get(launcher) != Launcher::Ray {
        let word = word_of(values.get(launcher));
        let text = format!(
            "`{backend}: ray` has Ray start the processes, and `{launcher}` is `{word}`; set `{backend}: timely`"
        );
        report.conflict(&[backend.path, launcher.path], values.place(backend), text);
    }
    Launcher::Ray
}

/// How many processes there are by the numbers of workers that Ray is to start, where these are given.
fn replicas(values: &Values, report: &mut Diagnostics) -> Option<usize> {
    let (asking, answering, processes) = (keys::RAY_ASKING, keys::RAY_ANSWERING, keys::PROCESSES);
    let place = values.place(asking).or_else(|| values.place(answering))?;
    let all = 1 + usize::from(values.get(asking)) + usize::from(values.get(answering));
    if values.place(processes).is_some() && usize::from(values.get(processes)) != all {
        let text = format!(
            "`{asking}` and `{answering}` make {all} processes, with process 0, and `{processes}` is {}; leave the former out",
            values.get(processes)
        );
        report.conflict(&[asking.path, answering.path, processes.path], Some(place), text);
    }
    Some(all)
}

/// How Ray places processes.
fn ray(launcher: Launcher, values: &Values, report: &mut Diagnostics) -> RaySettings {
    let mut wrong = |key: &'static str, place, text: String| {
        if launcher == Launcher::Ray {
            report.conflict(&[key], place, text);
        }
    };
    let address: Setting<_> = keys::RAY_ADDRESS;
    let given = values.get(address).trim().trim_end_matches('/');
    let is_auto = given.is_empty() || given == "auto";
    if !is_auto && !given.starts_with("http://") && !given.starts_with("https://") {
        let text = format!(
            "`{address}` is `{given}`, and the processes are started by Ray's Jobs API: write the address of its dashboard, such as \
             `http://10.0.0.1:8265` (the variable RAY_API_SERVER_ADDRESS goes before RAY_ADDRESS)"
        );
        wrong(address.path, values.place(address), text);
    }
    let (first, namespace) = (keys::RAY_FIRST_CPUS, keys::RAY_NAMESPACE);
    if values.get(first) != 1.0 {
        let text = format!(
            "`{first}`: process 0 runs where the command does, and no CPU of Ray's is set aside for it; leave it out"
        );
        wrong(first.path, values.place(first), text);
    }
    let name = values.get(namespace).trim();
    if name.is_empty() || !name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(letter)) {
        let text = format!("`{namespace}` is what the names of jobs begin with: letters, digits, `_`, `-` and `.`");
        wrong(namespace.path, values.place(namespace), text);
    }
    RaySettings {
        address: if is_auto { "http://127.0.0.1:8265".to_owned() } else { given.to_owned() },
        or_local: is_auto && values.get(keys::RAY_OR_LOCAL),
        namespace: name.to_owned(),
        cpus: values.get(keys::RAY_CPUS),
        gpus: values.get(keys::RAY_GPUS),
    }
}

/// Where the first process listens: at its host, and the port that this is given with or else this one.
fn hub(host: &str, port: u16) -> String {
    match host {
        host if has_port(host) => host.to_owned(),
        // An IPv6 address stands in brackets before its port.
        host if host.contains(':') && !host.starts_with('[') => format!("[{host}]:{port}"),
        host => format!("{host}:{port}"),
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
    use crate::settings::tests::{BUILTIN, load};
    use crate::settings::{ClusterSettings, Launcher, RaySettings};

    fn cluster(keys: &str) -> Result<ClusterSettings, String> {
        let text = format!("{BUILTIN}run: {{distributed: {{enabled: true, {keys}}}}}\n");
        Ok(load(&text, &[], &[])?.cluster.unwrap())
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
            let found = cluster(&format!("launcher: manual, {keys}")).unwrap();
            assert_eq!(
                (found.launcher, found.hub.as_deref(), found.processes),
                (Launcher::Manual, Some(hub), 2),
                "{keys}"
            );
        }
        let found = cluster("processes: 4").unwrap();
        assert_eq!((found.launcher, found.hub, found.processes), (Launcher::Local, None, 4));
    }

    #[test]
    fn the_backend_ray_is_the_launcher_ray() {
        let found = cluster("backend: ray, ray: {namespace: mine, actor: {num_cpus: 2, replicas_qa: 3}}").unwrap();
        let expected = RaySettings {
            address: "http://127.0.0.1:8265".to_owned(),
            or_local: true,
            namespace: "mine".to_owned(),
            cpus: 2.0,
            gpus: 0.0,
        };
        assert_eq!((found.launcher, found.processes, found.ray), (Launcher::Ray, 5, expected));
        let found = cluster("launcher: ray, processes: 3, ray: {address: 'https://ray.example:443/'}").unwrap();
        assert_eq!((found.launcher, found.processes), (Launcher::Ray, 3));
        assert_eq!((found.ray.address.as_str(), found.ray.or_local), ("https://ray.example:443", false));
        // Nothing of it is read where another launcher starts them.
        assert!(cluster("ray: {address: 'ray://h:10001', actor: {coordinator_num_cpus: 3}}").is_ok());
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for (keys, told) in [
            (
                "launcher: manual",
                "`run.distributed.hosts` is empty: with `run.distributed.launcher: manual` its first item",
            ),
            ("hosts: [a]", "`run.distributed.hosts` names hosts, and `run.distributed.launcher: local` starts all"),
            ("backend: ray, launcher: slurm", "`run.distributed.backend: ray` has Ray start the processes"),
            ("launcher: ray, ray: {address: '10.0.0.1:6379'}", "write the address of its dashboard"),
            ("launcher: ray, ray: {namespace: 'a b'}", "`run.distributed.ray.namespace` is what the names of jobs"),
            ("launcher: ray, ray: {actor: {coordinator_num_cpus: 2}}", "process 0 runs where the command does"),
            ("launcher: ray, processes: 2, ray: {actor: {replicas_qa: 2}}", "make 4 processes, with process 0"),
            ("spawn: {workers: false}", "set `run.distributed.enabled` to false for one alone"),
            ("processes: 0", "run.distributed.processes"),
            ("workers: 0", "run.distributed.workers"),
        ] {
            let error = cluster(keys).unwrap_err();
            assert!(error.contains(told), "{keys}: {error}");
        }
    }
}
