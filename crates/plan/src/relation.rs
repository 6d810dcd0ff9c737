//! What a tabular expression has become so far: a plan, its columns, and its order.

mod window;

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use datafusion_common::UnnestOptions;
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SortExpr};
use functions::scalar::internal;
use kql::{Code, Span, Type};

use crate::binder::Visualization;
use crate::error::{At, Result, error};
use crate::typed::{Typed, column};

pub(crate) use window::{Parts, Windows};

/// A bound tabular expression.
#[derive(Clone, Debug)]
pub(crate) struct Relation {
    /// The plan; each of its fields is unqualified.
    pub(crate) plan: Arc<LogicalPlan>,
    /// The columns, in order.
    pub(crate) columns: Vec<Column>,
    /// By which fields the rows are ordered; empty if they are not.
    pub(crate) order: Vec<OrderKey>,
    /// The name that a `union` shows for the rows: a table's, or one given by `as`.
    pub(crate) name: Option<String>,
    /// What `render` said.
    pub(crate) visualization: Option<Visualization>,
    /// The names of fields that the query has used so far.
    pub(crate) fields: Fields,
    /// Whether window functions may read the rows' order.
    pub(crate) serialized: bool,
    /// Whether the order gives each row a place of its own.
    pub(crate) total: bool,
    /// Whether each row is a group, so that there are not too many to put in order.
    pub(crate) grouped: bool,
    /// How the rows are divided, if each part is a table of its own.
    pub(crate) parts: Option<Parts>,
    pub(crate) windows: Windows,
}

/// A column of a relation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The plan's field. It differs from the name where an earlier column had that name.
    pub(crate) field: String,
    pub(crate) ty: Type,
    pub(crate) visible: Visible,
}

impl Column {
    /// A column whose field bears its name.
    pub(crate) fn new(name: impl Into<String>, ty: Type, visible: Visible) -> Self {
        let name = name.into();
        Self {
            field: name.clone(),
            name,
            ty,
            visible,
        }
    }

    /// The column's value.
    pub(crate) fn value(&self) -> Typed {
        Typed::column(&self.field, self.ty)
    }
}

/// The names of fields, of which each is given once in a query.
///
/// DataFusion takes two projections with the same expressions under the same names for one, which
/// `extend x = x + 1 | extend x = x + 1` is not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Rc<RefCell<HashSet<String>>>);

impl Fields {
    /// A name that no field has had: `name`, or `name` and a number.
    fn fresh(&self, name: &str) -> String {
        let mut given = self.0.borrow_mut();
        let mut field = name.to_owned();
        let mut number = 1;
        while !given.insert(field.clone()) {
            number += 1;
            field = format!("{name}#{number}");
        }
        field
    }

    /// Notes fields that have names already.
    pub(crate) fn note<'a>(&self, columns: impl IntoIterator<Item = &'a Column>) {
        let fields = columns.into_iter().map(|column| column.field.clone());
        self.0.borrow_mut().extend(fields);
    }
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
            value: column.value(),
            visible: column.visible,
        }
    }
}

impl Relation {
    pub(crate) fn new(plan: LogicalPlan, columns: Vec<Column>, fields: Fields) -> Self {
        fields.note(&columns);
        Self {
            plan: Arc::new(plan),
            columns,
            order: Vec::new(),
            name: None,
            visualization: None,
            fields,
            serialized: false,
            total: false,
            grouped: false,
            parts: None,
            windows: Windows::default(),
        }
    }

    /// Other rows with other columns, made from these.
    pub(crate) fn derived(&self, plan: LogicalPlan, columns: Vec<Column>) -> Self {
        Self::new(plan, columns, self.fields.clone())
    }

