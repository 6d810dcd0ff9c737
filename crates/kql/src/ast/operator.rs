//! Tabular operators, one variant each, named as in KQL.

use super::{
    Call, ColumnDecl, Expr, GraphMatch, GraphToTable, Invocation, MacroExpand, MakeGraph, Name,
    NamePattern, NamedExpr, Param, Pipeline,
};
use crate::span::Span;
use crate::types::Type;

/// One operator of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Operator {
    /// What it says.
    pub kind: OperatorKind,
    /// Where it stands, without the pipe.
    pub span: Span,
    /// Where its name stands.
    pub keyword: Span,
}

/// The operators.
#[derive(Clone, Debug, PartialEq)]
pub enum OperatorKind {
    /// `as name`.
    As(As),
    /// `assert-schema (…)`.
    AssertSchema(Vec<ColumnDecl>),
    /// `consume`.
    Consume(Vec<Param>),
    /// `count [as name]`.
    Count(Option<Name>),
    /// `distinct`.
    Distinct(Distinct),
    /// `evaluate plugin(…)`.
    Evaluate(Evaluate),
    /// `execute-and-cache`.
    ExecuteAndCache,
    /// `extend`.
    Extend(Vec<NamedExpr>),
    /// `facet by`.
    Facet(Facet),
    /// `find`.
    Find(Find),
    /// `fork`.
    Fork(Vec<(Option<Name>, Pipeline)>),
    /// `getschema`.
    GetSchema,
    /// `graph-mark-components`.
    GraphMarkComponents(Vec<Param>),
    /// `graph-match`, `graph-shortest-paths`.
    GraphMatch(GraphMatch),
    /// `graph-to-table`.
    GraphToTable(GraphToTable),
    /// `invoke f(…)`.
    Invoke(Invocation),
    /// `join`.
    Join(Join),
    /// `lookup`.
    Lookup(Join),
    /// `macro-expand`.
    MacroExpand(MacroExpand),
    /// `make-graph`.
    MakeGraph(MakeGraph),
    /// `make-series`.
    MakeSeries(MakeSeries),
    /// `mv-apply`.
    MvApply(MvApply),
    /// `mv-expand`.
    MvExpand(MvExpand),
    /// `parse`, `parse-where`.
    Parse(Parse),
    /// `parse-kv`.
    ParseKv(ParseKv),
    /// `partition by`.
    Partition(Partition),
    /// `print`.
    Print(Vec<NamedExpr>),
    /// `project`.
    Project(Vec<NamedExpr>),
    /// `project-away`.
    ProjectAway(Vec<NamePattern>),
    /// `project-by-names`.
    ProjectByNames(Vec<Expr>),
    /// `project-keep`.
    ProjectKeep(Vec<NamePattern>),
    /// `project-rename`.
    ProjectRename(Vec<NamedExpr>),
    /// `project-reorder`.
    ProjectReorder(Vec<Reorder>),
    /// `range name from … to … step …`.
    Range(Range),
    /// `reduce by`.
    Reduce(Reduce),
    /// `render`.
    Render(Render),
    /// `sample n`.
    Sample(Expr),
    /// `sample-distinct n of x`.
    SampleDistinct(Expr, NamedExpr),
    /// `scan`.
    Scan(Scan),
    /// `search`.
    Search(Search),
    /// `serialize`.
    Serialize(Vec<NamedExpr>),
    /// `sort by`, `order by`.
    Sort(Sort),
    /// `summarize`.
    Summarize(Summarize),
    /// `take`, `limit`.
    Take(Expr),
    /// `top n by`.
    Top(Top),
    /// `top-hitters`.
    TopHitters(TopHitters),
    /// `top-nested`.
    TopNested(Vec<TopNested>),
    /// `union`.
    Union(Union),
    /// `where`, `filter`.
    Where(Expr),
}

