//! Scalar expressions.

mod call;
mod columns;
mod compare;
mod literal;
mod logic;
mod membership;
mod of_columns;
mod path;
pub(crate) mod search;
mod sort_arrays;
mod special;
pub(crate) mod window;

use datafusion_expr::Expr;
use functions::{Param, ScalarFunction, registry};
use kql::ast::{self, BinaryOp, ExprKind, UnaryOp};
use kql::{Code, Span, Type, suggest};

use crate::aggregates::Groups;
use crate::binder::{Binder, Callee};
use crate::error::{Result, error, error_with_hint, unsupported};
use crate::relation::Relation;
use crate::scope::{Binding, Scope};
use crate::typed::Typed;

pub(crate) use columns::{Entry, EntryName};
pub(crate) use literal::literal;
pub(crate) use logic::balanced;

/// What an expression may read.
#[derive(Clone, Copy)]
pub(crate) struct Row<'r> {
    /// The columns of a row; none in a `let`, say.
    pub(crate) columns: Option<&'r Relation>,
    /// Where aggregates go, in a `summarize`: then names mean groups, not columns.
    pub(crate) groups: Option<&'r Groups<'r>>,
}

impl<'r> Row<'r> {
    /// No columns: constants only.
    pub(crate) const NONE: Self = Self {
        columns: None,
        groups: None,
    };

    /// The columns of a relation's rows.
    pub(crate) fn of(relation: &'r Relation) -> Self {
        Self {
            columns: Some(relation),
            groups: None,
        }
    }
}

/// How a comparison is lowered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Its value counts, null included.
    Value,
    /// Only whether it is true counts, and statistics should be able to prune by it.
    Filter,
}

/// Most columns that an error lists where no name is near the unknown one.
const COLUMNS_SHOWN_MAX: usize = 40;

