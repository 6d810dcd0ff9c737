//! Aggregates: how each is computed, and how expressions over several of them are.
//!
//! Each call becomes one or more DataFusion aggregates, whose results an expression above turns into
//! KQL's: a sum of nothing is 0, an average of nothing is not a number, and so on. Parts that several
//! calls share, such as the sum under `avg` and under `sum`, are computed once.
//!
//! Reals are added in the order in which rows come, so that the last digits of their sums, averages
//! and variances may differ from one run to the next. All else is the same however rows are dealt.

mod bind;
mod compute;
mod sketches;

use std::cell::RefCell;

use datafusion_expr::Expr;
use kql::ast::Call;
use kql::{Span, Type};

use crate::relation::{Column, Relation};
use crate::typed::Typed;

/// What a `summarize` gathers while its expressions are bound.
pub(crate) struct Groups<'r> {
    /// The rows that are grouped.
    pub(crate) input: &'r Relation,
    /// The groups' columns.
    pub(crate) keys: Vec<Column>,
    /// What the rows are grouped by.
    pub(crate) by: Vec<Expr>,
    /// The DataFusion aggregates, each under the name of its field.
    parts: RefCell<Vec<(String, Expr)>>,
    /// Which rows count for the aggregates bound at present; all, if nothing is said.
    only: RefCell<Option<Expr>>,
}

impl<'r> Groups<'r> {
    pub(crate) fn new(input: &'r Relation, keys: Vec<Column>) -> Self {
        Self {
            input,
            keys,
            by: Vec::new(),
            parts: RefCell::default(),
            only: RefCell::default(),
        }
    }

    /// The group's column of that name.
    pub(crate) fn key(&self, name: &str) -> Option<Typed> {
        let key = self.keys.iter().find(|key| key.name == name)?;
        Some(key.value())
    }

    /// The column of a DataFusion aggregate, which is added if it is new.
    pub(crate) fn part(&self, aggregate: Expr) -> Expr {
        let aggregate = self.input.counted(aggregate);
        let aggregate = match &*self.only.borrow() {
            Some(predicate) => filtered(aggregate, predicate.clone()),
            None => aggregate,
        };
        let mut parts = self.parts.borrow_mut();
        let known = parts.iter().position(|(_, part)| *part == aggregate);
        let index = known.unwrap_or_else(|| {
            let name = self.input.fresh("#part");
            parts.push((name, aggregate));
            parts.len() - 1
        });
        crate::typed::column(&parts[index].0)
    }

    /// Binds aggregates for which only some rows count.
    pub(crate) fn only<T>(&self, predicate: Expr, bind: impl FnOnce() -> T) -> T {
        let before = self.only.replace(Some(predicate));
        let bound = bind();
        self.only.replace(before);
        bound
    }

    /// Whether an expression reads an aggregate.
    pub(crate) fn is_over_parts(&self, expr: &Expr) -> bool {
        let parts = self.parts.borrow();
        expr.column_refs()
            .iter()
            .any(|column| parts.iter().any(|(name, _)| *name == column.name))
    }

    /// The DataFusion aggregates.
    pub(crate) fn into_parts(self) -> Vec<(String, Expr)> {
        self.parts.into_inner()
    }
}

/// An aggregate for which only the rows that a predicate fits count.
pub(crate) fn filtered(aggregate: Expr, predicate: Expr) -> Expr {
    let Expr::AggregateFunction(mut call) = aggregate else {
        return aggregate;
    };
    let filter = match call.params.filter.take() {
        Some(filter) => filter.and(predicate),
        None => predicate,
    };
    call.params.filter = Some(Box::new(filter));
    Expr::AggregateFunction(call)
}

/// A column that an aggregate gives: `arg_max(a, b)` gives two.
pub(crate) struct AggregateOutput {
    /// The name that it has if none is said.
    pub(crate) name: Option<String>,
    pub(crate) value: Typed,
}

/// An aggregate and the prefix of the names of its columns.
struct Aggregate {
    name: &'static str,
    prefix: Prefix,
}

