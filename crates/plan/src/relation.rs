//! What a tabular expression has become so far: a plan, its columns, and its order.

use std::sync::Arc;

use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SortExpr};
use kql::{Span, Type};

use crate::binder::Visualization;
use crate::error::{At, Result};
use crate::typed::{Typed, column};

/// A bound tabular expression.
#[derive(Clone, Debug)]
pub(crate) struct Relation {
    /// The plan; each of its fields is unqualified and bears the name of a column.
    pub(crate) plan: Arc<LogicalPlan>,
    /// The columns, in order.
    pub(crate) columns: Vec<Column>,
    /// By which fields the rows are ordered; empty if they are not.
    pub(crate) order: Vec<OrderKey>,
    /// The name that a `union` shows for the rows: a table's, or one given by `as`.
    pub(crate) name: Option<String>,
    /// What `render` said.
    pub(crate) visualization: Option<Visualization>,
}

/// A column of a relation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    /// The name, which is also the plan's field.
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) visible: Visible,
}

/// Who sees a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visible {
    /// Everyone.
    Always,
    /// Whoever names it.
    ByName,
    /// Nobody: it only keeps the order of rows.
    Never,
}

/// A field that rows are ordered by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OrderKey {
    pub(crate) field: String,
    pub(crate) ascending: bool,
    pub(crate) nulls_first: bool,
}

/// A column of a projection.
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) value: Typed,
    pub(crate) visible: Visible,
}

impl Output {
    pub(crate) fn new(name: impl Into<String>, value: Typed) -> Self {
        Self {
            name: name.into(),
            value,
            visible: Visible::Always,
        }
    }

    /// A column as it stands.
    pub(crate) fn keep(column: &Column) -> Self {
        Self {
            name: column.name.clone(),
            value: Typed::column(&column.name, column.ty),
            visible: column.visible,
        }
    }
}

impl Relation {
    pub(crate) fn new(plan: LogicalPlan, columns: Vec<Column>) -> Self {
        Self {
            plan: Arc::new(plan),
            columns,
            order: Vec::new(),
            name: None,
            visualization: None,
        }
    }

    pub(crate) fn builder(&self) -> LogicalPlanBuilder {
        LogicalPlanBuilder::new_from_arc(Arc::clone(&self.plan))
    }

    /// The columns that `*` stands for.
    pub(crate) fn visible(&self) -> impl Iterator<Item = &Column> {
        self.columns
            .iter()
            .filter(|column| column.visible == Visible::Always)
    }

    /// The column that a name means.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns
            .iter()
            .find(|column| column.name == name && column.visible != Visible::Never)
    }

    /// A field name that no column has, for columns that nobody sees.
    pub(crate) fn fresh(&self, stem: &str) -> String {
        let mut index = self.columns.len();
        loop {
            let name = format!("#{stem}{index}");
            if !self.columns.iter().any(|column| column.name == name) {
                return name;
            }
            index += 1;
        }
    }

    /// The same rows through another plan that keeps the columns and their order.
    pub(crate) fn with_plan(mut self, plan: LogicalPlan) -> Self {
        self.plan = Arc::new(plan);
        self
    }

    /// Other rows, in no order.
    pub(crate) fn unordered(mut self) -> Self {
        self.order.clear();
        self
    }

    /// Keeps the rows for which a predicate is true.
    pub(crate) fn filter(self, predicate: Expr, span: Span) -> Result<Self> {
        let plan = self
            .builder()
            .filter(predicate)
            .and_then(LogicalPlanBuilder::build)
            .at(span)?;
        Ok(self.with_plan(plan))
    }

    /// Replaces the columns. What the order needs stays, unseen.
    pub(crate) fn project(self, mut outputs: Vec<Output>, span: Span) -> Result<Self> {
        let mut order = Vec::with_capacity(self.order.len());
        for key in &self.order {
            let kept = outputs
                .iter()
                .find(|output| output.value.expr == column(&key.field));
            let field = match kept {
                Some(output) => output.name.clone(),
                None => {
                    let Some(source) = self.columns.iter().find(|c| c.name == key.field) else {
                        continue;
                    };
                    let taken = |name: &str| outputs.iter().any(|output| output.name == name);
                    let name = (0..)
                        .map(|i| format!("#order{i}"))
                        .find(|name| !taken(name));
                    let name = name.unwrap_or_default();
                    let value = Typed::column(&source.name, source.ty);
                    outputs.push(Output {
                        name: name.clone(),
                        value,
                        visible: Visible::Never,
                    });
                    name
                }
            };
            order.push(OrderKey {
                field,
                ..key.clone()
            });
        }
        let columns = outputs
            .iter()
            .map(|output| Column {
                name: output.name.clone(),
                ty: output.value.ty,
                visible: output.visible,
            })
            .collect();
        let exprs = outputs
            .into_iter()
            .map(|output| aliased(output.value.expr, &output.name));
        let plan = self
            .builder()
            .project(exprs.collect::<Vec<_>>())
            .and_then(LogicalPlanBuilder::build)
            .at(span)?;
        Ok(Self {
            plan: Arc::new(plan),
            columns,
            order,
            ..self
        })
    }

    /// The sort that the order asks for.
    pub(crate) fn sort_exprs(&self) -> Vec<SortExpr> {
        self.order
            .iter()
            .map(|key| SortExpr::new(column(&key.field), key.ascending, key.nulls_first))
            .collect()
    }

    /// The first rows in order, or any if there is none.
    pub(crate) fn limit(self, count: usize, span: Span) -> Result<Self> {
        let builder = if self.order.is_empty() {
            self.builder().limit(0, Some(count))
        } else {
            self.builder()
                .sort_with_limit(self.sort_exprs(), Some(count))
        };
        let plan = builder.and_then(LogicalPlanBuilder::build).at(span)?;
        Ok(self.with_plan(plan))
    }

    /// The plan that gives the visible columns in order.
    pub(crate) fn finish(self, span: Span) -> Result<Self> {
        let sorted = if self.order.is_empty() {
            self
        } else {
            let plan = self
                .builder()
                .sort(self.sort_exprs())
                .and_then(LogicalPlanBuilder::build)
                .at(span)?;
            self.with_plan(plan)
        };
        let outputs: Vec<Output> = sorted.visible().map(Output::keep).collect();
        if outputs.len() == sorted.columns.len() {
            return Ok(sorted);
        }
        sorted.unordered().project(outputs, span)
    }
}

/// An expression under a name; a column that has it already needs no alias.
pub(crate) fn aliased(expr: Expr, name: &str) -> Expr {
    match &expr {
        Expr::Column(c) if c.relation.is_none() && c.name == name => expr,
        _ => expr.alias(name),
    }
}
