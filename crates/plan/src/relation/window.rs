//! Window functions over the rows of a relation, and rows in parts.

use std::cell::RefCell;
use std::sync::Arc;

use datafusion_common::DataFusionError;
use datafusion_expr::{
    Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, SortExpr, WindowUDF, lit, not, when,
};
use functions::scalar::internal;
use functions::window::windows;
use kql::{Span, Type};
use schema::table::TIME_GENERATED;

use super::{Column, OrderKey, Output, Relation, Visible};
use crate::aggregates::filtered;
use crate::error::{At, Result, unsupported};
use crate::typed::{Typed, column};

/// How rows are divided, in a subquery that runs on each part alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    /// The fields that tell the parts apart.
    pub(crate) by: Vec<String>,
    /// Fields that stay with a part whatever the subquery does.
    pub(crate) carried: Vec<String>,
    /// The field that is true for a row which only stands for its part, where the part may have no
    /// other row left and yet be counted.
    pub(crate) stand_in: Option<String>,
}

impl Parts {
    /// All fields that the parts need.
    pub(super) fn fields(&self) -> impl Iterator<Item = &String> {
        self.by.iter().chain(&self.carried).chain(&self.stand_in)
    }

    pub(super) fn rename(&mut self, old: &str, new: &str) {
        let fields = self.by.iter_mut().chain(&mut self.carried);
        for field in fields.chain(&mut self.stand_in).filter(|f| *f == old) {
            new.clone_into(field);
        }
    }
}

/// Window functions that expressions call and that are not part of the plan yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Windows(RefCell<Vec<Window>>);

#[derive(Clone, Debug)]
struct Window {
    field: String,
    expr: Expr,
    /// Over the results of how many other window functions it is computed, one above another.
    level: usize,
}

impl Relation {
    /// The value of a window function, which comes into the plan below the next operator.
    pub(crate) fn window(
        &self,
        function: &Arc<WindowUDF>,
        args: Vec<Expr>,
        span: Span,
    ) -> Result<Expr> {
        let expr = self.over(function, args).at(span)?;
        let mut windows = self.windows.0.borrow_mut();
        if let Some(known) = windows.iter().find(|window| window.expr == expr) {
            return Ok(column(&known.field));
        }
        let read = expr.column_refs();
        let below = windows
            .iter()
            .filter(|window| read.iter().any(|column| column.name == window.field));
        let level = below.map(|window| window.level + 1).max().unwrap_or(0);
        let field = self.fresh("#window");
        windows.push(Window {
            field: field.clone(),
            expr,
            level,
        });
        Ok(column(&field))
    }

    fn over(
        &self,
        function: &Arc<WindowUDF>,
        args: Vec<Expr>,
    ) -> std::result::Result<Expr, DataFusionError> {
        let parts = self.parts.iter().flat_map(|parts| {
            let fields = parts.by.iter().chain(&parts.stand_in);
            fields.map(|field| column(field))
        });
        function
            .call(args)
            .partition_by(parts.collect())
            .order_by(self.places())
            .build()
    }

    /// A sort that leaves open only the places of rows that are the same: where the order says
    /// nothing, rows lie by their values, so that it does not matter where they came from.
    fn places(&self) -> Vec<SortExpr> {
        let mut places = self.sort_exprs();
        if self.total {
            return places;
        }
        let ordered = |field: &str| self.order.iter().any(|key| key.field == field);
        let rest = self
            .columns
            .iter()
            .filter(|c| c.visible != Visible::Never && !ordered(&c.field));
        let (times, others): (Vec<&Column>, Vec<&Column>) =
            rest.partition(|c| c.name == TIME_GENERATED);
        let rest = times.into_iter().chain(others);
        places.extend(rest.map(|c| SortExpr::new(column(&c.field), true, true)));
        places
    }

    /// Puts the window functions called so far into the plan. The rows keep the order in which they
    /// were computed.
    pub(crate) fn settled(self, span: Span) -> Result<Self> {
        if self.windows.0.borrow().is_empty() {
            return Ok(self);
        }
        if self.total {
            let plan = self.builder(span)?.build().at(span)?;
            return Ok(self.with_plan(plan));
        }
        self.numbered(span)
    }

    /// The same rows, whose order is that of one unseen number.
    pub(crate) fn numbered(self, span: Span) -> Result<Self> {
        if let ([key], true) = (self.order.as_slice(), self.total)
            && key.ascending
            && self.windows.0.borrow().is_empty()
        {
            return Ok(self);
        }
        let number = self.row_number(span)?;
        let plan = self.builder(span)?.build().at(span)?;
        let Expr::Column(number) = number else {
            unreachable!("a window function's value is a column");
        };
        let mut numbered = self.with_plan(plan);
        numbered.columns.push(Column {
            name: "#row".to_owned(),
            field: number.name.clone(),
            ty: Type::Long,
            visible: Visible::Never,
        });
        numbered.order = vec![OrderKey {
            field: number.name,
            ascending: true,
            nulls_first: false,
        }];
        numbered.total = true;
        Ok(numbered)
    }

    /// The number of each row in its part, from 1.
    pub(crate) fn row_number(&self, span: Span) -> Result<Expr> {
        self.window(&windows().number, Vec::new(), span)
    }

