//! The operators' own grammars, by family.

mod aggregate;
mod combine;
mod expand;
mod graph;
mod project;
mod rows;
mod text;
