use std::collections::BTreeSet;

use datafusion_expr::Expr;
use functions::scalar::internal;
use functions::window::scan::{self, Place, ScanSpec, ScanStep};
use kql::ast::{self, ExprKind};
use kql::{Code, Span, Type};

use crate::binder::Binder;
use crate::error::{Result, error, error_with_hint, unsupported};
use crate::expr::{Mode, Row};
use crate::relation::{Column, OrderKey, Output, Relation, Visible};
use crate::scope::Scope;
use crate::typed::{Typed, column, null_value};

/// Most steps.
const STEPS_MAX: usize = 64;

/// `T | scan declare (…) with (step a: …; step b: …;)`: rows in order against the steps of a sequence.
///
/// One function goes over all rows and gives each a list of what it matched, which is then taken
/// apart.
/// <https://learn.microsoft.com/kusto/query/scan-operator>
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    scan: &'q ast::Scan,
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    check(scan, &input, span)?;
    let match_id = match_id(&scan.params)?;
    let input = input.settled(span)?.without_dependencies(span)?;
    let declared = declared(binder, scan, &input, scope)?;
    let names = Steps {
        steps: scan
            .steps
            .iter()
            .map(|step| step.name.text.as_str())
            .collect(),
        inputs: input
            .columns
            .iter()
            .filter(|column| column.visible != Visible::Never)
            .cloned()
            .collect(),
        declared: &declared,
    };
    let rows = names.row(&input);
    let mut steps = Vec::with_capacity(scan.steps.len());
    for (index, step) in scan.steps.iter().enumerate() {
        steps.push(names.step(binder, step, index, &rows, scope)?);
    }
    let (spec, mut args) = names.spec(steps);
    if args.is_empty() {
        // A function of nothing would not know of rows.
        args.push(datafusion_expr::lit(false));
    }
    matches(binder, input, spec, args, &declared, match_id, span)
}

/// Refuses what is not run, and rows in no order.
fn check(scan: &ast::Scan, input: &Relation, span: Span) -> Result<()> {
    if !input.serialized {
        return Err(error_with_hint(
            Code::Semantic,
            span,
            "`scan` needs rows that are in order",
            "put `sort by …` or `serialize` before it",
        ));
    }
    input.no_stand_ins("`scan`", span)?;
    if let Some(key) = scan.order.first() {
        return Err(unsupported(key.expr.span(), "`order by` within `scan`"));
    }
    if let Some(part) = scan.partition.first() {
        return Err(unsupported(part.span, "`partition by` within `scan`"));
    }
    if scan.steps.len() > STEPS_MAX {
        let message = format!("`scan` has more than {STEPS_MAX} steps");
        return Err(error(Code::Limit, span, message));
    }
    for (index, step) in scan.steps.iter().enumerate() {
        if step.optional {
            return Err(unsupported(step.name.span, "an optional step"));
        }
        let earlier = &scan.steps[..index];
        if earlier
            .iter()
            .any(|other| other.name.text == step.name.text)
        {
            let message = format!("there is a step `{}` already", step.name.text);
            return Err(error(Code::Ambiguous, step.name.span, message));
        }
    }
    Ok(())
}

fn match_id(params: &[ast::Param]) -> Result<Option<String>> {
    let mut name = None;
    for param in params {
        match (param.name.text.as_str(), param.text()) {
            ("with_match_id", Some(text)) => name = Some(text.to_owned()),
            (other, _) => return Err(unsupported(param.name.span, format!("`{other}`"))),
        }
    }
    Ok(name)
}

/// The declared variables with what they hold at first.
fn declared<'q>(
    binder: &mut Binder<'_>,
    scan: &'q ast::Scan,
    input: &Relation,
    scope: &Scope<'q>,
) -> Result<Vec<(String, Typed)>> {
    let mut declared: Vec<(String, Typed)> = Vec::new();
    for variable in &scan.declare {
        let name = &variable.name.text;
        if input.column(name).is_some() || declared.iter().any(|(other, _)| other == name) {
            let message = format!("there is a column `{name}` already");
            return Err(error(Code::Ambiguous, variable.name.span, message));
        }
        let value = match &variable.default {
            None => Typed::null(variable.ty),
            Some(default) => {
                let value = binder.scalar(default, scope, Row::NONE)?;
                let value = binder.convert(value, variable.ty, default.span)?;
                if value.constant().is_none() {
                    return Err(error(Code::Constant, default.span, "expected a constant"));
                }
                value
            }
        };
        declared.push((name.clone(), value));
    }
    Ok(declared)
}

