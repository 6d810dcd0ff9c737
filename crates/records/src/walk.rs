//! Finding exported files: one file, or the tree that Azure's export to storage makes.
//!
//! `insights-logs-<category>/resourceId=/SUBSCRIPTIONS/…/y=2026/m=11/d=23/h=10/m=00/PT1H.json`,
//! or `insights-metrics-pt1m/…`. What the path says is a fallback for records that don't say it.

use std::path::{Path, PathBuf};

use schema::{ResourceId, category};
use walkdir::WalkDir;

use crate::Error;

/// Most files in one tree: 80 workspaces with 31 categories, hourly for a month, are two million.
pub const FILES_MAX: usize = 4_000_000;

/// Endings of files that hold records; `.gz` may follow.
const ENDINGS: [&str; 3] = [".json", ".jsonl", ".ndjson"];

/// A file of exported records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportFile {
    /// Where it lies.
    pub path: PathBuf,
    /// The category that its path names, spelled as records spell it where it is a known one.
    pub category: Option<String>,
    /// The resource that its path names.
    pub resource_id: Option<ResourceId>,
    /// Its size on disk.
    pub bytes: u64,
}

/// The files with records at `root`, ordered by path, so that the hours of a resource come in order.
///
/// A file that is named itself counts whatever its ending. Symbolic links are not followed.
///
/// # Errors
/// If `root` or a folder in it can't be read, or holds more than [`FILES_MAX`] files.
pub fn find(root: &Path) -> Result<Vec<ExportFile>, Error> {
    let mut found = Vec::new();
    let entries = WalkDir::new(root).sort_by_file_name();
    for entry in entries {
        let entry = entry.map_err(|error| Error::Read {
            path: error.path().unwrap_or(root).to_owned(),
            source: error.into(),
        })?;
        let is_named = entry.depth() == 0;
        let counts = if is_named {
            entry.path().is_file()
        } else {
            entry.file_type().is_file() && holds_records(entry.path())
        };
        if !counts {
            continue;
        }
        if found.len() == FILES_MAX {
            return Err(Error::Limit {
                path: root.to_owned(),
                reason: format!("a tree has at most {FILES_MAX} files"),
            });
        }
        let metadata = entry.path().metadata().map_err(|source| Error::Read {
            path: entry.path().to_owned(),
            source,
        })?;
        found.push(ExportFile::at(entry.into_path(), metadata.len()));
    }
    Ok(found)
}

impl ExportFile {
    /// A file of that path and size, with what the path tells.
    pub fn at(path: PathBuf, bytes: u64) -> Self {
        let (category, resource_id) = told_by(&path);
        Self {
            path,
            category,
            resource_id,
            bytes,
        }
    }

    /// Whether it is compressed, by its name.
    pub fn is_gzip(&self) -> bool {
        has_ending(&self.path, ".gz")
    }
}

fn has_ending(path: &Path, ending: &str) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.to_lowercase().ends_with(ending)
}

fn holds_records(path: &Path) -> bool {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

fn told_by(path: &Path) -> (Option<String>, Option<ResourceId>) {
    let mut category = None;
    let mut id: Option<String> = None;
    for component in path.components() {
        let name = component.as_os_str().to_string_lossy();
        let lower = name.to_lowercase();
        if let Some(named) = lower.strip_prefix("insights-logs-") {
            let known = category::category(named);
            category = Some(known.map_or_else(|| named.to_owned(), |known| known.name.clone()));
        } else if lower == "resourceid=" {
            id = Some(String::new());
        } else if let Some(id) = &mut id {
            if lower.starts_with("y=") {
                break;
            }
            id.push('/');
            id.push_str(&name);
        }
    }
    // A path that breaks off, or ends without an hour, tells no resource.
    (category, id.and_then(|id| ResourceId::parse(&id).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKSPACE: &str = "resourceId=/SUBSCRIPTIONS/AA/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.MACHINELEARNINGSERVICES/WORKSPACES/WS1";

    fn touch(root: &Path, path: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        std::fs::write(path, "{}").expect("a file");
    }

    #[test]
    fn a_tree_gives_its_files_in_order() {
        let root = tempfile::tempdir().expect("a folder");
        let of = |category: &str, hour: &str| {
            format!("{category}/{WORKSPACE}/y=2026/m=11/d=23/h={hour}/m=00/PT1H.json")
        };
        touch(root.path(), &of("insights-logs-runreadevent", "11"));
        touch(root.path(), &of("insights-logs-runreadevent", "09"));
        touch(root.path(), &of("insights-metrics-pt1m", "09"));
        touch(root.path(), "extra/records.jsonl");
        touch(root.path(), "extra/more.json.gz");
        touch(root.path(), "extra/readme.md");
        let found = find(root.path()).expect("files");
        let told: Vec<_> = found
            .iter()
            .map(|file| {
                let name = file.resource_id.as_ref().map(|id| id.name().to_owned());
                (file.category.as_deref(), name, file.is_gzip())
            })
            .collect();
        let ws1 = || Some("ws1".to_owned());
        assert_eq!(
            told,
            [
                (None, None, true),
                (None, None, false),
                (Some("RunReadEvent"), ws1(), false),
                (Some("RunReadEvent"), ws1(), false),
                (None, ws1(), false),
            ]
        );
        assert!(found[2].path.to_string_lossy().contains("h=09"));
        assert_eq!(found[2].bytes, 2);
    }

    #[test]
    fn a_named_file_counts_whatever_its_ending() {
        let root = tempfile::tempdir().expect("a folder");
        touch(root.path(), "insights-logs-unheardof/export.log");
        let found = find(&root.path().join("insights-logs-unheardof/export.log")).expect("a file");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].category.as_deref(), Some("unheardof"));
    }

    #[test]
    fn what_is_not_there_is_named() {
        let error = find(Path::new("/no/such/folder")).expect_err("nothing there");
        assert!(
            error
                .to_string()
                .starts_with("can't read `/no/such/folder`"),
            "{error}"
        );
    }
}
