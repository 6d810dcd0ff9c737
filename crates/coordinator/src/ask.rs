//! From a parsed query to a plan that can run.
//!
//! Binding may need rows first (`toscalar`, `in (T)`, `bag_unpack`): those subplans run here, on the
//! snapshot that the query itself reads, and the query is bound again with their rows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use engine::Session;
use futures::TryStreamExt;
use plan::{Bound, BoundQuery, Host, QueryContext};
use proto::failure::{Code, Failure};

/// The stack that parsing and binding may use: the deepest query that the parser takes needs a part
/// of it.
const STACK_BYTES: usize = 64 << 20;

/// A query that is ready to run.
pub struct Prepared {
    /// What it gives.
    pub bound: BoundQuery,
    /// The optimized logical plan.
    pub logical: LogicalPlan,
    /// What runs.
    pub physical: Arc<dyn ExecutionPlan>,
    /// Time spent on binding, optimizing and planning the query.
    pub planning: Duration,
    /// Time spent on what binding needed first.
    pub subqueries: Duration,
}

/// Parses a query. Costs no more than its text allows.
///
/// # Errors
/// All that is wrong with the text.
pub fn parse(text: &str) -> Result<kql::ast::Query, Failure> {
    let (query, diagnostics) = stacker::grow(STACK_BYTES, || kql::parse(text));
    if diagnostics.is_empty() {
        Ok(query)
    } else {
        Err(Failure::query(text, &diagnostics))
    }
}

/// What went wrong while a query ran, as callers understand it.
pub fn failure(error: &DataFusionError) -> Failure {
    crate::fail::of(error)
}

/// Binds and plans a query.
///
/// # Errors
/// What is wrong with the query, or with one of the subqueries that it needs first.
pub async fn prepare(
    session: &Session,
    text: &str,
    query: &kql::ast::Query,
    host: &dyn Host,
    context: &QueryContext,
    subquery_rows_max: usize,
) -> Result<Prepared, Failure> {
    let mut answers = Vec::new();
    let mut subqueries = Duration::ZERO;
    let began = Instant::now();
    let bound = loop {
        let bound = stacker::grow(STACK_BYTES, || plan::bind(query, host, context, &answers));
        match bound.map_err(|diagnostic| Failure::query(text, &[diagnostic]))? {
            Bound::Query(bound) => break bound,
            Bound::Needs(needs) => {
                let began = Instant::now();
                answers.push(collect(session, &needs.plan, subquery_rows_max).await?);
                subqueries += began.elapsed();
            }
        }
    };
    let failed = |error: DataFusionError| crate::fail::of(&error);
    let logical = session.optimize(&bound.plan).map_err(failed)?;
    let physical = session.plan(&bound.plan).await.map_err(failed)?;
    let planning = began.elapsed().saturating_sub(subqueries);
    Ok(Prepared {
        bound,
        logical,
        physical,
        planning,
        subqueries,
    })
}

/// All rows of a subquery.
async fn collect(
    session: &Session,
    plan: &LogicalPlan,
    rows_max: usize,
) -> Result<RecordBatch, Failure> {
    let failed = |error: DataFusionError| crate::fail::of(&error);
    let physical = session.plan(plan).await.map_err(failed)?;
    let mut stream = session.run(physical).map_err(failed)?;
    let schema = stream.schema();
    let mut batches = Vec::new();
    let mut rows = 0;
    while let Some(batch) = stream.try_next().await.map_err(failed)? {
        rows += batch.num_rows();
        if rows > rows_max {
            let message = format!("a subquery gives more than {rows_max} rows");
            return Err(Failure::new(Code::Resources, message));
        }
        batches.push(batch);
    }
    let all = arrow::compute::concat_batches(&schema, &batches);
    all.map_err(|error| crate::fail::of(&DataFusionError::from(error)))
}