impl Binder<'_> {
    /// Binds an expression.
    pub(crate) fn scalar<'q>(
        &mut self,
        expr: &'q ast::Expr,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Typed> {
        match &expr.kind {
            ExprKind::Literal(value) => literal(value, expr.span),
            ExprKind::Name(name) => self.name(name, expr.span, scope, row),
            ExprKind::Star => Err(error(Code::Semantic, expr.span, "`*` can't stand here")),
            ExprKind::Unary(op, operand) => self.unary(*op, operand, scope, row),
            ExprKind::Binary(op, left, right) => {
                self.binary(*op, left, right, expr.span, scope, row, Mode::Value)
            }
            ExprKind::Logical(op, operands) => {
                let operands = operands
                    .iter()
                    .map(|operand| self.boolean(operand, scope, row, Mode::Value))
                    .collect::<Result<Vec<_>>>()?;
                Ok(Typed::new(balanced(*op, operands), Type::Bool))
            }
            ExprKind::Between(between) => self.between(between, scope, row),
            ExprKind::Membership(membership) => {
                self.membership(membership, expr.span, scope, row, Mode::Value)
            }
            ExprKind::Call(call) => self.call(call, expr.span, scope, row),
            ExprKind::Member(..) | ExprKind::Index(..) => self.path(expr, scope, row),
            ExprKind::MemberCall(..)
            | ExprKind::Pipeline(_)
            | ExprKind::DataTable(_)
            | ExprKind::ExternalData(_) => Err(error_with_hint(
                Code::Type,
                expr.span,
                "a table stands where a value is needed",
                "`toscalar(…)` takes the first value of a table",
            )),
        }
    }

    /// Binds a predicate of which only the truth counts.
    pub(crate) fn predicate<'q>(
        &mut self,
        expr: &'q ast::Expr,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Expr> {
        self.boolean(expr, scope, row, Mode::Filter)
    }

    pub(crate) fn boolean<'q>(
        &mut self,
        expr: &'q ast::Expr,
        scope: &Scope<'q>,
        row: Row<'_>,
        mode: Mode,
    ) -> Result<Expr> {
        let bound = match (&expr.kind, mode) {
            (ExprKind::Logical(op, operands), Mode::Filter) => {
                let operands = operands
                    .iter()
                    .map(|operand| self.boolean(operand, scope, row, mode))
                    .collect::<Result<Vec<_>>>()?;
                return Ok(balanced(*op, operands));
            }
            (ExprKind::Binary(op, left, right), _) => {
                self.binary(*op, left, right, expr.span, scope, row, mode)?
            }
            (ExprKind::Membership(membership), _) => {
                self.membership(membership, expr.span, scope, row, mode)?
            }
            _ => self.scalar(expr, scope, row)?,
        };
        match bound.ty {
            Type::Bool => Ok(bound.expr),
            Type::Dynamic | Type::Int | Type::Long | Type::Real => {
                Ok(self.invoke("tobool", vec![bound], expr.span)?.expr)
            }
            ty => Err(error_with_hint(
                Code::Type,
                expr.span,
                format!("expected a bool, found a {ty}"),
                "compare it, as in `x == …`, or convert it with `tobool(…)`",
            )),
        }
    }

    fn name<'q>(
        &mut self,
        name: &str,
        span: Span,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Typed> {
        if let Some(groups) = row.groups
            && let Some(key) = groups.key(name)
        {
            return Ok(key);
        }
        if let Some(relation) = row.columns
            && let Some(column) = relation.column(name)
        {
            if row.groups.is_some() {
                let hint = format!("add it after `by`, or aggregate it, as in `take_any({name})`");
                let message = format!("the column `{name}` is neither a group nor aggregated");
                return Err(error_with_hint(Code::Aggregate, span, message, hint));
            }
            return Ok(column.value());
        }
        match scope.get(name) {
            Some(Binding::Scalar(value)) => Ok(value.clone()),
            Some(Binding::OfRow(value, tables)) => self.value_of_row(value, *tables, name, span),
            Some(Binding::Function(function, defined_in)) => {
                let (function, defined_in) = (*function, defined_in.clone());
                let callee = Callee::bare(name, span);
                self.call_function(callee, function, &defined_in, scope, row)
            }
            Some(Binding::Tabular(..) | Binding::Relation(_)) => Err(error_with_hint(
                Code::Type,
                span,
                format!("`{name}` is a table, and a value is needed"),
                format!("`toscalar({name})` takes the first value of a table"),
            )),
            None => Err(self.unknown_column(name, span, scope, row)),
        }
    }

    /// The error for a name that means nothing, with the nearest that would.
    pub(crate) fn unknown_column(
        &self,
        name: &str,
        span: Span,
        scope: &Scope<'_>,
        row: Row<'_>,
    ) -> crate::error::Stop {
        let bindings = scope.bindings();
        let columns = row.columns.map_or(&[][..], |relation| &relation.columns);
        let columns = columns
            .iter()
            .filter(|c| c.visible != crate::relation::Visible::Never);
        let columns: Vec<&str> = columns.map(|c| c.name.as_str()).collect();
        let candidates = columns.iter().copied().chain(bindings.keys().copied());
        let hint = suggest::did_you_mean(name, candidates).or_else(|| column_hint(name, &columns));
        let what = if row.columns.is_some() {
            "column"
        } else {
            "name"
        };
        kql::Diagnostic::error(
            Code::UnknownColumn,
            span,
            format!("unknown {what} `{name}`"),
        )
        .with_hint_opt(hint)
        .into()
    }

    fn unary<'q>(
        &mut self,
        op: UnaryOp,
        operand: &'q ast::Expr,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Typed> {
        let value = self.scalar(operand, scope, row)?;
        if !(value.ty.is_numeric() || value.ty == Type::Timespan) {
            let message = format!("a {} has no sign", value.ty);
            return Err(error(Code::Type, operand.span, message));
        }
        match op {
            UnaryOp::Plus => Ok(value),
            UnaryOp::Minus => self.invoke("__negate", vec![value], operand.span),
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "an operator, its operands, and where it stands"
    )]
    fn binary<'q>(
        &mut self,
        op: BinaryOp,
        left: &'q ast::Expr,
        right: &'q ast::Expr,
        span: Span,
        scope: &Scope<'q>,
        row: Row<'_>,
        mode: Mode,
    ) -> Result<Typed> {
        if matches!(left.kind, ExprKind::Star) {
            return self.any_column(op, right, span, scope, row);
        }
        let (left_span, right_span) = (left.span, right.span);
        let left = self.scalar(left, scope, row)?;
        let right = self.scalar(right, scope, row)?;
        match op {
            BinaryOp::Add => self.arithmetic("__add", "+", left, right, span),
            BinaryOp::Subtract => self.arithmetic("__subtract", "-", left, right, span),
            BinaryOp::Multiply => self.arithmetic("__multiply", "*", left, right, span),
            BinaryOp::Divide => self.arithmetic("__divide", "/", left, right, span),
            BinaryOp::Modulo => self.arithmetic("__modulo", "%", left, right, span),
            BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::Less
            | BinaryOp::LessOrEqual
            | BinaryOp::Greater
            | BinaryOp::GreaterOrEqual => self.compare(op, left, right, span, mode),
            _ => self.string_operator(op, (left, left_span), (right, right_span), span),
        }
    }

    fn arithmetic(
        &mut self,
        function: &str,
        symbol: &str,
        left: Typed,
        right: Typed,
        span: Span,
    ) -> Result<Typed> {
        let (left_ty, right_ty) = (left.ty, right.ty);
        let function = registry::scalar(function).expect("every operator has its function");
        let fits = left_ty != Type::Dynamic
            && right_ty != Type::Dynamic
            && function.select(&[left_ty, right_ty]).is_some();
        if fits {
            return self.registered(function, vec![left, right], span);
        }
        let message = format!("`{symbol}` does not take a {left_ty} and a {right_ty}");
        let hint = match (left_ty, right_ty) {
            (Type::Dynamic, _) | (_, Type::Dynamic) => {
                "convert the dynamic value first, with `tolong(…)`, `toreal(…)` or the like"
            }
            (Type::String, _) | (_, Type::String) if symbol == "+" => {
                "join strings with `strcat(…)`; convert them with `tolong(…)` or the like"
            }
            (Type::String, _) | (_, Type::String) => {
                "convert the string with `tolong(…)`, `toreal(…)` or the like"
            }
            (Type::Datetime, Type::Datetime) => "the difference of two datetimes is a timespan",
            _ => "convert one of them",
        };
        Err(error_with_hint(Code::Type, span, message, hint))
    }

    /// A call of a function of the registry by its name, with arguments that fit.
    pub(crate) fn invoke(&mut self, name: &str, args: Vec<Typed>, span: Span) -> Result<Typed> {
        match registry::scalar(name) {
            Some(function) => self.registered(function, args, span),
            None => Err(unsupported(span, format!("`{name}`"))),
        }
    }

    /// A call of a function of the registry: picks the form, converts the arguments, and evaluates
    /// it here if they are all constant.
    pub(crate) fn registered(
        &mut self,
        function: &'static ScalarFunction,
        args: Vec<Typed>,
        span: Span,
    ) -> Result<Typed> {
        let (index, exprs) = self.arguments(function, args, span)?;
        let ty = function.overloads[index].return_type();
        let udf = registry::scalar_udf(function, index);
        Ok(Typed::new(call::evaluated(&udf, exprs, span)?, ty))
    }

    /// The form of a function that fits the arguments, and those as it takes them.
    fn arguments(
        &mut self,
        function: &'static ScalarFunction,
        args: Vec<Typed>,
        span: Span,
    ) -> Result<(usize, Vec<Expr>)> {
        let types: Vec<Type> = args.iter().map(|arg| arg.ty).collect();
        let Some(index) = function.select(&types) else {
            return Err(call::no_overload(function, &types, span));
        };
        let overload = &function.overloads[index];
        let mut exprs = Vec::with_capacity(args.len());
        for (position, arg) in args.into_iter().enumerate() {
            let param = overload
                .param(position)
                .expect("the form takes as many arguments");
            let arg = self.argument(arg, param, function, position, span)?;
            exprs.push(arg.expr);
        }
        Ok((index, exprs))
    }

    fn argument(
        &mut self,
        arg: Typed,
        param: Param,
        function: &ScalarFunction,
        position: usize,
        span: Span,
    ) -> Result<Typed> {
        match param {
            Param::Is(ty) => self.convert(arg, ty, span),
            Param::Const(ty) => {
                let arg = self.convert(arg, ty, span)?;
                if arg.constant().is_none() {
                    let name = function.name;
                    let message =
                        format!("argument {} of `{name}` must be a constant", position + 1);
                    return Err(error(Code::Constant, span, message));
                }
                Ok(arg)
            }
            Param::Text => self.convert(arg, Type::String, span),
            Param::Json => self.convert(arg, Type::Dynamic, span),
        }
    }

    /// A value as another type, where types convert by themselves: numbers widen, anything has a
    /// text and a JSON form, and a dynamic value may be anything.
    pub(crate) fn convert(&mut self, value: Typed, to: Type, span: Span) -> Result<Typed> {
        let function = match (value.ty, to) {
            (from, to) if from == to => return Ok(value),
            (Type::Int, Type::Long | Type::Real | Type::Decimal)
            | (Type::Long, Type::Real | Type::Decimal) => return value.widen(to, span),
            (Type::Long, Type::Int) if value.constant().is_some() => "toint",
            (Type::Real, Type::Decimal) => "todecimal",
            (_, Type::String) => "tostring",
            (_, Type::Dynamic) => "__json",
            (Type::Dynamic, to) => conversion(to),
            (from, to) => {
                let hint = format!("convert it with `{}(…)`", conversion(to));
                let message = format!("expected a {to}, found a {from}");
                return Err(error_with_hint(Code::Type, span, message, hint));
            }
        };
        self.invoke(function, vec![value], span)
    }
}

