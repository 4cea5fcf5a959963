//! A run whose processes Slurm, Ray or Kubernetes start is the run that one process makes, and what becomes of its processes is
//! noticed as it is on one machine. Would catch: a process that is left behind, or started with another one's number; a launcher
//! that waits without an end. `srun` and Ray's Jobs API are stand-ins, which start what they are asked to.

use crate::cluster::{command, is_there, port, send, started_by, wait_for};
use crate::durability::{Counting, undisturbed};
use crate::support::endpoint::dialogue::Latency;
use crate::support::endpoint::{Behaviour, Endpoint};
use crate::support::ray::Ray;
use crate::support::{Project, Ran, builtin, expect_same, remote, signal};
use std::fs;
use std::process::{Child, Command, Stdio};

/// Starts its tasks as processes of this machine, and ends as the real one does: with the highest status, and at SIGTERM with all of
/// them killed.
const SRUN: &str = r#"#!/bin/bash
folder=$(dirname "$0")
echo "$*" >>"$folder/arguments"
while [[ $1 == --* ]]; do
    case $1 in --ntasks=*) tasks=${1#*=} ;; esac
    shift
done
for ((task = 0; task < tasks; task++)); do
    SLURM_PROCID=$task "$@" > >(sed -u "s/^/$task: /") 2> >(sed -u "s/^/$task: /" >&2) &
    all+=($!)
    echo $! >>"$folder/processes"
done
trap 'kill -KILL "${all[@]}" 2>"$folder/late"; exit 137' TERM
highest=0
for one in "${all[@]}"; do
    wait "$one"
    status=$?
    ((status > highest)) && highest=$status
done
exit $highest
"#;

/// The same project within an allocation of so many tasks on two nodes.
fn in_allocation(project: &Project, mut command: Command, tasks: &str, per_node: &str) -> Command {
    project.write("bin/srun", SRUN.as_bytes());
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(project.path("bin/srun"), mode).expect("permissions");
    let path = format!("{}:/usr/bin:/bin", project.path("bin").display());
    command.env("PATH", path).env("SLURM_JOB_NODELIST", "127.0.0.[1-2]").env("SLURMD_NODENAME", "127.0.0.1");
    command.env("SLURM_NTASKS", tasks).env("SLURM_TASKS_PER_NODE", per_node).env("SLURM_PROCID", "0");
    command
}

/// The ids of the processes that tasks are.
fn tasks(project: &Project) -> Vec<String> {
    let noted = fs::read_to_string(project.path("bin/processes")).unwrap_or_default();
    noted.lines().map(str::to_owned).filter(|process| is_there(process)).collect()
}

const SLURM: &str = "run.distributed.launcher=slurm";

#[test]
fn an_allocation_makes_what_one_process_makes() {
    let counting = Counting::start();
    let (expected, _) = undisturbed(&counting);
    let project = counting.project();
    let ran = Ran::of(in_allocation(&project, command(&project, &[SLURM], &[]), "4", "2(x2)")).succeeded();
    expect_same(&expected, &project.outputs(), "an allocation");
    let step = project.read("bin/arguments");
    let placed = "--ntasks=3 --nodes=2 --nodelist=127.0.0.1,127.0.0.2,127.0.0.2 --distribution=arbitrary";
    assert!(step.starts_with(placed) && step.lines().count() == 1, "{step}{}", ran.stderr);
    assert!(!step.contains("secret") && tasks(&project).is_empty(), "{step}");
}

/// Whether the first conversations are written: a run is under way.
fn is_under_way(project: &Project) -> bool {
    fs::metadata(project.path("outputs/turns.jsonl")).is_ok_and(|file| file.len() > 0)
}

/// Kills a process of a run, once that is under way, and lets the run come to its end.
fn disturbed(project: &Project, child: Child, victim: impl Fn() -> Option<String>) -> Ran {
    wait_for("a process", || victim().is_some() && is_under_way(project));
    victim().iter().for_each(|process| send("-KILL", process));
    Ran::from(child.wait_with_output().expect("it ends"))
}

#[test]
fn a_task_that_is_lost_has_all_start_again() {
    let counting = Counting::start();
    let (expected, _) = undisturbed(&counting);
    let project = counting.project();
    let child = in_allocation(&project, command(&project, &[SLURM], &[]), "3", "2,1").spawn().expect("the binary runs");
    let ran = disturbed(&project, child, || tasks(&project).first().cloned()).succeeded();
    expect_same(&expected, &project.outputs(), "a lost task");
    assert!(ran.stderr.contains("all processes start again from the journal (1 of 5 times)"), "{}", ran.stderr);
    assert_eq!(project.read("bin/arguments").lines().count(), 2, "one step each time");
}

#[test]
fn what_slurm_lacks_is_told() {
    let project = Project::with(&builtin("  total_samples: 1", ""));
    Ran::of(command(&project, &[SLURM], &[]))
        .failed(&["`run.distributed.launcher: slurm` needs an allocation", "sbatch"]);
    let sized = [SLURM, "run.distributed.processes=3"];
    let ran = Ran::of(in_allocation(&project, command(&project, &sized, &[]), "2", "2"));
    ran.failed(&["`run.distributed.processes` is 3, and Slurm's allocation has 2 tasks"]);
    let mut without = in_allocation(&project, command(&project, &[SLURM], &[]), "2", "2");
    without.env("PATH", "/nowhere");
    Ran::of(without).failed(&["start `srun` (`run.distributed.launcher: slurm`)", "PATH"]);
}

/// The command of a run whose processes, so many, Ray starts.
fn by_ray(project: &Project, ray: &Ray, processes: u32, set: &[&str]) -> Command {
    let processes = format!("run.distributed.processes={processes}");
    let mut command = command(project, &[&["run.distributed.backend=ray", &processes], set].concat(), &[]);
    command.env("RAY_API_SERVER_ADDRESS", &ray.address);
    command
}

#[test]
fn jobs_of_ray_make_what_one_process_makes() {
    let counting = Counting::start();
    let (expected, _) = undisturbed(&counting);
    let (project, ray) = (counting.project(), Ray::start(false));
    let ran = Ran::of(by_ray(&project, &ray, 3, &[])).succeeded();
    expect_same(&expected, &project.outputs(), "jobs of Ray");
    let jobs = ray.submitted();
    assert_eq!(jobs.len(), 2, "{}", ran.stderr);
    let nodes: Vec<_> = jobs.iter().map(|job| job["entrypoint_resources"].to_string()).collect();
    assert!(nodes.contains(&"{\"node:127.0.0.2\":0.001}".to_owned()) && nodes[0] != nodes[1], "{nodes:?}");
    for (process, job) in (1..).zip(&jobs) {
        let id = job["submission_id"].as_str().expect("a name");
        assert!(id.starts_with("dlgforge-") && id.ends_with(&format!("-0-{process}")), "{id}");
        assert_eq!(job["entrypoint_num_cpus"], 1.0);
    }
    assert!(ray.processes().is_empty());
}

#[test]
fn a_job_that_is_lost_has_all_start_again() {
    let counting = Counting::start();
    let (expected, _) = undisturbed(&counting);
    let (project, ray) = (counting.project(), Ray::start(false));
    let child = by_ray(&project, &ray, 3, &[]).spawn().expect("the binary runs");
    let ran = disturbed(&project, child, || ray.processes().pop()).succeeded();
    expect_same(&expected, &project.outputs(), "a lost job");
    assert!(ran.stderr.contains("all processes start again from the journal (1 of 5 times)"), "{}", ran.stderr);
    assert_eq!((ray.submitted().len(), ray.processes().len()), (4, 0));
}

#[test]
fn a_stop_ends_tasks_and_jobs_and_the_run_goes_on_alone() {
    let counting = Counting::start();
    let (expected, _) = undisturbed(&counting);
    for (name, code) in [("-INT", 130), ("-TERM", 143), ("-USR1", 75)] {
        let (project, ray) = (counting.project(), Ray::start(false));
        let is_ray = name == "-TERM";
        let mut command = match is_ray {
            true => by_ray(&project, &ray, 2, &[]),
            false => in_allocation(&project, command(&project, &[SLURM], &[]), "2", "1(x2)"),
        };
        let child = command.spawn().expect("the binary runs");
        wait_for("conversations", || is_under_way(&project));
        assert!(!(tasks(&project).is_empty() && ray.processes().is_empty()));
        signal(&child, name);
        let ended = child.wait_with_output().expect("it ends");
        assert_eq!(ended.status.code(), Some(code), "{name}: {}", String::from_utf8_lossy(&ended.stderr));
        assert!(tasks(&project).is_empty() && ray.processes().is_empty(), "{name}: a process is left");
        let on = Ran::of(project.stamped(&["--resume", "r"])).succeeded();
        expect_same(&expected, &project.outputs(), name);
        assert!(counting.look().values().all(|times| *times == 1), "{name}: a reply was lost: {}", on.stderr);
    }
}

#[test]
fn no_task_and_no_job_outlives_the_supervisor() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency { median_ms: 300.0, sigma: 0.1, seed: 1 }));
    let config = remote(&endpoint.base_url(), "  run_id: r\n  batch_size: 4\n  total_samples: 400", "");
    let (of_slurm, of_ray, ray) = (Project::with(&config), Project::with(&config), Ray::start(false));
    let children = [
        in_allocation(&of_slurm, command(&of_slurm, &[SLURM], &[]), "3", "2,1").spawn().expect("the binary runs"),
        by_ray(&of_ray, &ray, 3, &[]).spawn().expect("the binary runs"),
    ];
    let others = || (tasks(&of_slurm), ray.processes());
    wait_for("the others", || others().0.len() == 2 && others().1.len() == 2 && endpoint.requests() > 8);
    let first: Vec<_> = children.iter().flat_map(started_by).collect();
    for mut child in children {
        child.kill().expect("a kill");
        child.wait().expect("it ends");
    }
    wait_for("the end of all", || others() == (vec![], vec![]) && first.iter().all(|process| !is_there(process)));
}

