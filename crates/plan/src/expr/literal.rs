//! Constants as a query writes them.

use datafusion_common::ScalarValue;
use datafusion_expr::lit;
use functions::{dynamic, registry, time};
use kql::ast::Literal;
use kql::value::Json;
use kql::{Code, Span, Type};

use crate::error::{At, Result, error};
use crate::typed::Typed;

/// A constant.
pub(crate) fn literal(literal: &Literal, span: Span) -> Result<Typed> {
    Ok(match literal {
        Literal::Bool(value) => Typed::new(lit(ScalarValue::Boolean(*value)), Type::Bool),
        Literal::Int(value) => Typed::new(lit(ScalarValue::Int32(*value)), Type::Int),
        Literal::Long(value) => Typed::new(lit(ScalarValue::Int64(*value)), Type::Long),
        Literal::Real(value) => Typed::new(lit(ScalarValue::Float64(*value)), Type::Real),
        Literal::String(text) => Typed::string(text.clone()),
        Literal::Decimal(None) => Typed::null(Type::Decimal),
        Literal::Decimal(Some(text)) => {
            let function = registry::scalar("todecimal").expect("a conversion to each type");
            let overload = function.select(&[Type::String]).expect("it takes strings");
            let udf = registry::scalar_udf(function, overload);
            let text_value = ScalarValue::Utf8View(Some(text.clone()));
            let value = functions::fold(&udf, &[text_value]).at(span)?;
            if value.is_null() {
                let message = format!(
                    "the decimal {text} is out of range: Loggia keeps 20 digits before the point"
                );
                return Err(error(Code::Literal, span, message));
            }
            Typed::new(lit(value), Type::Decimal)
        }
        Literal::Datetime(ticks) => {
            Typed::datetime(ticks.map(time::nanos_from_ticks).transpose().at(span)?)
        }
        Literal::Timespan(ticks) => {
            Typed::timespan(ticks.map(time::span_from_ticks).transpose().at(span)?)
        }
        Literal::Guid(text) => Typed::new(lit(ScalarValue::Utf8View(text.clone())), Type::Guid),
        Literal::Dynamic(value) => {
            let text = (*value != Json::Null).then(|| {
                let (text, mut unique) = (value.to_text(), String::new());
                match dynamic::normalize(&text, &mut unique) {
                    true => unique,
                    false => text,
                }
            });
            Typed::new(lit(ScalarValue::Utf8View(text)), Type::Dynamic)
        }
        Literal::Type(ty) => {
            let message = format!("`typeof({ty})` can't stand here");
            return Err(error(Code::Semantic, span, message));
        }
    })
}
