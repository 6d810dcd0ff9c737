//! Random aggregates.

use kql::Type;

use super::Random;
use super::expr::{DEPTH, expr, predicate};
use super::shape::{Field, Flow, Same};

/// Adds a `summarize`.
pub(super) fn summarize(random: &mut Random, flow: &mut Flow) {
    let groups = groups(random, flow);
    let mut outputs: Vec<Field> = groups.iter().map(|(_, field)| field.clone()).collect();
    let mut parts = Vec::new();
    for number in 1..=1 + random.below(3) {
        // A name that is no column's, so that it is no group's either.
        let name = flow.fresh(["", "a", "b", "c"][number]);
        let (text, fields) = aggregate(random, flow, &name);
        if fields
            .iter()
            .any(|field| outputs.iter().any(|known| known.name == field.name))
        {
            continue;
        }
        parts.push(text);
        outputs.extend(fields);
    }
    let mut text = format!("summarize {}", parts.join(", "));
    if !groups.is_empty() {
        let by: Vec<&str> = groups.iter().map(|(text, _)| text.as_str()).collect();
        text.push_str(&format!(" by {}", by.join(", ")));
    }
    flow.pipe(&text);
    flow.columns = outputs;
    flow.id = None;
}

fn groups(random: &mut Random, flow: &Flow) -> Vec<(String, Field)> {
    let mut groups: Vec<(String, Field)> = Vec::new();
    for number in 1..=[0, 1, 1, 1, 2][random.below(5)] {
        let name = flow.fresh(["", "g", "h"][number]);
        let computed = |text: String, ty| (format!("{name} = {text}"), Field::computed(&name, ty));
        let group = match random.below(8) {
            0 => computed(expr(random, flow, Type::Long, 1), Type::Long),
            1 => computed(expr(random, flow, Type::String, DEPTH), Type::String),
            2 => computed(expr(random, flow, Type::Datetime, 1), Type::Datetime),
            3 => computed(predicate(random, flow, 0), Type::Bool),
            _ => match flow.column(random, |field| field.key) {
                Some(field) => (field.name.clone(), field.clone()),
                None => continue,
            },
        };
        if !groups.iter().any(|(_, known)| known.name == group.1.name) {
            groups.push(group);
        }
    }
    groups
}

/// An aggregate and its columns.
fn aggregate(random: &mut Random, flow: &Flow, name: &str) -> (String, Vec<Field>) {
    match random.below(10) {
        0 => {
            let p = predicate(random, flow, 1);
            let text = random.pick(&["count()", "countif"]);
            let text = if text == "countif" {
                format!("countif({p})")
            } else {
                text.to_owned()
            };
            (
                format!("{name} = {text}"),
                vec![Field::computed(name, Type::Long)],
            )
        }
        1 | 2 => sum(random, flow, name),
        3 | 4 => extreme(random, flow, name),
        5 => distinct(random, flow, name),
        6 => spread(random, flow, name),
        7 => list(random, flow, name),
        8 => picked(random, flow, name),
        _ => {
            let value = tame(random, flow);
            let field = Field::computed(name, Type::Real);
            (
                format!("{name} = sum({value}) * 1.0 / count()"),
                vec![field],
            )
        }
    }
}

/// A number whose sums are exact in any order.
fn tame(random: &mut Random, flow: &Flow) -> String {
    let number = flow.column(random, |field| {
        field.tame && matches!(field.ty, Type::Int | Type::Long | Type::Real) && field.name != "m"
    });
    number.map_or_else(|| "1".to_owned(), |field| field.name.clone())
}

fn sum(random: &mut Random, flow: &Flow, name: &str) -> (String, Vec<Field>) {
    let field = flow.column(random, |field| {
        field.tame
            && !matches!(
                field.ty,
                Type::Bool | Type::String | Type::Datetime | Type::Guid
            )
    });
    let (value, ty) = match field {
        Some(field) if random.chance(75) => (field.name.clone(), field.ty),
        _ => (expr(random, flow, Type::Long, 1), Type::Long),
    };
    let ty = if ty == Type::Int { Type::Long } else { ty };
    let average = random.chance(50);
    let ty = if average && ty == Type::Long {
        Type::Real
    } else {
        ty
    };
    let base = if average { "avg" } else { "sum" };
    let text = if random.chance(30) {
        format!("{name} = {base}if({value}, {})", predicate(random, flow, 1))
    } else {
        format!("{name} = {base}({value})")
    };
    // A quotient is exact, and sums of it are not.
    let mut field = Field::computed(name, ty);
    field.tame = !average && ty != Type::Real;
    (text, vec![field])
}

