//! The catalog of one machine: a file that is replaced as a whole.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::state::{Change, State, Stored};
use crate::{Catalog, Error};

/// The first line of the file: what it is, and the CRC-32 of the rest.
const HEADER: &str = "loggia catalog 1 crc32 ";

/// Keeps the catalog in a file. Only one process may.
pub struct Embedded {
    path: PathBuf,
    state: Arc<ArcSwap<State>>,
    /// One change at a time.
    writing: Arc<Mutex<()>>,
}

impl Embedded {
    /// Opens the file, or begins with an empty catalog if there is none.
    ///
    /// # Errors
    /// If the file can't be read, or is damaged.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let state = match fs::read_to_string(path) {
            Ok(text) => parse(&text).map_err(|cause| storage(path, cause))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => State::default(),
            Err(error) => return Err(storage(path, error)),
        };
        Ok(Self {
            path: path.to_owned(),
            state: Arc::new(ArcSwap::from_pointee(state)),
            writing: Arc::default(),
        })
    }
}

#[async_trait]
impl Catalog for Embedded {
    fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    async fn apply(&self, change: Change) -> Result<Arc<State>, Error> {
        let writing = Arc::clone(&self.writing).lock_owned().await;
        let next = Arc::new(self.state.load().changed(change)?);
        let (path, state) = (self.path.clone(), Arc::clone(&self.state));
        let written = Arc::clone(&next);
        // The lock goes along: where a caller gives up, the next change must not overtake.
        let result = tokio::task::spawn_blocking(move || {
            let result = write(&path, &written).map_err(|error| storage(&path, error));
            if result.is_ok() {
                state.store(written);
            }
            drop(writing);
            result
        });
        result.await.map_err(|error| storage(&self.path, error))??;
        Ok(next)
    }
}

fn storage(path: &Path, cause: impl ToString) -> Error {
    Error::Storage {
        path: path.display().to_string(),
        cause: cause.to_string(),
    }
}

fn parse(text: &str) -> Result<State, String> {
    let damaged = || "the file is damaged".to_owned();
    let (header, body) = text.split_once('\n').ok_or_else(damaged)?;
    let crc = header.strip_prefix(HEADER).ok_or_else(damaged)?;
    if crc != format!("{:08x}", crc32fast::hash(body.as_bytes())) {
        return Err(damaged());
    }
    let stored: Stored = serde_json::from_str(body).map_err(|error| error.to_string())?;
    State::try_from(stored)
}

fn write(path: &Path, state: &State) -> std::io::Result<()> {
    let body = serde_json::to_string_pretty(&Stored::from(state))?;
    let text = format!("{HEADER}{:08x}\n{body}", crc32fast::hash(body.as_bytes()));
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    // The name is durable once its folder is.
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use schema::ResourceId;

    use super::*;

    fn add(name: &str) -> Change {
        Change::AddWorkspace {
            resource_id: ResourceId::ml_workspace("s", "rg", name).expect("a resource id"),
            now: 7,
            node: "http://node".parse().expect("a URL"),
        }
    }

    #[tokio::test]
    async fn what_was_applied_is_there_after_a_restart() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("catalog.json");
        let catalog = Embedded::open(&path).expect("it opens");
        catalog.apply(add("one")).await.expect("it fits");
        let state = catalog.apply(add("two")).await.expect("it fits");
        let members = state.workspaces.keys().copied().collect();
        let name = "both".to_owned();
        let put = Change::PutLogWorkspace {
            name,
            resource_id: None,
            members,
        };
        catalog.apply(put).await.expect("it fits");
        let again = Embedded::open(&path).expect("it opens");
        assert_eq!(again.state(), catalog.state());
        assert_eq!(again.state().log_workspaces()[1].members.len(), 2);
    }

    #[tokio::test]
    async fn a_change_that_does_not_fit_changes_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let catalog = Embedded::open(&dir.path().join("catalog.json")).expect("it opens");
        let state = catalog.apply(add("one")).await.expect("it fits");
        assert!(matches!(
            catalog.apply(add("one")).await,
            Err(Error::Conflict(_))
        ));
        assert_eq!(catalog.state(), state);
    }

    #[tokio::test]
    async fn any_flipped_bit_is_noticed() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("catalog.json");
        let catalog = Embedded::open(&path).expect("it opens");
        catalog.apply(add("one")).await.expect("it fits");
        let bytes = fs::read(&path).expect("the file");
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            fs::write(&path, &damaged).expect("written");
            assert!(Embedded::open(&path).is_err(), "byte {at}");
        }
    }
}
