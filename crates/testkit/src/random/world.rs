//! Tables of random columns and rows, and a way to deal them over shards.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, DurationNanosecondArray, Float64Array, Int32Array,
    Int64Array, RecordBatch, StringViewArray, TimestampNanosecondArray,
};
use arrow::datatypes::Schema;
use kql::Type;
use kql::value::datetime::UNIX_EPOCH_TICKS;
use serde_json::json;

use super::Random;
use super::shape::{Field, Same};
use crate::reference::Value;
use crate::{Deal, TestTable};

/// Most rows of a table.
const ROWS_MAX: usize = 40;

/// The columns that a table may have beside `id`. `z` has a type that differs from table to table.
const COLUMNS: [(&str, Type); 19] = [
    ("k", Type::String),
    ("n", Type::Long),
    ("s", Type::String),
    ("i", Type::Int),
    ("j", Type::Int),
    ("m", Type::Long),
    ("x", Type::Real),
    ("w", Type::Real),
    ("b", Type::Bool),
    ("c", Type::Bool),
    ("t", Type::Datetime),
    ("u", Type::Datetime),
    ("d", Type::Timespan),
    ("g", Type::Guid),
    ("p", Type::Decimal),
    ("v", Type::Dynamic),
    ("l", Type::Dynamic),
    ("o", Type::Dynamic),
    ("z", Type::String),
];

/// Strings that cells hold.
pub(super) const WORDS: [&str; 18] = [
    "",
    "a",
    "b",
    "Ab",
    "error one",
    "Error two",
    "gpu-1",
    "GPU-2",
    "x_y",
    "É tat",
    "naïve 東京",
    " pad ",
    "0042",
    "true",
    "a=1;b=2",
    "line\nbreak",
    "🙂 ok",
    "2.5",
];

/// A table and its rows.
#[derive(Clone, Debug)]
pub struct Source {
    /// The table's name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<Field>,
    /// Its rows.
    pub rows: Vec<Vec<Value>>,
}

/// Some tables, and how they lie.
#[derive(Clone, Debug)]
pub struct World {
    /// The tables.
    pub sources: Vec<Source>,
    /// How many shards there are.
    pub shards: usize,
    /// Partitions that each computes with.
    pub partitions: usize,
    /// How rows are dealt.
    pub deal: Deal,
}

impl World {
    /// The world of a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(super::mix(seed ^ 0x0af1));
        let sources = ["A", "B", "C"]
            .iter()
            .enumerate()
            .map(|(index, name)| source(&mut random, name, index))
            .collect();
        let deal = match random.below(5) {
            0 => Deal::Even,
            1 => Deal::Skewed,
            2 => Deal::NullsApart(1 + random.below(4)),
            _ => Deal::Random(seed),
        };
        Self {
            sources,
            // Up to eight, more often few.
            shards: 1 + random.below(8).min(random.below(8)),
            partitions: 1 + random.below(2),
            deal,
        }
    }

    /// The tables as Arrow has them.
    pub fn tables(&self) -> Vec<TestTable> {
        self.sources.iter().map(Source::table).collect()
    }
}

fn source(random: &mut Random, name: &str, index: usize) -> Source {
    let field = |name: &str, ty| Field {
        name: name.to_owned(),
        ty,
        tame: !matches!(name, "w") && ty != Type::Dynamic,
        key: ty != Type::Dynamic,
        same: Same::Exact,
    };
    let mut columns = vec![field("id", Type::Long)];
    for (name, ty) in COLUMNS {
        let ty = match name {
            "z" => [Type::Long, Type::String, Type::Real][random.below(3)],
            _ => ty,
        };
        if matches!(name, "k" | "n") || random.chance(65) {
            columns.push(field(name, ty));
        }
    }
    let rows = if random.chance(8) {
        0
    } else {
        1 + random.below(ROWS_MAX)
    };
    // No row of one table has the id of one of another.
    let first_id = index as i64 * 1_000;
    let mut by_column = vec![
        (0..rows as i64)
            .map(|row| Value::Long(first_id + row))
            .collect(),
    ];
    for column in &columns[1..] {
        by_column.push(cells(random, column, rows));
    }
    let rows = (0..rows)
        .map(|row| {
            by_column
                .iter()
                .map(|cells: &Vec<Value>| cells[row].clone())
                .collect()
        })
        .collect();
    Source {
        name: name.to_owned(),
        columns,
        rows,
    }
}

/// The cells of a column: few different values, so that keys repeat.
fn cells(random: &mut Random, column: &Field, rows: usize) -> Vec<Value> {
    let most = if random.chance(20) { 5 } else { 4 };
    let nulls = [0, 12, 12, 40, 100][random.below(most)];
    let pool: Vec<Value> = (0..2 + random.below(9))
        .map(|_| value(random, column))
        .collect();
    (0..rows)
        .map(|_| {
            if column.ty != Type::String && random.chance(nulls) {
                return Value::Null;
            }
            pool[random.below(pool.len())].clone()
        })
        .collect()
}

