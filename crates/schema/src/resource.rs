//! Azure resource ids, such as
//! `/subscriptions/…/resourcegroups/rg/providers/microsoft.machinelearningservices/workspaces/ws`.

use std::fmt;

/// A resource id in lower case, without a slash at its end.
///
/// Azure compares resource ids without regard to case; exports write them in upper case and
/// `_ResourceId` holds them in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId(String);

/// The resource type of an Azure ML workspace, in lower case.
pub const ML_WORKSPACE_TYPE: &str = "microsoft.machinelearningservices/workspaces";
/// The resource type of a Log Analytics workspace, in lower case.
pub const LOG_WORKSPACE_TYPE: &str = "microsoft.operationalinsights/workspaces";

/// Longest resource id that is read, in bytes.
pub const RESOURCE_ID_BYTES_MAX: usize = 2048;

impl ResourceId {
    /// Reads a resource id, a subscription's or a resource group's included.
    ///
    /// # Errors
    /// Says why `text` is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim().trim_matches('/');
        if trimmed.len() > RESOURCE_ID_BYTES_MAX {
            return Err(format!(
                "a resource id has at most {RESOURCE_ID_BYTES_MAX} bytes"
            ));
        }
        let lower = trimmed.to_lowercase();
        let mut segments = lower.split('/');
        let has_subscription = segments.next() == Some("subscriptions")
            && segments.next().is_some_and(|s| !s.is_empty());
        if !has_subscription || lower.split('/').any(str::is_empty) {
            return Err(format!(
                "`{}` is no resource id; one begins with `/subscriptions/`",
                shorten(text)
            ));
        }
        Ok(Self(format!("/{lower}")))
    }

    /// The id of an Azure ML workspace.
    ///
    /// # Errors
    /// Says which part has a slash or is empty.
    pub fn ml_workspace(subscription: &str, group: &str, name: &str) -> Result<Self, String> {
        for part in [subscription, group, name] {
            if part.is_empty() || part.contains('/') {
                return Err(format!(
                    "`{}` can't be part of a resource id",
                    shorten(part)
                ));
            }
        }
        Self::parse(&format!(
            "/subscriptions/{subscription}/resourcegroups/{group}/providers/{ML_WORKSPACE_TYPE}/{name}"
        ))
    }

    /// The id as text, with a slash at its start.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The subscription.
    pub fn subscription(&self) -> &str {
        self.segment(1).unwrap_or("")
    }

    /// The resource group, if the id reaches that far.
    pub fn resource_group(&self) -> Option<&str> {
        (self.segment(2) == Some("resourcegroups"))
            .then(|| self.segment(3))
            .flatten()
    }

    /// The resource's own name: the last segment.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or("")
    }

    /// The type of the innermost resource, such as
    /// `microsoft.machinelearningservices/workspaces/onlineendpoints`; empty for a subscription or
    /// a resource group.
    pub fn resource_type(&self) -> String {
        let Some((_, path)) = self.0.rsplit_once("/providers/") else {
            return String::new();
        };
        let mut segments = path.split('/');
        let mut ty = segments.next().unwrap_or("").to_owned();
        // After the provider come pairs of a type and a name.
        for (index, segment) in segments.enumerate() {
            if index % 2 == 0 {
                ty.push('/');
                ty.push_str(segment);
            }
        }
        ty
    }

    /// The id one segment shorter, if anything is left of it.
    pub fn parent(&self) -> Option<Self> {
        let (parent, _) = self.0.rsplit_once('/')?;
        (parent.len() > "/subscriptions".len()).then(|| Self(parent.to_owned()))
    }

    /// Whether this is `other` or lies under it.
    pub fn is_within(&self, other: &Self) -> bool {
        self.0
            .strip_prefix(&other.0)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn segment(&self, index: usize) -> Option<&str> {
        self.0[1..].split('/').nth(index)
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_nested_resource() {
        let id = ResourceId::parse(
            "/SUBSCRIPTIONS/AAAA/RESOURCEGROUPS/RG-ML/PROVIDERS/MICROSOFT.MACHINELEARNINGSERVICES/WORKSPACES/WS1/ONLINEENDPOINTS/E1",
        )
        .expect("a resource id");
        assert_eq!(id.subscription(), "aaaa");
        assert_eq!(id.resource_group(), Some("rg-ml"));
        assert_eq!(id.name(), "e1");
        assert_eq!(
            id.resource_type(),
            "microsoft.machinelearningservices/workspaces/onlineendpoints"
        );
        let workspace = ResourceId::ml_workspace("aaaa", "rg-ml", "ws1").expect("a workspace id");
        assert!(id.is_within(&workspace));
        assert!(!id.is_within(&ResourceId::ml_workspace("aaaa", "rg-ml", "ws").expect("an id")));
    }

    #[test]
    fn what_is_no_resource_id() {
        for text in [
            "",
            "/",
            "ws1",
            "/subscriptions",
            "/subscriptions//x",
            "/resourcegroups/x",
        ] {
            assert!(ResourceId::parse(text).is_err(), "{text}");
        }
        assert!(ResourceId::ml_workspace("a", "b/c", "d").is_err());
    }
}
