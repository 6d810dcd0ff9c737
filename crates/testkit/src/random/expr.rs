//! Random expressions of a type.

use kql::Type;

use super::Random;
use super::shape::Flow;

/// How deep expressions are nested.
pub(super) const DEPTH: usize = 2;

/// Words to look for in strings.
const NEEDLES: [&str; 13] = [
    "a", "b", "error", "ERROR", "gpu", "gpu-1", "one", "", "é", "東京", "x_y", "pad", "2",
];

/// An expression of a type over the columns of some rows.
pub(super) fn expr(random: &mut Random, flow: &Flow, ty: Type, depth: usize) -> String {
    if depth == 0 || random.chance(25) {
        return leaf(random, flow, ty);
    }
    if random.chance(12) {
        return choice(random, flow, ty, depth - 1);
    }
    let depth = depth - 1;
    match ty {
        Type::Bool => predicate(random, flow, depth),
        Type::Int => match random.below(3) {
            0 => format!("toint({})", expr(random, flow, Type::Real, depth)),
            1 => format!("toint({})", expr(random, flow, Type::Long, depth)),
            _ => leaf(random, flow, ty),
        },
        Type::Long => long(random, flow, depth),
        Type::Real => real(random, flow, depth),
        Type::Decimal => match random.below(3) {
            0 => format!("({} + decimal(1.25))", leaf(random, flow, ty)),
            1 => format!("todecimal({})", leaf(random, flow, Type::Int)),
            _ => format!("({} - {})", leaf(random, flow, ty), leaf(random, flow, ty)),
        },
        Type::String => string(random, flow, depth),
        Type::Datetime => datetime(random, flow, depth),
        Type::Timespan => timespan(random, flow, depth),
        Type::Dynamic => dynamic(random, flow, depth),
        Type::Guid => format!("toguid(tostring({}))", leaf(random, flow, ty)),
    }
}

/// A column or a constant.
fn leaf(random: &mut Random, flow: &Flow, ty: Type) -> String {
    if random.chance(75)
        && let Some(column) = flow.column(random, |field| field.ty == ty)
    {
        return column.name.clone();
    }
    constant(random, ty)
}

fn constant(random: &mut Random, ty: Type) -> String {
    let number = random.below(24) as i64 - 6;
    match ty {
        Type::Bool => random.pick(&["true", "false", "bool(null)"]).to_owned(),
        Type::Int if random.chance(10) => "int(null)".to_owned(),
        Type::Int => format!("int({number})"),
        Type::Long if random.chance(10) => "long(null)".to_owned(),
        Type::Long => format!("({number})"),
        Type::Real if random.chance(10) => "real(null)".to_owned(),
        Type::Real => format!("({number}.5)"),
        Type::Decimal => format!("decimal({number}.75)"),
        Type::String => format!("'{}'", random.pick(&NEEDLES)),
        Type::Datetime if random.chance(10) => "datetime(null)".to_owned(),
        Type::Datetime => format!("datetime(2026-01-0{} 06:30)", 1 + random.below(5)),
        Type::Timespan => format!("{}m", 1 + random.below(90)),
        Type::Dynamic => {
            let all = [
                "dynamic([1, 'a', null])",
                "dynamic({'a': 1})",
                "dynamic(null)",
                "dynamic(3)",
            ];
            random.pick(&all).to_owned()
        }
        Type::Guid => format!(
            "guid(00000003-1111-2222-3333-44444444444{})",
            random.below(4)
        ),
    }
}

/// One of two values of a type.
fn choice(random: &mut Random, flow: &Flow, ty: Type, depth: usize) -> String {
    let a = expr(random, flow, ty, depth);
    let b = expr(random, flow, ty, depth);
    match random.below(3) {
        0 => format!("iff({}, {a}, {b})", predicate(random, flow, depth)),
        1 => {
            let (p, q) = (predicate(random, flow, depth), predicate(random, flow, 0));
            format!("case({p}, {a}, {q}, {b}, {})", leaf(random, flow, ty))
        }
        _ if matches!(ty, Type::Dynamic) => a,
        _ => format!("coalesce({a}, {b})"),
    }
}

