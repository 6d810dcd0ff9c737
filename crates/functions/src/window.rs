//! Window functions: what KQL computes over rows that are in order.
//!
//! Each takes all its arguments as columns, the restart among them, and is evaluated on all rows of
//! a partition at once. Plans hold them above the network only, so they need no name on shards.
//! <https://learn.microsoft.com/kusto/query/window-functions>

mod neighbor;
mod running;
pub mod scan;

use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, internal_err};
use datafusion_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion_expr::{PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl};

/// The window functions.
pub struct Windows {
    /// `kql_number()`: counts from 1.
    pub number: Arc<WindowUDF>,
    /// `kql_row_number(start, restart)`: counts from the start.
    pub row_number: Arc<WindowUDF>,
    /// `kql_row_cumsum(term, restart)`: the sum so far.
    pub row_cumsum: Arc<WindowUDF>,
    /// `kql_row_rank_dense(term, restart)`: how many different terms so far.
    pub row_rank_dense: Arc<WindowUDF>,
    /// `kql_row_rank_min(term, restart)`: the number of the first row that has the term.
    pub row_rank_min: Arc<WindowUDF>,
    /// `kql_row_window_session(time, longest, gap, restart)`: the time at which a session began.
    pub row_window_session: Arc<WindowUDF>,
    /// `kql_prev(value, offset, default)`: the value some rows before.
    pub prev: Arc<WindowUDF>,
    /// `kql_next(value, offset, default)`: the value some rows after.
    pub next: Arc<WindowUDF>,
}

static WINDOWS: LazyLock<Windows> = LazyLock::new(|| {
    use Returns::{Argument, Long, Number};
    Windows {
        number: udwf("kql_number", Number, running::number),
        row_number: udwf("kql_row_number", Long, running::row_number),
        row_cumsum: udwf("kql_row_cumsum", Argument, running::row_cumsum),
        row_rank_dense: udwf("kql_row_rank_dense", Long, running::row_rank_dense),
        row_rank_min: udwf("kql_row_rank_min", Long, running::row_rank_min),
        row_window_session: udwf("kql_row_window_session", Argument, running::session),
        prev: udwf("kql_prev", Argument, neighbor::prev),
        next: udwf("kql_next", Argument, neighbor::next),
    }
});

/// The window functions of ours.
pub fn windows() -> &'static Windows {
    &WINDOWS
}

/// A kernel: the arguments of all rows of a partition in, a value for each row out.
type Evaluate = fn(&[ArrayRef], usize) -> Result<ArrayRef>;

#[derive(Clone, Copy, Debug)]
enum Returns {
    /// A long, of no arguments.
    Number,
    Long,
    /// The type of the first argument.
    Argument,
}

fn udwf(name: &'static str, returns: Returns, evaluate: Evaluate) -> Arc<WindowUDF> {
    let signature = match returns {
        Returns::Number => Signature::nullary(Volatility::Immutable),
        _ => Signature::variadic_any(Volatility::Immutable),
    };
    Arc::new(WindowUDF::new_from_impl(KernelUdwf {
        name,
        returns,
        evaluate,
        signature,
    }))
}

#[derive(Debug)]
struct KernelUdwf {
    name: &'static str,
    returns: Returns,
    evaluate: Evaluate,
    signature: Signature,
}

// Names are unique, so they decide.
impl PartialEq for KernelUdwf {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for KernelUdwf {}

impl Hash for KernelUdwf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl WindowUDFImpl for KernelUdwf {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(
        &self,
        _: PartitionEvaluatorArgs<'_>,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(KernelEvaluator(self.evaluate)))
    }

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        let data_type = match (self.returns, args.get_input_field(0)) {
            (Returns::Number | Returns::Long, _) => DataType::Int64,
            (Returns::Argument, Some(field)) => field.data_type().clone(),
            (Returns::Argument, None) => return internal_err!("{} takes a value", self.name),
        };
        Ok(Arc::new(Field::new(args.name(), data_type, true)))
    }
}

#[derive(Debug)]
struct KernelEvaluator(Evaluate);

impl PartitionEvaluator for KernelEvaluator {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        (self.0)(values, rows)
    }
}

/// The argument that tells where counting begins anew.
fn restarts(values: &[ArrayRef], index: usize) -> Result<&BooleanArray> {
    match values.get(index).and_then(|array| array.as_boolean_opt()) {
        Some(restarts) => Ok(restarts),
        None => internal_err!("argument {index} is not a bool"),
    }
}
