use std::sync::Arc;

use datafusion_expr::{LogicalPlan, Union as UnionPlan};
use kql::ast::{self, NamePattern, UnionSource};
use kql::{Code, Diagnostic, Span, Type};

use crate::binder::Binder;
use crate::error::{At, Result, Stop, error, error_with_hint};
use crate::names::Names;
use crate::relation::{Column, Output, Relation, Visible};
use crate::scope::{Binding, Scope};
use crate::scope_call::scope_name;
use crate::tabular::{is_view, missing};
use crate::typed::Typed;

/// `union T1, (T2 | …), T*`: the rows of all legs, columns matched by name.
///
/// <https://learn.microsoft.com/kusto/query/union-operator>
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    union: &'q ast::Union,
    span: Span,
    scope: &Scope<'q>,
    input: Option<Relation>,
) -> Result<Relation> {
    let options = Options::read(union)?;
    let mut legs: Vec<Relation> = input.into_iter().collect();
    for source in &union.sources {
        match leg(binder, source, scope) {
            Ok(relations) => legs.extend(relations),
            Err(Stop::Diagnostic(diagnostic))
                if options.fuzzy && diagnostic.code == Code::UnknownTable =>
            {
                binder.warnings.push(Diagnostic {
                    severity: kql::Severity::Warning,
                    hint: None,
                    ..*diagnostic
                });
            }
            Err(stop) => return Err(stop),
        }
    }
    if legs.is_empty() {
        return Err(error(
            Code::UnknownTable,
            span,
            "none of the tables of the `union` exists",
        ));
    }
    combine(legs, &options, span)
}

/// What the parameters of a `union` say.
pub(crate) struct Options {
    pub(super) inner: bool,
    pub(super) with_source: Option<String>,
    pub(super) fuzzy: bool,
}

impl Options {
    fn read(union: &ast::Union) -> Result<Self> {
        let mut options = Self {
            inner: false,
            with_source: None,
            fuzzy: false,
        };
        for param in &union.params {
            match (param.name.text.as_str(), param.text()) {
                ("kind", Some("inner")) => options.inner = true,
                ("kind", Some("outer")) => options.inner = false,
                ("kind", _) => {
                    let message = "the kind of a `union` is `inner` or `outer`";
                    return Err(error(Code::Parameter, param.value_span(), message));
                }
                ("withsource" | "with_source", Some(name)) => {
                    options.with_source = Some(name.to_owned());
                }
                ("isfuzzy", _) => {
                    options.fuzzy = matches!(
                        &param.value,
                        ast::ParamValue::Literal(ast::Literal::Bool(Some(true)), _)
                            | ast::ParamValue::Literal(ast::Literal::Long(Some(1)), _)
                    );
                }
                _ => {}
            }
        }
        Ok(options)
    }
}

/// The rows of one source: of several tables, if it is a pattern.
pub(super) fn leg<'q>(
    binder: &mut Binder<'_>,
    source: &'q UnionSource,
    scope: &Scope<'q>,
) -> Result<Vec<Relation>> {
    match source {
        UnionSource::Expr(expr) => Ok(vec![binder.table_expr(expr, scope)?]),
        UnionSource::Pattern(workspace, pattern) => {
            matching(binder, workspace.as_ref(), pattern, scope)
        }
    }
}