fn extreme(random: &mut Random, flow: &Flow, name: &str) -> (String, Vec<Field>) {
    let Some(field) = flow.column(random, |field| field.key && field.ty != Type::Guid) else {
        return (
            format!("{name} = count()"),
            vec![Field::computed(name, Type::Long)],
        );
    };
    let base = random.pick(&["min", "max"]);
    let text = if random.chance(25) {
        format!(
            "{name} = {base}if({}, {})",
            field.name,
            predicate(random, flow, 1)
        )
    } else {
        format!("{name} = {base}({})", field.name)
    };
    (text, vec![field.named(name)])
}

fn distinct(random: &mut Random, flow: &Flow, name: &str) -> (String, Vec<Field>) {
    let column = flow.column(random, |field| field.key);
    let value = column.map_or_else(|| "1".to_owned(), |field| field.name.clone());
    let base = random.pick(&["dcount", "count_distinct", "count_distinct"]);
    let text = if random.chance(25) {
        format!("{name} = {base}if({value}, {})", predicate(random, flow, 1))
    } else {
        format!("{name} = {base}({value})")
    };
    (text, vec![Field::computed(name, Type::Long)])
}

fn spread(random: &mut Random, flow: &Flow, name: &str) -> (String, Vec<Field>) {
    let value = tame(random, flow);
    let near = |name: &str| Field::computed(name, Type::Real).same(Same::Near);
    if random.chance(50) {
        let base = random.pick(&["stdev", "stdevp", "variance", "variancep"]);
        if !base.ends_with('p') && random.chance(30) {
            let text = format!("{name} = {base}if({value}, {})", predicate(random, flow, 1));
            return (text, vec![near(name)]);
        }
        return (format!("{name} = {base}({value})"), vec![near(name)]);
    }
    if random.chance(20)
        && let Some(field) = flow.column(random, |field| field.tame && field.ty == Type::Long)
    {
        // Several percentiles name their columns themselves.
        let columns = ["20", "80"].map(|p| format!("percentile_{}_{p}", field.name));
        let text = format!("percentiles({}, 20, 80)", field.name);
        return (
            text,
            columns
                .map(|name| Field::computed(&name, Type::Long))
                .into(),
        );
    }
    let fits = |field: &Field| matches!(field.ty, Type::Long | Type::Datetime | Type::Timespan);
    let p = random.pick(&["0", "10", "50", "90", "100"]);
    match flow.column(random, |field| field.tame && fits(field)) {
        Some(field) => {
            let text = format!("{name} = percentile({}, {p})", field.name);
            (text, vec![Field::computed(name, field.ty)])
        }
        None => (
            format!("{name} = percentile({value} * 1.0, {p})"),
            vec![near(name)],
        ),
    }
}

fn list(random: &mut Random, flow: &Flow, name: &str) -> (String, Vec<Field>) {
    let Some(column) = flow.column(random, |_| true) else {
        return (
            format!("{name} = count()"),
            vec![Field::computed(name, Type::Long)],
        );
    };
    let field = Field::computed(name, Type::Dynamic).same(Same::List);
    let value = &column.name;
    let text = match random.below(6) {
        0 => format!(
            "{name} = make_list_if({value}, {})",
            predicate(random, flow, 0)
        ),
        1 if column.ty != Type::Dynamic => format!("{name} = make_set({value})"),
        2 if column.ty != Type::Dynamic => {
            format!(
                "{name} = make_set_if({value}, {})",
                predicate(random, flow, 0)
            )
        }
        3 => {
            // Equal keys have equal values, so that it does not matter which comes last.
            let text = expr(random, flow, Type::String, 1);
            let field = Field::computed(name, Type::Dynamic);
            return (
                format!("{name} = make_bag(bag_pack({text}, 1))"),
                vec![field],
            );
        }
        4 if column.ty != Type::Dynamic => format!("{name} = make_list_with_nulls({value})"),
        _ => format!("{name} = make_list({value})"),
    };
    (text, vec![field])
}

/// The row with the least or greatest id, which is one row only.
fn picked(random: &mut Random, flow: &Flow, name: &str) -> (String, Vec<Field>) {
    let (Some(id), Some(other)) = (&flow.id, flow.column(random, |_| true)) else {
        return (
            format!("{name} = count()"),
            vec![Field::computed(name, Type::Long)],
        );
    };
    let base = random.pick(&["arg_min", "arg_max"]);
    let second = format!("{name}_v");
    let text = format!("({name}, {second}) = {base}({id}, {})", other.name);
    (
        text,
        vec![Field::computed(name, Type::Long), other.named(&second)],
    )
}
