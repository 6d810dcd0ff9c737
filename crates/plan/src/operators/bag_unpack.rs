use datafusion_expr::{LogicalPlanBuilder, lit};
use functions::aggregate::aggregates;
use functions::dynamic;
use kql::ast::{self, Literal, ParamValue};
use kql::{Code, Span, Type};

use crate::binder::Binder;
use crate::error::{At, Result, error, error_with_hint};
use crate::expr::{Row, conversion};
use crate::relation::{Column, Output, Relation, Visible};
use crate::scope::Scope;
use crate::typed::Typed;

/// Most columns that `bag_unpack` makes.
const COLUMNS_MAX: usize = 500;

/// `T | evaluate bag_unpack(bag [, prefix [, conflict [, ignored]]]) [: (schema)]`.
///
/// The columns depend on the data, so unless a schema is given the keys are gathered first.
/// <https://learn.microsoft.com/kusto/query/bag-unpack-plugin>
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    evaluate: &'q ast::Evaluate,
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let [bag, prefix, conflict, ignored] = arguments(&evaluate.plugin.call)?;
    let Some(bag) = bag else {
        return Err(error(
            Code::Arity,
            evaluate.plugin.span,
            "`bag_unpack` takes a column",
        ));
    };
    let bag_value = binder.scalar(&bag.expr, scope, Row::of(&input))?;
    let ast::ExprKind::Name(bag_name) = &bag.expr.kind else {
        return Err(error(
            Code::Semantic,
            bag.expr.span,
            "`bag_unpack` takes a column",
        ));
    };
    if bag_value.ty != Type::Dynamic {
        let message = format!(
            "the column `{bag_name}` is a {}, not a dynamic",
            bag_value.ty
        );
        return Err(error_with_hint(
            Code::Type,
            bag.expr.span,
            message,
            "read it with `parse_json(…)`",
        ));
    }
    let mut text = |arg: Option<&'q ast::NamedExpr>| match arg {
        None => Ok(None),
        Some(arg) => constant_text(binder, &arg.expr, scope).map(Some),
    };
    let prefix = text(prefix)?.unwrap_or_default();
    let conflict = text(conflict)?.unwrap_or_else(|| "error".into());
    let ignored: Vec<String> = text(ignored)?
        .map(|list| {
            dynamic::elements(&list)
                .map(|key| dynamic::to_text(key).into_owned())
                .collect()
        })
        .unwrap_or_default();
    for param in &evaluate.params {
        if let ParamValue::Literal(Literal::Dynamic(_), at) = &param.value {
            return Err(error(Code::Parameter, *at, "unknown hint"));
        }
    }
    let keys = match &evaluate.schema {
        Some(columns) => columns
            .iter()
            .filter(|column| {
                input.column(&column.name.text).is_none() || column.name.text == *bag_name
            })
            .map(|column| (column.name.text.clone(), column.ty))
            .collect(),
        None => keys_of(binder, &input, &bag_value, span)?,
    };
    let keys: Vec<(String, Type)> = keys
        .into_iter()
        .filter(|(key, _)| !ignored.contains(key))
        .collect();
    if keys.len() > COLUMNS_MAX {
        let message = format!(
            "the bags have {} keys; the limit is {COLUMNS_MAX}",
            keys.len()
        );
        return Err(error(Code::Limit, span, message));
    }
    let outputs = outputs(
        binder,
        &input,
        &bag_value,
        bag_name,
        &keys,
        (&prefix, &conflict),
        span,
    )?;
    input.project(outputs, span)
}

/// The arguments by parameter: in order, or by name.
fn arguments(call: &ast::Call) -> Result<[Option<&ast::NamedExpr>; 4]> {
    const NAMES: [&str; 4] = [
        "column",
        "OutputColumnPrefix",
        "columnsConflict",
        "ignoredProperties",
    ];
    let mut places = [None; 4];
    for (index, arg) in call.args.iter().enumerate() {
        let place = match &arg.names {
            ast::Names::One(name) => NAMES.iter().position(|known| name.text == *known),
            _ => (index < NAMES.len()).then_some(index),
        };
        let Some(place) = place else {
            let message = format!("`bag_unpack` takes {}", NAMES.join(", "));
            return Err(error(Code::Arity, arg.span(), message));
        };
        if places[place].replace(arg).is_some() {
            let message = format!("`{}` is given twice", NAMES[place]);
            return Err(error(Code::Semantic, arg.span(), message));
        }
    }
    Ok(places)
}

