//! A session: a cluster grows for a batch of jobs, runs them, idles for a while, and shrinks.
//!
//! Everything in a session is told in ticks from its start, and drawn before the start is known.

use kql::value::TICKS_PER_SECOND;

use crate::calendar::{TICKS_PER_HOUR, seconds};
use crate::rng::Rng;
use crate::world::{Cluster, Workspace, World};

/// A cluster's stay above its smallest size.
pub(super) struct Session {
    pub(super) id: String,
    /// When it starts; everything else counts from here.
    pub(super) start: i64,
    pub(super) length: i64,
    /// How many nodes are asked for; a resize that times out gives fewer.
    pub(super) nodes_wanted: usize,
    pub(super) resized: i64,
    pub(super) nodes: Vec<Node>,
    pub(super) jobs: Vec<Job>,
    pub(super) family: Family,
    pub(super) experiment: usize,
    pub(super) person: usize,
}

/// A node from its allocation to its release.
pub(super) struct Node {
    pub(super) id: String,
    pub(super) allocated: i64,
    pub(super) booted: i64,
    pub(super) task_started: i64,
    pub(super) ready: i64,
    pub(super) released: i64,
}

/// A job from its submission to its end.
pub(super) struct Job {
    pub(super) id: String,
    pub(super) name: String,
    /// The node that runs it, as an index.
    pub(super) node: usize,
    pub(super) submitted: i64,
    pub(super) preparing: i64,
    pub(super) running: i64,
    pub(super) ended: i64,
    pub(super) outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Succeeded,
    Failed,
    Canceled,
}

/// What belongs together in a session's jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Nothing: each job is its own run.
    None,
    /// Trials under one AutoML run.
    AutoMl(String),
    /// Trials under one sweep.
    Sweep(String),
}

impl Family {
    /// The run that the jobs' runs are under.
    pub(super) fn parent(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::AutoMl(run) | Self::Sweep(run) => Some(run),
        }
    }

    fn job_name(&self, world: &World, index: usize, rng: &mut Rng) -> String {
        match (self, index) {
            (Self::AutoMl(run), 0) => format!("{run}_setup"),
            (Self::AutoMl(run), 1) => format!("{run}_featurize"),
            (Self::AutoMl(run), trial) => format!("{run}_{}", trial - 2),
            (Self::Sweep(run), trial) => format!("{run}_{trial}"),
            (Self::None, _) => {
                let names = &world.catalogue.names;
                let (adjective, noun) = (rng.word(&names.adjectives), rng.word(&names.nouns));
                format!("{adjective}_{noun}_{}", rng.hex(10))
            }
        }
    }
}

/// The share of a cluster's time that sessions may take, so that they can be placed apart.
const OCCUPANCY_MAX: f64 = 0.6;

/// Time between two sessions.
const GAP: i64 = 120 * TICKS_PER_SECOND;

/// The sessions of a cluster, without their place in time.
pub(super) fn draw(
    world: &World,
    workspace: &Workspace,
    cluster: &Cluster,
    rng: &mut Rng,
) -> Vec<Session> {
    let count = (cluster.sessions_per_day * world.days).round() as usize;
    let room = (world.now - world.start) as f64 * OCCUPANCY_MAX;
    let mut taken = 0.0;
    let mut sessions = Vec::new();
    for _ in 0..count {
        let session = session(world, workspace, cluster, rng);
        taken += (session.length + GAP) as f64;
        if taken > room {
            break;
        }
        sessions.push(session);
    }
    sessions
}

fn session(world: &World, workspace: &Workspace, cluster: &Cluster, rng: &mut Rng) -> Session {
    let wanted = 1 + rng.below(cluster.kind.nodes_max);
    // One node that doesn't come would leave nothing to run the jobs.
    let times_out = rng.chance(cluster.kind.resize_timeout_rate) && wanted > 1;
    let got = if times_out {
        1 + rng.below(wanted) / 2
    } else {
        wanted
    };
    let mut nodes: Vec<Node> = (0..got).map(|_| node(cluster, rng)).collect();
    let last_allocated = nodes.iter().map(|node| node.allocated).max().unwrap_or(0);
    let resized = if times_out {
        seconds(900.0)
    } else {
        last_allocated + seconds(2.0)
    };
    let family = match rng.below(10) {
        0 | 1 => Family::AutoMl(format!("automl_{}", rng.guid())),
        2 => Family::Sweep(format!("HD_{}", rng.guid())),
        _ => Family::None,
    };
    let jobs = jobs(world, workspace, &nodes, &family, rng);
    let idle = seconds(rng.around(300.0, 200.0, 120.0, 600.0));
    for (index, node) in nodes.iter_mut().enumerate() {
        let of_node = jobs.iter().filter(|job| job.node == index);
        let last = of_node.map(|job| job.ended).max().unwrap_or(node.ready);
        node.released = last.max(resized) + idle + seconds(rng.around(20.0, 20.0, 1.0, 60.0));
    }
    let last_released = nodes.iter().map(|node| node.released).max().unwrap_or(0);
    Session {
        id: rng.hex(12),
        start: 0,
        length: last_released + seconds(90.0),
        nodes_wanted: wanted,
        resized,
        nodes,
        jobs,
        family,
        experiment: rng.below(world.catalogue.names.experiments.len()),
        person: *rng.pick(&workspace.people),
    }
}

