//! What Azure's tables look like, and how KQL types lie in Arrow.
//!
//! Start at [`builtin::table`] for a table's columns, [`resource::ResourceId`] for the ids that
//! records and workspaces go by, and [`arrow`] for types.
//!
//! Tables and categories are data: TOML files under `builtin/`, read once.

pub mod arrow;
pub mod builtin;
pub mod category;
pub mod resource;
pub mod table;

pub use category::Category;
pub use kql::Type;
pub use resource::ResourceId;
pub use table::{Column, Origin, Table};