fn constant_text<'q>(
    binder: &mut Binder<'_>,
    expr: &'q ast::Expr,
    scope: &Scope<'q>,
) -> Result<String> {
    let value = binder.scalar(expr, scope, Row::NONE)?;
    match value.constant_text() {
        Some(text) => Ok(text.to_owned()),
        None => Err(error(Code::Constant, expr.span, "expected a constant")),
    }
}

/// The keys of all bags with the types of their values, in order of keys.
fn keys_of(
    binder: &mut Binder<'_>,
    input: &Relation,
    bag: &Typed,
    span: Span,
) -> Result<Vec<(String, Type)>> {
    let schema = aggregates()
        .bag_schema
        .call(vec![bag.expr.clone()])
        .alias("schema");
    let plan = input
        .builder(span)?
        .aggregate(Vec::<datafusion_expr::Expr>::new(), vec![schema])
        .and_then(LogicalPlanBuilder::build)
        .at(span)?;
    let column = Column::new("schema", Type::Dynamic, Visible::Always);
    let rows = binder.ask(input.derived(plan, vec![column]), false, span)?;
    let value = datafusion_common::ScalarValue::try_from_array(rows.column(0), 0).at(span)?;
    let text = value.try_as_str().flatten().unwrap_or("{}");
    Ok(dynamic::members(text)
        .map(|(key, ty)| {
            let ty = Type::from_name(&dynamic::string_value(ty)).unwrap_or(Type::Dynamic);
            (key.into_owned(), ty)
        })
        .collect())
}

fn outputs(
    binder: &mut Binder<'_>,
    input: &Relation,
    bag: &Typed,
    bag_name: &str,
    keys: &[(String, Type)],
    (prefix, conflict): (&str, &str),
    span: Span,
) -> Result<Vec<Output>> {
    let mut outputs: Vec<Output> = Vec::new();
    let mut placed: Vec<&str> = Vec::new();
    let value = |binder: &mut Binder<'_>, key: &str, ty: Type| -> Result<Typed> {
        let step = binder.convert(Typed::string(key), Type::Dynamic, span)?;
        let member = binder.invoke("__path", vec![bag.clone(), step], span)?;
        if ty == Type::Dynamic {
            Ok(member)
        } else {
            binder.invoke(conversion(ty), vec![member], span)
        }
    };
    for column in input
        .columns
        .iter()
        .filter(|column| column.visible != Visible::Never)
    {
        let key = keys
            .iter()
            .find(|(key, _)| format!("{prefix}{key}") == column.name);
        match key {
            None if column.name == bag_name => {}
            None => outputs.push(Output::keep(column)),
            // A key of the bag column's own name takes its place.
            Some((key, ty)) if column.name == bag_name => {
                placed.push(key);
                outputs.push(Output::new(&*column.name, value(binder, key, *ty)?));
            }
            Some((key, ty)) => match conflict {
                "replace_source" => {
                    placed.push(key);
                    outputs.push(Output::new(&*column.name, value(binder, key, *ty)?));
                }
                "keep_source" => {
                    placed.push(key);
                    outputs.push(Output::keep(column));
                }
                "error" => {
                    let message = format!("the key `{key}` is also a column");
                    let hint = "give a prefix, or `replace_source` or `keep_source`";
                    return Err(error_with_hint(Code::Ambiguous, span, message, hint));
                }
                other => {
                    let message = format!("`{other}` is no way to resolve conflicts");
                    return Err(error(Code::Parameter, span, message));
                }
            },
        }
    }
    for (key, ty) in keys
        .iter()
        .filter(|(key, _)| !placed.contains(&key.as_str()))
    {
        outputs.push(Output::new(
            format!("{prefix}{key}"),
            value(binder, key, *ty)?,
        ));
    }
    if outputs.is_empty() {
        outputs.push(Output {
            visible: Visible::Never,
            ..Output::new("#none", Typed::new(lit(0_i64), Type::Long))
        });
    }
    Ok(outputs)
}