/// `as name`.
#[derive(Clone, Debug, PartialEq)]
pub struct As {
    /// Parameters.
    pub params: Vec<Param>,
    /// The name that the rows go by.
    pub name: Name,
}

/// `distinct a, b`, `distinct *`.
#[derive(Clone, Debug, PartialEq)]
pub struct Distinct {
    /// Parameters.
    pub params: Vec<Param>,
    /// The columns; empty means all.
    pub columns: Vec<NamedExpr>,
}

/// `evaluate plugin(…) [: (schema)]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluate {
    /// Parameters.
    pub params: Vec<Param>,
    /// The plugin.
    pub plugin: Invocation,
    /// Columns of the result, if said.
    pub schema: Option<Vec<ColumnDecl>>,
    /// Whether the columns of the table come before those of the schema: `(*, …)`.
    pub with_source: bool,
}

/// `facet by a, b [with …]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Facet {
    /// The columns.
    pub by: Vec<Name>,
    /// What else to do with the rows.
    pub with: Option<Pipeline>,
}

/// `find [withsource=…] [in (…)] where … [project …]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Find {
    /// Parameters.
    pub params: Vec<Param>,
    /// The tables to look in; empty means all.
    pub tables: Vec<UnionSource>,
    /// Which rows.
    pub predicate: Expr,
    /// Which columns.
    pub project: FindProject,
    /// Columns to leave out; `*` means all that are packed.
    pub project_away: Vec<NamePattern>,
}

/// The columns of a `find`.
#[derive(Clone, Debug, PartialEq)]
pub enum FindProject {
    /// `project-smart`, also when nothing is said.
    Smart,
    /// `project a, b: string, pack(*)`.
    Columns {
        /// Names with an optional type.
        columns: Vec<(Name, Option<Type>)>,
        /// Whether the rest is packed.
        pack: bool,
    },
}

/// `join` and `lookup`.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// Parameters, `kind` among them.
    pub params: Vec<Param>,
    /// The right side.
    pub right: Expr,
    /// The conditions after `on`.
    pub on: Vec<Expr>,
}

/// `make-series`.
#[derive(Clone, Debug, PartialEq)]
pub struct MakeSeries {
    /// Parameters.
    pub params: Vec<Param>,
    /// The series.
    pub aggregates: Vec<SeriesAggregate>,
    /// The axis.
    pub axis: NamedExpr,
    /// First bin.
    pub from: Option<Expr>,
    /// End of the axis: exclusive after `to`, inclusive in `in range(…)`.
    pub to: Option<Expr>,
    /// Width of a bin.
    pub step: Expr,
    /// Whether it was written `in range(from, to, step)`.
    pub in_range: bool,
    /// Groups.
    pub by: Vec<NamedExpr>,
}

/// `[name =] aggregate [default = value]`.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesAggregate {
    /// The aggregate.
    pub expr: NamedExpr,
    /// The value of an empty bin.
    pub default: Option<Expr>,
}

/// `mv-apply`.
#[derive(Clone, Debug, PartialEq)]
pub struct MvApply {
    /// Parameters.
    pub params: Vec<Param>,
    /// What to expand.
    pub columns: Vec<MvColumn>,
    /// Most rows for a row.
    pub limit: Option<Expr>,
    /// What to do with each row's rows.
    pub subquery: Pipeline,
}

/// `mv-expand`.
#[derive(Clone, Debug, PartialEq)]
pub struct MvExpand {
    /// Parameters.
    pub params: Vec<Param>,
    /// What to expand.
    pub columns: Vec<MvColumn>,
    /// Most rows for a row.
    pub limit: Option<Expr>,
}

/// `[name =] expr [to typeof(type)]`.
#[derive(Clone, Debug, PartialEq)]
pub struct MvColumn {
    /// The array.
    pub expr: NamedExpr,
    /// The type of its elements.
    pub to: Option<Type>,
}