/// The tables and views whose names fit a pattern.
pub(super) fn matching<'q>(
    binder: &mut Binder<'_>,
    workspace: Option<&'q ast::Expr>,
    pattern: &NamePattern,
    scope: &Scope<'q>,
) -> Result<Vec<Relation>> {
    let workspace_name = match workspace {
        Some(expr) => scope_name(expr)?,
        None => None,
    };
    let mut legs = Vec::new();
    for name in binder.host.table_names() {
        if pattern.matches(&name)
            && let Ok(table) = binder.host.table(workspace_name.as_deref(), &name)
        {
            binder.count_relation(pattern.span)?;
            legs.push(binder.scan(table, pattern.span)?);
        }
    }
    // Views count as tables, other functions don't.
    if workspace.is_none() {
        let mut views: Vec<_> = scope
            .bindings()
            .into_iter()
            .filter_map(|(name, binding)| match binding {
                Binding::Function(function, inner)
                    if is_view(function) && pattern.matches(name) =>
                {
                    Some((name.to_owned(), *function, inner.clone()))
                }
                _ => None,
            })
            .collect();
        views.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, function, inner) in views {
            if legs.iter().any(|leg| leg.name.as_ref() == Some(&name)) {
                let message = format!(
                    "both a table and a view `{name}` fit `{pattern}`",
                    pattern = pattern.text
                );
                let hint = "give the view another name, or name the legs one by one";
                return Err(error_with_hint(
                    Code::Ambiguous,
                    pattern.span,
                    message,
                    hint,
                ));
            }
            legs.push(binder.view(&name, function, &inner, pattern.span)?);
        }
    }
    if legs.is_empty() {
        let message = format!("no table fits `{}`", pattern.text);
        return Err(error_with_hint(
            Code::UnknownTable,
            pattern.span,
            message,
            "`*` stands for any characters",
        ));
    }
    Ok(legs)
}

/// The rows of all legs.
pub(crate) fn combine(legs: Vec<Relation>, options: &Options, span: Span) -> Result<Relation> {
    let mut columns = result_columns(&legs, options.inner);
    if let Some(source) = &options.with_source {
        if columns.iter().any(|(column, _)| column.name == *source) {
            let message = format!("there is a column `{source}` already");
            return Err(error(Code::Ambiguous, span, message));
        }
        let column = Column::new(source, Type::String, Visible::Always);
        columns.insert(0, (column, String::new()));
    }
    let mut projected = Vec::with_capacity(legs.len());
    for (index, leg) in legs.into_iter().enumerate() {
        let name = leg
            .name
            .clone()
            .unwrap_or_else(|| format!("union_arg{index}"));
        let outputs = columns
            .iter()
            .enumerate()
            .map(|(position, (column, original))| {
                let is_source = position == 0 && options.with_source.is_some();
                let value = if is_source {
                    Typed::string(&*name)
                } else {
                    match leg.column(original) {
                        Some(found) if found.ty == column.ty => found.value(),
                        _ => missing(column.ty),
                    }
                };
                Output {
                    name: column.name.clone(),
                    value,
                    visible: column.visible,
                }
            });
        let outputs = outputs.collect();
        projected.push(leg.unordered().project(outputs, span)?);
    }
    if projected.len() == 1 {
        return Ok(Relation {
            name: None,
            visualization: None,
            ..projected.swap_remove(0)
        });
    }
    // The fields of the union are those of its first leg.
    let columns = projected[0].columns.clone();
    let plans = projected.iter().map(|leg| Arc::clone(&leg.plan)).collect();
    let union = UnionPlan::try_new_with_loose_types(plans).at(span)?;
    Ok(projected[0].derived(LogicalPlan::Union(union), columns))
}

/// The columns of the result, each with the name that it has in the legs: a name of several types
/// becomes a column for each.
fn result_columns(legs: &[Relation], inner: bool) -> Vec<(Column, String)> {
    let mut found: Vec<Column> = Vec::new();
    for column in legs.iter().flat_map(|leg| &leg.columns) {
        let known = found
            .iter()
            .any(|other| other.name == column.name && other.ty == column.ty);
        if column.visible != Visible::Never && !known {
            // Columns of one name stand beside each other.
            let last = found.iter().rposition(|other| other.name == column.name);
            let at = last.map_or(found.len(), |last| last + 1);
            found.insert(at, column.clone());
        }
    }
    if inner {
        found.retain(|column| {
            legs.iter()
                .all(|leg| leg.column(&column.name).is_some_and(|c| c.ty == column.ty))
        });
    }
    let mut names = Names::new(found.iter().map(|column| column.name.clone()));
    found
        .iter()
        .map(|column| {
            let types = found
                .iter()
                .filter(|other| other.name == column.name)
                .count();
            let name = if types == 1 {
                column.name.clone()
            } else {
                names.unique(&format!("{}_{}", column.name, column.ty))
            };
            (
                Column {
                    name,
                    ..column.clone()
                },
                column.name.clone(),
            )
        })
        .collect()
}
