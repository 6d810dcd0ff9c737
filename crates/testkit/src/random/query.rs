//! Random queries.

use kql::Type;

use super::expr::{DEPTH, expr, predicate};
use super::relate::{join, source, table, twice, unite};
use super::shape::{Field, Flow, Same};
use super::summarize::summarize;
use super::{Random, World};

/// What the answer to a query must be.
#[derive(Clone, Debug)]
pub enum Expect {
    /// The same rows wherever they lie.
    Rows,
    /// So many rows of another query's, whichever, or all if there are fewer.
    AnyOf(String, usize),
}

/// A query and what is known of its answer.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The query.
    pub text: String,
    /// What its answer must be.
    pub expect: Expect,
    /// Its columns, for how their cells agree.
    pub columns: Vec<Field>,
    /// The rows that a predicate over them splits in three, and the predicate.
    pub split: (String, String),
}

/// Writes a query over the tables of a world.
pub fn query(random: &mut Random, world: &World) -> Asked {
    let mut prelude = String::new();
    let mut flow = source(random, world);
    if random.chance(20) {
        flow.retain(|field| field.same == Same::Exact);
        prelude = format!("let V = {};\n", flow.text);
        flow = twice(random, &flow);
    }
    for _ in 0..random.below(4) {
        row_operator(random, &mut flow, world);
    }
    let split = (
        format!("{prelude}{}", flow.text),
        predicate(random, &flow, DEPTH),
    );
    let expect = last(random, &mut flow, &prelude);
    Asked {
        text: format!("{prelude}{}", flow.text),
        expect,
        columns: flow.columns,
        split,
    }
}

fn row_operator(random: &mut Random, flow: &mut Flow, world: &World) {
    match random.below(15) {
        0 | 1 => {
            let p = predicate(random, flow, DEPTH);
            flow.pipe(&format!("where {p}"));
        }
        2..=4 => extend(random, flow),
        5 | 6 => project(random, flow),
        7 => rename(random, flow),
        8 => expand(random, flow),
        9 => parse(random, flow),
        10 => {
            let take = 5 + random.below(20);
            sorted(random, flow, Some(take));
        }
        11 => summarize(random, flow),
        12 | 13 => {
            let mut right = table(random, world);
            if random.chance(50) {
                summarize(random, &mut right);
            }
            *flow = join(random, flow.clone(), right);
        }
        _ => unite(random, flow, world),
    }
}

const TYPES: [Type; 9] = [
    Type::Bool,
    Type::Int,
    Type::Long,
    Type::Long,
    Type::Real,
    Type::String,
    Type::Datetime,
    Type::Timespan,
    Type::Dynamic,
];

fn computed(random: &mut Random, flow: &Flow, name: &str) -> (String, Field) {
    let ty = TYPES[random.below(TYPES.len())];
    let text = expr(random, flow, ty, DEPTH);
    (format!("{name} = {text}"), Field::computed(name, ty))
}

fn extend(random: &mut Random, flow: &mut Flow) {
    let mut parts = Vec::new();
    let mut fields: Vec<Field> = Vec::new();
    for _ in 0..1 + random.below(2) {
        let known = flow.column(random, |field| Some(&field.name) != flow.id.as_ref());
        let name = match known {
            // `t` stays an instant that can be moved.
            Some(field) if random.chance(30) && field.name != "t" => field.name.clone(),
            _ => flow.fresh(if fields.is_empty() { "e" } else { "f" }),
        };
        if fields.iter().any(|field| field.name == name) {
            continue;
        }
        let (text, field) = computed(random, flow, &name);
        parts.push(text);
        fields.push(field);
    }
    flow.pipe(&format!("extend {}", parts.join(", ")));
    for field in fields {
        flow.set(field);
    }
}

fn project(random: &mut Random, flow: &mut Flow) {
    let kept = |random: &mut Random, flow: &Flow| -> Vec<String> {
        let all = flow.columns.iter().map(|field| field.name.clone());
        all.filter(|name| name == "id" || random.chance(70))
            .collect()
    };
    let names = kept(random, flow);
    if names.is_empty() || names.len() == flow.columns.len() {
        return;
    }
    match random.below(3) {
        0 => {
            let gone: Vec<&str> = flow
                .columns
                .iter()
                .map(|field| field.name.as_str())
                .filter(|name| !names.iter().any(|kept| kept == name))
                .collect();
            let text = format!("project-away {}", gone.join(", "));
            flow.pipe(&text);
            flow.retain(|field| names.contains(&field.name));
        }
        1 => {
            flow.pipe(&format!("project-keep {}", names.join(", ")));
            flow.retain(|field| names.contains(&field.name));
        }
        _ => {
            let (text, field) = computed(random, flow, &flow.fresh("p"));
            flow.pipe(&format!("project {}, {text}", names.join(", ")));
            flow.retain(|field| names.contains(&field.name));
            flow.columns.push(field);
        }
    }
}

fn rename(random: &mut Random, flow: &mut Flow) {
    let Some(old) = flow
        .column(random, |_| true)
        .map(|field| field.name.clone())
    else {
        return;
    };
    let new = flow.fresh("r");
    flow.pipe(&format!("project-rename {new} = {old}"));
    for field in &mut flow.columns {
        if field.name == old {
            field.name.clone_from(&new);
        }
    }
    if flow.id.as_ref() == Some(&old) {
        flow.id = Some(new);
    }
}

