//! People at work in a workspace: reading and changing datasets, models, environments and the like.

use crate::record::{Log, Record};
use crate::rng::Rng;
use crate::world::{Person, Workspace, World};

/// A kind of access, and how often it happens on a day.
struct Access {
    category: &'static str,
    /// What is accessed, as the operation names it.
    path: &'static str,
    /// What is done; one is drawn.
    actions: &'static [&'static str],
    per_day: f64,
}

const fn access(
    category: &'static str,
    path: &'static str,
    actions: &'static [&'static str],
    per_day: f64,
) -> Access {
    Access {
        category,
        path,
        actions,
        per_day,
    }
}

const READ: &[&str] = &["READ"];
const CHANGE: &[&str] = &["WRITE", "WRITE", "WRITE", "DELETE"];
const WRITE: &[&str] = &["WRITE"];

const ACCESSES: [Access; 18] = [
    access("DataSetReadEvent", "DATASETS/REGISTERED", READ, 55.0),
    access("DataSetChangeEvent", "DATASETS/REGISTERED", CHANGE, 4.0),
    access("DataStoreReadEvent", "DATASTORES", READ, 35.0),
    access("DataStoreChangeEvent", "DATASTORES", CHANGE, 1.5),
    access("EnvironmentReadEvent", "ENVIRONMENTS", READ, 35.0),
    access("EnvironmentChangeEvent", "ENVIRONMENTS", WRITE, 2.0),
    access("ModelsReadEvent", "MODELS", READ, 35.0),
    access("ModelsChangeEvent", "MODELS", CHANGE, 3.0),
    access("ModelsActionEvent", "MODELS/PACKAGE", &["ACTION"], 2.0),
    access("PipelineReadEvent", "PIPELINES", READ, 22.0),
    access("PipelineChangeEvent", "PIPELINES", CHANGE, 5.0),
    access("DeploymentReadEvent", "SERVICES", READ, 10.0),
    access("DeploymentEventACI", "SERVICES/ACI", CHANGE, 1.0),
    access("DeploymentEventAKS", "SERVICES/AKS", CHANGE, 1.5),
    access(
        "InferencingOperationACI",
        "SERVICES/ACI/SCORE",
        &["ACTION"],
        12.0,
    ),
    access(
        "InferencingOperationAKS",
        "SERVICES/AKS/SCORE",
        &["ACTION"],
        25.0,
    ),
    access("DataLabelReadEvent", "LABELING/PROJECTS", READ, 12.0),
    access("DataLabelChangeEvent", "LABELING/LABELS", WRITE, 10.0),
];

/// Starts and stops of compute instances on a day.
const INSTANCE_EVENTS_PER_DAY: f64 = 9.0;

/// Writes what people do in a workspace.
pub(crate) fn write(world: &World, workspace: &Workspace, log: &mut Log) {
    for access in &ACCESSES {
        let mut rng = workspace.rng.part(access.category);
        for _ in 0..world.count(access.per_day) {
            one(world, workspace, access, &mut rng, log);
        }
    }
    instances(world, workspace, &mut workspace.rng.part("instances"), log);
}

fn one(world: &World, workspace: &Workspace, access: &Access, rng: &mut Rng, log: &mut Log) {
    let time = world.office.at(rng.unit());
    let person = workspace.person(world, rng);
    let operation = format!(
        "MICROSOFT.MACHINELEARNINGSERVICES/WORKSPACES/{}/{}",
        access.path,
        rng.pick(access.actions)
    );
    let record = log.record(access.category, time, &operation);
    let record = record.raw("identity", world.identity(person));
    let outcome = if rng.chance(0.02) {
        "Failure"
    } else {
        "Success"
    };
    let ctx = Context {
        world,
        workspace,
        outcome,
    };
    let record = match access.category {
        "DataSetReadEvent" | "DataSetChangeEvent" => ctx.dataset(record, rng),
        "DataStoreReadEvent" | "DataStoreChangeEvent" => ctx.datastore(record, rng),
        "EnvironmentReadEvent" | "EnvironmentChangeEvent" => ctx.environment(record, rng),
        "ModelsReadEvent" | "ModelsChangeEvent" | "ModelsActionEvent" => ctx.model(record, rng),
        "PipelineReadEvent" | "PipelineChangeEvent" => ctx.pipeline(record, rng),
        "DataLabelReadEvent" | "DataLabelChangeEvent" => ctx.label(record, rng),
        _ => ctx.service(record, access.category, rng),
    };
    record.text("AadTenantId", &world.tenant).end();
}

struct Context<'a> {
    world: &'a World,
    workspace: &'a Workspace,
    outcome: &'static str,
}