/// What names mean in the steps.
struct Steps<'s> {
    steps: Vec<&'s str>,
    inputs: Vec<Column>,
    declared: &'s [(String, Typed)],
}

impl Steps<'_> {
    fn places(&self) -> impl Iterator<Item = (&str, Type, Place)> {
        let inputs = self.inputs.iter().enumerate();
        let inputs = inputs.map(|(index, c)| (c.name.as_str(), c.ty, Place::Input(index)));
        let declared = self.declared.iter().enumerate();
        inputs
            .chain(declared.map(|(index, (name, v))| (name.as_str(), v.ty, Place::Declared(index))))
    }

    /// The columns that steps read: the row's own, and those in the state of each step.
    fn row(&self, input: &Relation) -> Relation {
        let mut columns = Vec::new();
        for (name, ty, place) in self.places() {
            let mut add = |name: String, field: String| {
                columns.push(Column {
                    name,
                    field,
                    ty,
                    visible: Visible::Always,
                });
            };
            add(name.to_owned(), place.column());
            for (index, step) in self.steps.iter().enumerate() {
                add(format!("{step}.{name}"), place.state_column(index));
            }
        }
        let mut row = input.clone();
        row.columns = columns;
        row.serialized = false;
        row
    }

    fn step<'q>(
        &self,
        binder: &mut Binder<'_>,
        step: &'q ast::ScanStep,
        index: usize,
        rows: &Relation,
        scope: &Scope<'q>,
    ) -> Result<ScanStep> {
        let output = match step.output.as_ref().map(|output| output.text.as_str()) {
            None | Some("all") => true,
            Some("none") => false,
            Some(other) => {
                return Err(unsupported(step.name.span, format!("`output={other}`")));
            }
        };
        let mut condition = step.condition.clone();
        self.name_states(&mut condition, index, &[])?;
        let condition = binder.boolean(&condition, scope, Row::of(rows), Mode::Filter)?;
        let mut assigned: Vec<&str> = Vec::new();
        let mut assignments = Vec::with_capacity(step.assignments.len());
        for (name, value) in &step.assignments {
            let variable = self
                .declared
                .iter()
                .position(|(known, _)| *known == name.text);
            let Some(variable) = variable else {
                let message = format!("`{}` is no variable that `declare` names", name.text);
                return Err(error(Code::UnknownColumn, name.span, message));
            };
            let mut expr = value.clone();
            self.name_states(&mut expr, index, &assigned)?;
            let bound = binder.scalar(&expr, scope, Row::of(rows))?;
            let bound = match bound.constant() {
                Some(constant) if constant.is_null() => Typed::null(self.declared[variable].1.ty),
                _ => binder.convert(bound, self.declared[variable].1.ty, value.span)?,
            };
            assignments.push((variable, bound.expr));
            assigned.push(&name.text);
        }
        Ok(ScanStep {
            condition,
            assignments,
            output,
        })
    }

    /// Makes `step.column` the name of one column.
    fn name_states(&self, expr: &mut ast::Expr, step: usize, assigned: &[&str]) -> Result<()> {
        let span = expr.span;
        match &mut expr.kind {
            ExprKind::Member(base, name) => {
                let of = match &base.kind {
                    ExprKind::Name(base) => self.steps.iter().position(|step| step == base),
                    _ => None,
                };
                match of {
                    Some(of) if of > step => {
                        let what = format!("the state of the later step `{}`", self.steps[of]);
                        Err(unsupported(span, what))
                    }
                    Some(of) => {
                        expr.kind = ExprKind::Name(format!("{}.{}", self.steps[of], name.text));
                        Ok(())
                    }
                    None => self.name_states(base, step, assigned),
                }
            }
            ExprKind::Name(name) if assigned.contains(&name.as_str()) => {
                let what = format!("`{name}` in the step that has just set it");
                Err(unsupported(span, what))
            }
            kind => {
                for operand in operands(kind) {
                    self.name_states(operand, step, assigned)?;
                }
                Ok(())
            }
        }
    }

    /// The function's work, and the columns that it reads.
    fn spec(&self, mut steps: Vec<ScanStep>) -> (ScanSpec, Vec<Expr>) {
        let mut read: BTreeSet<usize> = BTreeSet::new();
        let mut exprs: Vec<&mut Expr> = Vec::new();
        for step in &mut steps {
            exprs.push(&mut step.condition);
            exprs.extend(step.assignments.iter_mut().map(|(_, expr)| expr));
        }
        let names = |index: usize| {
            let place = Place::Input(index);
            let states = (0..self.steps.len()).map(move |step| place.state_column(step));
            std::iter::once(place.column()).chain(states)
        };
        for expr in exprs {
            let columns = expr.column_refs();
            for index in 0..self.inputs.len() {
                if names(index).any(|name| columns.iter().any(|column| column.name == name)) {
                    read.insert(index);
                }
            }
        }
        // Only what is read is passed; the rest keeps its number, without values.
        let last = read.last().map_or(0, |last| last + 1);
        let args = self.inputs[..last]
            .iter()
            .enumerate()
            .map(|(index, input)| {
                if read.contains(&index) {
                    column(&input.field)
                } else {
                    datafusion_expr::lit(null_value(input.ty))
                }
            });
        let spec = ScanSpec {
            inputs: self.inputs[..last]
                .iter()
                .map(|input| null_value(input.ty))
                .collect(),
            declared: self
                .declared
                .iter()
                .map(|(_, value)| {
                    let constant = value.constant().cloned();
                    constant.unwrap_or_else(|| null_value(value.ty))
                })
                .collect(),
            steps,
        };
        (spec, args.collect())
    }
}

