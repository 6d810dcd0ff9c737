//! Random tables and random queries over them, each decided by a seed.
//!
//! [`World`] is a few tables of random columns and a way to deal them over shards; [`query::query`]
//! writes a query over them whose types fit. What KQL leaves open (ties, which rows `take` takes, the
//! order of lists) a query either closes again, or says so in [`Asked`].

mod expr;
mod query;
mod relate;
mod shape;
mod summarize;
mod world;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, DurationNanosecondArray, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringViewArray, TimestampNanosecondArray,
};
use kql::Type;

use crate::TestTable;

pub use query::{Asked, Expect, query};
pub use shape::{Field, Flow, Same};
pub use world::{Source, World};

/// A stream of numbers that a seed decides.
#[derive(Clone, Debug)]
pub struct Random(u64);

/// Mixes the bits of a number (SplitMix64).
pub fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Random {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Whether something of that likelihood happens.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of some things; there must be one.
    pub fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }
}

/// The columns of the tables `A` and `B`. `id` tells rows apart.
const COLUMNS: [(&str, Type); 9] = [
    ("id", Type::Long),
    ("k", Type::String),
    ("s", Type::String),
    ("i", Type::Int),
    ("n", Type::Long),
    ("x", Type::Real),
    ("b", Type::Bool),
    ("t", Type::Datetime),
    ("d", Type::Timespan),
];

/// The tables `A` and `B`, of up to `rows_max` rows; one may be empty, a column may be all null.
pub fn tables(random: &mut Random, rows_max: usize) -> Vec<TestTable> {
    ["A", "B"].map(|name| table(random, name, rows_max)).into()
}

fn table(random: &mut Random, table_name: &str, rows_max: usize) -> TestTable {
    let rows = if random.chance(8) {
        0
    } else {
        1 + random.below(rows_max)
    };
    let columns: Vec<(String, Type)> = COLUMNS
        .iter()
        .map(|(name, ty)| ((*name).to_owned(), *ty))
        .collect();
    let fields: Vec<_> = columns
        .iter()
        .map(|(name, ty)| schema::arrow::field(name, *ty))
        .collect();
    // No row of one table has the id of one of the other.
    let first_id = if table_name == "A" { 0 } else { 1_000_000 };
    let arrays = COLUMNS
        .iter()
        .map(|(name, ty)| column(random, name, *ty, rows, first_id))
        .collect();
    let schema = Arc::new(arrow::datatypes::Schema::new(fields));
    let batch = RecordBatch::try_new(schema, arrays).expect("the arrays fit their columns");
    TestTable::new(table_name, &columns, &batch)
}

fn column(random: &mut Random, name: &str, ty: Type, rows: usize, first_id: i64) -> ArrayRef {
    let nulls = if random.chance(4) { 100 } else { 12 };
    let maybe = |random: &mut Random, value: i64| (!random.chance(nulls)).then_some(value);
    let small = |random: &mut Random| random.below(40) as i64 - 8;
    match (name, ty) {
        ("id", _) => Arc::new(Int64Array::from_iter_values(
            (0..rows as i64).map(|row| first_id + row),
        )),
        (_, Type::String) => {
            let words = [
                "",
                "a",
                "b",
                "Ab",
                "error one",
                "Error two",
                "gpu-1",
                "gpu-2",
                "x_y",
            ];
            let used = 2 + random.below(words.len() - 1);
            Arc::new(StringViewArray::from_iter_values(
                (0..rows).map(|_| words[random.below(used)]),
            ))
        }
        (_, Type::Int) => {
            let values = (0..rows).map(|_| {
                let value = small(random);
                maybe(random, value).map(|value| value as i32)
            });
            Arc::new(values.collect::<Int32Array>())
        }
        (_, Type::Long) => {
            let values = (0..rows).map(|_| {
                let value = small(random);
                maybe(random, value)
            });
            Arc::new(values.collect::<Int64Array>())
        }
        (_, Type::Real) => {
            let values = (0..rows).map(|_| {
                let value = small(random);
                maybe(random, value).map(|value| value as f64 / 4.0)
            });
            Arc::new(values.collect::<Float64Array>())
        }
        (_, Type::Bool) => {
            let values = (0..rows).map(|_| {
                let value = small(random);
                maybe(random, value).map(|value| value > 3)
            });
            Arc::new(values.collect::<BooleanArray>())
        }
        (_, Type::Datetime) => {
            let values = (0..rows).map(|_| {
                let hours = random.below(200) as i64;
                let nanos = 1_767_225_600_000_000_000 + hours * 1_800_000_000_000;
                maybe(random, nanos)
            });
            Arc::new(
                values
                    .collect::<TimestampNanosecondArray>()
                    .with_timezone("UTC"),
            )
        }
        _ => {
            let values = (0..rows).map(|_| {
                let value = small(random) * 1_500_000_000;
                maybe(random, value)
            });
            Arc::new(values.collect::<DurationNanosecondArray>())
        }
    }
}
