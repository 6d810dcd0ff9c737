//! Statements.

use super::{Call, ColumnDecl, Expr, Literal, Name, Param, Pipeline, UnionSource};
use crate::span::Span;
use crate::types::Type;

/// A whole query: statements apart by `;`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// In order; the last tabular one gives the result.
    pub statements: Vec<Statement>,
}

/// One statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// What it says.
    pub kind: StatementKind,
    /// Where it stands.
    pub span: Span,
}

/// The forms of statements.
#[derive(Clone, Debug, PartialEq)]
pub enum StatementKind {
    /// `let name = …`.
    Let(Let),
    /// `set name [= value]`.
    Set {
        /// The option.
        name: Name,
        /// Its value.
        value: Option<Literal>,
    },
    /// `declare query_parameters (…)`.
    QueryParameters(Vec<Parameter>),
    /// `declare pattern name …`: parsed only as far as its name.
    Pattern(Name),
    /// `alias database name = …`.
    Alias(Name, Expr),
    /// `restrict access to (…)`.
    Restrict(Vec<UnionSource>),
    /// A tabular expression.
    Query(Pipeline),
}

/// `let name = value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Let {
    /// The name.
    pub name: Name,
    /// What it stands for.
    pub value: LetValue,
}

/// What `let` binds.
#[derive(Clone, Debug, PartialEq)]
pub enum LetValue {
    /// A scalar or a table; which one it is, its names decide.
    Expr(Expr),
    /// A function or a view.
    Function(Function),
    /// `entity_group [...]`.
    EntityGroup(Vec<Expr>),
}

/// The members of a `macro-expand`.
#[derive(Clone, Debug, PartialEq)]
pub enum EntityGroup {
    /// A group that has a name.
    Named(Expr),
    /// `entity_group [...]`.
    Inline(Vec<Expr>),
}

/// `macro-expand group as name (…)`.
#[derive(Clone, Debug, PartialEq)]
pub struct MacroExpand {
    /// Parameters.
    pub params: Vec<Param>,
    /// The group.
    pub group: EntityGroup,
    /// The name that each member goes by.
    pub name: Name,
    /// What to do for each.
    pub statements: Vec<Statement>,
}

/// `[view] (parameters) { statements; expression }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Whether it counts as a table for `union *` and `search`.
    pub view: bool,
    /// The parameters.
    pub parameters: Vec<Parameter>,
    /// Statements of the body.
    pub statements: Vec<Statement>,
    /// What the body gives.
    pub body: Expr,
}

/// A parameter of a function or of a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The name.
    pub name: Name,
    /// What may be passed.
    pub kind: ParameterKind,
}

/// What a parameter takes.
#[derive(Clone, Debug, PartialEq)]
pub enum ParameterKind {
    /// A scalar of a type, with the value taken if none is passed.
    Scalar(Type, Option<Literal>),
    /// Any table: `(*)`.
    AnyTable,
    /// A table that has these columns.
    Table(Vec<ColumnDecl>),
}

/// `invoke f(…)` and `evaluate plugin(…)` keep their call.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// The function.
    pub call: Call,
    /// Where it stands.
    pub span: Span,
}