fn value(random: &mut Random, column: &Field) -> Value {
    let small = random.below(40) as i64 - 8;
    let edge = random.chance(20);
    match (column.name.as_str(), column.ty) {
        (_, Type::Bool) => Value::Bool(small > 8),
        (_, Type::Int) if edge => Value::Int([i32::MIN, i32::MAX, 0, -1][random.below(4)]),
        (_, Type::Int) => Value::Int(small as i32),
        ("m", Type::Long) if edge => {
            Value::Long([i64::MIN, i64::MAX, (1 << 53) + 1, -1][random.below(4)])
        }
        (_, Type::Long) => Value::Long(small),
        ("w", Type::Real) => {
            let all = [
                1e300,
                f64::MAX,
                5e-324,
                0.1,
                1e-9,
                -123_456_789.123,
                2.5,
                0.5,
            ];
            Value::Real(all[random.below(all.len())])
        }
        (_, Type::Real) if edge => {
            Value::Real([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0][random.below(4)])
        }
        (_, Type::Real) => Value::Real(small as f64 / 4.0),
        (_, Type::Decimal) => Value::Decimal(i128::from(small) * 250_000_000_000_000_000),
        (_, Type::Datetime) => Value::Datetime(instant(random, column, edge)),
        (_, Type::Timespan) if edge => {
            Value::Timespan([1, -1, 864_000_000_001, 0][random.below(4)])
        }
        (_, Type::Timespan) => Value::Timespan(small * 15_000_000),
        (_, Type::Guid) => Value::Guid(format!(
            "0000000{}-1111-2222-3333-44444444444{}",
            small % 3 + 3,
            small.abs() % 4
        )),
        (name, Type::Dynamic) => dynamic(random, name, small),
        (_, Type::String) => Value::String(WORDS[random.below(WORDS.len())].to_owned()),
    }
}

/// 2026-01-01 and some half hours; of `u` also instants at the ends of what is kept.
fn instant(random: &mut Random, column: &Field, edge: bool) -> i64 {
    let start = 17_672_256_000_000_000 + UNIX_EPOCH_TICKS;
    if column.name == "u" && edge {
        let ends = [
            "1677-09-22T00:00:00Z",
            "2261-12-31T23:59:59.9999999Z",
            "1970-01-01T00:00:00Z",
            "2024-02-29T23:59:59.9999999Z",
        ];
        return kql::value::datetime::parse(random.pick(&ends)).expect("an instant");
    }
    start + random.below(200) as i64 * 18_000_000_000
}

fn dynamic(random: &mut Random, name: &str, small: i64) -> Value {
    let all = match name {
        "l" => vec![
            json!([]),
            json!([1, 2, 3]),
            json!([small, "a", null]),
            json!(["gpu-1", "b"]),
            json!([2.5, true, {"a": 1}]),
            json!([[1], [2, 3]]),
        ],
        "o" => vec![
            json!({}),
            json!({"a": small, "b": "x"}),
            json!({"a": "7", "c": {"d": [1, 2]}}),
            json!({"a": null, "b": 2.5}),
            json!({"a": true, "É": "u"}),
        ],
        _ => vec![
            json!(small),
            json!(2.5),
            json!("a"),
            json!("10"),
            json!(true),
            json!([1, "x"]),
            json!({"a": small}),
        ],
    };
    Value::Dynamic(all[random.below(all.len())].clone())
}

impl Source {
    /// The table as Arrow has it.
    pub fn table(&self) -> TestTable {
        let arrays: Vec<ArrayRef> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, field)| {
                let cells: Vec<&Value> = self.rows.iter().map(|row| &row[index]).collect();
                array(&cells, field.ty)
            })
            .collect();
        let columns: Vec<(String, Type)> = self
            .columns
            .iter()
            .map(|field| (field.name.clone(), field.ty))
            .collect();
        let fields: Vec<_> = columns
            .iter()
            .map(|(name, ty)| schema::arrow::field(name, *ty))
            .collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays);
        TestTable::new(
            &self.name,
            &columns,
            &batch.expect("the arrays fit their columns"),
        )
    }
}

/// What a value is, of one of its kinds.
macro_rules! of {
    ($cells:expr, $kind:ident, $value:ident => $result:expr) => {
        $cells.iter().map(|cell| match cell {
            Value::$kind($value) => Some($result),
            _ => None,
        })
    };
}

fn array(cells: &[&Value], ty: Type) -> ArrayRef {
    match ty {
        Type::Bool => Arc::new(of!(cells, Bool, v => *v).collect::<BooleanArray>()),
        Type::Int => Arc::new(of!(cells, Int, v => *v).collect::<Int32Array>()),
        Type::Long => Arc::new(of!(cells, Long, v => *v).collect::<Int64Array>()),
        Type::Real => Arc::new(of!(cells, Real, v => *v).collect::<Float64Array>()),
        Type::Decimal => {
            let values = of!(cells, Decimal, v => *v).collect::<Decimal128Array>();
            let (digits, scale) = (
                schema::arrow::DECIMAL_PRECISION,
                schema::arrow::DECIMAL_SCALE,
            );
            Arc::new(
                values
                    .with_precision_and_scale(digits, scale)
                    .expect("decimals fit"),
            )
        }
        Type::Datetime => Arc::new(
            of!(cells, Datetime, v => (*v - UNIX_EPOCH_TICKS) * 100)
                .collect::<TimestampNanosecondArray>()
                .with_timezone("UTC"),
        ),
        Type::Timespan => {
            Arc::new(of!(cells, Timespan, v => *v * 100).collect::<DurationNanosecondArray>())
        }
        Type::String => Arc::new(of!(cells, String, v => v.as_str()).collect::<StringViewArray>()),
        Type::Guid => Arc::new(of!(cells, Guid, v => v.as_str()).collect::<StringViewArray>()),
        Type::Dynamic => {
            Arc::new(of!(cells, Dynamic, v => v.to_string()).collect::<StringViewArray>())
        }
    }
}
