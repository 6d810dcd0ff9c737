//! What is logged of jobs: their events, the states of their runs, what their nodes were busy with,
//! and who looked at them.

use kql::value::TICKS_PER_SECOND;
use kql::value::json::write_string;

use super::session::{Job, Outcome, Session};
use crate::calendar::seconds;
use crate::catalogue::JobError;
use crate::record::Log;
use crate::rng::Rng;
use crate::world::{Cluster, Person, Workspace, World};

/// Writes the records of a session's jobs.
pub(super) fn write(
    world: &World,
    workspace: &Workspace,
    cluster: &Cluster,
    session: &Session,
    rng: &mut Rng,
    log: &mut Log,
) {
    let ctx = Context {
        world,
        workspace,
        cluster,
        session,
        person: &world.people[session.person],
    };
    for job in &session.jobs {
        let failure = (job.outcome == Outcome::Failed).then(|| ctx.failure(job, rng));
        ctx.job_events(job, failure.as_ref(), log);
        ctx.run(job, failure.as_ref(), rng, log);
        ctx.samples(job, rng, log);
        ctx.lookups(job, rng, log);
    }
    if session.family.parent().is_some() {
        ctx.parent_run(rng, log);
    }
}

/// Why a job failed.
struct Failure {
    error: &'static JobError,
    message: String,
}

/// A step in the life of a job.
struct JobEvent<'a> {
    offset: i64,
    name: &'static str,
    state: &'static str,
    node: &'a str,
    failure: Option<&'a Failure>,
}

/// How busy a device of a node was at an instant.
pub(super) struct Sample<'a> {
    pub(super) time: i64,
    pub(super) run: &'a str,
    pub(super) node: &'a str,
    pub(super) device: &'static str,
    pub(super) percent: f64,
}

struct Context<'a> {
    world: &'a World,
    workspace: &'a Workspace,
    cluster: &'a Cluster,
    session: &'a Session,
    person: &'a Person,
}

