//! What can keep processes from being started.

use crate::cluster::ClusterError;
use std::io;

/// Why processes of a run can't be started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A process can't be started here.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// One process is named where one command starts all.
    #[error(
        "`dlgforge worker` is one process of several, and with `run.distributed.launcher` local or ray one command starts all: \
         use `dlgforge run`, or set the launcher to manual"
    )]
    Together,
    /// A process has a number that is too large.
    #[error("--process {process}: `run.distributed.processes` is {processes}: 0 to {}", processes - 1)]
    NoSuchProcess {
        /// The number that was given.
        process: usize,
        /// How many processes there are.
        processes: usize,
    },
    /// There is no allocation of Slurm.
    #[error(
        "`run.distributed.launcher: slurm` needs an allocation, and SLURM_JOB_NODELIST is not set: run this in a script for \
         sbatch or within salloc, or set the launcher to local"
    )]
    NoAllocation,
    /// The allocation has another size than the configuration.
    #[error(
        "`run.distributed.processes` is {processes}, and Slurm's allocation has {tasks} tasks: leave the key out, or ask for \
         --ntasks={processes}"
    )]
    Tasks {
        /// What the configuration says.
        processes: usize,
        /// What the allocation has.
        tasks: usize,
    },
    /// A list of nodes is none.
    #[error(
        "SLURM_JOB_NODELIST is `{0}`, which is no list of nodes; set `run.distributed.launcher` to manual, with `hosts`"
    )]
    Nodes(String),
    /// The address at which others reach this machine is not known.
    #[error(
        "the address by which {host} reaches this machine is not known: {cause}; name the host of process 0 in \
         `run.distributed.hosts`"
    )]
    NoWay {
        /// The host that is to reach it.
        host: String,
        /// What the system said.
        cause: io::Error,
    },
    /// This is no pod that has a number.
    #[error(
        "`run.distributed.launcher: kubernetes` needs a pod with a number: neither JOB_COMPLETION_INDEX is set (a Job with \
         completionMode: Indexed), nor does HOSTNAME end in one (a StatefulSet); use `dlgforge worker --process N`"
    )]
    NoOrdinal,
    /// The name of the first pod is not known.
    #[error(
        "where process 0 is can't be told: /etc/hosts gives the pod no name within a Service; set `subdomain` of the pods (of a \
         StatefulSet `serviceName`) to a headless Service, or `run.distributed.hosts` to [{0}-0.SERVICE]"
    )]
    NoService(String),
    /// There is no Ray.
    #[error(
        "no Ray answers at {address}: {cause}; see that its dashboard is there (`ray start --head` of `ray[default]`), or set \
         `run.distributed.ray.address`"
    )]
    NoRay {
        /// The address that was tried.
        address: String,
        /// What came of it.
        cause: String,
    },
    /// Ray does not do what it is asked to.
    #[error("Ray at {address} refuses {what}: {answer}")]
    Refused {
        /// The address of its API.
        address: String,
        /// What it was asked for.
        what: String,
        /// What it said to that.
        answer: String,
    },
    /// Ray has no room.
    #[error(
        "Ray has room for {room} of {wanted} processes of {cpus} CPUs and {gpus} GPUs each; lower `run.distributed.ray.actor.num_cpus` \
         or num_gpus, or `run.distributed.processes`"
    )]
    NoRoom {
        /// The processes that fit.
        room: usize,
        /// The processes that there are to be.
        wanted: usize,
        /// The CPUs of each.
        cpus: f64,
        /// The GPUs of each.
        gpus: f64,
    },
}
