//! Online endpoints: the requests they serve, what their containers print, and what befalls them.

use kql::value::{TICKS_PER_DAY, datetime};
use schema::ResourceId;

use crate::calendar::seconds;
use crate::catalogue::{Endpoint, Incident, ModelInput};
use crate::record::{Log, Record};
use crate::rng::Rng;
use crate::world::{Workspace, World};

mod console;

/// A request and its answer.
struct Request<'a> {
    time: i64,
    deployment: &'a str,
    code: u16,
    /// What the model said; 0 if it was not asked.
    model_code: u16,
    duration_ms: f64,
    /// How much of the time went by before the request was there.
    request_share: f64,
    user_agent: &'a str,
    /// Who asked, where that is known.
    caller: Option<&'a str>,
}

struct Context<'a> {
    world: &'a World,
    workspace: &'a Workspace,
    endpoint: &'static Endpoint,
    /// What requests to the model look like, where containers print that.
    input: Option<&'static ModelInput>,
}

/// Codes of usual traffic: what the caller sees, what the model said, and a weight.
const USUAL_CODES: [(u16, u16, usize); 6] = [
    (200, 200, 988),
    (400, 400, 4),
    (401, 0, 2),
    (424, 500, 3),
    (429, 0, 2),
    (503, 0, 1),
];

/// Days between two versions of a deployment.
const DAYS_PER_ROLLOUT: f64 = 3.5;

/// The log of an endpoint.
pub(crate) fn log(world: &World, workspace: &Workspace, endpoint: &'static Endpoint) -> Log {
    let id = format!("{}/onlineendpoints/{}", workspace.id, endpoint.name);
    debug_assert!(
        ResourceId::parse(&id).is_ok(),
        "an endpoint lies under its workspace"
    );
    let mut log = Log::new(&id);
    let rng = workspace.rng.part("endpoint").part(&endpoint.name);
    let ctx = Context {
        world,
        workspace,
        endpoint,
        input: world
            .catalogue
            .model_input
            .iter()
            .find(|input| input.model == endpoint.model),
    };
    ctx.usual_traffic(&mut rng.part("traffic"), &mut log);
    for (index, incident) in world.catalogue.incident.iter().enumerate() {
        if incident.endpoint == endpoint.name && incident.days_ago < world.days {
            ctx.incident(
                incident,
                &mut rng.part(&format!("incident {index}")),
                &mut log,
            );
        }
    }
    ctx.rollouts(&mut rng.part("rollouts"), &mut log);
    log
}

