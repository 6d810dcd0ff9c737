//! Who and what exists: people, workspaces with clusters and endpoints, and a registry they share.

use kql::value::TICKS_PER_DAY;
use schema::ResourceId;

use crate::calendar::{CUSTOMERS, Calendar, PEOPLE, ticks};
use crate::catalogue::{self, Catalogue, catalogue};
use crate::record::Log;
use crate::rng::Rng;
use crate::{Config, assets, compute, endpoints, registry};

/// Everything that is fixed before the first event.
pub(crate) struct World {
    pub(crate) catalogue: &'static Catalogue,
    pub(crate) days: f64,
    pub(crate) activity: f64,
    pub(crate) start: i64,
    pub(crate) now: i64,
    pub(crate) tenant: String,
    pub(crate) people: Vec<Person>,
    pub(crate) workspaces: Vec<Workspace>,
    pub(crate) registry: Registry,
    /// When people are at work.
    pub(crate) office: Calendar,
    /// When customers call.
    pub(crate) custom: Calendar,
}

/// Somebody who works with the workspaces.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) mail: String,
    pub(crate) object_id: String,
    pub(crate) ip: String,
}

/// An ML workspace.
pub(crate) struct Workspace {
    pub(crate) id: ResourceId,
    pub(crate) name: String,
    pub(crate) subscription: String,
    pub(crate) group: String,
    pub(crate) guid: String,
    pub(crate) region: String,
    pub(crate) failure_rate: f64,
    /// Who works in it, as indexes into the people.
    pub(crate) people: Vec<usize>,
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) endpoints: Vec<&'static catalogue::Endpoint>,
    pub(crate) rng: Rng,
}

/// A compute cluster.
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) kind: &'static catalogue::Cluster,
    pub(crate) vm: &'static catalogue::Vm,
    pub(crate) creator: usize,
    /// How long before the logs begin it was created, in ticks.
    pub(crate) age: i64,
    pub(crate) subnet: String,
    pub(crate) sessions_per_day: f64,
}

/// A registry of models and environments.
pub(crate) struct Registry {
    pub(crate) id: ResourceId,
    pub(crate) rng: Rng,
}

const REGISTRY: &str = "contoso-registry";

/// A cluster has no more sessions a day than this; more activity means more clusters.
const ACTIVITY_PER_CLUSTER: f64 = 2.0;

impl World {
    pub(crate) fn new(config: &Config) -> Self {
        let catalogue = catalogue();
        let rng = Rng::new(config.seed);
        let now = ticks(config.now);
        let start = now - i64::from(config.days) * TICKS_PER_DAY;
        let mut people_rng = rng.part("people");
        let people: Vec<Person> = catalogue
            .people
            .iter()
            .map(|name| Person {
                name,
                mail: format!(
                    "{}@{}",
                    name.to_lowercase().replace(' ', "."),
                    catalogue.domain
                ),
                object_id: people_rng.guid(),
                ip: people_rng.ip(),
            })
            .collect();
        let mut company_rng = rng.part("company");
        let tenant = company_rng.guid();
        let subscriptions = [company_rng.guid(), company_rng.guid()];
        let workspaces = (0..config.workspaces)
            .map(|index| Workspace::new(config, index, &subscriptions, people.len()))
            .collect();
        let registry = Registry {
            id: resource_id(&format!(
                "/subscriptions/{}/resourcegroups/rg-ml-shared/providers/\
                 microsoft.machinelearningservices/registries/{REGISTRY}",
                subscriptions[0]
            )),
            rng: rng.part("registry"),
        };
        Self {
            catalogue,
            days: f64::from(config.days),
            activity: config.activity,
            office: Calendar::new(start, now, &PEOPLE),
            custom: Calendar::new(start, now, &CUSTOMERS),
            start,
            now,
            tenant,
            people,
            workspaces,
            registry,
        }
    }

