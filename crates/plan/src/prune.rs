//! What a predicate implies about its columns alone, so that statistics can rule rows out.
//!
//! Storage prunes by comparisons of a column with a constant. `bin(T, 1h) == t` is none, but it
//! implies one: `T` lies in the hour from `t` on. The implied comparisons are added to the predicate,
//! whose meaning stays the same.

use datafusion_common::ScalarValue;
use datafusion_expr::utils::split_conjunction;
use datafusion_expr::{BinaryExpr, Expr, Operator, binary_expr, lit};

const DAY: i64 = 86_400_000_000_000;

/// The longest calendar periods in nanoseconds, by the function that gives their start.
const PERIODS: [(&str, i64); 4] = [
    ("startofday", DAY),
    ("startofweek", 7 * DAY),
    ("startofmonth", 31 * DAY),
    ("startofyear", 366 * DAY),
];

/// The predicate with what it implies, the cheap comparisons first.
pub(crate) fn with_implied(predicate: Expr) -> Expr {
    let implied: Vec<Expr> = split_conjunction(&predicate)
        .into_iter()
        .flat_map(implied)
        .collect();
    implied
        .into_iter()
        .rev()
        .fold(predicate, |all, comparison| comparison.and(all))
}

fn implied(term: &Expr) -> Vec<Expr> {
    match term {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (&**left, &**right) {
            (call, Expr::Literal(bound, _)) => of_comparison(call, *op, bound),
            (Expr::Literal(bound, _), call) => match op.swap() {
                Some(op) => of_comparison(call, op, bound),
                None => Vec::new(),
            },
            _ => Vec::new(),
        },
        Expr::ScalarFunction(call) if call.name() == "kql___startswith_cs" => {
            match call.args.as_slice() {
                [column @ Expr::Column(_), Expr::Literal(prefix, _)] => of_prefix(column, prefix),
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

/// `call(column) op bound`.
fn of_comparison(call: &Expr, op: Operator, bound: &ScalarValue) -> Vec<Expr> {
    let (Expr::ScalarFunction(call), Some(at)) = (call, number(bound)) else {
        return Vec::new();
    };
    // Forms of a function end with their number.
    let name = call.name().strip_prefix("kql_").unwrap_or_default();
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let name = name.strip_suffix('_').unwrap_or(name);
    let compare = |column: &Expr, op: Operator, at: Option<i64>| {
        at.map(|at| binary_expr(column.clone(), op, lit(like(bound, at))))
    };
    match (name, call.args.as_slice()) {
        ("bin", [column @ Expr::Column(_), Expr::Literal(step, _)]) => match number(step) {
            Some(step) if step > 0 => of_start(column, op, at, step, &compare),
            _ => Vec::new(),
        },
        (name, [column @ Expr::Column(_)]) => {
            match PERIODS.iter().find(|(period, _)| *period == name) {
                Some((_, longest)) => of_start(column, op, at, *longest, &compare),
                None => Vec::new(),
            }
        }
        // Longs wrap, and then the comparison of the column says something else.
        ("__add", [column @ Expr::Column(_), Expr::Literal(shift, _)]) if is_time(bound, op) => {
            let shift = number(shift).and_then(|shift| at.checked_sub(shift));
            compare(column, op, shift).into_iter().collect()
        }
        (
            "__subtract",
            [
                column @ Expr::Column(_),
                Expr::Literal(shift @ ScalarValue::DurationNanosecond(_), _),
            ],
        ) if is_time(bound, op) => {
            let shift = number(shift).and_then(|shift| at.checked_add(shift));
            compare(column, op, shift).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Compares a column with a number, if there is one.
type Compare<'c> = dyn Fn(&Expr, Operator, Option<i64>) -> Option<Expr> + 'c;

/// `start op at`, where a column lies at its start or after it by less than `length`.
fn of_start(column: &Expr, op: Operator, at: i64, length: i64, compare: &Compare<'_>) -> Vec<Expr> {
    let from = || compare(column, Operator::GtEq, Some(at));
    let to = || compare(column, Operator::Lt, at.checked_add(length));
    match op {
        Operator::Eq => from().into_iter().chain(to()).collect(),
        Operator::Gt | Operator::GtEq => from().into_iter().collect(),
        Operator::Lt | Operator::LtEq => to().into_iter().collect(),
        _ => Vec::new(),
    }
}

/// A string that begins with a prefix lies at it or after it, and before the next one as long.
fn of_prefix(column: &Expr, prefix: &ScalarValue) -> Vec<Expr> {
    let Some(prefix) = prefix.try_as_str().flatten().filter(|p| !p.is_empty()) else {
        return Vec::new();
    };
    let text = |text: &str| lit(ScalarValue::Utf8View(Some(text.to_owned())));
    let from = binary_expr(column.clone(), Operator::GtEq, text(prefix));
    let mut next: Vec<char> = prefix.chars().collect();
    let last = next.pop().and_then(|last| {
        let after = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        after.map(|after| next.iter().chain([&after]).collect::<String>())
    });
    let to = last.map(|last| binary_expr(column.clone(), Operator::Lt, text(&last)));
    std::iter::once(from).chain(to).collect()
}

/// Whether a time is compared by an order.
fn is_time(bound: &ScalarValue, op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, Lt, LtEq};
    matches!(bound, ScalarValue::TimestampNanosecond(..))
        && matches!(op, Eq | Gt | GtEq | Lt | LtEq)
}

/// A datetime, a timespan or a long as a number.
fn number(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::TimestampNanosecond(number, _)
        | ScalarValue::DurationNanosecond(number)
        | ScalarValue::Int64(number) => *number,
        _ => None,
    }
}

/// A value of the same type as another.
fn like(other: &ScalarValue, number: i64) -> ScalarValue {
    match other {
        ScalarValue::TimestampNanosecond(_, zone) => {
            ScalarValue::TimestampNanosecond(Some(number), zone.clone())
        }
        ScalarValue::DurationNanosecond(_) => ScalarValue::DurationNanosecond(Some(number)),
        _ => ScalarValue::Int64(Some(number)),
    }
}