    /// Builds on the plan, the window functions called so far included.
    pub(crate) fn builder(&self, span: Span) -> Result<LogicalPlanBuilder> {
        let plan = LogicalPlanBuilder::new_from_arc(Arc::clone(&self.plan));
        self.with_windows(plan).at(span)
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

    /// A field name that was never given.
    pub(crate) fn fresh(&self, stem: &str) -> String {
        self.fields.fresh(stem)
    }

    /// The same rows through another plan that keeps the columns and their order.
    pub(crate) fn with_plan(mut self, plan: LogicalPlan) -> Self {
        self.plan = Arc::new(plan);
        self.windows = Windows::default();
        self
    }

    /// Other rows, in no order.
    pub(crate) fn unordered(mut self) -> Self {
        self.order.clear();
        self.serialized = false;
        self.total = false;
        self
    }

    /// The same rows, whose order window functions may read or not.
    pub(crate) fn serialized(mut self, serialized: bool) -> Self {
        self.serialized = serialized;
        self
    }

    /// Keeps the rows for which a predicate is true.
    pub(crate) fn filter(self, predicate: Expr, span: Span) -> Result<Self> {
        let relation = self.settled(span)?;
        match relation.parts.as_ref().and_then(|p| p.stand_in.clone()) {
            Some(stand_in) => relation.demote(&stand_in, predicate, span),
            None => relation.filter_plan(predicate, span),
        }
    }

    fn filter_plan(self, predicate: Expr, span: Span) -> Result<Self> {
        let plan = self
            .builder(span)?
            .filter(predicate)
            .and_then(LogicalPlanBuilder::build)
            .at(span)?;
        Ok(self.with_plan(plan))
    }

    /// Replaces the columns. What the order and the parts need stays, unseen.
    pub(crate) fn project(self, outputs: Vec<Output>, span: Span) -> Result<Self> {
        self.settled(span)?.project_settled(outputs, span)
    }

    fn project_settled(self, mut outputs: Vec<Output>, span: Span) -> Result<Self> {
        let seen = |output: &&Output| output.visible == Visible::Always;
        let mut names = HashSet::new();
        for Output { name, .. } in outputs.iter().filter(seen) {
            if !names.insert(name.as_str()) {
                let message = format!("the column `{name}` is given twice");
                return Err(error(Code::Ambiguous, span, message));
            }
        }
        let ordering = self.order.iter().map(|key| &key.field);
        for field in ordering.chain(self.parts.iter().flat_map(Parts::fields)) {
            let value = column(field);
            let source = self.columns.iter().find(|c| c.field == *field);
            let kept = outputs.iter().any(|output| output.value.expr == value);
            if let (false, Some(source)) = (kept, source) {
                outputs.push(Output {
                    visible: Visible::Never,
                    ..Output::keep(source)
                });
            }
        }
        let mut columns: Vec<Column> = Vec::with_capacity(outputs.len());
        let mut exprs = Vec::with_capacity(outputs.len());
        let mut order = self.order.clone();
        for Output {
            name,
            value,
            visible,
        } in outputs
        {
            let given = |field: &str| columns.iter().any(|column| column.field == field);
            let field = match field_of(&value.expr) {
                Some(field) if !given(field) => field.to_owned(),
                _ => self.fresh(&name),
            };
            exprs.push(aliased(value.expr, &field));
            columns.push(Column {
                name,
                field,
                ty: value.ty,
                visible,
            });
        }
        order.retain(|key| columns.iter().any(|column| column.field == key.field));
        let plan = self
            .builder(span)?
            .project(exprs)
            .and_then(LogicalPlanBuilder::build)
            .at(span)?;
        Ok(Self {
            plan: Arc::new(plan),
            columns,
            order,
            windows: Windows::default(),
            ..self
        })
    }

    /// A row for each element of the lists in a field; a row without elements has none.
    pub(crate) fn unnest(self, list: &str, span: Span) -> Result<Self> {
        let list = datafusion_common::Column::new_unqualified(list);
        let plan = self
            .builder(span)?
            .unnest_column_with_options(list, UnnestOptions::new())
            .and_then(LogicalPlanBuilder::build)
            .at(span)?;
        Ok(self.with_plan(plan))
    }

    /// The same rows, of which the optimizer no longer knows that some columns decide others.
    ///
    /// DataFusion keeps that knowledge, which grouping gives, above an unnest, where it is wrong: it
    /// would drop keys of a sort or of another grouping.
    pub(crate) fn without_dependencies(self, span: Span) -> Result<Self> {
        let schema = Arc::clone(self.plan.schema());
        let deciding: Vec<&String> = schema
            .functional_dependencies()
            .iter()
            .flat_map(|dependency| &dependency.source_indices)
            .map(|index| schema.field(*index).name())
            .collect();
        if deciding.is_empty() {
            return Ok(self);
        }
        let mut columns = self.columns.clone();
        let mut order = self.order.clone();
        let mut parts = self.parts.clone();
        let mut exprs = Vec::with_capacity(columns.len());
        for target in &mut columns {
            let value = column(&target.field);
            if !deciding.contains(&&target.field) {
                exprs.push(value);
                continue;
            }
            let field = self.fresh(&target.name);
            exprs.push(internal::same().call(vec![value]).alias(&field));
            for key in order.iter_mut().filter(|key| key.field == target.field) {
                key.field.clone_from(&field);
            }
            if let Some(parts) = &mut parts {
                parts.rename(&target.field, &field);
            }
            target.field = field;
        }
        let plan = self
            .builder(span)?
            .project(exprs)
            .and_then(LogicalPlanBuilder::build)
            .at(span)?;
        Ok(Self {
            plan: Arc::new(plan),
            columns,
            order,
            parts,
            windows: Windows::default(),
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
        // DataFusion has no heap of no rows.
        if self.parts.is_some() {
            return self.limit_parts(count, span);
        }
        let builder = if self.order.is_empty() || count == 0 {
            self.builder(span)?.limit(0, Some(count))
        } else {
            self.builder(span)?
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
                .builder(span)?
                .sort(self.sort_exprs())
                .and_then(LogicalPlanBuilder::build)
                .at(span)?;
            self.with_plan(plan)
        };
        let columns: Vec<Column> = sorted
            .visible()
            .map(|c| Column::new(&*c.name, c.ty, c.visible))
            .collect();
        let exprs: Vec<Expr> = sorted
            .visible()
            .map(|c| aliased(column(&c.field), &c.name))
            .collect();
        let plan = sorted
            .builder(span)?
            .project(exprs)
            .and_then(LogicalPlanBuilder::build)
            .at(span)?;
        Ok(Self {
            plan: Arc::new(plan),
            columns,
            order: Vec::new(),
            ..sorted
        })
    }
}

/// The field that an expression is, if it is nothing else.
fn field_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Column(column) if column.relation.is_none() => Some(&column.name),
        _ => None,
    }
}

/// An expression under a name; a column that has it already needs no alias.
pub(crate) fn aliased(expr: Expr, name: &str) -> Expr {
    match &expr {
        Expr::Column(c) if c.relation.is_none() && c.name == name => expr,
        _ => expr.alias(name),
    }
}
