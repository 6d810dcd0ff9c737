//! From the names in a request to the ML workspaces that are meant.

use std::collections::BTreeMap;

use schema::ResourceId;
use uuid::Uuid;

use crate::state::{LogWorkspace, State, Workspace};
use crate::{DEFAULT_LOG_WORKSPACE, Error};

/// Whose logs a request reads: the union of everything that is named; if nothing is, the log
/// workspace `default`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Log workspaces or ML workspaces, by GUID, name, `subscription/resource group/name` or
    /// resource id.
    pub workspaces: Vec<String>,
    /// ML workspaces, resource groups or subscriptions, by resource id.
    pub resources: Vec<String>,
}

/// ML workspaces that a request reads.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// By GUID; each with the GUID of the log workspace that it is read through.
    pub workspaces: BTreeMap<Uuid, (Workspace, Uuid)>,
}

/// What one name means.
#[derive(Clone, Debug)]
pub enum Meaning<'a> {
    /// A group.
    Log(LogWorkspace),
    /// An ML workspace.
    Ml(&'a Workspace),
}

impl State {
    /// The ML workspaces in scope. One that is reached twice is read once, through what was named
    /// first.
    ///
    /// # Errors
    /// Names what does not exist, and what may be meant.
    pub fn resolve(&self, scope: &Scope) -> Result<Resolved, Error> {
        let mut resolved = Resolved::default();
        if scope.workspaces.is_empty() && scope.resources.is_empty() {
            self.take(Meaning::Log(self.default_log_workspace()), &mut resolved);
        }
        for name in &scope.workspaces {
            let meaning = self.meaning(name)?;
            self.take(meaning, &mut resolved);
        }
        for resource in &scope.resources {
            self.take_resource(resource, &mut resolved)?;
        }
        Ok(resolved)
    }

    fn take(&self, meaning: Meaning<'_>, resolved: &mut Resolved) {
        match meaning {
            Meaning::Log(log) => {
                for workspace in log.members.iter().filter_map(|id| self.workspaces.get(id)) {
                    let entry = resolved.workspaces.entry(workspace.id);
                    entry.or_insert_with(|| (workspace.clone(), log.id));
                }
            }
            Meaning::Ml(workspace) => {
                let entry = resolved.workspaces.entry(workspace.id);
                entry.or_insert_with(|| (workspace.clone(), self.home(workspace.id)));
            }
        }
    }

    fn take_resource(&self, resource: &str, resolved: &mut Resolved) -> Result<(), Error> {
        let id = ResourceId::parse(resource).map_err(Error::Invalid)?;
        if id.resource_type() == schema::resource::LOG_WORKSPACE_TYPE {
            let meaning = self.meaning(resource)?;
            self.take(meaning, resolved);
            return Ok(());
        }
        let mut found = false;
        for workspace in self
            .workspaces
            .values()
            .filter(|w| w.resource_id.is_within(&id))
        {
            found = true;
            self.take(Meaning::Ml(workspace), resolved);
        }
        if found {
            return Ok(());
        }
        // An endpoint's logs lie with its workspace, whose other logs are none of its own.
        let what = if self.owner(&id).is_some() {
            "lies in a workspace; name the workspace, and filter by `_ResourceId`"
        } else {
            "holds no workspace that is known here"
        };
        Err(Error::NotFound(format!("`{id}` {what}")))
    }