impl Context<'_> {
    /// The id that a thing of that name has in this workspace, always the same.
    fn id(&self, kind: &str, name: &str) -> String {
        self.workspace.rng.part(kind).part(name).guid()
    }

    fn traced<'l>(&self, record: Record<'l>, rng: &mut Rng) -> Record<'l> {
        let level = if self.outcome == "Failure" {
            "Error"
        } else {
            "Informational"
        };
        record
            .text("resultType", self.outcome)
            .text("correlationId", &rng.guid())
            .text("level", level)
    }

    fn dataset<'l>(&self, record: Record<'l>, rng: &mut Rng) -> Record<'l> {
        let name = rng.word(&self.world.catalogue.names.datasets);
        record
            .text("resultType", self.outcome)
            .properties()
            .text("AmlWorkspaceId", &self.workspace.guid)
            .text("AmlDatasetId", &self.id("dataset", name))
            .text("AmlDatasetName", name)
    }

    fn datastore<'l>(&self, record: Record<'l>, rng: &mut Rng) -> Record<'l> {
        let name = rng.word(&self.world.catalogue.names.datastores);
        record
            .text("resultType", self.outcome)
            .properties()
            .text("AmlWorkspaceId", &self.workspace.guid)
            .text("AmlDatastoreName", name)
    }

    fn environment<'l>(&self, record: Record<'l>, rng: &mut Rng) -> Record<'l> {
        let name = rng.word(&self.world.catalogue.names.environments);
        record
            .properties()
            .text("AmlEnvironmentName", name)
            .quoted("AmlEnvironmentVersion", 1 + rng.below(6))
    }

    fn model<'l>(&self, record: Record<'l>, rng: &mut Rng) -> Record<'l> {
        let name = rng.word(&self.world.catalogue.names.models);
        let signature = if self.outcome == "Failure" {
            "403"
        } else {
            "200"
        };
        self.traced(record, rng)
            .text("resultSignature", signature)
            .properties()
            .text("AmlModelName", name)
    }

    fn pipeline<'l>(&self, record: Record<'l>, rng: &mut Rng) -> Record<'l> {
        let names = &self.world.catalogue.names;
        let (pipeline, module) = (rng.word(&names.pipelines), rng.word(&names.modules));
        record
            .text("resultType", self.outcome)
            .text("correlationId", &rng.guid())
            .properties()
            .text("AmlModuleId", &self.id("module", module))
            .text("AmlModuleName", module)
            .text("AmlWorkspaceId", &self.workspace.guid)
            .text("AmlWorkspaceName", &self.workspace.name)
            .text("AmlPipelineId", &self.id("pipeline", pipeline))
            .text("AmlParentPipelineId", &self.id("parent pipeline", pipeline))
            .text("AmlPipelineDraftId", &self.id("draft", pipeline))
            .text("AmlPipelineDraftName", &format!("{pipeline}-draft"))
            .text(
                "AmlPipelineEndpointId",
                &self.id("pipeline endpoint", pipeline),
            )
            .text("AmlPipelineEndpointName", &format!("{pipeline}-endpoint"))
    }

    fn label<'l>(&self, record: Record<'l>, rng: &mut Rng) -> Record<'l> {
        let names = &self.world.catalogue.names;
        let project = rng.word(&names.label_projects);
        let labels = format!("{},{}", rng.word(&names.labels), rng.word(&names.labels));
        self.traced(record, rng)
            .properties()
            .text("AmlProjectId", &self.id("project", project))
            .text("AmlProjectName", project)
            .text("AmlLabelNames", &labels)
            .text("AmlDataStoreName", rng.word(&names.datastores))
    }

    /// Services on the older compute targets.
    fn service<'l>(&self, record: Record<'l>, category: &str, rng: &mut Rng) -> Record<'l> {
        let services = &self.world.catalogue.names.services;
        let fits = |service: &&String| match category.get(category.len() - 3..) {
            Some("ACI") => service.ends_with("-aci"),
            Some("AKS") => service.ends_with("-aks"),
            _ => true,
        };
        let fitting: Vec<&String> = services.iter().filter(fits).collect();
        let name = rng.pick(&fitting);
        self.traced(record, rng)
            .properties()
            .text("AmlServiceName", name)
    }
}

/// Compute instances: started in the morning, stopped in the evening, or forgotten until later.
fn instances(world: &World, workspace: &Workspace, rng: &mut Rng, log: &mut Log) {
    for _ in 0..world.count(INSTANCE_EVENTS_PER_DAY / 2.0) {
        let person = workspace.person(world, rng);
        let started = rng.unit();
        // A share of the whole time that is about a working day.
        let stopped = (started + 0.4 * rng.unit() / world.days).min(1.0);
        for (share, action) in [(started, "START"), (stopped, "STOP")] {
            instance(world, person, world.office.at(share), action, rng, log);
        }
    }
}

fn instance(world: &World, person: &Person, time: i64, action: &str, rng: &mut Rng, log: &mut Log) {
    let operation =
        format!("MICROSOFT.MACHINELEARNINGSERVICES/WORKSPACES/COMPUTES/{action}/ACTION");
    let name = person.mail.split('@').next().unwrap_or_default();
    log.record("ComputeInstanceEvent", time, &operation)
        .raw("identity", world.identity(person))
        .text(
            "resultType",
            if rng.chance(0.02) {
                "Failure"
            } else {
                "Success"
            },
        )
        .text("correlationId", &rng.guid())
        .text("level", "Informational")
        .properties()
        .text(
            "AmlComputeInstanceName",
            &format!("ci-{}", name.replace('.', "-")),
        )
        .text("AadTenantId", &world.tenant)
        .end();
}