/// A predicate over the columns of some rows.
pub(super) fn predicate(random: &mut Random, flow: &Flow, depth: usize) -> String {
    if depth > 0 && random.chance(35) {
        let (p, q) = (
            predicate(random, flow, depth - 1),
            predicate(random, flow, depth - 1),
        );
        return match random.below(5) {
            0 | 1 => format!("({p} and {q})"),
            2 | 3 => format!("({p} or {q})"),
            _ => format!("not({p})"),
        };
    }
    match random.below(9) {
        0 | 1 => comparison(random, flow, depth),
        2 | 3 => text_test(random, flow, depth),
        4 => membership(random, flow),
        5 => null_test(random, flow, depth),
        6 => {
            let ty = [Type::Long, Type::Int, Type::Real, Type::Timespan][random.below(4)];
            let (low, high) = (constant(random, ty), constant(random, ty));
            let op = random.pick(&["between", "between", "!between"]);
            format!("({} {op} ({low} .. {high}))", expr(random, flow, ty, depth))
        }
        7 => leaf(random, flow, Type::Bool),
        _ => {
            let test = random.pick(&["isnan", "isinf", "isfinite"]);
            format!("{test}({})", expr(random, flow, Type::Real, depth))
        }
    }
}

fn comparison(random: &mut Random, flow: &Flow, depth: usize) -> String {
    let pairs = [
        (Type::Long, Type::Long),
        (Type::Long, Type::Int),
        (Type::Int, Type::Int),
        (Type::Int, Type::Real),
        (Type::Real, Type::Real),
        (Type::Datetime, Type::Datetime),
        (Type::Timespan, Type::Timespan),
        (Type::Decimal, Type::Decimal),
        (Type::String, Type::String),
        (Type::Guid, Type::Guid),
        (Type::Bool, Type::Bool),
    ];
    let (left, right) = pairs[random.below(pairs.len())];
    let op = match left {
        Type::String | Type::Guid | Type::Bool => random.pick(&["==", "!="]),
        _ => random.pick(&["==", "!=", "<", "<=", ">", ">="]),
    };
    let (a, b) = (expr(random, flow, left, depth), leaf(random, flow, right));
    format!("({a} {op} {b})")
}

fn text_test(random: &mut Random, flow: &Flow, depth: usize) -> String {
    let ops = [
        "=~",
        "!~",
        "has",
        "!has",
        "has_cs",
        "hasprefix",
        "hassuffix",
        "contains",
        "!contains",
        "contains_cs",
        "startswith",
        "startswith_cs",
        "!startswith",
        "endswith",
        "endswith_cs",
        "matches regex",
        "has_any",
        "has_all",
    ];
    let op = random.pick(&ops);
    let text = expr(random, flow, Type::String, depth);
    match op {
        "matches regex" => {
            let all = ["^[a-z]+$", "r+o", "[0-9]", "gpu-\\\\d", "^$"];
            format!("({text} matches regex '{}')", random.pick(&all))
        }
        "has_any" | "has_all" => {
            let (a, b) = (random.pick(&NEEDLES[..6]), random.pick(&NEEDLES[..6]));
            format!("({text} {op} ('{a}', '{b}'))")
        }
        _ => format!("({text} {op} '{}')", random.pick(&NEEDLES)),
    }
}

fn membership(random: &mut Random, flow: &Flow) -> String {
    let not = random.pick(&["", "", "!"]);
    match random.below(6) {
        0 | 1 => {
            let text = leaf(random, flow, Type::String);
            let tilde = random.pick(&["", "~"]);
            let (a, b) = (
                random.pick(&NEEDLES),
                random.pick(&["GPU-1", "A", "error one"]),
            );
            format!("({text} {not}in{tilde} ('{a}', '{b}', 'b'))")
        }
        2 => {
            let number = leaf(random, flow, Type::Int);
            format!("({number} {not}in (1, {}, 12))", random.below(20))
        }
        3 => {
            let (table, than) = (random.pick(&["A", "B"]), random.below(16));
            format!(
                "({} {not}in (({table} | where n > {than} | project k)))",
                leaf(random, flow, Type::String)
            )
        }
        _ => {
            let table = random.pick(&["A", "B", "C"]);
            let long = leaf(random, flow, Type::Long);
            format!("({long} {not}in (({table} | where k != 'a' | project n)))")
        }
    }
}

