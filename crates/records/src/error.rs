use std::path::PathBuf;

/// What can go wrong around records; a record that doesn't fit is none of these, but a
/// [`Refused`](crate::Refused).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A mapping can't be read, or names a table or a column that does not exist.
    #[error("mapping: {0}")]
    Mapping(String),
    /// A file or folder can't be read.
    #[error("can't read `{}`: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file is beyond a limit.
    #[error("`{}` is refused: {reason}", path.display())]
    Limit {
        /// The file or folder.
        path: PathBuf,
        /// Which limit, and its value.
        reason: String,
    },
    /// A table that does not exist.
    #[error("{0}")]
    UnknownTable(String),
}