#[test]
fn what_ray_lacks_is_told() {
    let project = Project::with(&builtin("  run_id: r\n  total_samples: 2", ""));
    let full = Ray::start(true);
    let ran = Ran::of(by_ray(&project, &full, 2, &["run.distributed.start_timeout_s=2"]));
    assert!(ran.stderr.contains("process 1 was never started by Ray, as job dlgforge-"), "{}", ran.stderr);
    assert!(ran.stderr.contains("It may be waiting for resources"), "{}", ran.stderr);
    ran.failed(&["begin without process 1, of 2 in all, after 2 s"]);
    let ran = Ran::of(by_ray(&project, &full, 9, &[]));
    ran.failed(&["Ray has room for 4 of 8 processes of 1 CPUs", "run.distributed.ray.actor.num_cpus"]);
    assert_eq!(full.submitted().len(), 1);
    let nowhere = format!("run.distributed.ray.address=http://127.0.0.1:{}", port());
    let ran = Ran::of(command(&project, &["run.distributed.launcher=ray", &nowhere], &[]));
    ran.failed(&["no Ray answers at http://127.0.0.1:", "`run.distributed.ray.address`"]);
}

/// A pod of a Job that is called `forge`.
fn pod(project: &Project, index: &str, port: u16) -> Child {
    let set = [
        "run.distributed.launcher=kubernetes".to_owned(),
        format!("run.distributed.hosts=['127.0.0.1:{port}']"),
        "run.run_id=r".to_owned(),
    ];
    let set: Vec<&str> = set.iter().map(String::as_str).collect();
    let mut pod = command(project, &set, &[]);
    pod.env("HOSTNAME", format!("forge-{index}")).env("JOB_COMPLETION_INDEX", index).stdin(Stdio::null());
    pod.env("DLGFORGE_CLUSTER_SECRET", "word").spawn().expect("the binary runs")
}

#[test]
fn pods_that_come_back_go_on_with_the_run() {
    let counting = Counting::start();
    let (expected, _) = undisturbed(&counting);
    let (first, second, port) = (counting.project(), counting.project(), port());
    let mut zero = pod(&first, "0", port);
    let one = pod(&second, "1", port);
    wait_for("conversations", || is_under_way(&first));
    let process = started_by(&zero);
    zero.kill().expect("a kill");
    zero.wait().expect("it ends");
    // A pod is gone with all its processes.
    wait_for("the end of a process", || !process.iter().any(|process| is_there(process)));
    let ended = pod(&first, "0", port).wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let ended = one.wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    expect_same(&expected, &first.outputs(), "a pod that came back");
    assert!(!second.path("outputs").exists(), "only the first pod needs the output folder");
}