fn null_test(random: &mut Random, flow: &Flow, depth: usize) -> String {
    if random.chance(30) {
        let test = random.pick(&["isempty", "isnotempty"]);
        return format!("{test}({})", expr(random, flow, Type::String, depth));
    }
    let all = [
        Type::Int,
        Type::Long,
        Type::Real,
        Type::Datetime,
        Type::Bool,
        Type::Dynamic,
        Type::Guid,
    ];
    let ty = all[random.below(all.len())];
    let test = random.pick(&["isnull", "isnotnull"]);
    format!("{test}({})", expr(random, flow, ty, depth))
}

fn long(random: &mut Random, flow: &Flow, depth: usize) -> String {
    match random.below(12) {
        0 | 1 => {
            let op = random.pick(&["+", "-", "*", "/", "%"]);
            let ty = [Type::Long, Type::Int][random.below(2)];
            format!(
                "({} {op} {})",
                expr(random, flow, Type::Long, depth),
                leaf(random, flow, ty)
            )
        }
        2 => format!("strlen({})", expr(random, flow, Type::String, depth)),
        3 => {
            let ty = [
                Type::Real,
                Type::String,
                Type::Int,
                Type::Bool,
                Type::Dynamic,
            ][random.below(5)];
            format!("tolong({})", expr(random, flow, ty, depth))
        }
        4 => format!("array_length({})", expr(random, flow, Type::Dynamic, depth)),
        5 => {
            let text = expr(random, flow, Type::String, depth);
            format!(
                "indexof({text}, '{}')",
                random.pick(&["a", "o", "-", "one"])
            )
        }
        6 => format!(
            "bin({}, {})",
            expr(random, flow, Type::Long, depth),
            2 + random.below(9)
        ),
        7 => {
            let part = random.pick(&["hour", "day", "month", "year", "minute"]);
            format!(
                "tolong(datetime_part('{part}', {}))",
                expr(random, flow, Type::Datetime, depth)
            )
        }
        8 => format!("abs({})", leaf(random, flow, Type::Int)),
        9 => format!("(-{})", leaf(random, flow, Type::Int)),
        10 => {
            let (table, of) = (
                random.pick(&["A", "B"]),
                random.pick(&["max(n)", "count()", "min(id)"]),
            );
            format!(
                "({} + toscalar({table} | summarize {of}))",
                leaf(random, flow, Type::Long)
            )
        }
        _ => {
            let texts = [
                leaf(random, flow, Type::String),
                leaf(random, flow, Type::String),
            ];
            format!("string_size(strcat({}, {}))", texts[0], texts[1])
        }
    }
}

fn real(random: &mut Random, flow: &Flow, depth: usize) -> String {
    match random.below(8) {
        0 | 1 => {
            let op = random.pick(&["+", "-", "*", "/"]);
            let ty = [Type::Real, Type::Int, Type::Long][random.below(3)];
            format!(
                "({} {op} {})",
                expr(random, flow, Type::Real, depth),
                leaf(random, flow, ty)
            )
        }
        2 => {
            let ty = [Type::Long, Type::String, Type::Bool, Type::Dynamic][random.below(4)];
            format!("toreal({})", expr(random, flow, ty, depth))
        }
        3 => format!("round({}, 1)", leaf(random, flow, Type::Real)),
        4 => format!("abs({})", expr(random, flow, Type::Real, depth)),
        5 => format!("bin({}, 2.5)", leaf(random, flow, Type::Real)),
        6 => format!("({} / 7m)", expr(random, flow, Type::Timespan, depth)),
        _ => format!("sqrt({})", leaf(random, flow, Type::Real)),
    }
}

