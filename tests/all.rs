//! All tests that need more than one crate, in one binary: each that links DataFusion costs seconds.

mod law;
mod plans;
mod stored;
