//! Functions that look back over all rows since the last restart.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, AsArray, BooleanArray, Int64Array,
    PrimitiveArray,
};
use arrow::compute::partition;
use arrow::datatypes::{
    DataType, Decimal128Type, DurationNanosecondType, Float64Type, Int32Type, Int64Type,
    TimestampNanosecondType,
};
use datafusion_common::{Result, internal_err};

use super::restarts;

fn is_true(array: &BooleanArray, row: usize) -> bool {
    array.is_valid(row) && array.value(row)
}

pub(super) fn number(_: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    Ok(Arc::new(Int64Array::from_iter_values(1..=rows as i64)))
}

pub(super) fn row_number(values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let (start, restart) = (values[0].as_primitive::<Int64Type>(), restarts(values, 1)?);
    let mut number = 0_i64;
    let numbers = (0..rows).map(|row| {
        number = if row == 0 || is_true(restart, row) {
            start.value(row)
        } else {
            number.wrapping_add(1)
        };
        number
    });
    Ok(Arc::new(Int64Array::from_iter_values(numbers)))
}

/// A null adds nothing; sums of whole numbers wrap.
pub(super) fn row_cumsum(values: &[ArrayRef], _: usize) -> Result<ArrayRef> {
    let restart = restarts(values, 1)?;
    let terms = &values[0];
    match terms.data_type() {
        DataType::Int32 => Ok(sums::<Int32Type>(terms, restart)),
        DataType::Int64 => Ok(sums::<Int64Type>(terms, restart)),
        DataType::Float64 => Ok(sums::<Float64Type>(terms, restart)),
        DataType::Duration(_) => Ok(sums::<DurationNanosecondType>(terms, restart)),
        DataType::Decimal128(..) => Ok(sums::<Decimal128Type>(terms, restart)),
        other => internal_err!("no sums of {other}"),
    }
}

fn sums<T: ArrowPrimitiveType>(terms: &ArrayRef, restart: &BooleanArray) -> ArrayRef {
    let terms = terms.as_primitive::<T>();
    let zero = T::Native::default();
    let mut sum = zero;
    let sums = (0..terms.len()).map(|row| {
        if is_true(restart, row) {
            sum = zero;
        }
        if terms.is_valid(row) {
            sum = sum.add_wrapping(terms.value(row));
        }
        sum
    });
    let sums = PrimitiveArray::<T>::from_iter_values(sums);
    Arc::new(sums.with_data_type(terms.data_type().clone()))
}

pub(super) fn row_rank_dense(values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let mut rank = 0;
    ranks(values, rows, |is_restart, is_other, _| {
        rank = match (is_restart, is_other) {
            (true, _) => 1,
            (false, true) => rank + 1,
            (false, false) => rank,
        };
        rank
    })
}

pub(super) fn row_rank_min(values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let mut rank = 0;
    ranks(values, rows, |is_restart, is_other, number| {
        if is_restart || is_other {
            rank = number;
        }
        rank
    })
}

/// A rank of each row: `rank` hears whether counting restarts, whether the term differs from that of
/// the row before, and the row's number since the restart.
fn ranks(
    values: &[ArrayRef],
    rows: usize,
    mut rank: impl FnMut(bool, bool, i64) -> i64,
) -> Result<ArrayRef> {
    let restart = restarts(values, 1)?;
    let mut ranks = Vec::with_capacity(rows);
    let mut number = 0;
    for run in partition(&values[..1])?.ranges() {
        for row in run.clone() {
            let is_restart = row == 0 || is_true(restart, row);
            number = if is_restart { 1 } else { number + 1 };
            ranks.push(rank(is_restart, row == run.start, number));
        }
    }
    Ok(Arc::new(Int64Array::from(ranks)))
}

/// The session that a row falls into, by the time at which it began.
///
/// <https://learn.microsoft.com/kusto/query/row-window-session-function>
pub(super) fn session(values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let times = values[0].as_primitive::<TimestampNanosecondType>();
    let longest = values[1].as_primitive::<DurationNanosecondType>();
    let gap = values[2].as_primitive::<DurationNanosecondType>();
    let restart = restarts(values, 3)?;
    let mut began: Option<i64> = None;
    let mut before: Option<i64> = None;
    let began_at = (0..rows).map(|row| {
        let time = times.is_valid(row).then(|| times.value(row));
        let reaches = |from: Option<i64>, distance: i64| match (time, from) {
            (Some(time), Some(from)) => i128::from(time) >= i128::from(from) + i128::from(distance),
            _ => false,
        };
        let is_new = began.is_none()
            || is_true(restart, row)
            || reaches(began, longest.value(row))
            || reaches(before, gap.value(row));
        if is_new || time.is_none() {
            began = time;
        }
        before = time;
        began
    });
    let began_at: PrimitiveArray<TimestampNanosecondType> = began_at.collect();
    Ok(Arc::new(began_at.with_data_type(times.data_type().clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bools(values: &[bool]) -> ArrayRef {
        Arc::new(BooleanArray::from(values.to_vec()))
    }

    fn longs(values: &[Option<i64>]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    fn read(array: &ArrayRef) -> Vec<i64> {
        array.as_primitive::<Int64Type>().values().to_vec()
    }

    #[test]
    fn sums_wrap_skip_nulls_and_restart() {
        let terms = longs(&[Some(i64::MAX), Some(1), None, Some(5)]);
        let restart = bools(&[false, false, false, true]);
        let sums = row_cumsum(&[terms, restart], 4).expect("sums");
        assert_eq!(read(&sums), [i64::MAX, i64::MIN, i64::MIN, 5]);
    }

    #[test]
    fn ranks_compare_neighbors_and_restart() {
        let terms = longs(&[Some(1), Some(1), None, None, Some(1), Some(1)]);
        let restart = bools(&[false, false, false, false, false, true]);
        let args = [terms, restart];
        let dense = row_rank_dense(&args, 6).expect("ranks");
        assert_eq!(read(&dense), [1, 1, 2, 2, 3, 1]);
        let least = row_rank_min(&args, 6).expect("ranks");
        assert_eq!(read(&least), [1, 1, 3, 3, 5, 1]);
    }

    #[test]
    fn no_rows_have_no_ranks() {
        let args = [longs(&[]), bools(&[])];
        assert!(read(&row_rank_dense(&args, 0).expect("ranks")).is_empty());
    }
}
