//! A run of three hosts, each a network namespace with a link of its own, whose processes are started by hand: processes that are
//! killed or stopped, links that are cut and hosts that are started anew change nothing of what it makes. Would catch: a process
//! that waits for ever for one that is out of reach, one that joins the wrong start of the cluster, a reply that is lost though the
//! journal had it.

use crate::cluster::{send, started_by, wait_for};
use crate::durability::{Counting, journalled, resume, undisturbed, wanted};
use crate::support::endpoint::Address;
use crate::support::{Project, expect_same};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::fs::File;
use std::io::Write;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

const HOSTS: usize = 3;
/// Set for the part of the test that runs among the hosts.
const AMONG_HOSTS: &str = "TEST_AMONG_HOSTS";

/// Lays hosts out, joined by a bridge on which this host has an address too, and runs a command. All of it, processes and
/// namespaces, is gone with the command.
const LAY_OUT: &str = "
    lay_out() {
        mount -t tmpfs tmpfs /run && ip link set lo up && ip link add bridge type bridge &&
            ip address add 10.9.0.254/24 dev bridge && ip link set bridge up || return
        for host in 0 1 2; do
            ip netns add host$host && ip link add link$host type veth peer name eth0 netns host$host &&
                ip link set link$host master bridge up && ip -n host$host address add 10.9.0.1$host/24 dev eth0 &&
                ip -n host$host link set eth0 up && ip -n host$host link set lo up || return
        done
    }
    lay_out && exec \"$@\"";

/// A command in a network of its own with hosts.
fn among_hosts(command: &[&str]) -> std::io::Result<Output> {
    let mut unshare = Command::new("unshare");
    if !rustix::process::getuid().is_root() {
        unshare.arg("--map-root-user");
    }
    unshare.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", LAY_OUT, "sh"]);
    unshare.args(command).env(AMONG_HOSTS, "yes").output()
}

#[test]
#[ignore = "takes minutes, and needs iproute2 and leave to make network namespaces: tests/run runs it"]
fn hosts_that_fail_make_what_one_process_makes() {
    if std::env::var_os(AMONG_HOSTS).is_some() {
        return disturb();
    }
    let impossible = match among_hosts(&["true"]) {
        Ok(made) if made.status.success() => None,
        Ok(made) => Some(String::from_utf8_lossy(&made.stderr).trim().to_owned()),
        Err(error) => Some(error.to_string()),
    };
    // Not by a macro, whose output the harness keeps to itself.
    let tell = |line: &str| _ = writeln!(std::io::stderr(), "{line}");
    if let Some(why) = impossible {
        return tell(&format!("the test of several hosts is left out, which can't be laid out here: {why}"));
    }
    let binary = std::env::current_exe().expect("this binary");
    let test = ["--ignored", "--exact", "--nocapture", "hosts::hosts_that_fail_make_what_one_process_makes"];
    let ended = among_hosts(&[&[binary.to_str().expect("UTF-8")][..], &test].concat()).expect("it runs");
    let [told, complaints] = [&ended.stdout, &ended.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(ended.status.success(), "{told}{complaints}");
    tell(told.lines().find(|line| line.contains("faults")).unwrap_or_default());
}

/// A host on which `dlgforge worker` runs.
struct Host {
    number: usize,
    project: Project,
    worker: Child,
}

impl Host {
    fn start(number: usize, project: Project) -> Self {
        let worker = worker(number, &project);
        Self { number, project, worker }
    }

    fn has_ended(&mut self) -> bool {
        self.worker.try_wait().expect("a child").is_some()
    }

    fn said(&self) -> String {
        format!("host {}:\n{}", self.number, self.project.read("said"))
    }

    fn signal(&self, name: &str) -> bool {
        let processes = started_by(&self.worker);
        processes.iter().for_each(|process| send(name, process));
        !processes.is_empty()
    }

    /// Cuts its link, and mends it after so long.
    fn cut(&self, time: Duration) {
        let link = format!("link{}", self.number);
        let set = |state| {
            let set = Command::new("ip").args(["link", "set", &link, state]).status();
            assert!(set.expect("ip runs").success());
        };
        set("down");
        std::thread::sleep(time);
        set("up");
    }

    /// Ends everything that runs on it, and starts it anew.
    fn reset(&mut self) {
        let processes = started_by(&self.worker);
        self.worker.kill().and_then(|()| self.worker.wait()).expect("it ends");
        processes.iter().for_each(|process| send("-KILL", process));
        self.worker = worker(self.number, &self.project);
    }
}

/// `dlgforge worker`, as a user starts it on a host.
fn worker(number: usize, project: &Project) -> Child {
    let binary = env!("CARGO_BIN_EXE_dlgforge");
    let log = File::options().create(true).append(true).open(project.path("said")).expect("a file");
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &format!("host{number}"), binary, "worker", "config.yaml"]);
    command.args(["--process", &number.to_string()]).args(resume(project));
    for set in ["enabled=true", "launcher=manual", "processes=3", "hosts=[10.9.0.10]", "secret=word", "restarts=20"] {
        command.args(["--set", &format!("run.distributed.{set}")]);
    }
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("SOURCE_DATE_EPOCH", "1735689600");
    command.current_dir(project.path("")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().expect("ip runs")
}