    /// A number for each row, in no order, as an unseen column.
    pub(crate) fn with_identity(self, span: Span) -> Result<(Self, String)> {
        let field = self.fresh("#identity");
        let number = windows().number.call(Vec::new()).alias(&field);
        let plan = self
            .builder(span)?
            .window([number])
            .and_then(LogicalPlanBuilder::build)
            .at(span)?;
        let mut relation = self.with_plan(plan);
        relation.columns.push(Column {
            name: "#identity".to_owned(),
            field: field.clone(),
            ty: Type::Long,
            visible: Visible::Never,
        });
        Ok((relation, field))
    }

    /// The plan with the window functions called so far.
    pub(super) fn with_windows(
        &self,
        mut builder: LogicalPlanBuilder,
    ) -> std::result::Result<LogicalPlanBuilder, DataFusionError> {
        let windows = self.windows.0.borrow();
        let levels = windows.iter().map(|window| window.level).max();
        for level in 0..levels.map_or(0, |level| level + 1) {
            let exprs: Vec<Expr> = windows
                .iter()
                .filter(|window| window.level == level)
                .map(|window| window.expr.clone().alias(&window.field))
                .collect();
            builder = behind(builder.window(exprs)?, |field| {
                let mut windows = windows.iter();
                windows.any(|window| window.field == field && window.level == level)
            })?;
        }
        Ok(builder)
    }

    /// The first rows of each part.
    pub(super) fn limit_parts(self, count: usize, span: Span) -> Result<Self> {
        let most = i64::try_from(count).unwrap_or(i64::MAX);
        let kept = self.row_number(span)?.lt_eq(lit(most));
        self.filter(kept, span)
    }

    /// Rows that don't pass a predicate become rows that only stand for their part.
    pub(super) fn demote(self, stand_in: &str, predicate: Expr, span: Span) -> Result<Self> {
        let gone = when(predicate, lit(false)).otherwise(lit(true)).at(span)?;
        let gone = column(stand_in).or(gone);
        let mut outputs: Vec<Output> = self
            .columns
            .iter()
            .filter(|c| c.field != stand_in)
            .map(Output::keep)
            .collect();
        let place = outputs.len();
        outputs.push(Output {
            name: "#stand_in".to_owned(),
            value: Typed::new(gone, Type::Bool),
            visible: Visible::Never,
        });
        let mut relation = self;
        let mut parts = relation.parts.take().unwrap_or_default();
        parts.stand_in = None;
        relation.parts = Some(parts);
        let mut relation = relation.project(outputs, span)?;
        let field = relation.columns[place].field.clone();
        if let Some(parts) = &mut relation.parts {
            parts.stand_in = Some(field);
        }
        Ok(relation)
    }

    /// An aggregate of the rows that do more than stand for their part.
    pub(crate) fn counted(&self, aggregate: Expr) -> Expr {
        match self.parts.as_ref().and_then(|p| p.stand_in.as_ref()) {
            Some(stand_in) => filtered(aggregate, not(column(stand_in))),
            None => aggregate,
        }
    }

    /// The keys that keep parts apart in a grouping. If there are other keys, rows that only stand
    /// for their part stay apart, too; else each part has one row whatever is in it.
    pub(crate) fn part_keys(&self, has_others: bool) -> Vec<Expr> {
        let parts = self.parts_of_groups(has_others);
        parts
            .iter()
            .flat_map(Parts::fields)
            .map(|f| column(f))
            .collect()
    }

    fn parts_of_groups(&self, has_others: bool) -> Option<Parts> {
        let mut parts = self.parts.clone()?;
        parts.stand_in = parts.stand_in.filter(|_| has_others);
        Some(parts)
    }

    /// The groups of these rows, with the keys of their parts.
    pub(crate) fn grouped(
        &self,
        plan: LogicalPlan,
        mut columns: Vec<Column>,
        has_keys: bool,
    ) -> Self {
        let parts = self.parts_of_groups(has_keys);
        let hidden = parts.iter().flat_map(Parts::fields).filter_map(|field| {
            let column = self.columns.iter().find(|c| c.field == *field)?;
            Some(Column {
                visible: Visible::Never,
                ..column.clone()
            })
        });
        columns.extend(hidden);
        Self {
            parts,
            grouped: true,
            ..self.derived(plan, columns)
        }
    }

    /// Refuses rows that only stand for their part, to an operator that would lose them.
    pub(crate) fn no_stand_ins(&self, what: &str, span: Span) -> Result<()> {
        match self
            .parts
            .as_ref()
            .and_then(|parts| parts.stand_in.as_ref())
        {
            None => Ok(()),
            Some(_) => {
                let what = format!("{what} before a `summarize` without `by` in a subquery");
                Err(unsupported(span, what))
            }
        }
    }

    /// Leaves out the rows that only stand for their part.
    pub(crate) fn without_stand_ins(mut self, span: Span) -> Result<Self> {
        let stand_in = self.parts.as_mut().and_then(|parts| parts.stand_in.take());
        match stand_in {
            Some(field) => self.settled(span)?.filter_plan(not(column(&field)), span),
            None => Ok(self),
        }
    }
}

/// Hides what some fields come from.
///
/// DataFusion takes windows above each other for one where it looks for common expressions, though
/// those may read the results of the lower ones.
fn behind(
    builder: LogicalPlanBuilder,
    is_hidden: impl Fn(&str) -> bool,
) -> std::result::Result<LogicalPlanBuilder, DataFusionError> {
    let fields = builder.schema().fields().clone();
    let exprs = fields.iter().map(|field| {
        let value = column(field.name());
        if is_hidden(field.name()) {
            internal::same().call(vec![value]).alias(field.name())
        } else {
            value
        }
    });
    builder.project(exprs.collect::<Vec<_>>())
}
