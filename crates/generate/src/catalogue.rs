//! The parts that worlds are made of, read from `catalogue.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    toml::from_str(include_str!("catalogue.toml")).expect("the catalogue is valid TOML")
});

pub(crate) fn catalogue() -> &'static Catalogue {
    &CATALOGUE
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Catalogue {
    pub(crate) domain: String,
    pub(crate) people: Vec<String>,
    pub(crate) regions: Vec<String>,
    pub(crate) workspace: Vec<Workspace>,
    pub(crate) further_workspace: Workspace,
    pub(crate) cluster: Vec<Cluster>,
    pub(crate) vm: Vec<Vm>,
    pub(crate) endpoint: Vec<Endpoint>,
    pub(crate) model_input: Vec<ModelInput>,
    pub(crate) incident: Vec<Incident>,
    pub(crate) http_reasons: BTreeMap<String, String>,
    pub(crate) names: Names,
    pub(crate) job_error: Vec<JobError>,
    pub(crate) famous: Famous,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Workspace {
    pub(crate) name: String,
    /// None is drawn by chance.
    pub(crate) region: Option<String>,
    pub(crate) failure_rate: f64,
    pub(crate) clusters: Vec<String>,
    pub(crate) endpoints: Vec<String>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) vm_size: String,
    pub(crate) vm_priority: String,
    #[serde(default)]
    pub(crate) nodes_min: usize,
    pub(crate) nodes_max: usize,
    pub(crate) sessions_per_day: f64,
    #[serde(default)]
    pub(crate) resize_timeout_rate: f64,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vm {
    pub(crate) size: String,
    pub(crate) family: String,
    pub(crate) cores: usize,
    #[serde(default)]
    pub(crate) gpus: usize,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) deployments: Vec<String>,
    pub(crate) requests_per_day: f64,
    pub(crate) duration_ms: f64,
    pub(crate) model: String,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelInput {
    pub(crate) model: String,
    pub(crate) numbers: BTreeMap<String, (i64, i64)>,
    pub(crate) words: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Incident {
    pub(crate) endpoint: String,
    pub(crate) days_ago: f64,
    pub(crate) minutes: f64,
    pub(crate) requests: usize,
    /// The deployment it hits; none is all.
    pub(crate) deployment: Option<String>,
    /// How long requests take then.
    pub(crate) duration_ms: Option<f64>,
    /// Who sends the requests.
    pub(crate) person: Option<String>,
    pub(crate) user_agent: Option<String>,
    /// What the endpoint's events say.
    pub(crate) message: String,
    /// What the caller sees, what the model said (0 is nothing), and a weight.
    pub(crate) codes: Vec<(u16, u16, usize)>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Names {
    pub(crate) experiments: Vec<String>,
    pub(crate) adjectives: Vec<String>,
    pub(crate) nouns: Vec<String>,
    pub(crate) datasets: Vec<String>,
    pub(crate) datastores: Vec<String>,
    pub(crate) models: Vec<String>,
    pub(crate) environments: Vec<String>,
    pub(crate) services: Vec<String>,
    pub(crate) pipelines: Vec<String>,
    pub(crate) modules: Vec<String>,
    pub(crate) label_projects: Vec<String>,
    pub(crate) labels: Vec<String>,
    pub(crate) user_agents: Vec<String>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobError {
    pub(crate) code: String,
    pub(crate) inner: String,
    pub(crate) message: String,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Famous {
    pub(crate) automl_run: String,
}

impl Catalogue {
    pub(crate) fn cluster(&self, name: &str) -> &Cluster {
        let found = self.cluster.iter().find(|cluster| cluster.name == name);
        found.expect("the catalogue describes the clusters it names")
    }

    pub(crate) fn vm(&self, size: &str) -> &Vm {
        let found = self.vm.iter().find(|vm| vm.size == size);
        found.expect("the catalogue describes the VM sizes it names")
    }

    pub(crate) fn endpoint(&self, name: &str) -> &Endpoint {
        let found = self.endpoint.iter().find(|endpoint| endpoint.name == name);
        found.expect("the catalogue describes the endpoints it names")
    }

    pub(crate) fn http_reason(&self, code: u16) -> &str {
        self.http_reasons
            .get(&code.to_string())
            .map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_describes_what_it_names() {
        let catalogue = catalogue();
        let further = std::iter::once(&catalogue.further_workspace);
        for workspace in catalogue.workspace.iter().chain(further) {
            for cluster in &workspace.clusters {
                catalogue.vm(&catalogue.cluster(cluster).vm_size);
            }
            for endpoint in &workspace.endpoints {
                catalogue.endpoint(endpoint);
            }
        }
        for incident in &catalogue.incident {
            let endpoint = catalogue.endpoint(&incident.endpoint);
            if let Some(deployment) = &incident.deployment {
                assert!(endpoint.deployments.contains(deployment));
            }
            if let Some(person) = &incident.person {
                assert!(catalogue.people.contains(person));
            }
            for (code, model_code, _) in &incident.codes {
                assert!(!catalogue.http_reason(*code).is_empty(), "{code}");
                assert!(*model_code == 0 || !catalogue.http_reason(*model_code).is_empty());
            }
        }
        for input in &catalogue.model_input {
            assert!(
                catalogue
                    .endpoint
                    .iter()
                    .any(|endpoint| endpoint.model == input.model)
            );
        }
    }
}
