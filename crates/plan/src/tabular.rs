//! Tabular expressions: tables, views, and pipelines.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use datafusion_common::{ScalarValue, TableReference};
use datafusion_expr::{Expr, LogicalPlanBuilder, Operator, TableSource, binary_expr, lit};
use kql::ast::{self, Call, ExprKind, Literal};
use kql::{Code, Diagnostic, Span, Type, suggest};
use schema::arrow::data_type;
use schema::table::TIME_GENERATED;

use crate::binder::{Binder, Callee};
use crate::error::{At, Result, Stop, error, error_with_hint, unsupported};
use crate::host::{HostTable, NoTable};
use crate::operators;
use crate::relation::{Column, OrderKey, Output, Relation, Visible};
use crate::scope::{Binding, Scope};
use crate::scope_call::{is_scope_call, scope_name};
use crate::typed::Typed;

/// The name that every scan goes by in the plan; it is gone in the projection above.
const SCAN: &str = "scan";

impl Binder<'_> {
    /// Binds a pipeline. Without a source, its rows are `input`'s.
    pub(crate) fn pipeline<'q>(
        &mut self,
        pipeline: &'q ast::Pipeline,
        scope: &Scope<'q>,
        input: Option<Relation>,
    ) -> Result<Relation> {
        let mut operators = pipeline.operators.iter();
        let mut scope = scope.clone();
        let mut relation = match (&pipeline.source, input) {
            (Some(source), _) => self.table_expr(source, &scope)?,
            (None, Some(input)) => input,
            (None, None) => match operators.next() {
                Some(first) => self.source_operator(first, &scope)?,
                None => {
                    return Err(error(
                        Code::Semantic,
                        pipeline.span,
                        "there are no rows to begin with",
                    ));
                }
            },
        };
        for operator in operators {
            if relation.visualization.is_some() {
                return Err(error_with_hint(
                    Code::Semantic,
                    operator.keyword,
                    "an operator stands after `render`",
                    "`render` comes last",
                ));
            }
            relation = self.operator(operator, relation, &mut scope)?;
        }
        Ok(relation)
    }

    /// Whether an expression is a table rather than a value.
    pub(crate) fn is_tabular(&self, expr: &ast::Expr, scope: &Scope<'_>) -> bool {
        match &expr.kind {
            ExprKind::Pipeline(_) | ExprKind::DataTable(_) | ExprKind::ExternalData(_) => true,
            ExprKind::Name(name) => match scope.get(name) {
                Some(Binding::Function(function, inner)) => {
                    self.is_tabular_function(function, inner)
                }
                Some(binding) => matches!(binding, Binding::Tabular(..) | Binding::Relation(_)),
                None => self.host.table(None, name).is_ok(),
            },
            ExprKind::Call(call) => match scope.get(&call.name.text) {
                Some(Binding::Function(function, inner)) => {
                    self.is_tabular_function(function, inner)
                }
                _ => matches!(call.name.text.as_str(), "table" | "materialize" | "view"),
            },
            ExprKind::Member(base, _) => is_scope_call(base),
            ExprKind::MemberCall(base, _) => is_scope_call(base),
            _ => false,
        }
    }

    /// Whether the body of a function is a table; its parameters and statements count by their form.
    fn is_tabular_function(&self, function: &ast::Function, scope: &Scope<'_>) -> bool {
        match &function.body.kind {
            ExprKind::Name(name) => {
                let parameter = function.parameters.iter().find(|p| p.name.text == *name);
                let local = function
                    .statements
                    .iter()
                    .rev()
                    .find_map(|statement| match &statement.kind {
                        ast::StatementKind::Let(binding) if binding.name.text == *name => {
                            Some(&binding.value)
                        }
                        _ => None,
                    });
                match (local, parameter) {
                    (Some(ast::LetValue::Expr(expr)), _) => self.is_tabular(expr, scope),
                    (Some(_), _) => false,
                    (None, Some(parameter)) => {
                        !matches!(parameter.kind, ast::ParameterKind::Scalar(..))
                    }
                    (None, None) => self.is_tabular(&function.body, scope),
                }
            }
            _ => self.is_tabular(&function.body, scope),
        }
    }

    /// Binds an expression that must be a table.
    pub(crate) fn table_expr<'q>(
        &mut self,
        expr: &'q ast::Expr,
        scope: &Scope<'q>,
    ) -> Result<Relation> {
        self.count_relation(expr.span)?;
        match &expr.kind {
            ExprKind::Name(name) => self.named_table(name, expr.span, scope),
            ExprKind::Pipeline(pipeline) => {
                let mut relation = self.pipeline(pipeline, scope, None)?;
                relation.name = named_by_as(pipeline);
                Ok(relation)
            }
            ExprKind::DataTable(table) => self.datatable(table, expr.span),
            ExprKind::ExternalData(_) => Err(unsupported(expr.span, "`externaldata`")),
            ExprKind::Call(call) => self.table_call(call, expr.span, scope),
            ExprKind::Member(base, name) => match scope_name(base)? {
                Some(workspace) => {
                    self.host_table(Some(&workspace), &name.text, base.span, name.span)
                }
                None => Err(error(Code::Semantic, expr.span, "expected a table")),
            },
            ExprKind::MemberCall(base, call) => {
                scope_name(base)?;
                Err(unsupported(
                    call.name.span,
                    "a function of another workspace",
                ))
            }
            _ => Err(error_with_hint(
                Code::Type,
                expr.span,
                "a value stands where a table is needed",
                "`print x = …` makes a table of a value",
            )),
        }
    }

    fn named_table<'q>(&mut self, name: &str, span: Span, scope: &Scope<'q>) -> Result<Relation> {
        match scope.get(name).cloned() {
            Some(Binding::Tabular(expr, defined_in)) => {
                let mut relation = self.table_expr(expr, &defined_in)?;
                relation.name = None;
                Ok(relation)
            }
            Some(Binding::Relation(relation)) => Ok(*relation),
            Some(Binding::Scalar(_) | Binding::OfRow(..)) => Err(error_with_hint(
                Code::Type,
                span,
                format!("`{name}` is a value, not a table"),
                format!("`print {name}` makes a table of it"),
            )),
            Some(Binding::Function(function, defined_in)) => {
                let callee = Callee::bare(name, span);
                let mut relation =
                    self.call_table_function(callee, function, &defined_in, scope, None)?;
                // A view counts as a table, and so has a name for `union withsource`.
                relation.name = function.view.then(|| name.to_owned());
                Ok(relation)
            }
            None => match self.host.table(None, name) {
                Ok(table) => self.scan(table, span),
                Err(_) => Err(self.unknown_table(name, span, scope)),
            },
        }
    }

    fn unknown_table(&self, name: &str, span: Span, scope: &Scope<'_>) -> Stop {
        let tables = self.host.table_names();
        let bindings = scope.bindings();
        let candidates = tables
            .iter()
            .map(String::as_str)
            .chain(bindings.keys().copied());
        let hint = suggest::did_you_mean(name, candidates);
        let message = format!("unknown table `{name}`");
        Diagnostic::error(Code::UnknownTable, span, message)
            .with_hint_opt(hint)
            .into()
    }

    fn host_table(
        &mut self,
        workspace: Option<&str>,
        name: &str,
        workspace_span: Span,
        span: Span,
    ) -> Result<Relation> {
        match self.host.table(workspace, name) {
            Ok(table) => self.scan(table, span),
            Err(NoTable::Table) => Err(self.unknown_table(name, span, &Scope::default())),
            Err(NoTable::Workspace(nearest)) => {
                let message = format!("unknown workspace `{}`", workspace.unwrap_or(""));
                Err(
                    Diagnostic::error(Code::UnknownWorkspace, workspace_span, message)
                        .with_hint_opt(nearest.map(|name| format!("did you mean `{name}`?")))
                        .into(),
                )
            }
        }
    }

    fn table_call<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
    ) -> Result<Relation> {
        let name = call.name.text.as_str();
        if let Some(Binding::Function(function, defined_in)) = scope.get(name).cloned() {
            let callee = Callee::of(call);
            return self.call_table_function(callee, function, &defined_in, scope, None);
        }
        match (name, call.args.as_slice()) {
            ("table", [arg, ..]) => {
                let value = self.scalar(&arg.expr, scope, crate::expr::Row::NONE)?;
                let Some(table) = value.constant_text() else {
                    return Err(error(
                        Code::Constant,
                        arg.expr.span,
                        "a table's name must be a constant string",
                    ));
                };
                let table = table.to_owned();
                match self.host.table(None, &table) {
                    Ok(table) => self.scan(table, span),
                    Err(_) => Err(self.unknown_table(&table, arg.expr.span, scope)),
                }
            }
            // Every subplan of a query reads the same snapshot, so evaluating twice gives the same.
            ("materialize", [arg]) => self.table_expr(&arg.expr, scope),
            ("workspace" | "app" | "resource", _) => Err(error_with_hint(
                Code::Semantic,
                span,
                format!("`{name}(…)` is no table"),
                format!("name one: `{name}(…).AmlComputeJobEvent`"),
            )),
            ("cluster" | "database", _) => Err(unsupported(span, format!("`{name}()`"))),
            _ => Err(error(
                Code::UnknownTable,
                call.name.span,
                format!("`{name}(…)` is no table"),
            )),
        }
    }

    /// Calls a function whose body is a table; `piped` is its first argument after `invoke`.
    pub(crate) fn call_table_function<'q>(
        &mut self,
        callee: Callee<'_, 'q>,
        function: &'q ast::Function,
        defined_in: &Scope<'q>,
        scope: &Scope<'q>,
        piped: Option<Relation>,
    ) -> Result<Relation> {
        let row = crate::expr::Row::NONE;
        let inner = self.enter_function(callee, function, defined_in, scope, row, piped)?;
        let mut relation = self.table_expr(&function.body, &inner)?;
        relation.name = None;
        self.leave_function();
        Ok(relation)
    }

    /// Reads a table, within the query's timespan.
    pub(crate) fn scan(&mut self, table: HostTable, span: Span) -> Result<Relation> {
        let HostTable { table, source } = table;
        let columns = table.columns.iter().map(|column| {
            let visible = if column.hidden {
                Visible::ByName
            } else {
                Visible::Always
            };
            Column::new(&*column.name, column.ty, visible)
        });
        let columns: Vec<Column> = columns.collect();
        let mut relation = self.scan_source(source, columns, span)?;
        relation.name = Some(table.name.clone());
        if let Some((from, to)) = self.context.timespan
            && relation
                .column(TIME_GENERATED)
                .is_some_and(|column| column.ty == Type::Datetime)
        {
            let time = || Typed::column(TIME_GENERATED, Type::Datetime).expr;
            let from = binary_expr(time(), Operator::GtEq, Typed::datetime(Some(from)).expr);
            let to = binary_expr(time(), Operator::Lt, Typed::datetime(Some(to)).expr);
            relation = relation.filter(from.and(to), span)?;
        }
        Ok(relation)
    }

    fn datatable(&mut self, table: &ast::DataTable, span: Span) -> Result<Relation> {
        let width = table.columns.len();
        let mut names = crate::names::Names::new([]);
        for column in &table.columns {
            if names.has(&column.name.text) {
                let message = format!("the column `{}` is given twice", column.name.text);
                return Err(error(Code::Ambiguous, column.name.span, message));
            }
            names.unique(&column.name.text);
        }
        let mut cells: Vec<Vec<ScalarValue>> = vec![Vec::new(); width];
        for (index, value) in table.values.iter().enumerate() {
            let column = &table.columns[index % width];
            cells[index % width].push(self.cell(value, column.ty)?);
        }
        let columns: Vec<(String, Type, Vec<ScalarValue>)> = table
            .columns
            .iter()
            .zip(cells)
            .map(|(column, cells)| (column.name.text.clone(), column.ty, cells))
            .collect();
        self.values(columns, span)
    }

    /// A cell of a `datatable`: a constant that converts to the column's type.
    fn cell(&mut self, value: &ast::Expr, ty: Type) -> Result<ScalarValue> {
        let ExprKind::Literal(constant) = &value.kind else {
            return Err(error(Code::Constant, value.span, "expected a constant"));
        };
        let bound = crate::expr::literal(constant, value.span)?;
        let bound = match (bound.ty, ty, constant) {
            (from, to, _) if from == to => bound,
            // A null of any type is the null of the column's.
            (.., Literal::Dynamic(kql::value::Json::Null)) => Typed::null(ty),
            _ if bound.constant().is_some_and(ScalarValue::is_null) => Typed::null(ty),
            (Type::Long | Type::Real | Type::Int, Type::Bool, _) => {
                self.invoke("tobool", vec![bound], value.span)?
            }
            (Type::Real, Type::Long, _) => self.invoke("tolong", vec![bound], value.span)?,
            (Type::Real | Type::Long, Type::Int, _) => {
                self.invoke("toint", vec![bound], value.span)?
            }
            // Text is read as what the column holds.
            (Type::String, _, _) if ty != Type::Dynamic => {
                self.invoke(crate::expr::conversion(ty), vec![bound], value.span)?
            }
            (Type::Long, Type::Datetime | Type::Timespan, _) => {
                self.invoke(crate::expr::conversion(ty), vec![bound], value.span)?
            }
            _ => self.convert(bound, ty, value.span)?,
        };
        match bound.constant() {
            Some(value) => Ok(value.clone()),
            None => Err(error(Code::Constant, value.span, "expected a constant")),
        }
    }

    /// Rows that the query itself holds, in their order.
    pub(crate) fn values(
        &mut self,
        columns: Vec<(String, Type, Vec<ScalarValue>)>,
        span: Span,
    ) -> Result<Relation> {
        let rows = columns.first().map_or(0, |(_, _, cells)| cells.len());
        let mut fields = Vec::with_capacity(columns.len() + 1);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len() + 1);
        let mut relation_columns = Vec::with_capacity(columns.len() + 1);
        for (name, ty, cells) in columns {
            fields.push(schema::arrow::field(&name, ty));
            arrays.push(match cells.is_empty() {
                true => arrow::array::new_empty_array(&data_type(ty)),
                false => ScalarValue::iter_to_array(cells).at(span)?,
            });
            relation_columns.push(Column::new(name, ty, Visible::Always));
        }
        fields.push(Field::new(PLACE, data_type(Type::Long), true));
        arrays.push(Arc::new(arrow::array::Int64Array::from_iter_values(
            0..rows as i64,
        )));
        relation_columns.push(Column::new(PLACE, Type::Long, Visible::Never));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch =
            RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
                .map_err(datafusion_common::DataFusionError::from)
                .at(span)?;
        let source = self.host.values(batch);
        let mut relation = self.scan_source(source, relation_columns, span)?;
        relation.order = vec![OrderKey {
            field: PLACE.into(),
            ascending: true,
            nulls_first: false,
        }];
        relation.total = true;
        Ok(relation)
    }

    /// One row of constants and expressions over none.
    pub(crate) fn single_row(&mut self, outputs: Vec<Output>, span: Span) -> Result<Relation> {
        let plan = LogicalPlanBuilder::empty(true).build().at(span)?;
        let row = Relation::new(plan, Vec::new(), self.fields.clone());
        if outputs.is_empty() {
            return Ok(row);
        }
        row.project(outputs, span)
    }

    /// A scan whose fields bear the columns' names, unqualified.
    fn scan_source(
        &self,
        source: Arc<dyn TableSource>,
        columns: Vec<Column>,
        span: Span,
    ) -> Result<Relation> {
        let exprs: Vec<Expr> = columns
            .iter()
            .map(|column| {
                let scan = TableReference::bare(SCAN);
                let field = datafusion_common::Column::new(Some(scan), &column.field);
                Expr::Column(field).alias(&column.field)
            })
            .collect();
        let plan = LogicalPlanBuilder::scan(SCAN, source, None)
            .and_then(|builder| builder.project(exprs))
            .and_then(LogicalPlanBuilder::build)
            .at(span)?;
        Ok(Relation::new(plan, columns, self.fields.clone()))
    }

    /// An operator that makes rows itself.
    fn source_operator<'q>(
        &mut self,
        operator: &'q ast::Operator,
        scope: &Scope<'q>,
    ) -> Result<Relation> {
        use ast::OperatorKind as Kind;
        match &operator.kind {
            Kind::Print(columns) => operators::print::bind(self, columns, operator.span, scope),
            Kind::Range(range) => operators::range::bind(self, range, operator.span, scope),
            Kind::Union(union) => operators::union::bind(self, union, operator.span, scope, None),
            Kind::Search(search) => {
                operators::search::bind(self, search, operator.span, scope, None)
            }
            Kind::Find(_) => Err(unsupported(operator.keyword, "`find`")),
            Kind::MacroExpand(..) => Err(unsupported(operator.keyword, "`macro-expand`")),
            _ => Err(error(
                Code::Semantic,
                operator.keyword,
                "this operator needs rows to work on",
            )),
        }
    }

    /// An operator on rows. `as` puts a name into scope for the operators after it.
    fn operator<'q>(
        &mut self,
        operator: &'q ast::Operator,
        input: Relation,
        scope: &mut Scope<'q>,
    ) -> Result<Relation> {
        let span = operator.span;
        if let ast::OperatorKind::As(naming) = &operator.kind {
            *scope = scope.with(
                &naming.name.text,
                Binding::Relation(Box::new(input.clone())),
            );
            return Ok(Relation {
                name: Some(naming.name.text.clone()),
                ..input
            });
        }
        operators::bind(self, operator, input, scope, span)
    }
}

/// The field that keeps the order of rows that a query holds itself.
const PLACE: &str = "#place";

/// Whether a function may be named as a table is.
pub(crate) fn is_view(function: &ast::Function) -> bool {
    function.view && function.parameters.is_empty()
}

/// `… | as name` as the last operator names the rows for a `union`.
fn named_by_as(pipeline: &ast::Pipeline) -> Option<String> {
    pipeline
        .operators
        .iter()
        .rev()
        .find_map(|operator| match &operator.kind {
            ast::OperatorKind::As(naming) => Some(naming.name.text.clone()),
            _ => None,
        })
}

/// A constant literal of a null, for columns that a leg of a union lacks.
pub(crate) fn missing(ty: Type) -> Typed {
    Typed::new(lit(crate::typed::null_value(ty)), ty)
}
