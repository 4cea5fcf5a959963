//! `launcher: slurm`: within an allocation the command is process 0, or rather starts it, and the others are one step of `srun`.
//!
//! The step has the tasks of the allocation but the first, each where Slurm has room for it. What its tasks say comes labelled with
//! the number of their process. In a step that somebody else has started (`srun dlgforge run`), each task is a process by itself,
//! as with `launcher: manual`.

use super::{End, Launch, LaunchError, Others, Say, Start, at, toward};
use crate::cluster::{ClusterError, variables};
use crate::settings::ClusterSettings;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::ops::Range;
use std::process::Stdio;
use tokio::process::Command;

/// Where the tasks of a step are to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tasks {
    /// The node of each task.
    nodes: Vec<String>,
    /// The CPUs of each, where the allocation says it.
    cpus: Option<String>,
    /// The name of this machine among nodes.
    own: Option<String>,
}

/// What there is to start: all processes, or in a step the one that this task is.
///
/// # Errors
/// When there is no allocation, or it does not fit.
pub fn launch(
    cluster: &ClusterSettings,
    process: Option<usize>,
    env: &BTreeMap<String, String>,
    say: Say<'_>,
) -> Result<Launch, LaunchError> {
    let list = env.get("SLURM_JOB_NODELIST").ok_or(LaunchError::NoAllocation)?;
    let nodes = |list: &str| expanded(list).filter(|all| !all.is_empty()).ok_or(LaunchError::Nodes(list.to_owned()));
    let number = |name: &str| env.get(name)?.parse::<usize>().ok();
    // The numbers of steps that are none, such as that of a batch script, are very large.
    let is_step = number("SLURM_STEP_ID").is_some_and(|step| step < 0xffff_0000);
    let sized = |tasks: usize| match cluster.is_sized && cluster.processes != tasks {
        true => Err(LaunchError::Tasks { processes: cluster.processes, tasks }),
        false => Ok(ClusterSettings { processes: tasks, ..cluster.clone() }),
    };
    if is_step || process.is_some() {
        let first = nodes(env.get("SLURM_STEP_NODELIST").unwrap_or(list))?.swap_remove(0);
        let hub = cluster.hub.clone().unwrap_or_else(|| format!("{first}:{}", cluster.port));
        let tasks = number("SLURM_STEP_NUM_TASKS").or(number("SLURM_NTASKS")).unwrap_or(cluster.processes);
        let process = process.or(number("SLURM_PROCID")).unwrap_or(0);
        if cluster.secret.reveal().is_empty() {
            say("whoever reaches the port of process 0 may join: export the same DLGFORGE_CLUSTER_SECRET to all tasks"
                .to_owned());
        }
        return Launch::alone(ClusterSettings { hub: Some(hub), ..sized(tasks)? }, process);
    }
    let nodes = nodes(list)?;
    let places = match number("SLURM_NTASKS") {
        Some(tasks) => places(&nodes, env.get("SLURM_TASKS_PER_NODE").map_or("", String::as_str), tasks.max(1)),
        None => nodes,
    };
    let cluster = sized(places.len())?;
    let own = env.get("SLURMD_NODENAME").cloned();
    let tasks = Tasks { nodes: others(places, own.as_deref()), cpus: env.get("SLURM_CPUS_PER_TASK").cloned(), own };
    let others = if tasks.nodes.is_empty() { Others::None } else { Others::Step(tasks) };
    Ok(Launch { cluster, here: vec![0], others, run: None })
}

/// The places of all processes but the first, which is on this node, or takes the first place where that is none of them.
fn others(mut places: Vec<String>, own: Option<&str>) -> Vec<String> {
    let first = places.iter().position(|node| Some(node.as_str()) == own).unwrap_or(0);
    places.remove(first);
    places
}

