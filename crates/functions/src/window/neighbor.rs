//! Values of the rows before and after.

use arrow::array::{Array, ArrayRef, AsArray, UInt64Array};
use arrow::compute::{concat, take};
use arrow::datatypes::Int64Type;
use datafusion_common::Result;

pub(super) fn prev(values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    shifted(values, rows, usize::checked_sub)
}

pub(super) fn next(values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    shifted(values, rows, |row, offset| {
        row.checked_add(offset).filter(|place| *place < rows)
    })
}

/// Takes each row's value from another place, or the default where there is none.
fn shifted(
    values: &[ArrayRef],
    rows: usize,
    place: impl Fn(usize, usize) -> Option<usize>,
) -> Result<ArrayRef> {
    if rows == 0 {
        return Ok(values[0].slice(0, 0));
    }
    let offsets = values[1].as_primitive::<Int64Type>();
    let default = values[2].slice(0, 1);
    let all = concat(&[&*values[0], &*default])?;
    let places = (0..rows).map(|row| {
        let offset = usize::try_from(offsets.value(row)).unwrap_or(usize::MAX);
        place(row, offset).unwrap_or(rows) as u64
    });
    Ok(take(&all, &UInt64Array::from_iter_values(places), None)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array, Int64Array, StringViewArray};

    use super::*;

    fn shift(offset: i64, kernel: fn(&[ArrayRef], usize) -> Result<ArrayRef>) -> Vec<String> {
        let values: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "b", "c"]));
        let offsets: ArrayRef = Arc::new(Int64Array::from(vec![offset; 3]));
        let default: ArrayRef = Arc::new(StringViewArray::from(vec!["-"; 3]));
        let shifted = kernel(&[values, offsets, default], 3).expect("values");
        let shifted = shifted.as_string_view();
        (0..shifted.len())
            .map(|row| shifted.value(row).to_owned())
            .collect()
    }

    #[test]
    fn neighbors_beyond_the_ends_are_the_default() {
        assert_eq!(shift(1, prev), ["-", "a", "b"]);
        assert_eq!(shift(2, next), ["c", "-", "-"]);
        assert_eq!(shift(i64::MAX, prev), ["-", "-", "-"]);
        assert_eq!(shift(i64::MAX, next), ["-", "-", "-"]);
        assert_eq!(shift(0, next), ["a", "b", "c"]);
    }
}