/// What happens to hosts.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Killed,
    Stopped,
    Cut,
    Reset,
}

fn disturb() {
    let counting = Counting::at(Address::at(([10, 9, 0, 254], 8000).into()).expect("an address"));
    let (expected, _) = undisturbed(&counting);
    let mut draws = ChaCha8Rng::seed_from_u64(11);
    let mut draw = move |below: usize| draws.next_u32() as usize % below;
    let (mut faults, mut run, mut lost) = (0, 0, 0);
    while faults < wanted(20) {
        run += 1;
        let mut hosts: Vec<Host> = (0..HOSTS).map(|number| Host::start(number, counting.project())).collect();
        let mut coming = [Fault::Killed, Fault::Stopped, Fault::Cut, Fault::Reset];
        coming.rotate_left(draw(4));
        let mut looks = Vec::new();
        for fault in coming {
            let asked = || counting.asked().values().sum::<u64>();
            let until = asked() + draw(100) as u64;
            wait_for("progress", || asked() >= until || hosts[0].has_ended());
            if hosts[0].has_ended() {
                break;
            }
            let kept = journalled(&hosts[0].project);
            looks.push((kept, counting.asked()));
            let host = &mut hosts[draw(HOSTS)];
            let happened = match fault {
                Fault::Killed => host.signal("-KILL"),
                Fault::Stopped => host.signal("-STOP"),
                Fault::Cut => {
                    host.cut(Duration::from_millis(10_000 + draw(2000) as u64));
                    true
                }
                Fault::Reset => {
                    host.reset();
                    true
                }
            };
            println!("run {run}: {fault:?} host {}: {happened}", host.number);
            faults += u32::from(happened);
        }
        wait_for("the end of a run", || hosts.iter_mut().all(Host::has_ended));
        let statuses = hosts.iter_mut().map(|host| host.worker.wait().expect("it ends")).collect::<Vec<_>>();
        let said = hosts.iter().map(Host::said).collect::<Vec<_>>().join("\n");
        assert!(statuses.iter().all(ExitStatus::success), "{statuses:?}\n{said}");
        expect_same(&expected, &hosts[0].project.outputs(), &format!("run {run}"));
        assert!(hosts[1..].iter().all(|host| !host.project.path("outputs").exists()), "the first host has the outputs");
        let asked = counting.look();
        for (kept, before) in looks {
            assert!(kept.iter().all(|one| asked[one] == before[one]), "run {run}: what was answered was asked again");
        }
        lost += asked.values().map(|times| times - 1).sum::<u64>();
    }
    println!("{faults} faults in {run} runs on {HOSTS} hosts: {lost} calls in the air at them");
}
