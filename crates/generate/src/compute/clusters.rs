//! What is logged of clusters and their nodes.

use kql::value::{TICKS_PER_SECOND, datetime};

use super::session::{Node, Session};
use crate::calendar::{TICKS_PER_HOUR, seconds};
use crate::record::{Log, Record};
use crate::rng::Rng;
use crate::world::{Cluster, Workspace, World};

/// How many nodes are in which state.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    target: usize,
    current: usize,
    preparing: usize,
    running: usize,
    idle: usize,
    leaving: usize,
}

/// Something that happens to a cluster.
struct Event {
    time: i64,
    name: &'static str,
    state: &'static str,
    grows: bool,
    /// When the state was last changed.
    since: i64,
    error: &'static str,
}

/// Writes the records of a cluster and its nodes.
pub(super) fn write(
    world: &World,
    workspace: &Workspace,
    cluster: &Cluster,
    sessions: &[Session],
    rng: &mut Rng,
    log: &mut Log,
) {
    let ctx = Context {
        world,
        workspace,
        cluster,
        sessions,
    };
    let mut idle_nodes_rng = rng.part("idle");
    let hours = (world.now - world.start) / TICKS_PER_HOUR;
    for hour in 0..hours {
        let time = world.start + hour * TICKS_PER_HOUR + rng.between(0, 300 * TICKS_PER_SECOND);
        ctx.cluster_event(log, &ctx.report(time));
    }
    if cluster.kind.nodes_min > 0 {
        ctx.idle_nodes(&mut idle_nodes_rng, log);
    }
    for session in sessions {
        ctx.resizes(session, log);
        for node in &session.nodes {
            ctx.node_events(session, node, log);
        }
    }
}

struct Context<'a> {
    world: &'a World,
    workspace: &'a Workspace,
    cluster: &'a Cluster,
    sessions: &'a [Session],
}