impl Context<'_> {
    fn node(&self, job: &Job) -> &str {
        &self.session.nodes[job.node].id
    }

    fn failure(&self, job: &Job, rng: &mut Rng) -> Failure {
        let catalogue = self.world.catalogue;
        let error = rng.pick(&catalogue.job_error);
        let data = rng.word(&catalogue.names.datasets);
        let message = error.message.replace("{node}", self.node(job));
        Failure {
            message: message.replace("{data}", data),
            error,
        }
    }

    fn job_events(&self, job: &Job, failure: Option<&Failure>, log: &mut Log) {
        let (end, end_state) = match job.outcome {
            Outcome::Succeeded => ("JobSucceeded", "Succeeded"),
            Outcome::Failed => ("JobFailed", "Failed"),
            Outcome::Canceled => ("JobCanceled", "Canceled"),
        };
        let event = |offset, name, state| JobEvent {
            offset,
            name,
            state,
            node: self.node(job),
            failure: None,
        };
        let submitted = JobEvent {
            node: "",
            ..event(job.submitted, "JobSubmitted", "Queued")
        };
        let ended = JobEvent {
            failure,
            ..event(job.ended, end, end_state)
        };
        self.job_event(job, &submitted, log);
        self.job_event(job, &event(job.preparing, "JobPreparing", "Preparing"), log);
        self.job_event(job, &event(job.running, "JobRunning", "Running"), log);
        self.job_event(job, &ended, log);
    }

    fn job_event(&self, job: &Job, event: &JobEvent<'_>, log: &mut Log) {
        let names = &self.world.catalogue.names;
        let experiment = &names.experiments[self.session.experiment];
        let is_distributed = self.session.nodes.len() > 4;
        let time = self.session.start + event.offset;
        let failure = event.failure;
        log.record("AmlComputeJobEvent", time, event.name)
            .text(
                "resultSignature",
                if failure.is_some() {
                    "Failure"
                } else {
                    "Success"
                },
            )
            .properties()
            .text("JobId", &job.id)
            .text("JobName", &job.name)
            .text("ExperimentId", &self.workspace.rng.part(experiment).guid())
            .text("ExperimentName", experiment)
            .text("CustomerSubscriptionId", &self.workspace.subscription)
            .text("WorkspaceName", &self.workspace.name)
            .text("ResourceGroupName", &self.workspace.group)
            .text("ClusterName", &self.cluster.name)
            .text("ClusterId", &self.cluster.name)
            .text("ClusterResourceGroupName", &self.workspace.group)
            .text("ProvisioningState", "Succeeded")
            .text("EventType", event.name)
            .text("ExecutionState", event.state)
            .text(
                "ToolType",
                if is_distributed {
                    "TensorFlow"
                } else {
                    "Command"
                },
            )
            .quoted("TFWorkerCount", if is_distributed { 2 } else { 0 })
            .quoted("TFParameterServerCount", u8::from(is_distributed))
            .text("RunInContainer", "True")
            .text("NodeId", event.node)
            .text(
                "JobErrorMessage",
                failure.map_or("", |failure| &failure.message),
            )
            .text(
                "ErrorDetails",
                &failure.map(error_details).unwrap_or_default(),
            )
            .text("CreationApiVersion", "2024-10-01")
            .text("InternalOperationName", "JobMonitor")
            .end();
    }

    /// The states of a job's run.
    fn run(&self, job: &Job, failure: Option<&Failure>, rng: &mut Rng, log: &mut Log) {
        let last = job.ended + seconds(0.5);
        let mut states = vec![
            (job.submitted, "NotStarted"),
            (job.submitted + seconds(1.0), "Queued"),
            (job.preparing, "Preparing"),
            (job.running, "Running"),
        ];
        match job.outcome {
            Outcome::Succeeded => {
                states.push((job.ended - seconds(2.0), "Finalizing"));
                states.push((last, "Completed"));
            }
            Outcome::Failed => states.push((last, "Failed")),
            Outcome::Canceled => {
                states.push((job.ended - seconds(2.0), "CancelRequested"));
                states.push((last, "Canceled"));
            }
        }
        let message = failure.map_or("", |failure| &failure.message);
        self.run_states(&job.name, &states, message, rng, log);
    }

    /// The run that the session's jobs are trials of.
    fn parent_run(&self, rng: &mut Rng, log: &mut Log) {
        let Some(run) = self.session.family.parent() else {
            return;
        };
        let jobs = &self.session.jobs;
        let started = jobs.iter().map(|job| job.preparing).min().unwrap_or(0);
        let ended = jobs.iter().map(|job| job.ended).max().unwrap_or(0);
        let states = [
            (0, "NotStarted"),
            (started, "Running"),
            (ended + seconds(3.0), "Finalizing"),
            (ended + seconds(5.0), "Completed"),
        ];
        self.run_states(run, &states, "", rng, log);
    }

    /// The states of a run, by their offsets; `failure` says why it failed, if it did.
    fn run_states(
        &self,
        run: &str,
        states: &[(i64, &str)],
        failure: &str,
        rng: &mut Rng,
        log: &mut Log,
    ) {
        let correlation = rng.guid();
        let parent = self.session.family.parent().filter(|parent| *parent != run);
        for (offset, status) in states {
            let has_failed = *status == "Failed";
            let message = if has_failed { failure } else { "" };
            let duration = (offset - states[0].0) / (TICKS_PER_SECOND / 1_000);
            log.record(
                "AmlRunStatusChangedEvent",
                self.session.start + offset,
                "RunStatusChanged",
            )
            .text("operationVersion", "1.0")
            .text("resultType", if has_failed { "Failure" } else { "Success" })
            .text("resultSignature", status)
            .text("resultDescription", message)
            .quoted("durationMs", duration)
            .text("callerIpAddress", &self.person.ip)
            .text("correlationId", &correlation)
            .text("identity", &self.person.object_id)
            .text("level", if has_failed { "Error" } else { "Informational" })
            .text("location", &self.workspace.region)
            .properties()
            .text("WorkspaceName", &self.workspace.name)
            .text("WorkspaceId", &self.workspace.guid)
            .text("RunId", run)
            .text("RootRunId", parent.unwrap_or(run))
            .text("ParentRunId", parent.unwrap_or(""))
            .text("Status", status)
            .text("Message", message)
            .text("TriggeringUserName", self.person.name)
            .end();
        }
    }

    /// Samples of a job's node, every minute while the job runs.
    fn samples(&self, job: &Job, rng: &mut Rng, log: &mut Log) {
        let has_gpu = self.cluster.vm.gpus > 0;
        let usual_cpu = if has_gpu {
            rng.around(35.0, 30.0, 5.0, 80.0)
        } else {
            rng.around(70.0, 40.0, 8.0, 99.0)
        };
        let usual_gpu = rng.around(75.0, 40.0, 10.0, 99.0);
        let mut offset = job.running + seconds(rng.around(10.0, 10.0, 1.0, 30.0));
        while offset < job.ended {
            for (device, usual) in [("CPU", usual_cpu), ("GPU", usual_gpu)] {
                if device == "GPU" && !has_gpu {
                    continue;
                }
                let percent = rng.around(usual, 14.0, 0.0, 100.0);
                let sample = Sample {
                    time: self.session.start + offset,
                    run: &job.name,
                    node: self.node(job),
                    device,
                    percent,
                };
                utilization(log, self.workspace, self.cluster, &sample, rng);
            }
            offset += seconds(60.0);
        }
    }

    /// Who starts a run writes it; people then look at it, more often if it failed.
    fn lookups(&self, job: &Job, rng: &mut Rng, log: &mut Log) {
        let start = self.session.start;
        self.run_access(
            "RunEvent",
            "WRITE",
            start + job.submitted,
            self.person,
            job,
            log,
        );
        let reads = rng.below(3) + if job.outcome == Outcome::Failed { 2 } else { 0 };
        for _ in 0..reads {
            let person = self.workspace.person(self.world, rng);
            let delay = seconds(rng.log_normal(900.0, 1.2).clamp(5.0, 200_000.0));
            let time = (start + job.ended + delay).min(self.world.now - seconds(2.0));
            self.run_access("RunReadEvent", "READ", time, person, job, log);
        }
    }

    fn run_access(
        &self,
        category: &'static str,
        action: &str,
        time: i64,
        person: &Person,
        job: &Job,
        log: &mut Log,
    ) {
        let operation =
            format!("MICROSOFT.MACHINELEARNINGSERVICES/WORKSPACES/EXPERIMENTS/RUNS/{action}");
        log.record(category, time, &operation)
            .raw("identity", self.world.identity(person))
            .properties()
            .text("AmlWorkspaceId", &self.workspace.guid)
            .text("RunId", &job.name)
            .text("AadTenantId", &self.world.tenant)
            .end();
    }
}

