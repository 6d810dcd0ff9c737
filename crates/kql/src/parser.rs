//! Text to tree. Total and bounded: any text gives a tree of what could be read and diagnostics
//! for the rest; if there is an error among them, the tree is not to be run.
//!
//! Recursive descent, one function for a form of the grammar. A function that fails has already
//! reported why and returns [`Failed`]; groups in brackets skip to their end, pipelines go on at the
//! next `|`, and statements at the next `;`, so that one mistake does not hide the next.
//!
//! The grammar follows `Kql.g4` of Kusto's own language repository. As there, string operators
//! (`has`, `contains`, …) bind tighter than arithmetic.

mod cursor;
mod expr;
mod literal;
pub use literal::guid;
mod operators;
mod pipeline;
mod recover;
mod schema;
mod slips;
mod statement;

use crate::ast::Query;
use crate::diagnostic::{Code, Diagnostic};
use crate::lexer::{self, Token};

/// A form could not be read, and the diagnostics say why.
#[derive(Debug)]
pub(crate) struct Failed;

pub(crate) type Parse<T> = Result<T, Failed>;

/// Parses a query: statements apart by `;`.
///
/// ```
/// let (query, diagnostics) = kql::parse("let n = 3; T | where x > n | take 5");
/// assert!(diagnostics.is_empty());
/// assert_eq!(query.statements.len(), 2);
/// ```
pub fn parse(text: &str) -> (Query, Vec<Diagnostic>) {
    let mut parser = Parser::new(text);
    let query = if parser.halted {
        Query::default()
    } else {
        parser.query()
    };
    let mut diagnostics = parser.diagnostics;
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    (query, diagnostics)
}

/// Parses one scalar expression that makes up the whole of `text`.
pub fn parse_expr(text: &str) -> (Option<crate::ast::Expr>, Vec<Diagnostic>) {
    let mut parser = Parser::new(text);
    if parser.halted {
        return (None, parser.diagnostics);
    }
    let expr = parser
        .expr()
        .and_then(|expr| parser.expect_end().map(|()| expr))
        .ok();
    (expr, parser.diagnostics)
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    /// Index of the next token; never past the last one, which is the end.
    at: usize,
    /// Nesting at this point, held under `NESTING_MAX`.
    depth: usize,
    /// Deepest nesting of what was read at this level so far, held under `NESTING_MAX` as well. A
    /// chain such as `a + b + c` hangs deeper below the root with each link.
    reach: usize,
    /// Nodes made so far, held under `NODES_MAX`.
    nodes: usize,
    /// A limit was met, that of diagnostics included: nothing further is worth reading.
    halted: bool,
    diagnostics: Vec<Diagnostic>,
    /// Where brackets close, found once something in brackets has failed.
    partners: Vec<usize>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        let mut diagnostics = Vec::new();
        let tokens = lexer::lex(text, &mut diagnostics);
        Self {
            text,
            tokens,
            at: 0,
            depth: 0,
            reach: 0,
            nodes: 0,
            halted: diagnostics.iter().any(|d| d.code == Code::Limit),
            diagnostics,
            partners: Vec::new(),
        }
    }
}