fn string(random: &mut Random, flow: &Flow, depth: usize) -> String {
    let text = expr(random, flow, Type::String, depth);
    match random.below(11) {
        0 => format!("strcat({text}, '-', {})", leaf(random, flow, Type::String)),
        1 => format!(
            "{}({text})",
            random.pick(&["tolower", "toupper", "reverse"])
        ),
        2 => format!(
            "substring({text}, {}, {})",
            random.below(4),
            1 + random.below(4)
        ),
        3 => format!(
            "replace_string({text}, '{}', '+')",
            random.pick(&["a", "o", "gpu"])
        ),
        4 => format!("extract('([a-z]+)-?([0-9]*)', {}, {text})", random.below(3)),
        5 => format!(
            "tostring(split({text}, '{}')[{}])",
            random.pick(&["-", " "]),
            random.below(2)
        ),
        6 => format!("trim('[ ab]+', {text})"),
        _ => {
            let all = [
                Type::Bool,
                Type::Int,
                Type::Long,
                Type::Datetime,
                Type::Timespan,
                Type::Guid,
                Type::Dynamic,
            ];
            let ty = all[random.below(all.len())];
            format!("tostring({})", expr(random, flow, ty, depth))
        }
    }
}

fn datetime(random: &mut Random, flow: &Flow, depth: usize) -> String {
    // Instants at the ends of what is kept would leave it.
    let inner = flow.column(random, |field| {
        field.ty == Type::Datetime && field.name == "t"
    });
    let instant = inner.map_or_else(
        || constant(random, Type::Datetime),
        |field| field.name.clone(),
    );
    match random.below(6) {
        0 => format!(
            "bin({instant}, {})",
            random.pick(&["1h", "1d", "7d", "15m"])
        ),
        1 => format!("({instant} + {})", random.pick(&["1h", "90s", "-3d"])),
        2 => {
            let unit = random.pick(&["startofday", "startofweek", "startofmonth", "startofyear"]);
            format!("{unit}({instant})")
        }
        3 => format!("{}({instant})", random.pick(&["endofday", "endofmonth"])),
        4 => format!("todatetime(tostring({instant}))"),
        _ => expr(random, flow, Type::Datetime, depth),
    }
}

fn timespan(random: &mut Random, flow: &Flow, depth: usize) -> String {
    match random.below(5) {
        0 => format!(
            "({} + {})",
            expr(random, flow, Type::Timespan, depth),
            constant(random, Type::Timespan)
        ),
        1 => format!(
            "({} * {})",
            leaf(random, flow, Type::Timespan),
            random.below(4)
        ),
        2 => format!(
            "bin({}, {})",
            leaf(random, flow, Type::Timespan),
            random.pick(&["10s", "1m"])
        ),
        3 => {
            let instant = flow.column(random, |f| f.ty == Type::Datetime && f.name == "t");
            let instant = instant.map_or("datetime(2026-01-02)", |field| field.name.as_str());
            format!("({instant} - datetime(2026-01-01))")
        }
        _ => format!("(-{})", leaf(random, flow, Type::Timespan)),
    }
}

fn dynamic(random: &mut Random, flow: &Flow, depth: usize) -> String {
    let value = leaf(random, flow, Type::Dynamic);
    match random.below(5) {
        0 if !value.starts_with("dynamic") => {
            format!("{value}.{}", random.pick(&["a", "b", "c.d"]))
        }
        1 if !value.starts_with("dynamic") => format!("{value}[{}]", random.below(3) as i64 - 1),
        2 => format!("split({}, '-')", expr(random, flow, Type::String, depth)),
        3 => {
            let ty = [Type::Long, Type::String, Type::Bool][random.below(3)];
            format!("pack_array({}, {value})", expr(random, flow, ty, depth))
        }
        4 => format!(
            "bag_pack('a', {}, 'q', {value})",
            leaf(random, flow, Type::Long)
        ),
        _ => value,
    }
}