enum Prefix {
    /// `prefix_argument`.
    Is(&'static str),
    /// `prefix_argument_argument`.
    Two(&'static str),
    /// The argument's own name.
    Argument,
    /// It names its columns itself.
    Own,
}

const fn named(name: &'static str, prefix: &'static str) -> Aggregate {
    Aggregate {
        name,
        prefix: Prefix::Is(prefix),
    }
}

const AGGREGATES: &[Aggregate] = &[
    named("any", "any"),
    named("anyif", "anyif"),
    named("avg", "avg"),
    named("avgif", "avgif"),
    named("buildschema", "schema"),
    named("cnt", "cnt"),
    named("count", "count"),
    named("count_distinct", "count_distinct"),
    named("count_distinctif", "count_distinctif"),
    named("countif", "countif"),
    named("dcount", "dcount"),
    named("dcountif", "dcountif"),
    named("hll", "hll"),
    named("hll_if", "hll_if"),
    named("hll_merge", "hll_merge"),
    named("make_bag", "bag"),
    named("make_bag_if", "bag"),
    named("make_dictionary", "dictionary"),
    named("make_list", "list"),
    named("make_list_if", "list"),
    named("make_list_with_nulls", "list"),
    named("make_set", "set"),
    named("make_set_if", "set"),
    named("makelist", "list"),
    named("makeset", "set"),
    named("max", "max"),
    named("maxif", "maxif"),
    named("merge_tdigest", "merge_tdigests"),
    named("min", "min"),
    named("minif", "minif"),
    named("stdev", "stdev"),
    named("stdevif", "stdevif"),
    named("stdevp", "stdevp"),
    named("sum", "sum"),
    named("sumif", "sumif"),
    named("tdigest", "tdigest"),
    named("tdigest_merge", "merge_tdigests"),
    named("variance", "variance"),
    named("varianceif", "varianceif"),
    named("variancep", "variancep"),
    named("variancepif", "variancepif"),
    Aggregate {
        name: "arg_max",
        prefix: Prefix::Own,
    },
    Aggregate {
        name: "arg_min",
        prefix: Prefix::Own,
    },
    Aggregate {
        name: "argmax",
        prefix: Prefix::Own,
    },
    Aggregate {
        name: "argmin",
        prefix: Prefix::Own,
    },
    Aggregate {
        name: "binary_all_and",
        prefix: Prefix::Argument,
    },
    Aggregate {
        name: "binary_all_or",
        prefix: Prefix::Argument,
    },
    Aggregate {
        name: "binary_all_xor",
        prefix: Prefix::Argument,
    },
    Aggregate {
        name: "covariance",
        prefix: Prefix::Two("covariance"),
    },
    Aggregate {
        name: "covarianceif",
        prefix: Prefix::Two("covarianceif"),
    },
    Aggregate {
        name: "covariancep",
        prefix: Prefix::Two("covariancep"),
    },
    Aggregate {
        name: "covariancepif",
        prefix: Prefix::Two("covariancepif"),
    },
    Aggregate {
        name: "percentile",
        prefix: Prefix::Own,
    },
    Aggregate {
        name: "percentiles",
        prefix: Prefix::Own,
    },
    Aggregate {
        name: "percentiles_array",
        prefix: Prefix::Own,
    },
    Aggregate {
        name: "percentilesw",
        prefix: Prefix::Own,
    },
    Aggregate {
        name: "percentilesw_array",
        prefix: Prefix::Own,
    },
    Aggregate {
        name: "percentilew",
        prefix: Prefix::Own,
    },
    Aggregate {
        name: "take_any",
        prefix: Prefix::Own,
    },
    Aggregate {
        name: "take_anyif",
        prefix: Prefix::Argument,
    },
];

fn aggregate(name: &str) -> Option<&'static Aggregate> {
    AGGREGATES.iter().find(|aggregate| aggregate.name == name)
}

/// Whether a function is an aggregate.
pub(crate) fn is_aggregate(name: &str) -> bool {
    aggregate(name).is_some()
}

/// Whether a call is one of an aggregate. `hll_merge` and the like are functions of several values, and
/// aggregates of one.
pub(crate) fn is_aggregate_call(call: &Call) -> bool {
    let is_merge = matches!(
        call.name.text.as_str(),
        "hll_merge" | "merge_tdigest" | "tdigest_merge"
    );
    is_aggregate(&call.name.text) && !(is_merge && call.args.len() > 1)
}

/// The names of all aggregates.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    AGGREGATES.iter().map(|aggregate| aggregate.name)
}

/// What stands before `_` in the name of an aggregate's column.
pub(crate) fn result_prefix(name: &str) -> Option<&'static str> {
    match aggregate(name)?.prefix {
        Prefix::Is(prefix) | Prefix::Two(prefix) => Some(prefix),
        Prefix::Argument | Prefix::Own => None,
    }
}

/// How many arguments an aggregate's column is named after.
pub(crate) fn named_arguments(name: &str) -> usize {
    match aggregate(name).map(|aggregate| &aggregate.prefix) {
        Some(Prefix::Two(_)) => 2,
        _ => 1,
    }
}

/// Whether an aggregate's column is named as its argument.
pub(crate) fn is_named_after_argument(name: &str) -> bool {
    aggregate(name).is_some_and(|aggregate| matches!(aggregate.prefix, Prefix::Argument))
}

/// A value with the place it was written at.
pub(crate) type Spanned = (Typed, Span);

/// The types that have an order.
pub(crate) fn is_ordered(ty: Type) -> bool {
    ty != Type::Dynamic
}
