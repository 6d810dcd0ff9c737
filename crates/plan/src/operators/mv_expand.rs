use datafusion_common::ScalarValue;
use datafusion_expr::{Expr, lit};
use functions::scalar::internal::{self, EXPAND_INDEX, STAND_IN, expanded_field};
use kql::ast::{self, Names as AstNames};
use kql::{Code, Span, Type};

use crate::binder::Binder;
use crate::error::{Result, error, error_with_hint};
use crate::expr::Row;
use crate::names::{self, Names};
use crate::relation::{OrderKey, Output, Relation, Visible};
use crate::scope::Scope;
use crate::typed::Typed;

/// `T | mv-expand a, b = … to typeof(long)`: a row for each element; arrays beside each other go
/// side by side, the shorter ones padded with nulls.
///
/// <https://learn.microsoft.com/kusto/query/mv-expand-operator>
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    expand: &'q ast::MvExpand,
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let options = Options::read(&expand.params)?;
    let limit = match &expand.limit {
        Some(limit) => Some(super::take::row_count(binder, limit, scope)? as i64),
        None => None,
    };
    expand_columns(binder, &expand.columns, &options, limit, input, scope, span)
}

/// What the parameters say.
pub(crate) struct Options {
    pairs: bool,
    index: Option<String>,
}

impl Options {
    pub(crate) fn read(params: &[ast::Param]) -> Result<Self> {
        let mut options = Self {
            pairs: false,
            index: None,
        };
        for param in params {
            match (param.name.text.as_str(), param.text()) {
                ("kind" | "bagexpansion", Some("bag")) => options.pairs = false,
                ("kind" | "bagexpansion", Some("array")) => options.pairs = true,
                ("with_itemindex", Some(name)) => options.index = Some(name.to_owned()),
                _ => {
                    let message = format!("`{}` takes `bag` or `array`", param.name.text);
                    return Err(error(Code::Parameter, param.value_span(), message));
                }
            }
        }
        Ok(options)
    }
}

pub(crate) fn expand_columns<'q>(
    binder: &mut Binder<'_>,
    columns: &'q [ast::MvColumn],
    options: &Options,
    limit: Option<i64>,
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let input = input.without_dependencies(span)?;
    let mut taken = Names::new(input.columns.iter().map(|column| column.name.clone()));
    let stand_in = input.parts.as_ref().and_then(|p| p.stand_in.clone());
    let mode = format!(
        "{}{}",
        if stand_in.is_some() { STAND_IN } else { "" },
        if options.pairs { "array" } else { "bag" }
    );
    let (values, expanded) = values(binder, columns, &input, &mut taken, scope)?;
    let mut args = vec![Typed::string(mode).expr, lit(limit.unwrap_or(i64::MAX))];
    args.extend(values);
    let mut outputs: Vec<Output> = input
        .columns
        .iter()
        .filter(|column| column.visible != Visible::Never)
        .map(Output::keep)
        .collect();
    let kept = outputs.len();
    // An array of a type of its own stands beside the columns until it is taken apart.
    outputs.push(Output {
        name: "#expanded".to_owned(),
        value: Typed::new(internal::expand().call(args), Type::Dynamic),
        visible: Visible::Never,
    });
    let listed = input.project(outputs, span)?;
    let list = listed.columns[kept].field.clone();
    let mut unnested = listed.unnest(&list, span)?;
    let field = |name: &str| {
        let name = lit(ScalarValue::Utf8View(Some(name.to_owned())));
        internal::field().call(vec![crate::typed::column(&list), name])
    };
    if stand_in.is_some() {
        // The element that only stands for its row is no element.
        let real = field(EXPAND_INDEX).gt_eq(lit(0_i64));
        unnested = unnested.filter(real, span)?;
    }
    let mut outputs: Vec<Output> = unnested.columns[..kept].iter().map(Output::keep).collect();
    if let Some(index) = &options.index {
        let value = Typed::new(field(EXPAND_INDEX), Type::Long);
        outputs.push(Output::new(taken.unique(index), value));
    }
    for (position, (name, ty)) in expanded.into_iter().enumerate() {
        let element = Typed::new(field(&expanded_field(position)), Type::Dynamic);
        let element = match ty {
            Type::Dynamic => element,
            ty => binder.invoke(element_cast(ty), vec![element], span)?,
        };
        let output = Output::new(&*name, element);
        match outputs.iter_mut().find(|other| other.name == name) {
            Some(other) => *other = output,
            None => outputs.push(output),
        }
    }
    with_element_order(unnested, outputs, field(EXPAND_INDEX), span)
}

/// A column that elements go to, and its type.
type Element = (String, Type);

/// The values to take apart, and the columns that their elements go to.
fn values<'q>(
    binder: &mut Binder<'_>,
    columns: &'q [ast::MvColumn],
    input: &Relation,
    taken: &mut Names,
    scope: &Scope<'q>,
) -> Result<(Vec<Expr>, Vec<Element>)> {
    let mut values = Vec::with_capacity(columns.len());
    let mut expanded = Vec::with_capacity(columns.len());
    for column in columns {
        let value = binder.scalar(&column.expr.expr, scope, Row::of(input))?;
        if value.ty != Type::Dynamic {
            return Err(error_with_hint(
                Code::Type,
                column.expr.expr.span,
                format!("`mv-expand` takes a dynamic value, found a {}", value.ty),
                "read it with `parse_json(…)`, or split it with `split(…)`",
            ));
        }
        values.push(value.expr);
        let name = match &column.expr.names {
            AstNames::One(name) => name.text.clone(),
            _ => names::implicit(&column.expr.expr).unwrap_or_else(|| taken.unnamed()),
        };
        expanded.push((name, column.to.unwrap_or(Type::Dynamic)));
    }
    Ok((values, expanded))
}

/// Elements keep their order within the order of the rows they came from.
fn with_element_order(
    unnested: Relation,
    mut outputs: Vec<Output>,
    index: Expr,
    span: Span,
) -> Result<Relation> {
    if unnested.order.is_empty() && unnested.parts.is_none() {
        return unnested.project(outputs, span);
    }
    let position = outputs.len();
    outputs.push(Output {
        name: "#element".to_owned(),
        value: Typed::new(index, Type::Long),
        visible: Visible::Never,
    });
    let mut relation = unnested.project(outputs, span)?;
    relation.order.push(OrderKey {
        field: relation.columns[position].field.clone(),
        ascending: true,
        nulls_first: false,
    });
    Ok(relation)
}

/// How an element becomes a value of a type: elements of another kind become null, text of a number
/// among them; what JSON has no form for is read from its text.
fn element_cast(ty: Type) -> &'static str {
    match ty {
        Type::Long => "__element_long",
        Type::Int => "__element_int",
        Type::Real => "__element_real",
        Type::Bool => "__element_bool",
        ty => crate::expr::conversion(ty),
    }
}