    /// What a name means: a GUID, a resource id, `subscription/group/name`, or a plain name. A log
    /// workspace goes before an ML workspace of the same name.
    ///
    /// # Errors
    /// If it means nothing, or several things.
    pub fn meaning(&self, name: &str) -> Result<Meaning<'_>, Error> {
        let name = name.trim();
        let logs = self.log_workspaces();
        if let Ok(id) = Uuid::try_parse(name) {
            if let Some(log) = logs.into_iter().find(|log| log.id == id) {
                return Ok(Meaning::Log(log));
            }
            let found = self.workspaces.get(&id).map(Meaning::Ml);
            return found.ok_or_else(|| Error::NotFound(format!("there is no workspace {id}")));
        }
        if name.contains('/') {
            return self.meaning_of_path(name, logs);
        }
        if let Some(log) = logs.iter().find(|log| log.name.eq_ignore_ascii_case(name)) {
            return Ok(Meaning::Log(log.clone()));
        }
        let same = |workspace: &&Workspace| workspace.name().eq_ignore_ascii_case(name);
        let mut found = self.workspaces.values().filter(same);
        match (found.next(), found.next()) {
            (Some(workspace), None) => Ok(Meaning::Ml(workspace)),
            (Some(one), Some(other)) => Err(Error::Conflict(format!(
                "`{name}` may be {} or {}; name it by resource id",
                one.resource_id, other.resource_id
            ))),
            (None, _) => Err(self.unknown(name)),
        }
    }

    fn meaning_of_path(&self, path: &str, logs: Vec<LogWorkspace>) -> Result<Meaning<'_>, Error> {
        if let Ok(id) = ResourceId::parse(path) {
            if let Some(log) = logs.into_iter().find(|log| log.resource_id == id) {
                return Ok(Meaning::Log(log));
            }
            let found = self
                .workspaces
                .get(&Self::workspace_id(&id))
                .map(Meaning::Ml);
            return found.ok_or_else(|| Error::NotFound(format!("there is no workspace `{id}`")));
        }
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let [subscription, group, name] = parts[..] else {
            return Err(self.unknown(path));
        };
        let fits = |id: &ResourceId| {
            id.subscription().eq_ignore_ascii_case(subscription)
                && id
                    .resource_group()
                    .is_some_and(|found| found.eq_ignore_ascii_case(group))
                && id.name().eq_ignore_ascii_case(name)
        };
        if let Some(log) = logs.into_iter().find(|log| fits(&log.resource_id)) {
            return Ok(Meaning::Log(log));
        }
        let found = self
            .workspaces
            .values()
            .find(|workspace| fits(&workspace.resource_id));
        found.map(Meaning::Ml).ok_or_else(|| self.unknown(path))
    }

    /// The name that is nearest to an unknown one.
    pub fn nearest(&self, name: &str) -> Option<String> {
        let names: Vec<String> = self
            .log_workspaces()
            .into_iter()
            .map(|log| log.name)
            .chain(
                self.workspaces
                    .values()
                    .map(|workspace| workspace.name().to_owned()),
            )
            .collect();
        kql::suggest::nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
    }

    fn unknown(&self, name: &str) -> Error {
        let hint = match self.nearest(name) {
            Some(nearest) => format!("; did you mean `{nearest}`?"),
            None if self.workspaces.is_empty() => {
                format!("; there are none yet beside `{DEFAULT_LOG_WORKSPACE}`")
            }
            None => String::new(),
        };
        Error::NotFound(format!("there is no workspace `{name}`{hint}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Change;

    fn state() -> State {
        let mut state = State::default();
        for path in ["s1/rg1/vision", "s1/rg2/speech", "s2/rg1/vision"] {
            let parts: Vec<&str> = path.split('/').collect();
            let resource_id =
                ResourceId::ml_workspace(parts[0], parts[1], parts[2]).expect("a resource id");
            let node = "http://node".parse().expect("a URL");
            state = state
                .changed(Change::AddWorkspace {
                    resource_id,
                    now: 0,
                    node,
                })
                .expect("it fits");
        }
        let speech = state
            .workspaces
            .values()
            .find(|w| w.name() == "speech")
            .expect("it is there");
        let members = [speech.id].into();
        let name = "audio".to_owned();
        state
            .changed(Change::PutLogWorkspace {
                name,
                resource_id: None,
                members,
            })
            .expect("it fits")
    }

    fn names(
        state: &State,
        workspaces: &[&str],
        resources: &[&str],
    ) -> Result<Vec<String>, String> {
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
        let scope = Scope {
            workspaces: texts(workspaces),
            resources: texts(resources),
        };
        let resolved = state.resolve(&scope).map_err(|error| error.to_string())?;
        let path = |w: &Workspace| format!("{}/{}", w.resource_id.subscription(), w.name());
        let mut found: Vec<String> = resolved
            .workspaces
            .values()
            .map(|(workspace, _)| path(workspace))
            .collect();
        found.sort();
        Ok(found)
    }

    #[test]
    fn every_way_to_name_a_workspace() {
        let state = state();
        let all = Ok(vec![
            "s1/speech".to_owned(),
            "s1/vision".into(),
            "s2/vision".into(),
        ]);
        assert_eq!(names(&state, &[], &[]), all);
        assert_eq!(names(&state, &["default"], &[]), all);
        let speech = Ok(vec!["s1/speech".to_owned()]);
        assert_eq!(names(&state, &["audio"], &[]), speech);
        assert_eq!(names(&state, &["SPEECH"], &[]), speech);
        assert_eq!(names(&state, &["s1/rg2/speech"], &[]), speech);
        assert_eq!(
            names(&state, &[], &["/subscriptions/S1/resourceGroups/RG2"]),
            speech
        );
        let audio = state.log_workspaces()[1].id.to_string();
        assert_eq!(names(&state, &[&audio, "speech"], &[]), speech);
        let first = Ok(vec!["s1/speech".to_owned(), "s1/vision".into()]);
        assert_eq!(names(&state, &[], &["/subscriptions/s1"]), first);
    }

    #[test]
    fn a_name_that_means_nothing_or_too_much_is_refused() {
        let state = state();
        let error = names(&state, &["vision"], &[]).unwrap_err();
        assert!(
            error.contains("/subscriptions/s1/") && error.contains("/subscriptions/s2/"),
            "{error}"
        );
        let error = names(&state, &["speach"], &[]).unwrap_err();
        assert!(error.contains("did you mean `speech`?"), "{error}");
        assert!(names(&state, &[], &["/subscriptions/s3"]).is_err());
    }

    #[test]
    fn rows_are_read_through_the_log_workspace_that_was_named() {
        let state = state();
        let by = |name: &str| {
            let scope = Scope {
                workspaces: vec![name.into()],
                ..Scope::default()
            };
            let resolved = state.resolve(&scope).expect("it is there");
            let speech = resolved
                .workspaces
                .into_values()
                .find(|(w, _)| w.name() == "speech");
            speech.expect("speech is in it").1
        };
        assert_eq!(by("default"), state.default_log_workspace().id);
        assert_eq!(by("audio"), state.log_workspaces()[1].id);
        assert_eq!(by("speech"), state.log_workspaces()[1].id);
    }

    #[test]
    fn a_record_belongs_to_the_longest_registered_id() {
        let state = state();
        let id = "/subscriptions/S1/resourceGroups/rg1/providers/Microsoft.MachineLearningServices/\
                  workspaces/vision/onlineEndpoints/e1";
        let id = ResourceId::parse(id).expect("a resource id");
        assert_eq!(state.owner(&id).map(Workspace::name), Some("vision"));
        let other = ResourceId::ml_workspace("s1", "rg1", "visio").expect("a resource id");
        assert_eq!(state.owner(&other), None);
    }
}
