//! `launcher: kubernetes`: every pod runs the same command, and finds out from its names which process it is and where process 0
//! is.
//!
//! A pod of an indexed Job or a StatefulSet is called `NAME-N`. With a headless Service it has a name in the cluster's DNS,
//! `NAME-N.SERVICE.NAMESPACE.svc.DOMAIN`, which the kubelet writes into its `/etc/hosts`; so has the one of process 0.

use super::{Launch, LaunchError};
use crate::settings::ClusterSettings;
use std::collections::BTreeMap;

/// One process, in the pod that this is.
///
/// # Errors
/// When the pod has no number, or process 0 no name.
pub fn launch(
    cluster: &ClusterSettings,
    process: Option<usize>,
    env: &BTreeMap<String, String>,
) -> Result<Launch, LaunchError> {
    let pod = pod(env);
    let index = env.get("JOB_COMPLETION_INDEX").and_then(|index| index.parse().ok());
    let process = process.or(index).or(pod.map(|(_, ordinal)| ordinal)).ok_or(LaunchError::NoOrdinal)?;
    // A pod may be another one when it comes back, and the run is still that of its Job.
    let name = pod.map(|(name, _)| name.to_owned());
    let hub = match (&cluster.hub, &name) {
        (Some(hub), _) => hub.clone(),
        (None, Some(name)) => {
            let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
            let first = first(&hosts, name).ok_or_else(|| LaunchError::NoService(name.clone()))?;
            format!("{first}:{}", cluster.port)
        }
        (None, None) => return Err(LaunchError::NoService("NAME".to_owned())),
    };
    let launch = Launch::alone(ClusterSettings { hub: Some(hub), ..cluster.clone() }, process)?;
    Ok(Launch { run: name, ..launch })
}

/// The name of the Job or the StatefulSet, and the number of the pod, by its `HOSTNAME`.
pub fn pod(env: &BTreeMap<String, String>) -> Option<(&str, usize)> {
    let (name, ordinal) = env.get("HOSTNAME")?.rsplit_once('-')?;
    Some((name, ordinal.parse().ok()?))
}

/// The full name of the first pod, after the one that this pod has among its hosts.
fn first(hosts: &str, name: &str) -> Option<String> {
    let names = hosts.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
    let domains = names.filter_map(|full| full.strip_prefix(name)?.strip_prefix('-')?.split_once('.'));
    let (_, domain) = domains.into_iter().find(|(ordinal, _)| ordinal.parse::<usize>().is_ok())?;
    Some(format!("{name}-0.{domain}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::run::launch::number;
    use crate::settings::tests::{BUILTIN, load};

    const HOSTS: &str = "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\nfe00::0\tip6-localnet\n\
        10.244.1.7\tforge-2.talk.default.svc.cluster.local\tforge-2\n";

    fn env(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_first_pod_has_the_name_of_this_one_but_for_the_number() {
        let found = first(HOSTS, "forge");
        assert_eq!(found.as_deref(), Some("forge-0.talk.default.svc.cluster.local"));
        assert_eq!(first("10.244.1.7 forge-2\n", "forge"), None, "no Service");
        assert_eq!(first(HOSTS, "forg"), None);
        assert_eq!(first(HOSTS, "talk"), None);
    }

    #[test]
    fn a_pod_knows_its_number() {
        for (variables, expected) in [
            (&[("HOSTNAME", "forge-2")][..], Some(2)),
            (&[("HOSTNAME", "forge-job-11"), ("JOB_COMPLETION_INDEX", "11")], Some(11)),
            (&[("HOSTNAME", "forge-x7k2p"), ("JOB_COMPLETION_INDEX", "1")], Some(1)),
            (&[("HOSTNAME", "forge-x7k2p")], None),
            (&[], None),
        ] {
            assert_eq!(number(&env(variables)), expected, "{variables:?}");
        }
    }

    #[test]
    fn what_a_pod_lacks_is_told() {
        let settings = |keys: &str| {
            let text = format!("{BUILTIN}run: {{distributed: {{enabled: true, launcher: kubernetes, {keys}}}}}\n");
            load(&text, &[], &[]).unwrap().cluster.unwrap()
        };
        let told = |keys: &str, variables: &[(&str, &str)]| {
            launch(&settings(keys), None, &env(variables)).unwrap_err().to_string()
        };
        assert!(told("", &[("HOSTNAME", "node")]).contains("JOB_COMPLETION_INDEX"));
        assert!(told("", &[("HOSTNAME", "forge-1")]).contains("`run.distributed.hosts` to [forge-0.SERVICE]"));
        assert!(
            told("hosts: [forge-0.talk]", &[("HOSTNAME", "forge-2")])
                .contains("`run.distributed.processes` is 2: 0 to 1")
        );
        let found = launch(&settings("hosts: [forge-0.talk]"), None, &env(&[("HOSTNAME", "forge-1")])).unwrap();
        assert_eq!((found.here, found.run.as_deref()), (vec![1], Some("forge")));
        assert_eq!(found.cluster.hub.as_deref(), Some("forge-0.talk:2101"));
    }
}
