//! One view of the catalog, and the changes that lead from one to the next.

use std::collections::{BTreeMap, BTreeSet};

use schema::ResourceId;
use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

use crate::{Error, LOG_WORKSPACES_MAX, NAME_CHARS_MAX, WORKSPACES_MAX};

/// The log workspace that holds every ML workspace.
pub const DEFAULT_LOG_WORKSPACE: &str = "default";

/// The name space of the GUIDs that are made from resource ids, so that a workspace has the same
/// GUID in every catalog.
const NAMESPACE: Uuid = Uuid::from_u128(0x6c6f_6767_6961_4b51_8c75_6f72_6b73_7061);

/// An ML workspace, or a registry: one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Its GUID.
    pub id: Uuid,
    /// Its Azure resource id.
    pub resource_id: ResourceId,
    /// When it was added, in nanoseconds since 1970.
    pub created: i64,
    /// Where its node serves.
    pub node: Url,
}

impl Workspace {
    /// Its name: the last part of the resource id.
    pub fn name(&self) -> &str {
        self.resource_id.name()
    }
}

/// A named group of ML workspaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogWorkspace {
    /// What `TenantId` holds.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its Azure resource id.
    pub resource_id: ResourceId,
    /// The ML workspaces that belong to it.
    pub members: BTreeSet<Uuid>,
}

/// The catalog at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Counts changes.
    pub version: u64,
    /// ML workspaces by GUID.
    pub workspaces: BTreeMap<Uuid, Workspace>,
    /// Log workspaces by name, without `default`.
    log_workspaces: BTreeMap<String, LogWorkspace>,
}

/// A change of the catalog.
#[derive(Clone, Debug)]
pub enum Change {
    /// An ML workspace or registry joins.
    AddWorkspace {
        /// Its Azure resource id.
        resource_id: ResourceId,
        /// Now, in nanoseconds since 1970.
        now: i64,
        /// Where its node serves.
        node: Url,
    },
    /// An ML workspace leaves, and every log workspace forgets it.
    RemoveWorkspace(Uuid),
    /// A log workspace is made, or gets other members.
    PutLogWorkspace {
        /// Its name.
        name: String,
        /// Its resource id; one is made from the name if there is none yet.
        resource_id: Option<ResourceId>,
        /// All ML workspaces that belong to it from now on.
        members: BTreeSet<Uuid>,
    },
    /// A log workspace is dissolved; its members stay.
    RemoveLogWorkspace(String),
}

impl State {
    /// The GUID of an ML workspace, which follows from its resource id.
    pub fn workspace_id(resource_id: &ResourceId) -> Uuid {
        Uuid::new_v5(&NAMESPACE, resource_id.as_str().as_bytes())
    }

    /// The log workspace that holds all.
    pub fn default_log_workspace(&self) -> LogWorkspace {
        let resource_id = made_up_id(DEFAULT_LOG_WORKSPACE);
        LogWorkspace {
            id: Self::workspace_id(&resource_id),
            name: DEFAULT_LOG_WORKSPACE.to_owned(),
            resource_id,
            members: self.workspaces.keys().copied().collect(),
        }
    }

    /// All log workspaces: `default`, then the others by name.
    pub fn log_workspaces(&self) -> Vec<LogWorkspace> {
        let mut all = vec![self.default_log_workspace()];
        all.extend(self.log_workspaces.values().cloned());
        all
    }

    /// The log workspace that an ML workspace belongs to when it is read by itself: the first by
    /// name that names it, else `default`.
    pub fn home(&self, workspace: Uuid) -> Uuid {
        let named = self
            .log_workspaces
            .values()
            .find(|log| log.members.contains(&workspace));
        named.map_or_else(|| self.default_log_workspace().id, |log| log.id)
    }

    /// The ML workspace that a record belongs to: the one with the longest resource id that the
    /// record's own lies in.
    pub fn owner(&self, resource_id: &ResourceId) -> Option<&Workspace> {
        let mut at = resource_id.clone();
        loop {
            if let Some(workspace) = self.workspaces.get(&Self::workspace_id(&at)) {
                return Some(workspace);
            }
            at = at.parent()?;
        }
    }

    /// The state after a change.
    ///
    /// # Errors
    /// If the change does not fit.
    pub fn changed(&self, change: Change) -> Result<Self, Error> {
        let mut next = self.clone();
        next.version += 1;
        match change {
            Change::AddWorkspace {
                resource_id,
                now,
                node,
            } => {
                next.add_workspace(resource_id, now, node)?;
            }
            Change::RemoveWorkspace(id) => next.remove_workspace(id)?,
            Change::PutLogWorkspace {
                name,
                resource_id,
                members,
            } => {
                next.put_log_workspace(name, resource_id, members)?;
            }
            Change::RemoveLogWorkspace(name) => next.remove_log_workspace(&name)?,
        }
        Ok(next)
    }

    fn add_workspace(&mut self, resource_id: ResourceId, now: i64, node: Url) -> Result<(), Error> {
        let ty = resource_id.resource_type();
        if !matches!(
            ty.as_str(),
            "microsoft.machinelearningservices/workspaces"
                | "microsoft.machinelearningservices/registries"
        ) {
            return Err(Error::Invalid(format!(
                "`{resource_id}` is neither an Azure ML workspace nor a registry"
            )));
        }
        let id = Self::workspace_id(&resource_id);
        if self.workspaces.contains_key(&id) {
            return Err(Error::Conflict(format!("`{resource_id}` is there already")));
        }
        if self.workspaces.len() >= WORKSPACES_MAX {
            return Err(Error::Conflict(format!(
                "there are {WORKSPACES_MAX} workspaces already"
            )));
        }
        self.workspaces.insert(
            id,
            Workspace {
                id,
                resource_id,
                created: now,
                node,
            },
        );
        Ok(())
    }