/// The function that converts to a type.
pub(crate) fn conversion(to: Type) -> &'static str {
    match to {
        Type::Bool => "tobool",
        Type::Int => "toint",
        Type::Long => "tolong",
        Type::Real => "toreal",
        Type::Decimal => "todecimal",
        Type::String => "tostring",
        Type::Datetime => "todatetime",
        Type::Timespan => "totimespan",
        Type::Dynamic => "todynamic",
        Type::Guid => "toguid",
    }
}

/// The names of functions that are computed without the registry.
pub(crate) fn special_names() -> impl Iterator<Item = &'static str> {
    special::NAMES.iter().copied()
}

/// What may be meant where no name is near: columns that share a word, else all there are.
fn column_hint(name: &str, columns: &[&str]) -> Option<String> {
    let own = columns
        .iter()
        .copied()
        .filter(|c| !schema::table::is_standard(c));
    let own: Vec<&str> = own.collect();
    let related: Vec<&str> = suggest::related(name, own.iter().copied())
        .take(3)
        .collect();
    match (related.as_slice(), own.as_slice()) {
        ([one], _) => Some(format!("did you mean `{one}`?")),
        ([_, ..], _) => Some(format!("did you mean one of `{}`?", related.join("`, `"))),
        ([], []) => None,
        ([], all) if all.len() <= COLUMNS_SHOWN_MAX => {
            Some(format!("the columns are `{}`", all.join("`, `")))
        }
        ([], all) => Some(format!("`getschema` lists the {} columns", all.len())),
    }
}