fn node(cluster: &Cluster, rng: &mut Rng) -> Node {
    let suffix = if cluster.kind.vm_priority == "LowPriority" {
        'p'
    } else {
        'd'
    };
    let allocated = seconds(rng.around(75.0, 60.0, 30.0, 170.0));
    let booted = allocated + seconds(rng.around(60.0, 40.0, 20.0, 120.0));
    let task_started = booted + seconds(rng.around(6.0, 6.0, 1.0, 15.0));
    Node {
        id: format!("tvmps_{}_{suffix}", rng.hex(32)),
        ready: task_started + seconds(rng.around(25.0, 20.0, 5.0, 60.0)),
        allocated,
        booted,
        task_started,
        released: 0,
    }
}

/// The jobs of a session, in order of submission; each waits for its node.
fn jobs(
    world: &World,
    workspace: &Workspace,
    nodes: &[Node],
    family: &Family,
    rng: &mut Rng,
) -> Vec<Job> {
    let count = nodes.len() + rng.below(nodes.len() * 3);
    let mut free: Vec<i64> = nodes.iter().map(|node| node.ready).collect();
    let mut submitted = 0;
    let mut jobs = Vec::with_capacity(count);
    for index in 0..count {
        if index > 0 {
            submitted += seconds(rng.around(40.0, 60.0, 0.5, 180.0));
        }
        let node = index % nodes.len();
        let begins = free[node].max(submitted) + seconds(rng.around(4.0, 4.0, 0.5, 20.0));
        let running = begins + seconds(rng.around(25.0, 30.0, 5.0, 90.0));
        let outcome = outcome(workspace.failure_rate, index, family, rng);
        let share = if outcome == Outcome::Succeeded {
            1.0
        } else {
            rng.around(0.4, 0.5, 0.05, 1.0)
        };
        let duration = rng.log_normal(420.0, 0.8).clamp(40.0, 4_000.0) * share;
        let ended = running + seconds(duration.max(15.0));
        free[node] = ended;
        jobs.push(Job {
            id: rng.guid(),
            name: family.job_name(world, index, rng),
            node,
            submitted,
            preparing: begins,
            running,
            ended,
            outcome,
        });
    }
    jobs
}

fn outcome(failure_rate: f64, index: usize, family: &Family, rng: &mut Rng) -> Outcome {
    let draw = rng.unit();
    // Nothing comes after a set-up that failed.
    let is_setup = index < 2 && matches!(family, Family::AutoMl(_));
    if is_setup || draw > failure_rate + 0.02 {
        Outcome::Succeeded
    } else if draw > failure_rate {
        Outcome::Canceled
    } else {
        Outcome::Failed
    }
}

/// Makes one of the last sessions that of a run which is known by name.
pub(super) fn make_famous(sessions: &mut [Session], run: &str) {
    let index = sessions.len() * 9 / 10;
    let Some(session) = sessions.get_mut(index) else {
        return;
    };
    session.family = Family::AutoMl(run.to_owned());
    for (index, job) in session.jobs.iter_mut().enumerate() {
        job.name = match index {
            0 => format!("{run}_setup"),
            1 => format!("{run}_featurize"),
            trial => format!("{run}_{}", trial - 2),
        };
    }
}

/// Gives each session its start: where the calendar puts it, but apart from its neighbours and
/// over before now.
pub(super) fn place(sessions: &mut [Session], world: &World, rng: &mut Rng) {
    let count = sessions.len() as f64;
    let mut earliest = world.start;
    for (index, session) in sessions.iter_mut().enumerate() {
        let share = (index as f64 + rng.unit()) / count;
        session.start = world.office.at(share).max(earliest);
        earliest = session.start + session.length + GAP;
    }
    // Some of the last session's runs are looked at after it.
    let mut latest = world.now - TICKS_PER_HOUR / 60;
    for session in sessions.iter_mut().rev() {
        session.start = session.start.min(latest - session.length);
        latest = session.start - GAP;
    }
}
