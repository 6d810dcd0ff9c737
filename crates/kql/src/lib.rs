//! The Kusto query language: text to tree, diagnostics, tree to canonical text.
//!
//! Start at [`parse`]. It gives an [`ast::Query`] and [`Diagnostic`]s, whatever the text; `print`
//! turns a tree back into text that parses to the same tree.
//!
//! This crate knows no tables, no functions and no data: names are names. It depends on nothing of
//! ours, on neither Arrow nor async, and builds in a second.

pub mod ast;
pub mod diagnostic;
mod lexer;
pub mod limits;
mod parser;
pub mod print;
pub mod span;
pub mod suggest;
pub mod types;
pub mod value;

pub use diagnostic::{Code, Diagnostic, Severity};
pub use parser::{parse, parse_expr};
pub use print::print;
pub use span::Span;
pub use types::Type;
