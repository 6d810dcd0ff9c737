use datafusion_expr::{Operator, binary_expr, lit};
use functions::scalar::internal::{self, EXPAND_INDEX, expanded_field};
use kql::ast;
use kql::{Code, Span, Type};

use crate::binder::Binder;
use crate::error::{Result, error};
use crate::relation::{OrderKey, Output, Relation, Visible};
use crate::typed::{Typed, column};

/// `T | evaluate narrow()`: a row for each cell, with the number of its row, from 0, the name of its
/// column, and its value as text.
///
/// <https://learn.microsoft.com/kusto/query/narrow-plugin>
pub(crate) fn bind(
    binder: &mut Binder<'_>,
    evaluate: &ast::Evaluate,
    input: Relation,
    span: Span,
) -> Result<Relation> {
    if let Some(arg) = evaluate.plugin.call.args.first() {
        return Err(error(
            Code::Arity,
            arg.span(),
            "`narrow` takes no arguments",
        ));
    }
    let input = input.without_dependencies(span)?;
    let number = input.row_number(span)?;
    let mut names = Vec::new();
    let mut values = Vec::new();
    for column in input.visible() {
        names.push(Typed::string(&*column.name));
        values.push(binder.convert(column.value(), Type::String, span)?);
    }
    if names.is_empty() {
        return Err(error(
            Code::Semantic,
            span,
            "there are no columns to narrow",
        ));
    }
    let names = binder.invoke("pack_array", names, span)?;
    let values = binder.invoke("pack_array", values, span)?;
    let row = Typed::new(binary_expr(number, Operator::Minus, lit(1_i64)), Type::Long);
    let (unnested, list) = one_by_one(input, row, names, values, span)?;
    let field = |name: &str, ty: Type| {
        let name = Typed::string(name).expr;
        Typed::new(internal::field().call(vec![column(&list), name]), ty)
    };
    let name = binder.convert(field(&expanded_field(0), Type::Dynamic), Type::String, span)?;
    let value = binder.convert(field(&expanded_field(1), Type::Dynamic), Type::String, span)?;
    let outputs = vec![
        Output::new("Row", unnested.columns[0].value()),
        Output::new("Column", name),
        Output::new("Value", value),
        Output {
            visible: Visible::Never,
            ..Output::new("#element", field(EXPAND_INDEX, Type::Long))
        },
    ];
    let mut cells = unnested.project(outputs, span)?;
    cells.order = [0, 3]
        .map(|index| OrderKey {
            field: cells.columns[index].field.clone(),
            ascending: true,
            nulls_first: false,
        })
        .into();
    cells.total = true;
    Ok(cells)
}

/// A row for each cell, with the number of its row and a field that holds its name and value.
fn one_by_one(
    input: Relation,
    row: Typed,
    names: Typed,
    values: Typed,
    span: Span,
) -> Result<(Relation, String)> {
    let args = vec![
        Typed::string("bag").expr,
        lit(i64::MAX),
        names.expr,
        values.expr,
    ];
    let cells = Typed::new(internal::expand().call(args), Type::Dynamic);
    let outputs = vec![Output::new("Row", row), Output::new("#cells", cells)];
    let listed = input.project(outputs, span)?.unordered();
    let list = listed.columns[1].field.clone();
    Ok((listed.unnest(&list, span)?, list))
}
