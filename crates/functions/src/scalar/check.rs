//! Calls written as KQL, for tests: `check(&[("strlen('ab')", "2")])`.

use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef};
use datafusion_common::config::ConfigOptions;
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};
use kql::Type;
use kql::ast::{Expr, ExprKind, Literal, UnaryOp};
use kql::value::Json;

use crate::args::data_type;
use crate::registry::{self, Param};
use crate::time;

/// Compares what calls give, as text; null is `null`.
pub(crate) fn check(cases: &[(&str, &str)]) {
    for (call, expected) in cases {
        match value(call) {
            Ok(found) => assert_eq!(found, *expected, "{call}"),
            Err(error) => panic!("{call}: {error}"),
        }
    }
}

/// Expects that calls fail with an error that says something.
pub(crate) fn check_refused(cases: &[(&str, &str)]) {
    for (call, expected) in cases {
        let error = value(call).expect_err(call).to_string();
        assert!(error.contains(expected), "{call}: {error}");
    }
}

/// What a call gives, as text.
pub(crate) fn value(call: &str) -> Result<String> {
    let (expr, diagnostics) = kql::parse_expr(call);
    let Some(expr) = expr else {
        return plan_err!("{diagnostics:?}");
    };
    let (value, ty) = evaluate(&expr)?;
    if value.is_null() && ty != Type::String {
        return Ok("null".into());
    }
    let (text, _) = call_function("tostring", vec![(value, ty)])?;
    Ok(text.try_as_str().flatten().unwrap_or("").to_owned())
}

type Value = (ScalarValue, Type);

fn evaluate(expr: &Expr) -> Result<Value> {
    match &expr.kind {
        ExprKind::Literal(literal) => constant(literal),
        ExprKind::Unary(UnaryOp::Minus, operand) => {
            call_function("__negate", vec![evaluate(operand)?])
        }
        ExprKind::Call(call) => {
            let args = call.exprs().map(evaluate).collect::<Result<Vec<_>>>()?;
            call_function(&call.name.text, args)
        }
        other => plan_err!("not for tests: {other:?}"),
    }
}

fn constant(literal: &Literal) -> Result<Value> {
    let text = |text: Option<String>| ScalarValue::Utf8View(text);
    Ok(match literal {
        Literal::Bool(value) => (ScalarValue::Boolean(*value), Type::Bool),
        Literal::Int(value) => (ScalarValue::Int32(*value), Type::Int),
        Literal::Long(value) => (ScalarValue::Int64(*value), Type::Long),
        Literal::Real(value) => (ScalarValue::Float64(*value), Type::Real),
        Literal::String(value) => (text(Some(value.clone())), Type::String),
        Literal::Guid(value) => (text(value.clone()), Type::Guid),
        Literal::Dynamic(Json::Null) => (text(None), Type::Dynamic),
        Literal::Dynamic(value) => (text(Some(value.to_text())), Type::Dynamic),
        Literal::Decimal(None) => (
            ScalarValue::try_from(data_type(Type::Decimal))?,
            Type::Decimal,
        ),
        Literal::Decimal(Some(value)) => {
            return call_function("todecimal", vec![(text(Some(value.clone())), Type::String)]);
        }
        Literal::Datetime(ticks) => {
            let nanos = ticks.map(time::nanos_from_ticks).transpose()?;
            let value = ScalarValue::TimestampNanosecond(nanos, Some("UTC".into()));
            (value, Type::Datetime)
        }
        Literal::Timespan(ticks) => {
            let nanos = ticks.map(time::span_from_ticks).transpose()?;
            (ScalarValue::DurationNanosecond(nanos), Type::Timespan)
        }
        Literal::Type(ty) => return plan_err!("not for tests: typeof({ty})"),
    })
}

fn call_function(name: &str, args: Vec<Value>) -> Result<Value> {
    let Some(function) = registry::scalar(name) else {
        return plan_err!("there is no function `{name}`");
    };
    let types: Vec<Type> = args.iter().map(|(_, ty)| *ty).collect();
    let (least, most) = function.arity();
    if args.len() < least || most.is_some_and(|most| args.len() > most) {
        return plan_err!("`{name}` does not take {} arguments", args.len());
    }
    let Some(index) = function.select(&types) else {
        return plan_err!("`{name}` does not take {types:?}");
    };
    let overload = &function.overloads[index];
    let mut scalars = Vec::new();
    let mut fixed = Vec::new();
    for (position, arg) in args.into_iter().enumerate() {
        let param = overload.param(position).expect("the form fits");
        let wanted = match param {
            Param::Is(ty) | Param::Const(ty) => ty,
            Param::Text => Type::String,
            Param::Json => Type::Dynamic,
        };
        fixed.push(matches!(param, Param::Const(_)));
        scalars.push(convert(arg, wanted)?);
    }
    let udf = registry::scalar_udf(function, index);
    let ty = overload.return_type();
    let folded = crate::fold(&udf, &scalars)?;
    if overload.folded.is_none() && !scalars.is_empty() {
        let columns = on_columns(&udf, &scalars, &fixed)?;
        assert_eq!(folded, columns, "`{name}` of constants and of columns");
    }
    Ok((folded, ty))
}

/// Calls a function on columns of the same values in each row.
fn on_columns(
    udf: &Arc<ScalarUDF>,
    scalars: &[ScalarValue],
    fixed: &[bool],
) -> Result<ScalarValue> {
    const ROWS: usize = 3;
    let args = scalars
        .iter()
        .zip(fixed)
        .map(|(scalar, fixed)| {
            Ok(if *fixed {
                ColumnarValue::Scalar(scalar.clone())
            } else {
                ColumnarValue::Array(scalar.to_array_of_size(ROWS)?)
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let arg_fields: Vec<FieldRef> = scalars
        .iter()
        .map(|scalar| Arc::new(Field::new("", scalar.data_type(), true)))
        .collect();
    let return_field = udf.return_field_from_args(ReturnFieldArgs {
        arg_fields: &arg_fields,
        scalar_arguments: &vec![None; scalars.len()],
    })?;
    let result = udf.invoke_with_args(ScalarFunctionArgs {
        args,
        arg_fields,
        number_rows: ROWS,
        return_field,
        config_options: Arc::new(ConfigOptions::default()),
    })?;
    ScalarValue::try_from_array(&result.to_array(ROWS)?, ROWS - 1)
}

fn convert((value, ty): Value, wanted: Type) -> Result<ScalarValue> {
    let name = match wanted {
        _ if ty == wanted => return Ok(value),
        Type::Bool => "tobool",
        Type::Int => "toint",
        Type::Long => "tolong",
        Type::Real => "toreal",
        Type::Decimal => "todecimal",
        Type::String => "tostring",
        Type::Datetime => "todatetime",
        Type::Timespan => "totimespan",
        Type::Dynamic => "__json",
        Type::Guid => "toguid",
    };
    Ok(call_function(name, vec![(value, ty)])?.0)
}