fn expand(random: &mut Random, flow: &mut Flow) {
    let list = flow.column(random, |field| field.ty == Type::Dynamic);
    let Some(list) = list.map(|field| field.name.clone()) else {
        return;
    };
    let ty = [Type::Dynamic, Type::Long, Type::String][random.below(3)];
    let name = flow.fresh("x");
    let to = match ty {
        Type::Dynamic => String::new(),
        ty => format!(" to typeof({ty})"),
    };
    let text = match random.below(3) {
        0 => format!("mv-expand {name} = pack_array({list}, 'q', 7){to}"),
        _ => format!("mv-expand {name} = {list}{to}"),
    };
    flow.pipe(&text);
    flow.columns.push(Field::computed(&name, ty));
    flow.id = None;
}

fn parse(random: &mut Random, flow: &mut Flow) {
    let text = flow.column(random, |field| field.ty == Type::String);
    let Some(text) = text.map(|field| field.name.clone()) else {
        return;
    };
    let (a, b) = (flow.fresh("pa"), flow.fresh("pb"));
    let (pattern, types) = match random.below(3) {
        0 => (
            format!("{a}: string '-' {b}: long"),
            [Type::String, Type::Long],
        ),
        1 => (
            format!("* 'r' {a}: string ' ' {b}: string"),
            [Type::String, Type::String],
        ),
        _ => (
            format!("'a=' {a}: long ';' * '=' {b}: long"),
            [Type::Long, Type::Long],
        ),
    };
    let operator = random.pick(&["parse", "parse", "parse-where"]);
    flow.pipe(&format!("{operator} {text} with {pattern}"));
    flow.columns.push(Field::computed(&a, types[0]));
    flow.columns.push(Field::computed(&b, types[1]));
}

/// Sorts by keys that leave no two rows in open order, and takes some if asked.
fn sorted(random: &mut Random, flow: &mut Flow, take: Option<usize>) {
    let way = |random: &mut Random| {
        random.pick(&["", " asc", " desc", " asc nulls last", " desc nulls first"])
    };
    let mut keys: Vec<String> = Vec::new();
    match flow.id.clone() {
        Some(id) => {
            for _ in 0..random.below(3) {
                let Some(field) = flow.column(random, |field| field.key) else {
                    break;
                };
                if !keys
                    .iter()
                    .any(|key| key.split(' ').next() == Some(&field.name))
                {
                    keys.push(format!("{}{}", field.name, way(random)));
                }
            }
            if !keys.iter().any(|key| key.split(' ').next() == Some(&id)) {
                keys.push(format!("{id}{}", way(random)));
            }
        }
        None => {
            if !flow.columns.iter().any(|field| field.key) {
                return;
            }
            if !flow.columns.iter().all(|field| field.key) {
                flow.retain(|field| field.key);
                let names = flow.names();
                flow.pipe(&format!("project {names}"));
            }
            for field in &flow.columns {
                keys.push(format!("{}{}", field.name, way(random)));
            }
        }
    }
    flow.pipe(&format!("sort by {}", keys.join(", ")));
    if let Some(take) = take {
        flow.pipe(&format!("take {take}"));
    }
}

/// The last operator.
fn last(random: &mut Random, flow: &mut Flow, prelude: &str) -> Expect {
    match random.below(16) {
        0 => {
            let names = flow.names();
            flow.pipe(&format!("project {names}"));
        }
        1 => sorted(random, flow, None),
        2 => {
            let take = random.below(14);
            sorted(random, flow, Some(take));
        }
        3 | 4 => {
            let Some(key) = flow
                .column(random, |field| field.key)
                .map(|f| f.name.clone())
            else {
                return Expect::Rows;
            };
            let way = random.pick(&["", " asc", " desc", " asc nulls last", " desc nulls first"]);
            flow.pipe(&format!(
                "top {} by {key}{way} | project {key}",
                1 + random.below(14)
            ));
            flow.retain(|field| field.name == key);
        }
        5 => {
            let names: Vec<String> = (0..1 + random.below(2))
                .filter_map(|_| {
                    flow.column(random, |f| f.key)
                        .map(|field| field.name.clone())
                })
                .collect();
            if flow.columns.iter().all(|field| field.key) && random.chance(50) {
                flow.pipe("distinct *");
            } else if let [name, ..] = names.as_slice() {
                let same = names.last() == Some(name);
                let list = if same { name.clone() } else { names.join(", ") };
                flow.pipe(&format!("distinct {list}"));
                flow.columns = names
                    .iter()
                    .take(if same { 1 } else { 2 })
                    .filter_map(|name| flow.named(name).cloned())
                    .collect();
            }
        }
        6 => {
            flow.pipe("count");
            flow.columns = vec![Field::computed("Count", Type::Long)];
        }
        7 => {
            let take = random.below(30);
            flow.pipe(&format!("take {take} | count"));
            flow.columns = vec![Field::computed("Count", Type::Long)];
        }
        8 => {
            let take = 1 + random.below(12);
            let all = format!("{prelude}{}", flow.text);
            flow.pipe(&format!("take {take}"));
            return Expect::AnyOf(all, take);
        }
        _ => summarize(random, flow),
    }
    Expect::Rows
}
