//! Loggia on the wire: messages, services, and what they share.
//!
//! [`v1`] is generated from `proto/loggia/v1` and committed; `make proto` generates it anew.
//! [`failure`] maps what can go wrong to gRPC, HTTP and Azure's error codes. [`ipc`] cuts Arrow data
//! into messages. [`transport`] carries gRPC inside one process.
//!
//! It knows neither tables nor plans.

pub mod convert;
pub mod failure;
pub mod ipc;
pub mod transport;

/// The messages and services of `loggia.v1`.
#[allow(missing_docs, clippy::all, clippy::pedantic, clippy::nursery, unused_qualifications)]
#[rustfmt::skip]
pub mod v1 {
    include!("generated/loggia.v1.rs");
}

/// Describes the services, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/descriptor.bin");

/// Largest message that a server takes, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Longest batch id, in bytes.
pub const BATCH_ID_BYTES_MAX: usize = 200;

/// Most refused records that one response lists.
pub const REFUSED_LISTED_MAX: usize = 100;
