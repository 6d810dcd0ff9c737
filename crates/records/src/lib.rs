//! Azure's exported records become typed Arrow rows of the tables they belong to.
//!
//! Start at [`parse`]: bytes go in, as JSON Lines, Event Hubs envelopes or arrays of either; out
//! come one batch for each resource and table, and every record that was refused, with the reason.
//! [`Mapping`] says which category fills which table and which property fills which column. It is
//! data, and a file can change it without a rebuild. [`walk`] finds exported files and reads them
//! in [`blocks`]; [`Analysis`] tells what a mapping leaves over.
//!
//! Nothing is dropped silently: what has no column stays in `_AdditionalFields`. Reading the bytes
//! is pure: no clock, no files, no global state. Only `walk` and `blocks` touch the file system.

mod analysis;
pub mod blocks;
mod cell;
mod columns;
mod error;
mod json;
mod limits;
mod mapping;
mod parse;
pub mod walk;

pub use analysis::{Analysis, TableFindings, Unmapped};
pub use error::Error;
pub use limits::Limits;
pub use mapping::Mapping;
pub use parse::{Group, Intake, Parsed, Place, Refused, parse, parse_rows};