/// The expressions within an expression.
fn operands(kind: &mut ExprKind) -> Vec<&mut ast::Expr> {
    match kind {
        ExprKind::Unary(_, operand) => vec![operand],
        ExprKind::Binary(_, left, right) | ExprKind::Index(left, right) => vec![left, right],
        ExprKind::Logical(_, operands) => operands.iter_mut().collect(),
        ExprKind::Between(between) => {
            vec![&mut between.value, &mut between.low, &mut between.high]
        }
        ExprKind::Membership(membership) => std::iter::once(&mut membership.value)
            .chain(&mut membership.items)
            .collect(),
        ExprKind::Call(call) => call.args.iter_mut().map(|arg| &mut arg.expr).collect(),
        ExprKind::Member(base, _) => vec![base],
        _ => Vec::new(),
    }
}

/// A row for each match.
fn matches(
    binder: &mut Binder<'_>,
    input: Relation,
    spec: ScanSpec,
    args: Vec<Expr>,
    declared: &[(String, Typed)],
    match_id: Option<String>,
    span: Span,
) -> Result<Relation> {
    let told = input.window(&scan::scan(spec), args, span)?;
    let input = input.numbered(span)?;
    let mut outputs: Vec<Output> = input
        .columns
        .iter()
        .filter(|column| column.visible != Visible::Never)
        .map(Output::keep)
        .collect();
    let kept = outputs.len();
    outputs.push(Output {
        visible: Visible::Never,
        ..Output::new("#matches", Typed::new(told, Type::Dynamic))
    });
    let listed = input.project(outputs, span)?;
    let list = listed.columns[kept].field.clone();
    let matched = listed.unnest(&list, span)?;
    let field = |name: &str, ty: Type| {
        let name = Typed::string(name).expr;
        Typed::new(internal::field().call(vec![column(&list), name]), ty)
    };
    let mut outputs: Vec<Output> = matched.columns[..kept].iter().map(Output::keep).collect();
    for (index, (name, value)) in declared.iter().enumerate() {
        let value = field(&scan::declared_field(index), value.ty);
        let value = match value.ty {
            Type::String => binder.convert(value, Type::String, span)?,
            _ => value,
        };
        outputs.push(Output::new(name, value));
    }
    if let Some(name) = match_id {
        outputs.push(Output::new(name, field(scan::MATCH_ID, Type::Long)));
    }
    let width = outputs.len();
    outputs.push(Output {
        visible: Visible::Never,
        ..Output::new("#told", field(scan::TOLD, Type::Long))
    });
    let mut rows = matched.project(outputs, span)?;
    rows.order.push(OrderKey {
        field: rows.columns[width].field.clone(),
        ascending: true,
        nulls_first: false,
    });
    Ok(rows)
}