impl Context<'_> {
    fn counts(&self, time: i64) -> Counts {
        let least = self.cluster.kind.nodes_min;
        let mut counts = Counts {
            target: least,
            current: least,
            idle: least,
            ..Counts::default()
        };
        let after = self
            .sessions
            .partition_point(|session| session.start <= time);
        let Some(session) = after.checked_sub(1).map(|index| &self.sessions[index]) else {
            return counts;
        };
        let at = time - session.start;
        let first_released = session
            .nodes
            .iter()
            .map(|node| node.released)
            .min()
            .unwrap_or(0);
        if at < first_released {
            counts.target += session.nodes_wanted;
        }
        for (index, node) in session.nodes.iter().enumerate() {
            let is_busy = session
                .jobs
                .iter()
                .any(|job| job.node == index && (job.preparing..job.ended).contains(&at));
            if (node.released..session.length).contains(&at) {
                counts.leaving += 1;
            } else if (node.allocated..node.ready).contains(&at) {
                counts.preparing += 1;
            } else if is_busy {
                counts.running += 1;
            } else if (node.ready..node.released).contains(&at) {
                counts.idle += 1;
            }
        }
        counts.current = counts.preparing + counts.running + counts.idle + counts.leaving;
        if at >= first_released {
            counts.target = counts.current - counts.leaving;
        }
        counts
    }

    /// The report that comes every hour, and some times in a session.
    fn report(&self, time: i64) -> Event {
        Event {
            time,
            name: "NodeCountsReported",
            state: "Steady",
            grows: false,
            since: time - TICKS_PER_HOUR / 4,
            error: "",
        }
    }

    fn resizes(&self, session: &Session, log: &mut Log) {
        let timed_out = session.nodes.len() < session.nodes_wanted;
        let asked = session.start + seconds(5.0);
        let resized = session.start + session.resized;
        let (name, error) = if timed_out {
            (
                "ResizingTimeout",
                "AllocationTimeout: not enough capacity in the region",
            )
        } else {
            ("ResizingCompleted", "")
        };
        let event = |time, name, state, grows, since, error| Event {
            time,
            name,
            state,
            grows,
            since,
            error,
        };
        self.cluster_event(
            log,
            &event(asked, "ResizingStarted", "Resizing", true, asked, ""),
        );
        self.cluster_event(log, &event(resized, name, "Steady", true, resized, error));
        let released = session.nodes.iter().map(|node| node.released);
        let shrinks = session.start + released.min().unwrap_or(0);
        for quarter in 1..4 {
            let time = resized + (shrinks - resized) * quarter / 4;
            self.cluster_event(log, &self.report(time));
        }
        let ends = session.start + session.length;
        self.cluster_event(
            log,
            &event(shrinks, "ResizingStarted", "Resizing", false, shrinks, ""),
        );
        self.cluster_event(
            log,
            &event(ends, "ResizingCompleted", "Steady", false, ends, ""),
        );
    }

    fn cluster_event(&self, log: &mut Log, event: &Event) {
        let Self { cluster, world, .. } = self;
        let counts = self.counts(event.time);
        let (kind, vm) = (cluster.kind, cluster.vm);
        let scaling = if kind.nodes_min == kind.nodes_max {
            "Manual"
        } else {
            "AutoScale"
        };
        let record = log
            .record("AmlComputeClusterEvent", event.time, event.name)
            .text(
                "resultSignature",
                if event.error.is_empty() {
                    "Success"
                } else {
                    "Failure"
                },
            )
            .properties()
            .text("ProvisioningState", "Succeeded")
            .text("ClusterName", &cluster.name)
            .text("ClusterType", "AmlCompute")
            .text("CreatedBy", &world.people[cluster.creator].object_id)
            .raw("CoreCount", vm.cores)
            .text("ScalingType", scaling)
            .raw("InitialNodeCount", kind.nodes_min)
            .raw("MinimumNodeCount", kind.nodes_min)
            .raw("MaximumNodeCount", kind.nodes_max)
            .text("NodeDeallocationOption", "TaskCompletion")
            .text("SubnetId", &cluster.subnet)
            .text("AllocationState", event.state)
            .raw("CurrentNodeCount", counts.current)
            .raw("TargetNodeCount", counts.target)
            .text("EventType", event.name)
            .raw("NodeIdleTimeSecondsBeforeScaleDown", 300)
            .quoted("PreemptedNodeCount", 0)
            .text("IsResizeGrow", if event.grows { "true" } else { "false" })
            .raw("LeavingNodeCount", counts.leaving)
            .raw("UnusableNodeCount", 0)
            .raw("IdleNodeCount", counts.idle)
            .raw("RunningNodeCount", counts.running)
            .raw("PreparingNodeCount", counts.preparing)
            .quoted("QuotaAllocated", vm.cores * kind.nodes_max * 2)
            .quoted("QuotaUtilized", vm.cores * counts.current)
            .instant("AllocationStateTransitionTime", event.since)
            .text("ClusterErrorCodes", event.error)
            .text("CreationApiVersion", "2024-10-01")
            .text("InternalOperationName", "ClusterMonitor");
        self.machine(record).end();
    }

    /// What clusters and nodes say of the machines they are made of.
    fn machine<'l>(&self, record: Record<'l>) -> Record<'l> {
        record
            .text("VmSize", &self.cluster.vm.size)
            .text("VmFamilyName", &self.cluster.vm.family)
            .text("VmPriority", &self.cluster.kind.vm_priority)
            .text("Publisher", "microsoft-dsvm")
            .text("Offer", "linux-data-science-vm")
            .text("Sku", "batch-ubuntu-2204")
            .text("Version", "24.10.08")
    }

    fn node_events(&self, session: &Session, node: &Node, log: &mut Log) {
        let start = session.start;
        let last_step =
            |record: Record<'_>, step| self.node_times(record, session, node, step).end();
        let allocated = self.node(log, start + node.allocated, "NodeAllocated", &node.id);
        last_step(allocated, 1);
        last_step(self.node(log, start + node.ready, "NodeReady", &node.id), 4);
        last_step(
            self.node(log, start + node.released, "NodeReleased", &node.id),
            4,
        );
    }

    fn node<'l>(&self, log: &'l mut Log, time: i64, event: &str, node: &str) -> Record<'l> {
        let record = log
            .record("AmlComputeClusterNodeEvent", time, event)
            .text("resultSignature", "Success")
            .properties()
            .text("ClusterName", &self.cluster.name)
            .text("NodeId", node)
            .quoted(
                "ClusterCreationTime",
                datetime::format(self.world.start - self.cluster.age),
            )
            .text("InternalOperationName", "NodeMonitor");
        self.machine(record)
    }

    /// The instants of a node's start, as far as it has come.
    fn node_times<'l>(
        &self,
        record: Record<'l>,
        session: &Session,
        node: &Node,
        steps: usize,
    ) -> Record<'l> {
        let times = [
            ("NodeAllocationTime", node.allocated),
            ("NodeBootTime", node.booted),
            ("StartTaskStartTime", node.task_started),
            ("StartTaskEndTime", node.ready),
        ];
        let asked = session.start + seconds(5.0);
        let mut record = record.instant("ResizeStartTime", asked);
        if steps == times.len() {
            let total = (node.ready - seconds(5.0)) as f64 / TICKS_PER_SECOND as f64;
            record = record
                .instant("ResizeEndTime", session.start + session.resized)
                .quoted("TotalE2ETimeInSeconds", format_args!("{total:.1}"));
        }
        for (name, offset) in &times[..steps] {
            record = record.instant(name, session.start + offset);
        }
        record
    }

    /// Samples of nodes that nothing runs on.
    fn idle_nodes(&self, rng: &mut Rng, log: &mut Log) {
        for _ in 0..self.cluster.kind.nodes_min {
            let node = format!("tvmps_{}_d", rng.hex(32));
            let mut time = self.world.start + rng.between(0, TICKS_PER_HOUR / 2);
            while time < self.world.now {
                let percent = rng.around(1.5, 1.5, 0.2, 5.0);
                super::jobs::utilization(
                    log,
                    self.workspace,
                    self.cluster,
                    &super::jobs::Sample {
                        time,
                        run: "",
                        node: &node,
                        device: "CPU",
                        percent,
                    },
                    rng,
                );
                time += TICKS_PER_HOUR / 2;
            }
        }
    }
}
