//! Realistic logs of made-up Azure ML workspaces, in the layout in which Azure exports logs.
//!
//! Start at [`generate`], which writes a tree of `PT1H.json` files, or at [`files`], which hands
//! them over one by one. [`Config`] says how much; `catalogue.toml` says what the company is like:
//! people, clusters, endpoints, and the incidents worth finding.
//!
//! `world` draws who and what exists; `compute`, `assets`, `endpoints` and `registry` tell what
//! happens and write it down as records; `export` deals the records to files.
//!
//! The same configuration gives the same bytes. Another `now` moves everything in time and changes
//! neither what happens nor any id: chance is drawn first, the calendar is asked afterwards.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schema::ResourceId;

mod assets;
mod calendar;
mod catalogue;
mod compute;
mod endpoints;
mod export;
mod record;
mod registry;
mod rng;
mod world;

pub use export::ExportedFile;

use world::World;

/// What to generate.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// How many ML workspaces, from 1 to [`WORKSPACES_MAX`].
    pub workspaces: usize,
    /// How many days the logs go back, from 1 to [`DAYS_MAX`].
    pub days: u32,
    /// What chance is drawn from.
    pub seed: u64,
    /// When the logs end, in nanoseconds since 1970.
    pub now: i64,
    /// How much goes on in a workspace; 1 is the demo's, about 2,500 records a day.
    pub activity: f64,
}

/// Most workspaces.
pub const WORKSPACES_MAX: usize = 1_000;
/// Most days.
pub const DAYS_MAX: u32 = 730;
/// Most activity.
pub const ACTIVITY_MAX: f64 = 1_000.0;

impl Config {
    /// The demo: three workspaces over fourteen days, about 100,000 records.
    pub fn demo(now: i64) -> Self {
        Self {
            workspaces: 3,
            days: 14,
            seed: 1,
            now,
            activity: 1.0,
        }
    }

    fn check(&self) -> Result<(), Error> {
        let problem = if !(1..=WORKSPACES_MAX).contains(&self.workspaces) {
            format!(
                "from 1 to {WORKSPACES_MAX} workspaces, not {}",
                self.workspaces
            )
        } else if !(1..=DAYS_MAX).contains(&self.days) {
            format!("from 1 to {DAYS_MAX} days, not {}", self.days)
        } else if !(self.activity > 0.0 && self.activity <= ACTIVITY_MAX) {
            format!(
                "an activity over 0 and up to {ACTIVITY_MAX}, not {}",
                self.activity
            )
        } else {
            return Ok(());
        };
        Err(Error::Config(problem))
    }
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many files.
    pub files: usize,
    /// How many bytes.
    pub bytes: u64,
    /// How many records, by table.
    pub records: BTreeMap<String, u64>,
    /// The resources that a system must know to take the records in: ML workspaces and registries.
    pub resources: Vec<ResourceId>,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is out of its bounds.
    #[error("logs are generated for {0}")]
    Config(String),
    /// The folder holds something already; mixing two trees would leave neither.
    #[error("`{}` is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// A file or folder can't be written.
    #[error("can't write `{}`: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// Writes the logs as a tree of files under `out_dir`, which must be empty or not there yet.
///
/// # Errors
/// If the configuration is out of its bounds or the tree can't be written.
pub fn generate(config: &Config, out_dir: &Path) -> Result<Summary, Error> {
    let files = files(config)?;
    export::require_empty(out_dir)?;
    let mut summary = Summary {
        resources: resources(config)?,
        ..Summary::default()
    };
    for file in files {
        export::write(&file, out_dir)?;
        summary.files += 1;
        summary.bytes += file.bytes.len() as u64;
        let table = schema::category::category(file.category).map_or("", |known| &known.table);
        *summary.records.entry(table.to_owned()).or_default() += file.records;
    }
    Ok(summary)
}

/// The files of the logs, one resource after the other. What is held at a time are the logs of one
/// resource.
///
/// # Errors
/// If the configuration is out of its bounds.
pub fn files(config: &Config) -> Result<impl Iterator<Item = ExportedFile> + use<>, Error> {
    config.check()?;
    let world = World::new(config);
    let now = world.now;
    let logs = world.into_logs();
    Ok(logs.flat_map(move |log| export::files(log, now)))
}

/// The resources whose logs are generated: ML workspaces in order, then the registry.
///
/// # Errors
/// If the configuration is out of its bounds.
pub fn resources(config: &Config) -> Result<Vec<ResourceId>, Error> {
    config.check()?;
    let world = World::new(config);
    let workspaces = world.workspaces.iter().map(|workspace| &workspace.id);
    let all = workspaces.chain([&world.registry.id]);
    Ok(all.cloned().collect())
}
