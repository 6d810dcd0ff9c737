use datafusion_common::ScalarValue;
use datafusion_expr::{LogicalPlanBuilder, Operator, binary_expr};
use kql::ast::{self, ExprKind, NamedExpr};
use kql::{Code, Span, Type};

use super::summarize;
use crate::aggregates::{self, Groups};
use crate::binder::Binder;
use crate::error::{At, Result, error, error_with_hint};
use crate::expr::{Row, search};
use crate::names::Names;
use crate::relation::{Output, Relation};
use crate::scope::Scope;
use crate::typed::{Typed, column};

/// Most columns that `pivot` makes.
const COLUMNS_MAX: usize = 500;

/// `T | evaluate pivot(column [, aggregate] [, group, …]) [: (schema)]`: the values of a column become
/// columns, each with the aggregate of its rows.
///
/// Which values there are depends on the data, so unless a schema is given they are gathered first.
/// The columns stand in order of their names.
/// <https://learn.microsoft.com/kusto/query/pivot-plugin>
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    evaluate: &'q ast::Evaluate,
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let call = Call::read(evaluate, scope)?;
    let input = input.settled(span)?.unordered();
    let value = binder.scalar(&call.column.expr, scope, Row::of(&input))?;
    if value.ty == Type::Dynamic {
        return Err(error_with_hint(
            Code::Type,
            call.column.expr.span,
            "a dynamic value can't name columns",
            "convert it first, with `tostring(…)` for example",
        ));
    }
    let text = binder.convert(value, Type::String, call.column.expr.span)?;
    for column in call.by {
        binder.scalar(&column.expr, scope, Row::of(&input))?;
    }
    let by = call.groups(&input);
    let values: Vec<(String, Option<Type>)> = match &evaluate.schema {
        Some(columns) => columns
            .iter()
            .filter(|column| by.iter().all(|(name, _)| *name != column.name.text))
            .map(|column| (column.name.text.clone(), Some(column.ty)))
            .collect(),
        None => {
            let values = values_of(binder, &input, &text, span)?;
            values.into_iter().map(|value| (value, None)).collect()
        }
    };
    let mut names = Names::new(by.iter().map(|(name, _)| name.clone()));
    let groups = Groups::new(&input, summarize::key_columns(&input, &by));
    let mut outputs = Vec::with_capacity(values.len());
    for (value, ty) in values {
        let is_value = binary_expr(text.expr.clone(), Operator::Eq, Typed::string(&*value).expr);
        let cell = groups.only(is_value, || call.cell(binder, scope, &groups, span))?;
        if ty.is_some_and(|ty| ty != cell.ty) {
            let message = format!("the column `{value}` is a {}", cell.ty);
            return Err(error(Code::Type, span, message));
        }
        outputs.push(Output::new(names.unique(&value), cell));
    }
    let keys = by.into_iter().map(|(_, value)| value).collect();
    summarize::finish(binder, groups, keys, outputs, span)
}

/// What the call says.
struct Call<'q> {
    column: &'q NamedExpr,
    aggregate: Option<&'q ast::Call>,
    by: &'q [NamedExpr],
}

impl<'q> Call<'q> {
    fn read(evaluate: &'q ast::Evaluate, scope: &Scope<'q>) -> Result<Self> {
        let invocation = &evaluate.plugin;
        let Some((column, rest)) = invocation.call.args.split_first() else {
            return Err(error(
                Code::Arity,
                invocation.span,
                "`pivot` takes a column",
            ));
        };
        let aggregate = rest.first().and_then(|arg| match &arg.expr.kind {
            ExprKind::Call(call)
                if aggregates::is_aggregate(&call.name.text)
                    && scope.get(&call.name.text).is_none() =>
            {
                Some(call)
            }
            _ => None,
        });
        let by = &rest[usize::from(aggregate.is_some())..];
        for column in std::iter::once(column).chain(by) {
            if !matches!(column.expr.kind, ExprKind::Name(_)) {
                let message = "`pivot` takes columns by their names";
                return Err(error(Code::Semantic, column.span(), message));
            }
        }
        Ok(Self {
            column,
            aggregate,
            by,
        })
    }

    /// The columns that the rows are grouped by: by default those that nothing else reads.
    fn groups(&self, input: &Relation) -> Vec<(String, Typed)> {
        let mut read = Vec::new();
        search::names(&self.column.expr, &mut read);
        if let Some(aggregate) = self.aggregate {
            aggregate
                .exprs()
                .for_each(|arg| search::names(arg, &mut read));
        }
        if self.by.is_empty() {
            let columns = input
                .visible()
                .filter(|column| !read.contains(&column.name.as_str()));
            return columns
                .map(|column| (column.name.clone(), column.value()))
                .collect();
        }
        let named = self.by.iter().filter_map(|named| match &named.expr.kind {
            ExprKind::Name(name) => input.column(name),
            _ => None,
        });
        named
            .map(|column| (column.name.clone(), column.value()))
            .collect()
    }

    /// The aggregate of the rows that count.
    fn cell(
        &self,
        binder: &mut Binder<'_>,
        scope: &Scope<'q>,
        groups: &Groups<'_>,
        span: Span,
    ) -> Result<Typed> {
        let mut outputs = match self.aggregate {
            Some(call) => binder.aggregate_outputs(call, span, scope, groups)?,
            None => return Ok(binder.count_rows(groups, span)),
        };
        if outputs.len() != 1 {
            let message = "`pivot` takes an aggregate of one column";
            return Err(error(Code::Aggregate, span, message));
        }
        Ok(outputs.swap_remove(0).value)
    }
}

/// The values of the column, in order.
fn values_of(
    binder: &mut Binder<'_>,
    input: &Relation,
    text: &Typed,
    span: Span,
) -> Result<Vec<String>> {
    let values = input
        .clone()
        .project(vec![Output::new("value", text.clone())], span)?;
    let field = values.columns[0].field.clone();
    let by_name = datafusion_expr::SortExpr::new(column(&field), true, true);
    let plan = values
        .builder(span)?
        .distinct()
        .and_then(|builder| builder.sort_with_limit([by_name], Some(COLUMNS_MAX + 1)))
        .and_then(LogicalPlanBuilder::build)
        .at(span)?;
    let rows = binder.ask(values.with_plan(plan), false, span)?;
    if rows.num_rows() > COLUMNS_MAX {
        let message = format!("the column has more than {COLUMNS_MAX} values");
        return Err(error(Code::Limit, span, message));
    }
    let mut found = Vec::with_capacity(rows.num_rows());
    for row in 0..rows.num_rows() {
        let value = ScalarValue::try_from_array(rows.column(0), row).at(span)?;
        match value.try_as_str().flatten() {
            Some(value) if !value.is_empty() => found.push(value.to_owned()),
            _ => {
                return Err(error_with_hint(
                    Code::Semantic,
                    span,
                    "an empty value can't name a column",
                    "leave such rows out, or give them a name, before `pivot`",
                ));
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}