/// `parse`, `parse-where`.
#[derive(Clone, Debug, PartialEq)]
pub struct Parse {
    /// `kind` and `flags`.
    pub params: Vec<Param>,
    /// Whether rows that don't match are dropped.
    pub where_matched: bool,
    /// The text.
    pub expr: Expr,
    /// The pattern.
    pub pattern: Vec<ParseSegment>,
}

/// A piece of a `parse` pattern.
#[derive(Clone, Debug, PartialEq)]
pub enum ParseSegment {
    /// `*`: anything, not kept.
    Star(Span),
    /// Text, or a regular expression.
    Text(String, Span),
    /// A column to fill.
    Column(Name, Option<Type>),
}

/// `parse-kv`.
#[derive(Clone, Debug, PartialEq)]
pub struct ParseKv {
    /// The text.
    pub expr: Expr,
    /// The keys, with types.
    pub columns: Vec<ColumnDecl>,
    /// `with (…)`.
    pub properties: Vec<Param>,
}

/// `partition by column (…)` or `{ … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Partition {
    /// Parameters.
    pub params: Vec<Param>,
    /// The column.
    pub by: Expr,
    /// What to do with each part. In braces it names its own source.
    pub subquery: Pipeline,
    /// Whether it was written in braces.
    pub braces: bool,
}

/// A column pattern of `project-reorder`, and how to order what it matches.
#[derive(Clone, Debug, PartialEq)]
pub struct Reorder {
    /// The columns.
    pub pattern: NamePattern,
    /// Their order.
    pub order: Option<ReorderBy>,
}

/// How `project-reorder` orders columns of one pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReorderBy {
    /// By name.
    Asc,
    /// By name, backwards.
    Desc,
    /// By name with numbers by value.
    GrannyAsc,
    /// The same, backwards.
    GrannyDesc,
}

/// `range name from … to … step …`.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// The column.
    pub name: Name,
    /// First value.
    pub from: Expr,
    /// Last value.
    pub to: Expr,
    /// Distance of two values.
    pub step: Expr,
}

/// `reduce by x [with …]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduce {
    /// Parameters.
    pub params: Vec<Param>,
    /// The text.
    pub by: NamedExpr,
    /// `threshold`, `characters`.
    pub with: Vec<NamedExpr>,
}

/// `render chart [with (…)]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Render {
    /// Which chart.
    pub visualization: Name,
    /// Its properties.
    pub properties: Vec<Param>,
}

/// `scan`.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    /// Parameters.
    pub params: Vec<Param>,
    /// `order by`.
    pub order: Vec<SortKey>,
    /// `partition by`.
    pub partition: Vec<Expr>,
    /// `declare (…)`.
    pub declare: Vec<ScanVariable>,
    /// The steps.
    pub steps: Vec<ScanStep>,
}

/// `name: type = default`.
#[derive(Clone, Debug, PartialEq)]
pub struct ScanVariable {
    /// The column.
    pub name: Name,
    /// Its type.
    pub ty: Type,
    /// Its value before any step sets it.
    pub default: Option<Expr>,
}

/// `step name [output=…]: condition [=> column = expr, …];`.
#[derive(Clone, Debug, PartialEq)]
pub struct ScanStep {
    /// The step.
    pub name: Name,
    /// `optional`.
    pub optional: bool,
    /// `output = all | last | none`.
    pub output: Option<Name>,
    /// When it matches.
    pub condition: Expr,
    /// What it sets.
    pub assignments: Vec<(Name, Expr)>,
}

/// `search [kind=…] [in (…)] predicate`.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// Parameters.
    pub params: Vec<Param>,
    /// The tables to look in; empty means all, or the rows piped in.
    pub tables: Vec<UnionSource>,
    /// What to look for.
    pub predicate: Expr,
}

/// `sort by`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sort {
    /// Parameters.
    pub params: Vec<Param>,
    /// The keys.
    pub keys: Vec<SortKey>,
}

