//! The tabular operators, one file each.

pub(crate) mod bag_unpack;
pub(crate) mod count;
pub(crate) mod dcount_intersect;
pub(crate) mod distinct;
pub(crate) mod extend;
pub(crate) mod getschema;
pub(crate) mod join;
pub(crate) mod make_series;
pub(crate) mod mv_apply;
pub(crate) mod mv_expand;
pub(crate) mod narrow;
pub(crate) mod parse;
pub(crate) mod parse_kv;
pub(crate) mod partition;
pub(crate) mod pivot;
pub(crate) mod print;
pub(crate) mod project;
pub(crate) mod range;
pub(crate) mod render;
pub(crate) mod sample;
pub(crate) mod scan;
pub(crate) mod search;
pub(crate) mod sort;
pub(crate) mod summarize;
pub(crate) mod take;
pub(crate) mod top_hitters;
pub(crate) mod top_nested;
pub(crate) mod union;

use kql::ast::{self, OperatorKind as Kind};
use kql::{Code, Span};

use crate::binder::{Binder, Callee};
use crate::error::{Result, error, unsupported};
use crate::expr::Row;
use crate::prune;
use crate::relation::Relation;
use crate::scope::{Binding, Scope};

/// Binds an operator on the rows of `input`.
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    operator: &'q ast::Operator,
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    match &operator.kind {
        Kind::Count(name) => count::bind(binder, name.as_ref(), input, span),
        Kind::Distinct(distinct) => distinct::bind(binder, distinct, input, scope, span),
        Kind::Evaluate(evaluate) => {
            let rows = evaluate_plugin(binder, evaluate, input, scope, span)?;
            Ok(rows.serialized(false))
        }
        Kind::Extend(columns) => extend::bind(binder, columns, input, scope, span),
        Kind::GetSchema => Ok(getschema::bind(binder, &input, span)?.serialized(true)),
        Kind::Invoke(invocation) => invoke(binder, invocation, input, scope),
        Kind::Join(join) => join::bind(binder, join, input, scope, span),
        Kind::Lookup(join) => join::bind_lookup(binder, join, input, scope, span),
        Kind::MakeSeries(series) => make_series::bind(binder, series, input, scope, span),
        Kind::MvApply(apply) => mv_apply::bind(binder, apply, input, scope, span),
        Kind::MvExpand(expand) => mv_expand::bind(binder, expand, input, scope, span),
        Kind::Parse(parse) => parse::bind(binder, parse, input, scope, span),
        Kind::ParseKv(parse) => parse_kv::bind(binder, parse, input, scope, span),
        Kind::Partition(partition) => partition::bind(binder, partition, input, scope, span),
        Kind::Project(columns) => project::bind(binder, columns, input, scope, span),
        Kind::ProjectAway(patterns) => project::away(input, patterns, span),
        Kind::ProjectByNames(names) => project::by_names(binder, names, input, scope, span),
        Kind::ProjectKeep(patterns) => project::keep(input, patterns, span),
        Kind::ProjectRename(columns) => project::rename(input, columns, span),
        Kind::ProjectReorder(items) => project::reorder(input, items, span),
        Kind::Render(render) => Ok(render::bind(render, input)),
        Kind::Sample(count) => sample::bind(binder, count, input, scope, span),
        Kind::SampleDistinct(count, of) => sample::distinct(binder, count, of, input, scope, span),
        Kind::Scan(scan) => scan::bind(binder, scan, input, scope, span),
        Kind::Search(search) => search::bind(binder, search, span, scope, Some(input)),
        Kind::Serialize(columns) => {
            let input = input.serialized(true);
            if columns.is_empty() {
                return Ok(input);
            }
            extend::bind(binder, columns, input, scope, span)
        }
        Kind::Sort(sort) => sort::bind(binder, &sort.keys, input, scope, span),
        Kind::Summarize(summarize) => summarize::bind(binder, summarize, input, scope, span),
        Kind::Take(count) => take::bind(binder, count, input, scope, span),
        Kind::Top(top) => take::top(binder, top, input, scope, span),
        Kind::TopHitters(hitters) => top_hitters::bind(binder, hitters, input, scope, span),
        Kind::TopNested(levels) => top_nested::bind(binder, levels, input, scope, span),
        Kind::Union(union) => union::bind(binder, union, span, scope, Some(input)),
        Kind::Where(predicate) => {
            let predicate = binder.predicate(predicate, scope, Row::of(&input))?;
            input.filter(prune::with_implied(predicate), span)
        }
        Kind::Print(_) | Kind::Range(_) => Err(error(
            Code::Semantic,
            operator.keyword,
            "this operator begins a query and takes no rows",
        )),
        _ => Err(unsupported(operator.keyword, name_of(operator))),
    }
}

/// The operator's name in back-ticks.
fn name_of(operator: &ast::Operator) -> String {
    let name: String = text_of(operator)
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
        .collect();
    format!("the operator `{name}`")
}

/// The operator as text.
fn text_of(operator: &ast::Operator) -> String {
    let query = ast::Query {
        statements: vec![ast::Statement {
            kind: ast::StatementKind::Query(ast::Pipeline {
                source: None,
                operators: vec![operator.clone()],
                span: operator.span,
            }),
            span: operator.span,
        }],
    };
    kql::print(&query)
}

fn evaluate_plugin<'q>(
    binder: &mut Binder<'_>,
    evaluate: &'q ast::Evaluate,
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let plugin = &evaluate.plugin.call.name;
    let takes_schema = match plugin.text.as_str() {
        "bag_unpack" => true,
        "pivot" => !evaluate.with_source,
        _ => evaluate.schema.is_none(),
    };
    if !takes_schema {
        let schema = match evaluate.with_source {
            true => "a schema with `*`",
            false => "a schema",
        };
        return Err(unsupported(
            plugin.span,
            format!("{schema} of the plugin `{plugin}`", plugin = plugin.text),
        ));
    }
    match plugin.text.as_str() {
        "bag_unpack" => bag_unpack::bind(binder, evaluate, input, scope, span),
        "narrow" => narrow::bind(binder, evaluate, input, span),
        "pivot" => pivot::bind(binder, evaluate, input, scope, span),
        "dcount_intersect" => dcount_intersect::bind(binder, evaluate, input, scope, span),
        name => Err(unsupported(plugin.span, format!("the plugin `{name}`"))),
    }
}

/// `T | invoke f(…)`: the rows are the function's first argument.
fn invoke<'q>(
    binder: &mut Binder<'_>,
    invocation: &'q ast::Invocation,
    input: Relation,
    scope: &Scope<'q>,
) -> Result<Relation> {
    let call = &invocation.call;
    match scope.get(&call.name.text).cloned() {
        Some(Binding::Function(function, defined_in)) => {
            binder.call_table_function(Callee::of(call), function, &defined_in, scope, Some(input))
        }
        _ => {
            let message = format!("`{}` is no function of this query", call.name.text);
            Err(error(Code::UnknownFunction, call.name.span, message))
        }
    }
}