    /// The logs of each resource: of each workspace and its endpoints, then of the registry.
    pub(crate) fn into_logs(self) -> impl Iterator<Item = Log> {
        let resources: Vec<(usize, Option<usize>)> = self
            .workspaces
            .iter()
            .enumerate()
            .flat_map(|(index, workspace)| {
                let endpoints = (0..workspace.endpoints.len()).map(Some);
                std::iter::once(None)
                    .chain(endpoints)
                    .map(move |endpoint| (index, endpoint))
            })
            .chain([(self.workspaces.len(), None)])
            .collect();
        resources.into_iter().map(move |(index, endpoint)| {
            let Some(workspace) = self.workspaces.get(index) else {
                return registry::log(&self);
            };
            match endpoint {
                Some(endpoint) => endpoints::log(&self, workspace, workspace.endpoints[endpoint]),
                None => {
                    let mut log = Log::new(workspace.id.as_str());
                    compute::write(&self, workspace, &mut log);
                    assets::write(&self, workspace, &mut log);
                    log
                }
            }
        })
    }

    /// How many of something happen, if `per_day` do in a workspace of the demo.
    pub(crate) fn count(&self, per_day: f64) -> usize {
        (per_day * self.days * self.activity).round() as usize
    }

    /// What records say of a person.
    pub(crate) fn identity(&self, person: &Person) -> String {
        format!(
            r#"{{"UserName":"{}","UserObjectId":"{}","UserTenantId":"{}","UserPrincipalName":"{}"}}"#,
            person.name, person.object_id, self.tenant, person.mail
        )
    }
}

impl Workspace {
    fn new(config: &Config, index: usize, subscriptions: &[String; 2], people: usize) -> Self {
        let catalogue = catalogue();
        let described = catalogue.workspace.get(index);
        let kind = described.unwrap_or(&catalogue.further_workspace);
        let name = match described {
            Some(kind) => kind.name.clone(),
            None => format!("{}-{:03}", kind.name, index + 1),
        };
        let rng = Rng::new(config.seed).part(&name);
        let mut draw = rng.part("workspace");
        let region = kind.region.clone();
        let region = region.unwrap_or_else(|| draw.pick(&catalogue.regions).clone());
        // Production and development live in subscriptions of their own.
        let subscription = subscriptions[index % 2].clone();
        let group = format!("rg-ml-{}", draw.hex(4));
        let id = resource_id(&format!(
            "/subscriptions/{subscription}/resourcegroups/{group}/providers/{}/{name}",
            schema::resource::ML_WORKSPACE_TYPE
        ));
        let first = draw.below(people);
        let team = 6 + draw.below(4);
        let mut workspace = Self {
            id,
            subscription,
            group,
            guid: draw.guid(),
            region,
            failure_rate: kind.failure_rate,
            people: (0..team)
                .map(|member| (first + member * 5) % people)
                .collect(),
            clusters: Vec::new(),
            endpoints: kind
                .endpoints
                .iter()
                .map(|name| catalogue.endpoint(name))
                .collect(),
            rng,
            name,
        };
        let copies = (config.activity / ACTIVITY_PER_CLUSTER).ceil().max(1.0);
        for name in &kind.clusters {
            for copy in 1..=copies as usize {
                let cluster = workspace.cluster(name, copy, config.activity / copies, &mut draw);
                workspace.clusters.push(cluster);
            }
        }
        workspace
    }

    fn cluster(&self, name: &str, copy: usize, activity: f64, draw: &mut Rng) -> Cluster {
        let kind = catalogue().cluster(name);
        Cluster {
            name: match copy {
                1 => name.to_owned(),
                _ => format!("{name}-{copy}"),
            },
            vm: catalogue().vm(&kind.vm_size),
            creator: *draw.pick(&self.people),
            age: draw.between(20, 400) * TICKS_PER_DAY + draw.between(0, TICKS_PER_DAY),
            subnet: format!(
                "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Network/virtualNetworks/vnet-ml/subnets/compute",
                self.subscription, self.group
            ),
            sessions_per_day: kind.sessions_per_day * activity,
            kind,
        }
    }

    /// Somebody of the team.
    pub(crate) fn person<'w>(&self, world: &'w World, rng: &mut Rng) -> &'w Person {
        &world.people[*rng.pick(&self.people)]
    }
}

fn resource_id(text: &str) -> ResourceId {
    ResourceId::parse(text).expect("a resource id made of a subscription and names")
}
