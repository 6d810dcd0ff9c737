//! Graph operators: parsed, and refused by name when bound.

use super::{Expr, Name, NamedExpr, Param};

/// `make-graph source --> target [with …]`.
#[derive(Clone, Debug, PartialEq)]
pub struct MakeGraph {
    /// Parameters.
    pub params: Vec<Param>,
    /// Column of the edges' sources.
    pub source: Name,
    /// Whether edges have a direction.
    pub directed: bool,
    /// Column of the edges' targets.
    pub target: Name,
    /// `with nodes on key, …`.
    pub nodes: Vec<(Expr, Name)>,
    /// `with_node_id = name`.
    pub node_id: Option<Name>,
}

/// `graph-match pattern, … [where …] [project …]`, and `graph-shortest-paths`.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphMatch {
    /// Parameters.
    pub params: Vec<Param>,
    /// Whether only shortest paths are wanted.
    pub shortest_paths: bool,
    /// The patterns.
    pub patterns: Vec<Vec<GraphElement>>,
    /// Which matches to keep.
    pub predicate: Option<Expr>,
    /// Columns of the result.
    pub project: Vec<NamedExpr>,
}

/// A node or an edge of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub enum GraphElement {
    /// `(name)`.
    Node(Option<Name>),
    /// `-[name*min..max]->`, `<-[name]-`, `--`, and so on.
    Edge {
        /// Which way it points.
        direction: GraphDirection,
        /// Its name.
        name: Option<Name>,
        /// How many hops.
        hops: Option<(Expr, Expr)>,
    },
}

/// Which way an edge points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphDirection {
    /// `-->`.
    Right,
    /// `<--`.
    Left,
    /// `--`.
    Either,
}

/// `graph-to-table nodes [as name], edges [as name]`.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphToTable {
    /// The outputs: whether nodes (else edges), a name, and parameters.
    pub outputs: Vec<GraphOutput>,
}

/// One output of `graph-to-table`.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphOutput {
    /// Nodes, else edges.
    pub nodes: bool,
    /// `as name`.
    pub name: Option<Name>,
    /// Parameters.
    pub params: Vec<Param>,
}