/// `expr [asc|desc] [nulls first|last]`.
#[derive(Clone, Debug, PartialEq)]
pub struct SortKey {
    /// What to sort by.
    pub expr: NamedExpr,
    /// `Some(true)` for `asc`; unsaid means descending.
    pub ascending: Option<bool>,
    /// `Some(true)` for `nulls first`.
    pub nulls_first: Option<bool>,
}

/// `summarize aggregates by groups`.
#[derive(Clone, Debug, PartialEq)]
pub struct Summarize {
    /// Parameters.
    pub params: Vec<Param>,
    /// The aggregates.
    pub aggregates: Vec<NamedExpr>,
    /// The groups; `None` if there is no `by`.
    pub by: Option<Vec<NamedExpr>>,
    /// `bin = value`, as old queries write it.
    pub bin: Option<Expr>,
}

/// `top n by key`.
#[derive(Clone, Debug, PartialEq)]
pub struct Top {
    /// Parameters.
    pub params: Vec<Param>,
    /// How many rows.
    pub count: Expr,
    /// By what.
    pub key: SortKey,
}

/// `top-hitters n of x [by y]`.
#[derive(Clone, Debug, PartialEq)]
pub struct TopHitters {
    /// How many.
    pub count: Expr,
    /// Of what.
    pub of: NamedExpr,
    /// By the sum of what; else by count.
    pub by: Option<NamedExpr>,
}

/// One level of `top-nested`.
#[derive(Clone, Debug, PartialEq)]
pub struct TopNested {
    /// How many; all if unsaid.
    pub count: Option<Expr>,
    /// Of what.
    pub of: NamedExpr,
    /// `with others = value`.
    pub others: Option<Expr>,
    /// By which aggregate.
    pub by: SortKey,
}

/// `union`.
#[derive(Clone, Debug, PartialEq)]
pub struct Union {
    /// Parameters.
    pub params: Vec<Param>,
    /// The legs.
    pub sources: Vec<UnionSource>,
}

/// A leg of a `union`, or a table of a `search` or `find`.
#[derive(Clone, Debug, PartialEq)]
pub enum UnionSource {
    /// A table or a tabular expression.
    Expr(Expr),
    /// Tables by pattern, possibly of another workspace: `workspace("w").Aml*`.
    Pattern(Option<Expr>, NamePattern),
}

impl UnionSource {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            Self::Expr(expr) => expr.span,
            Self::Pattern(scope, pattern) => scope
                .as_ref()
                .map_or(pattern.span, |scope| scope.span.to(pattern.span)),
        }
    }
}

/// The names of all operators, for "did you mean" and for documentation.
pub const OPERATOR_NAMES: &[&str] = &[
    "as",
    "assert-schema",
    "consume",
    "count",
    "distinct",
    "evaluate",
    "execute-and-cache",
    "extend",
    "facet",
    "filter",
    "find",
    "fork",
    "getschema",
    "graph-mark-components",
    "graph-match",
    "graph-shortest-paths",
    "graph-to-table",
    "invoke",
    "join",
    "limit",
    "lookup",
    "macro-expand",
    "make-graph",
    "make-series",
    "mv-apply",
    "mv-expand",
    "order",
    "parse",
    "parse-kv",
    "parse-where",
    "partition",
    "print",
    "project",
    "project-away",
    "project-by-names",
    "project-keep",
    "project-rename",
    "project-reorder",
    "range",
    "reduce",
    "render",
    "sample",
    "sample-distinct",
    "scan",
    "search",
    "serialize",
    "sort",
    "summarize",
    "take",
    "top",
    "top-hitters",
    "top-nested",
    "union",
    "where",
];

impl Call {
    /// The arguments' expressions, for functions whose arguments have no names.
    pub fn exprs(&self) -> impl ExactSizeIterator<Item = &Expr> {
        self.args.iter().map(|arg| &arg.expr)
    }
}
