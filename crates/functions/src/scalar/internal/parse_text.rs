use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, StringViewArray, StringViewBuilder, StructArray,
};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion_common::{Result, ScalarValue, exec_err, internal_err};
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use kql::Type;

use crate::args::Args;
use crate::{dynamic, registry};

super::internal_udf!(ParseTextUdf, "kql_parse_text");

/// The field that says whether the text matched.
pub const MATCHED: &str = "matched";

/// The field of value `column`.
pub fn parsed_field(column: usize) -> String {
    format!("c{column}")
}

/// What to take out of a text: group `i + 1` of a regular expression, as type `i`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseSpec {
    /// The regular expression, anchored as it needs to be.
    pub regex: String,
    /// The type of each value.
    pub types: Vec<Type>,
    /// Whether a value that is not of its type blanks them all.
    pub strict: bool,
}

impl ParseSpec {
    /// The spec as the JSON that travels in the plan.
    pub fn to_text(&self) -> String {
        let types: Vec<_> = self.types.iter().map(|ty| ty.name()).collect();
        serde_json::json!({"regex": self.regex, "types": types, "strict": self.strict}).to_string()
    }

    fn from_text(text: &str) -> Result<Self> {
        let parsed = serde_json::from_str::<serde_json::Value>(text).ok();
        let spec = parsed.as_ref().and_then(|value| {
            let types = value["types"].as_array()?.iter();
            Some(Self {
                regex: value["regex"].as_str()?.to_owned(),
                types: types
                    .map(|ty| Type::from_name(ty.as_str()?))
                    .collect::<Option<_>>()?,
                strict: value["strict"].as_bool()?,
            })
        });
        match spec {
            Some(spec) => Ok(spec),
            None => internal_err!("a parse spec that is none: {text}"),
        }
    }

    fn fields(&self) -> Fields {
        std::iter::once(Field::new(MATCHED, DataType::Boolean, false))
            .chain(
                self.types
                    .iter()
                    .enumerate()
                    .map(|(index, ty)| schema::arrow::field(&parsed_field(index), *ty)),
            )
            .collect()
    }
}

impl ScalarUDFImpl for ParseTextUdf {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type depends on the spec")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let spec = args
            .scalar_arguments
            .get(1)
            .copied()
            .flatten()
            .and_then(|s| s.try_as_str().flatten());
        let Some(spec) = spec else {
            return internal_err!("a parse spec is constant");
        };
        let fields = ParseSpec::from_text(spec)?.fields();
        Ok(Arc::new(Field::new(NAME, DataType::Struct(fields), false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let parsed = parse(&Args::new(&args.args, rows))?;
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &parsed, 0,
            )?));
        }
        Ok(ColumnarValue::Array(parsed))
    }
}

fn parse(args: &Args<'_>) -> Result<ArrayRef> {
    let Some(spec) = args.const_str(1) else {
        return exec_err!("a parse spec is constant");
    };
    let spec = ParseSpec::from_text(spec)?;
    let regex = crate::scalar::regex::compile(&spec.regex)?;
    let text = args.str(0)?;
    let mut locations = regex.capture_locations();
    let mut texts: Vec<StringViewBuilder> = spec
        .types
        .iter()
        .map(|_| StringViewBuilder::with_capacity(args.rows()))
        .collect();
    let mut matched = vec![false; args.rows()];
    for (row, matched) in matched.iter_mut().enumerate() {
        let text = text.text(row);
        *matched = regex.captures_read(&mut locations, text).is_some();
        for (index, builder) in texts.iter_mut().enumerate() {
            let found = if *matched {
                locations.get(index + 1)
            } else {
                None
            };
            builder.append_option(found.map(|(start, end)| &text[start..end]));
        }
    }
    let mut values = Vec::with_capacity(spec.types.len());
    for (ty, builder) in spec.types.iter().zip(&mut texts) {
        let texts = builder.finish();
        let value = convert(&texts, *ty)?;
        if spec.strict && *ty != Type::String {
            for (row, matched) in matched.iter_mut().enumerate() {
                *matched &= value.is_valid(row);
            }
        }
        values.push(value);
    }
    let matched = BooleanArray::from(matched);
    if spec.strict {
        for (value, ty) in values.iter_mut().zip(&spec.types) {
            *value = blank(value, *ty, &matched)?;
        }
    }
    let mut columns: Vec<ArrayRef> = vec![Arc::new(matched)];
    columns.extend(values);
    Ok(Arc::new(StructArray::new(spec.fields(), columns, None)))
}

/// Texts as values of a type; a string that is missing is empty.
fn convert(texts: &StringViewArray, ty: Type) -> Result<ArrayRef> {
    let name = match ty {
        Type::String => {
            return crate::args::strs(texts.len(), |row| {
                if texts.is_valid(row) {
                    texts.value(row)
                } else {
                    ""
                }
            });
        }
        Type::Bool => "tobool",
        Type::Int => "toint",
        Type::Long => "tolong",
        Type::Real => "toreal",
        Type::Decimal => "todecimal",
        Type::Datetime => "todatetime",
        Type::Timespan => "totimespan",
        Type::Guid => "toguid",
        Type::Dynamic => {
            return crate::args::written_option(texts.len(), |row, out| {
                if texts.is_valid(row) {
                    dynamic::write_parsed(out, texts.value(row));
                }
                Ok(dynamic::non_null(out).is_some())
            });
        }
    };
    let Some(function) = registry::scalar(name) else {
        return internal_err!("no {name}");
    };
    let Some(overload) = function.select(&[Type::String]) else {
        return internal_err!("no {name}");
    };
    let values = [ColumnarValue::Array(Arc::new(texts.clone()))];
    (function.overloads[overload].eval)(&Args::new(&values, texts.len()))
}

/// The values of the rows that matched; the others are null, or empty.
fn blank(value: &ArrayRef, ty: Type, matched: &BooleanArray) -> Result<ArrayRef> {
    let empty: ArrayRef = match ty {
        Type::String => Arc::new(StringViewArray::from(vec![""])),
        ty => arrow::array::new_null_array(&schema::arrow::data_type(ty), 1),
    };
    Ok(arrow::compute::kernels::zip::zip(
        matched,
        value,
        &arrow::array::Scalar::new(empty),
    )?)
}