impl Context<'_> {
    fn usual_traffic(&self, rng: &mut Rng, log: &mut Log) {
        let agents = &self.world.catalogue.names.user_agents;
        for _ in 0..self.world.count(self.endpoint.requests_per_day) {
            let (code, model_code) = draw_code(&USUAL_CODES, rng);
            let caller = self.workspace.person(self.world, rng);
            let request = Request {
                time: self.world.custom.at(rng.unit()),
                deployment: self.deployment(rng),
                code,
                model_code,
                duration_ms: rng.log_normal(self.endpoint.duration_ms, 0.5),
                request_share: 0.15,
                user_agent: rng.word(agents),
                caller: rng.chance(0.3).then_some(&caller.object_id),
            };
            self.request(&request, rng, log);
        }
    }

    /// The first deployment gets most of the traffic.
    fn deployment(&self, rng: &mut Rng) -> &'static str {
        let deployments = &self.endpoint.deployments;
        if rng.chance(0.85) {
            &deployments[0]
        } else {
            rng.word(deployments)
        }
    }

    fn incident(&self, incident: &Incident, rng: &mut Rng, log: &mut Log) {
        let begins = self.world.now - (incident.days_ago * TICKS_PER_DAY as f64) as i64;
        let length = incident.minutes * 60.0;
        let people = &self.world.people;
        let person = incident.person.as_ref();
        let person = person.and_then(|name| people.iter().find(|person| person.name == name));
        let agents = &self.world.catalogue.names.user_agents;
        for _ in 0..incident.requests {
            let (code, model_code) = draw_code(&incident.codes, rng);
            let deployment = incident.deployment.as_deref();
            let request = Request {
                time: begins + seconds(rng.unit() * length),
                deployment: deployment.unwrap_or_else(|| self.deployment(rng)),
                code,
                model_code,
                duration_ms: match incident.duration_ms {
                    Some(slow) => rng.log_normal(slow, 0.25),
                    None => rng.log_normal(self.endpoint.duration_ms, 0.5),
                },
                request_share: if incident.duration_ms.is_some() {
                    0.8
                } else {
                    0.15
                },
                user_agent: match &incident.user_agent {
                    Some(agent) => agent,
                    None => rng.word(agents),
                },
                caller: person.map(|person| person.object_id.as_str()),
            };
            self.request(&request, rng, log);
        }
        for step in 0..4 {
            let time = begins + seconds(length * (0.1 + 0.25 * f64::from(step)));
            let deployment = incident.deployment.as_deref();
            let deployment = deployment.unwrap_or(&self.endpoint.deployments[0]);
            self.event(log, time, deployment, "Warning", &incident.message, rng);
        }
    }

    fn request(&self, request: &Request<'_>, rng: &mut Rng, log: &mut Log) {
        let world = self.world;
        // What was turned away at the door took no time.
        let total = if request.code == 429 {
            2.0
        } else {
            request.duration_ms.max(3.0)
        };
        let received = (total * request.request_share).max(1.0);
        let throttled = if rng.chance(0.01) {
            rng.between(5, 200)
        } else {
            0
        };
        let auth = if request.caller.is_some() {
            "AADToken"
        } else {
            "Key"
        };
        let id = rng.guid();
        let (record, time) = self.record(log, "AmlOnlineEndpointTrafficLog", request.time, "Score");
        let mut record = record
            .text("location", &self.workspace.region)
            .properties()
            .text("Method", "POST")
            .text("Path", "/score")
            .text("AzureMLWorkspaceId", &self.workspace.guid)
            .text("AzureMLWorkspaceName", &self.workspace.name)
            .text("EndpointName", &self.endpoint.name)
            .text("DeploymentName", request.deployment)
            .text("Protocol", "HTTP/1.1")
            .raw("ResponseCode", request.code)
            .text(
                "ResponseCodeReason",
                world.catalogue.http_reason(request.code),
            );
        if request.model_code > 0 {
            record = record.raw("ModelStatusCode", request.model_code).text(
                "ModelStatusReason",
                world.catalogue.http_reason(request.model_code),
            );
        }
        record
            .raw("RequestPayloadSize", rng.log_normal(900.0, 0.6) as i64)
            .raw("ResponsePayloadSize", rng.log_normal(220.0, 0.4) as i64)
            .text("UserAgent", request.user_agent)
            .text("XRequestId", &id)
            .text("XMSClientRequestId", &rng.guid())
            .raw("TotalDurationMs", total as i64 + throttled)
            .raw("RequestDurationMs", received as i64)
            .raw("ResponseDurationMs", (total * 0.95) as i64)
            .raw("RequestThrottlingDelayMs", throttled)
            .raw("ResponseThrottlingDelayMs", 0)
            .text("AuthType", auth)
            .text("IdentityData", request.caller.unwrap_or(""))
            .end();
        self.print(request, time, &id, rng, log);
    }

    /// What a deployment goes through when a new version comes.
    fn rollouts(&self, rng: &mut Rng, log: &mut Log) {
        let count = (self.world.days / DAYS_PER_ROLLOUT).ceil() as usize;
        for deployment in &self.endpoint.deployments {
            for rollout in 0..count {
                let share = (rollout as f64 + rng.unit()) / count as f64;
                // A rollout takes minutes, and is over by now.
                let begins = self
                    .world
                    .office
                    .at(share)
                    .min(self.world.now - seconds(900.0));
                self.rollout(deployment, begins, rng, log);
            }
        }
    }

    fn rollout(&self, deployment: &str, begins: i64, rng: &mut Rng, log: &mut Log) {
        let mut steps = vec![
            (0.0, "Scheduled", "Successfully assigned the pod to a node"),
            (20.0, "Pulling", "Pulling the inference image"),
            (
                95.0,
                "Pulled",
                "Successfully pulled the inference image in 75s",
            ),
            (100.0, "Created", "Created container inference-server"),
            (101.0, "Started", "Started container inference-server"),
        ];
        if rng.chance(0.4) {
            let message = "Readiness probe failed: Get \"http://127.0.0.1:5001/\": dial tcp: connect: connection refused";
            steps.push((111.0, "Unhealthy", message));
            steps.push((121.0, "Unhealthy", message));
        }
        steps.push((140.0, "Ready", "The container passed its readiness probe"));
        steps.push((160.0, "TrafficUpdated", "The deployment takes traffic"));
        for (offset, name, message) in steps {
            self.event(
                log,
                begins + seconds(offset),
                deployment,
                name,
                message,
                rng,
            );
        }
        self.print_start(deployment, begins + seconds(101.0), rng, log);
    }

    fn event(
        &self,
        log: &mut Log,
        time: i64,
        deployment: &str,
        name: &str,
        message: &str,
        rng: &mut Rng,
    ) {
        let instance = self.instance(deployment, rng);
        let (record, _) = self.record(log, "AmlOnlineEndpointEventLog", time, "ContainerEvent");
        record
            .properties()
            .text("InstanceId", &instance)
            .text("DeploymentName", deployment)
            .text("Name", name)
            .text("Message", message)
            .end();
    }

    /// One of a deployment's instances.
    fn instance(&self, deployment: &str, rng: &mut Rng) -> String {
        let index = rng.below(3).to_string();
        let ids = self
            .workspace
            .rng
            .part(&self.endpoint.name)
            .part(deployment);
        format!(
            "{deployment}-{}-{}",
            ids.part("set").hex(10),
            ids.part(&index).hex(5)
        )
    }

    /// Begins a record, and gives its time as containers print it.
    fn record<'l>(
        &self,
        log: &'l mut Log,
        category: &'static str,
        time: i64,
        operation: &str,
    ) -> (Record<'l>, String) {
        let text = datetime::format(time);
        // `2026-11-23 10:00:00,123`
        let printed = format!("{} {},{}", &text[..10], &text[11..19], &text[20..23]);
        let operation =
            format!("MICROSOFT.MACHINELEARNINGSERVICES/WORKSPACES/ONLINEENDPOINTS/{operation}");
        (
            log.record(category, time, &operation.to_uppercase()),
            printed,
        )
    }
}

fn draw_code(codes: &[(u16, u16, usize)], rng: &mut Rng) -> (u16, u16) {
    let total: usize = codes.iter().map(|(_, _, weight)| weight).sum();
    let mut left = rng.below(total);
    for (code, model_code, weight) in codes {
        if left < *weight {
            return (*code, *model_code);
        }
        left -= weight;
    }
    (200, 200)
}