    fn remove_workspace(&mut self, id: Uuid) -> Result<(), Error> {
        if self.workspaces.remove(&id).is_none() {
            return Err(Error::NotFound(format!("there is no workspace {id}")));
        }
        for log in self.log_workspaces.values_mut() {
            log.members.remove(&id);
        }
        Ok(())
    }

    fn put_log_workspace(
        &mut self,
        name: String,
        resource_id: Option<ResourceId>,
        members: BTreeSet<Uuid>,
    ) -> Result<(), Error> {
        check_name(&name)?;
        if let Some(unknown) = members.iter().find(|id| !self.workspaces.contains_key(*id)) {
            return Err(Error::NotFound(format!("there is no workspace {unknown}")));
        }
        let before = self.log_workspaces.get(&name);
        if before.is_none() && self.log_workspaces.len() >= LOG_WORKSPACES_MAX {
            let message = format!("there are {LOG_WORKSPACES_MAX} log workspaces already");
            return Err(Error::Conflict(message));
        }
        let resource_id = match (resource_id, before) {
            (Some(id), Some(before)) if id != before.resource_id => {
                let message = format!("the log workspace `{name}` is {}", before.resource_id);
                return Err(Error::Conflict(message));
            }
            (_, Some(before)) => before.resource_id.clone(),
            (Some(id), None) => id,
            (None, None) => made_up_id(&name),
        };
        let id = Self::workspace_id(&resource_id);
        let other = self
            .log_workspaces
            .values()
            .find(|log| log.id == id && log.name != name);
        if let Some(other) = other {
            let message = format!("`{resource_id}` is the log workspace `{}`", other.name);
            return Err(Error::Conflict(message));
        }
        let log = LogWorkspace {
            id,
            name: name.clone(),
            resource_id,
            members,
        };
        self.log_workspaces.insert(name, log);
        Ok(())
    }

    fn remove_log_workspace(&mut self, name: &str) -> Result<(), Error> {
        if name == DEFAULT_LOG_WORKSPACE {
            return Err(Error::Invalid(format!("`{name}` holds all and stays")));
        }
        match self.log_workspaces.remove(name) {
            Some(_) => Ok(()),
            None => Err(Error::NotFound(format!(
                "there is no log workspace `{name}`"
            ))),
        }
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
    let plain = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if name == DEFAULT_LOG_WORKSPACE {
        return Err(Error::Invalid(format!(
            "`{name}` holds all and can't be changed"
        )));
    }
    if fits && plain {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "a log workspace's name has up to {NAME_CHARS_MAX} letters, digits, `-`, `_` and `.`"
    )))
}

/// The resource id of a log workspace that Azure does not know.
fn made_up_id(name: &str) -> ResourceId {
    let id = format!(
        "/subscriptions/{}/resourcegroups/loggia/providers/{}/{name}",
        Uuid::nil(),
        schema::resource::LOG_WORKSPACE_TYPE,
    );
    ResourceId::parse(&id).expect("names are checked")
}

/// How a state lies in a file.
#[derive(Serialize, Deserialize)]
pub(crate) struct Stored {
    version: u64,
    workspaces: Vec<StoredWorkspace>,
    log_workspaces: Vec<StoredLogWorkspace>,
}

#[derive(Serialize, Deserialize)]
struct StoredWorkspace {
    resource_id: String,
    created: i64,
    node: String,
}

#[derive(Serialize, Deserialize)]
struct StoredLogWorkspace {
    name: String,
    resource_id: String,
    members: Vec<Uuid>,
}

impl From<&State> for Stored {
    fn from(state: &State) -> Self {
        Self {
            version: state.version,
            workspaces: state
                .workspaces
                .values()
                .map(|workspace| StoredWorkspace {
                    resource_id: workspace.resource_id.to_string(),
                    created: workspace.created,
                    node: workspace.node.to_string(),
                })
                .collect(),
            log_workspaces: state
                .log_workspaces
                .values()
                .map(|log| StoredLogWorkspace {
                    name: log.name.clone(),
                    resource_id: log.resource_id.to_string(),
                    members: log.members.iter().copied().collect(),
                })
                .collect(),
        }
    }
}

impl TryFrom<Stored> for State {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        let mut state = Self {
            version: stored.version,
            ..Self::default()
        };
        for workspace in stored.workspaces {
            let resource_id = ResourceId::parse(&workspace.resource_id)?;
            let id = Self::workspace_id(&resource_id);
            let created = workspace.created;
            let node = Url::parse(&workspace.node).map_err(|error| error.to_string())?;
            state.workspaces.insert(
                id,
                Workspace {
                    id,
                    resource_id,
                    created,
                    node,
                },
            );
        }
        for log in stored.log_workspaces {
            let resource_id = ResourceId::parse(&log.resource_id)?;
            let id = Self::workspace_id(&resource_id);
            let members = log.members.into_iter().collect();
            let name = log.name;
            state.log_workspaces.insert(
                name.clone(),
                LogWorkspace {
                    id,
                    name,
                    resource_id,
                    members,
                },
            );
        }
        Ok(state)
    }
}
