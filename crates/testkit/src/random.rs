//! Random tables and random queries over them, each decided by a seed.
//!
//! Queries are of the kind whose answer KQL fixes: what `take` or a tie would leave open is followed
//! by something that makes it one answer again.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, DurationNanosecondArray, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringViewArray, TimestampNanosecondArray,
};
use kql::Type;

use crate::TestTable;

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

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
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

/// A query over `A` and `B`.
pub fn query(random: &mut Random) -> String {
    let mut text = String::new();
    if random.chance(25) {
        let source = source(random);
        // Writing to a string can't fail.
        let _ = writeln!(text, "let V = {source}{};", filter(random));
        let rest = match random.below(3) {
            0 => format!("V | union (V | where {})", predicate(random)),
            1 => {
                "V | join kind=inner (V | summarize m = max(n) by k) on k | project-away k1".into()
            }
            _ => format!(
                "V | where id in ((V | where {} | project id))",
                predicate(random)
            ),
        };
        text.push_str(&rest);
    } else {
        text.push_str(&source(random));
    }
    for _ in 0..random.below(3) {
        text.push_str(&row_operator(random));
    }
    text.push_str(&last(random));
    text
}

fn source(random: &mut Random) -> String {
    let table = random.pick(&["A", "A", "B"]);
    match random.below(8) {
        0 => format!("union A, B{}", filter(random)),
        1 => format!(
            "union withsource = Source A, (B | where {})",
            predicate(random)
        ),
        2 => {
            let kind = random.pick(&[
                "inner",
                "leftouter",
                "rightouter",
                "fullouter",
                "leftsemi",
                "leftanti",
                "rightsemi",
                "rightanti",
            ]);
            let on = random.pick(&["k", "id", "i", "k, b", "t"]);
            let right = format!("B{}", filter(random));
            let columns = "id, k, s, i, n, x, b, t, d";
            format!(
                "A{} | join kind={kind} ({right}) on {on} | project {columns}",
                filter(random)
            )
        }
        // One survivor for each key, whichever: only the key is kept of the left side.
        3 => "A | project k | join (B) on k | project id, k, s, i, n, x, b, t, d".to_owned(),
        _ => table.to_owned(),
    }
}

fn filter(random: &mut Random) -> String {
    if random.chance(50) {
        format!(" | where {}", predicate(random))
    } else {
        String::new()
    }
}

fn predicate(random: &mut Random) -> String {
    let number = random.below(20) as i64 - 4;
    match random.below(16) {
        0 => format!("n > {number}"),
        1 => format!("i <= {number} and x != {number}.25"),
        2 => format!("k == '{}'", random.pick(&["a", "b", "", "gpu-1"])),
        3 => format!("s has '{}'", random.pick(&["error", "gpu", "a", "one"])),
        4 => "isnull(x) or b".to_owned(),
        5 => format!("t > datetime(2026-01-0{})", 1 + random.below(4)),
        6 => format!("n in ({number}, 3, 5) or k in~ ('A', 'GPU-2')"),
        7 => "not(b)".to_owned(),
        8 => format!("n between ({number} .. 12)"),
        9 => "isnotempty(s) and s !contains 'x'".to_owned(),
        10 => format!("d >= {number}s"),
        11 => format!("k in ((B | where n > {number} | project k))"),
        12 => format!("i !in ((A | where x < {number} | project i))"),
        13 => format!("x * 2 + n > {number}"),
        14 => format!("bin(t, 1d) == datetime(2026-01-0{})", 1 + random.below(4)),
        _ => format!("id % 3 == {}", random.below(3)),
    }
}

fn row_operator(random: &mut Random) -> String {
    match random.below(7) {
        0 => format!(" | where {}", predicate(random)),
        1 => " | extend n = n + 1, x = x / 2".to_owned(),
        2 => " | extend k = tolower(k), s = strcat(s, '-', k)".to_owned(),
        3 => " | extend n = iff(b, n, tolong(i))".to_owned(),
        4 => " | extend t = bin(t, 1h), d = d + 1s".to_owned(),
        5 => " | extend x = coalesce(x, toreal(n), 0.0)".to_owned(),
        _ => " | project id, k, s, i, n, x, b, t, d".to_owned(),
    }
}

const ALL: &str = "id, k, s, i, n, x, b, t, d";

fn last(random: &mut Random) -> String {
    match random.below(12) {
        0 => format!(" | project {ALL}"),
        1 => format!(" | sort by {ALL} | take {}", random.below(12)),
        2 => {
            let key = random.pick(&["n", "x", "t", "k", "i"]);
            let way = random.pick(&["asc", "desc", "asc nulls last", "desc nulls first"]);
            format!(" | top {} by {key} {way} | project {key}", random.below(15))
        }
        3 => format!(
            " | distinct {}",
            random.pick(&["k", "k, b", "s, i", "t", "b"])
        ),
        4 => " | count".to_owned(),
        5 => format!(" | take {} | count", random.below(30)),
        _ => format!(" | summarize {}{}", aggregates(random), groups(random)),
    }
}

fn aggregates(random: &mut Random) -> String {
    let all = [
        "c = count()",
        "ci = countif(n > 3)",
        "sn = sum(n)",
        "sx = sum(x)",
        "sd = sum(d)",
        "an = avg(n)",
        "ax = avg(x)",
        "ad = avg(d)",
        "mn = min(n)",
        "mx = max(x)",
        "mt = max(t)",
        "mk = min(k)",
        "mb = max(b)",
        "dc = dcount(k)",
        "dci = dcountif(s, n > 2)",
        "cd = count_distinct(i)",
        "st = stdev(x)",
        "va = variance(n)",
        "p = percentile(n, 50)",
        "ps = percentiles(x, 10, 90)",
        "pt = percentile(t, 75)",
        "si = sumif(n, b)",
        "ai = avgif(x, i > 0)",
        "mni = minif(n, b)",
        "mxi = maxif(x, i > 2)",
        "am = arg_max(id, k, n)",
        "an2 = arg_min(id, s)",
        "ml = array_length(make_list(n))",
        "ms = array_length(make_set(k))",
        "e = sum(n) / count()",
    ];
    let count = 1 + random.below(4);
    let mut picked: Vec<&str> = Vec::new();
    while picked.len() < count {
        let one = random.pick(&all);
        if !picked.contains(&one) {
            picked.push(one);
        }
    }
    picked.join(", ")
}

fn groups(random: &mut Random) -> String {
    match random.below(7) {
        0 => String::new(),
        1 => " by k".to_owned(),
        2 => " by b, i".to_owned(),
        3 => " by bin(t, 1d)".to_owned(),
        4 => " by g = strlen(s), k".to_owned(),
        5 => " by x".to_owned(),
        _ => " by bin(n, 5)".to_owned(),
    }
}