/// Writes how busy a device was.
pub(super) fn utilization(
    log: &mut Log,
    workspace: &Workspace,
    cluster: &Cluster,
    sample: &Sample<'_>,
    rng: &mut Rng,
) {
    let metric = match sample.device {
        "GPU" => "GpuUtilizationPercentage",
        _ => "CpuUtilizationPercentage",
    };
    log.record(
        "AmlComputeCpuGpuUtilization",
        sample.time,
        "NodeUtilization",
    )
    .text("operationVersion", "1.0")
    .text("resultType", "Success")
    .text("resultSignature", "OK")
    .text("resultDescription", "Sampled once a minute")
    .quoted("durationMs", rng.between(1, 20))
    .text("callerIpAddress", "10.0.0.4")
    .text("correlationId", &rng.guid())
    .text("identity", "AmlComputeAgent")
    .text("level", "Informational")
    .text("location", &workspace.region)
    .properties()
    .text("WorkspaceName", &workspace.name)
    .text("WorkspaceId", &workspace.guid)
    .text("RunId", sample.run)
    .text("DeviceType", sample.device)
    .quoted("DeviceId", 0)
    .text("NodeId", sample.node)
    .quoted("Utilization", format_args!("{:.2}", sample.percent))
    .text("MetricName", metric)
    .text("ClusterName", &cluster.name)
    .end();
}

fn error_details(failure: &Failure) -> String {
    let mut details = format!(
        r#"{{"error":{{"code":"{}","innerError":{{"code":"{}"}},"message":"#,
        failure.error.code, failure.error.inner
    );
    write_string(&mut details, &failure.message);
    details += "}}";
    details
}