/// The nodes of a list such as `n[1-2,07],login`.
fn expanded(list: &str) -> Option<Vec<String>> {
    let (mut items, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, letter) in list.char_indices() {
        match letter {
            '[' => depth += 1,
            ']' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&list[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    items.push(&list[from..]);
    let nodes: Option<Vec<Vec<String>>> = items.into_iter().map(item).collect();
    nodes.map(|nodes| nodes.concat())
}

/// The nodes of an item of a list, which may have ranges in several places.
fn item(item: &str) -> Option<Vec<String>> {
    let Some((head, rest)) = item.split_once('[') else {
        return (!item.is_empty() && !item.contains(']')).then(|| vec![item.to_owned()]);
    };
    let (ranges, tail) = rest.split_once(']')?;
    let tails = if tail.is_empty() { vec![String::new()] } else { self::item(tail)? };
    let mut nodes = Vec::new();
    for range in ranges.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (from, to): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        let width = first.len();
        let numbers =
            (from..=to).flat_map(|number| tails.iter().map(move |tail| format!("{head}{number:0width$}{tail}")));
        nodes.extend(numbers);
    }
    Some(nodes)
}

/// The node of each task, by how many there are on each such as `2(x3),1`; where that does not come to them, in turns.
fn places(nodes: &[String], per_node: &str, tasks: usize) -> Vec<String> {
    let counts = per_node.split(',').map(|item| match item.split_once("(x") {
        Some((count, times)) => Some((count.parse().ok()?, times.strip_suffix(')')?.parse().ok()?)),
        None => Some((item.parse().ok()?, 1)),
    });
    let counts: Option<Vec<(usize, usize)>> = counts.collect();
    let counts = counts.unwrap_or_default().into_iter().flat_map(|(count, times)| std::iter::repeat_n(count, times));
    let places: Vec<_> =
        nodes.iter().zip(counts).flat_map(|(node, count)| std::iter::repeat_n(node.clone(), count)).collect();
    if places.len() == tasks { places } else { nodes.iter().cloned().cycle().take(tasks).collect() }
}

impl Tasks {
    /// Where process 0 listens for the tasks, at any free port.
    ///
    /// # Errors
    /// When the address by which nodes reach this machine is not known.
    pub fn hub(&self) -> Result<String, LaunchError> {
        match self.nodes.iter().find(|node| Some(*node) != self.own.as_ref()) {
            Some(other) => Ok(at(toward(other)?, 0)),
            None => Ok("127.0.0.1:0".to_owned()),
        }
    }

    /// Starts the tasks as one step.
    ///
    /// # Errors
    /// When there is no `srun`.
    pub fn start(&self, start: &Start) -> Result<Step, LaunchError> {
        let start = start.with(variables::FIRST_TASK, 1);
        let nodes: BTreeSet<_> = self.nodes.iter().collect();
        let mut command = Command::new("srun");
        command.arg(format!("--ntasks={}", self.nodes.len())).arg(format!("--nodes={}", nodes.len()));
        command.arg(format!("--nodelist={}", self.nodes.join(","))).arg("--distribution=arbitrary");
        command.args(self.cpus.iter().map(|cpus| format!("--cpus-per-task={cpus}")));
        // Whoever loses another process ends by itself: a signal would ask the whole run to stop.
        command.args(["--overlap", "--kill-on-bad-exit=0", "--label", "--input=none", "--export=ALL"]);
        command.arg(&start.program).args(&start.arguments).envs(start.env.iter().cloned());
        // Of the allocation, of which this is another part.
        command.env_remove("SLURM_NTASKS_PER_NODE").env_remove("SLURM_HOSTFILE");
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut srun = command.spawn().map_err(ClusterError::Srun)?;
        let out = srun.stdout.take().map(|out| out.into_owned_fd());
        let err = srun.stderr.take().map(|err| err.into_owned_fd());
        for said in out.into_iter().chain(err) {
            let said = File::from(said.map_err(ClusterError::Srun)?);
            let relay = || relay(said);
            std::thread::Builder::new().name("srun".into()).spawn(relay).map_err(ClusterError::Srun)?;
        }
        Ok(Step { processes: 1..1 + self.nodes.len(), srun })
    }
}

/// Passes on what tasks say, with the numbers of their processes in place of those of the tasks.
fn relay(said: impl Read) {
    for line in BufReader::new(said).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        let of_task = line.split_once(": ").and_then(|(task, text)| Some((task.trim().parse::<usize>().ok()?, text)));
        let line = of_task.map_or(line.to_string(), |(task, text)| format!("process {}: {text}", task + 1));
        _ = writeln!(std::io::stderr(), "{}", crate::domain::terminal::shown(&line));
    }
}

/// A step of Slurm that is under way.
#[derive(Debug)]
pub struct Step {
    /// The numbers of its processes.
    pub processes: Range<usize>,
    srun: tokio::process::Child,
}

impl Step {
    /// Waits until all its tasks have ended: its status is the highest of theirs.
    pub async fn ended(&mut self) -> End {
        let end = self.srun.wait().await.map_or_else(|_| End::coded(0), End::of);
        // As shells count signals.
        match end.code {
            Some(code @ 129..) => End { code: None, how: format!("was ended by signal {}", code - 128) },
            _ => end,
        }
    }

    /// Has Slurm kill its tasks, hung ones too.
    pub fn end(&self) {
        if let Some(srun) = self.srun.id().and_then(|id| Pid::from_raw(id as i32)) {
            _ = kill_process(srun, Signal::TERM);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::settings::tests::{BUILTIN, load};

    fn settings(keys: &str) -> ClusterSettings {
        let text = format!("{BUILTIN}run: {{distributed: {{enabled: true, launcher: slurm, {keys}}}}}\n");
        load(&text, &[], &[]).unwrap().cluster.unwrap()
    }

    fn env(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn joined(nodes: Option<Vec<String>>) -> Option<String> {
        nodes.map(|nodes| nodes.join(" "))
    }

    #[test]
    fn a_list_of_nodes_is_expanded() {
        for (list, nodes) in [
            ("n1", Some("n1")),
            ("n[1-3]", Some("n1 n2 n3")),
            ("n[08-10,12],gpu-a", Some("n08 n09 n10 n12 gpu-a")),
            ("rack[0-1]node[1-2]", Some("rack0node1 rack0node2 rack1node1 rack1node2")),
            ("a[1]-ib,b", Some("a1-ib b")),
            ("n[1-", None),
            ("n[a-b]", None),
            ("", None),
            ("a,,b", None),
        ] {
            assert_eq!(joined(expanded(list)).as_deref(), nodes, "{list}");
        }
    }

    #[test]
    fn tasks_are_where_slurm_has_room_for_them() {
        let nodes = expanded("n[1-3]").unwrap();
        for (per_node, tasks, expected) in [
            ("2(x2),1", 5, "n1 n1 n2 n2 n3"),
            ("1(x3)", 3, "n1 n2 n3"),
            ("2,1,2", 5, "n1 n1 n2 n3 n3"),
            // By CPUs: more than there are tasks.
            ("4(x3)", 4, "n1 n2 n3 n1"),
            ("", 2, "n1 n2"),
        ] {
            assert_eq!(places(&nodes, per_node, tasks).join(" "), expected, "{per_node}");
        }
    }

    #[test]
    fn an_allocation_says_how_many_there_are_and_where() {
        let nodes = ("SLURM_JOB_NODELIST", "n[1-2]");
        let own = ("SLURMD_NODENAME", "n1");
        let of = |keys: &str, variables: &[(&str, &str)]| launch(&settings(keys), None, &env(variables), &drop);
        let found =
            of("", &[nodes, own, ("SLURM_NTASKS", "3"), ("SLURM_TASKS_PER_NODE", "2,1"), ("SLURM_CPUS_PER_TASK", "2")]);
        let found = found.unwrap();
        assert_eq!((found.cluster.processes, found.here), (3, vec![0]));
        let Others::Step(tasks) = found.others else { panic!("a step") };
        assert_eq!((tasks.nodes.join(" ").as_str(), tasks.cpus.as_deref()), ("n1 n2", Some("2")));
        // Where the script runs, process 0 is.
        let found = of("", &[nodes, ("SLURMD_NODENAME", "n2")]).unwrap();
        let Others::Step(tasks) = found.others else { panic!("a step") };
        assert_eq!(tasks.nodes, ["n1"]);
        let error = of("processes: 3", &[nodes, own, ("SLURM_NTASKS", "2")]).unwrap_err().to_string();
        assert!(error.contains("`run.distributed.processes` is 3, and Slurm's allocation has 2 tasks"), "{error}");
        let error = of("", &[]).unwrap_err().to_string();
        assert!(error.contains("`run.distributed.launcher: slurm` needs an allocation"), "{error}");
        let error = of("", &[("SLURM_JOB_NODELIST", "n[")]).unwrap_err().to_string();
        assert!(error.contains("no list of nodes"), "{error}");
    }

    #[test]
    fn a_task_of_a_step_is_one_process() {
        let step = [
            ("SLURM_JOB_NODELIST", "n[1-4]"),
            ("SLURM_STEP_NODELIST", "n[2-3]"),
            ("SLURM_STEP_ID", "0"),
            ("SLURM_STEP_NUM_TASKS", "2"),
            ("SLURM_PROCID", "1"),
        ];
        let found = launch(&settings("port: 7"), None, &env(&step), &drop).unwrap();
        assert_eq!((found.cluster.processes, found.here, found.cluster.hub.as_deref()), (2, vec![1], Some("n2:7")));
        assert!(matches!(found.others, Others::Apart));
        // A batch script, and the shell of an allocation, are steps in name alone.
        let shell = [("SLURM_JOB_NODELIST", "n1"), ("SLURM_STEP_ID", "4294967290"), ("SLURM_PROCID", "0")];
        let found = launch(&settings(""), None, &env(&shell), &drop).unwrap();
        assert_eq!((found.cluster.processes, found.here), (1, vec![0]));
        assert!(matches!(found.others, Others::None));
    }
}
