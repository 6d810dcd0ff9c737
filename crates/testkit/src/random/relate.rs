//! Random tables, unions, joins and lookups.

use kql::Type;

use super::expr::{DEPTH, predicate};
use super::shape::{Field, Flow, Same};
use super::{Random, World};

/// One table, filtered or not.
pub(super) fn table(random: &mut Random, world: &World) -> Flow {
    let source = &world.sources[random.below(world.sources.len())];
    let mut flow = Flow {
        text: source.name.clone(),
        columns: source.columns.clone(),
        id: Some("id".to_owned()),
    };
    if random.chance(40) {
        let p = predicate(random, &flow, 1);
        flow.pipe(&format!("where {p}"));
    }
    flow
}

/// Where a query's rows come from.
pub(super) fn source(random: &mut Random, world: &World) -> Flow {
    match random.below(10) {
        0 | 1 => union(random, world),
        2..=4 => {
            let left = table(random, world);
            let right = table(random, world);
            join(random, left, right)
        }
        5 => {
            let left = table(random, world);
            let right = table(random, world);
            lookup(random, left, right)
        }
        _ => table(random, world),
    }
}

fn union(random: &mut Random, world: &World) -> Flow {
    let legs: Vec<Flow> = (0..2 + random.below(2))
        .map(|_| table(random, world))
        .collect();
    let inner = random.chance(30);
    let named = random.chance(25);
    let mut text = "union ".to_owned();
    if inner {
        text.push_str("kind=inner ");
    }
    if named {
        text.push_str("withsource=Origin ");
    }
    let parts: Vec<String> = legs.iter().map(|leg| leg_text(&leg.text)).collect();
    text.push_str(&parts.join(", "));
    let mut columns = united(&legs, inner);
    if named {
        columns.insert(0, Field::computed("Origin", Type::String));
    }
    let sources: Vec<&str> = legs.iter().map(|leg| &leg.text[..1]).collect();
    let distinct = sources
        .iter()
        .all(|name| sources.iter().filter(|n| n == &name).count() == 1);
    Flow {
        text,
        columns,
        id: distinct.then(|| "id".to_owned()),
    }
}

fn leg_text(text: &str) -> String {
    if text.contains(' ') {
        format!("({text})")
    } else {
        text.to_owned()
    }
}

/// The columns of a union: by name, and a name of several types as a column for each.
pub(super) fn united(legs: &[Flow], inner: bool) -> Vec<Field> {
    let mut found: Vec<Field> = Vec::new();
    for field in legs.iter().flat_map(|leg| &leg.columns) {
        match found
            .iter_mut()
            .find(|known| known.name == field.name && known.ty == field.ty)
        {
            Some(known) => {
                known.tame &= field.tame;
                known.key &= field.key;
            }
            None => {
                // Columns of one name stand beside each other.
                let last = found.iter().rposition(|known| known.name == field.name);
                found.insert(last.map_or(found.len(), |last| last + 1), field.clone());
            }
        }
    }
    if inner {
        found.retain(|field| {
            legs.iter()
                .all(|leg| leg.named(&field.name).is_some_and(|f| f.ty == field.ty))
        });
    }
    let renamed = found.iter().map(|field| {
        let types = found
            .iter()
            .filter(|other| other.name == field.name)
            .count();
        match types {
            1 => field.clone(),
            _ => field.named(&format!("{}_{}", field.name, field.ty)),
        }
    });
    renamed.collect()
}

/// The columns of a join: those of the right side with a number where they clash. `None` if a name
/// with its number is a name of the right side itself, since it is not laid down what comes then.
fn joined(left: &[Field], right: &[Field]) -> Option<Vec<Field>> {
    let mut columns = left.to_vec();
    for field in right {
        let mut name = field.name.clone();
        let mut number = 0;
        while columns.iter().any(|known| known.name == name) {
            number += 1;
            name = format!("{}{number}", field.name);
        }
        if number > 0 && right.iter().any(|other| other.name == name) {
            return None;
        }
        columns.push(field.named(&name));
    }
    Some(columns)
}

/// Columns that both sides can be matched by.
fn keys(random: &mut Random, left: &Flow, right: &Flow) -> Vec<String> {
    let fits = |field: &&Field| {
        field.key
            && field.ty != Type::Real
            && right
                .named(&field.name)
                .is_some_and(|other| other.ty == field.ty && other.key)
    };
    let mut common: Vec<String> = left
        .columns
        .iter()
        .filter(fits)
        .map(|field| field.name.clone())
        .collect();
    let mut picked = Vec::new();
    for _ in 0..1 + random.below(2) {
        if !common.is_empty() {
            picked.push(common.swap_remove(random.below(common.len())));
        }
    }
    picked
}

/// The condition of a join, and the right side's columns that are keys.
fn condition(random: &mut Random, left: &Flow, right: &Flow) -> Option<(String, Vec<String>)> {
    if random.chance(20) && left.named("n").is_some() && right.named("i").is_some() {
        return Some(("$left.n == $right.i".to_owned(), vec!["i".to_owned()]));
    }
    let keys = keys(random, left, right);
    (!keys.is_empty()).then(|| (keys.join(", "), keys))
}

/// Joins two tables.
pub(super) fn join(random: &mut Random, mut left: Flow, right: Flow) -> Flow {
    let kinds = [
        "inner",
        "leftouter",
        "rightouter",
        "fullouter",
        "leftsemi",
        "leftanti",
        "rightsemi",
        "rightanti",
        "innerunique",
        "",
    ];
    let kind = random.pick(&kinds);
    let Some((on, _)) = condition(random, &left, &right) else {
        return left;
    };
    if matches!(kind, "" | "innerunique") {
        // One row survives for each key, whichever: only keys are kept of the left side.
        let keys: Vec<String> = if on.starts_with('$') {
            vec!["n".to_owned()]
        } else {
            on.split(", ").map(str::to_owned).collect()
        };
        left.pipe(&format!("project {}", keys.join(", ")));
        left.retain(|field| keys.contains(&field.name));
    }
    let parameter = if kind.is_empty() {
        String::new()
    } else {
        format!("kind={kind} ")
    };
    let text = format!("{} | join {parameter}({}) on {on}", left.text, right.text);
    let (columns, id) = match kind {
        "leftsemi" | "leftanti" => (left.columns, left.id),
        "rightsemi" | "rightanti" => (right.columns, right.id),
        _ => match joined(&left.columns, &right.columns) {
            Some(columns) => (columns, None),
            None => return left,
        },
    };
    Flow { text, columns, id }
}

fn lookup(random: &mut Random, left: Flow, right: Flow) -> Flow {
    let Some((on, right_keys)) = condition(random, &left, &right) else {
        return left;
    };
    let kind = random.pick(&["", "kind=leftouter ", "kind=inner "]);
    let text = format!("{} | lookup {kind}({}) on {on}", left.text, right.text);
    let rest: Vec<Field> = right
        .columns
        .iter()
        .filter(|field| !right_keys.contains(&field.name))
        .cloned()
        .collect();
    match joined(&left.columns, &rest) {
        Some(columns) => Flow {
            text,
            columns,
            id: None,
        },
        None => left,
    }
}

/// Adds the rows of a table.
pub(super) fn unite(random: &mut Random, flow: &mut Flow, world: &World) {
    let other = table(random, world);
    let legs = [flow.clone(), other];
    // What is not exact in one leg would be carried by the other.
    let clash = |field: &Field| field.same != Same::Exact && legs[1].named(&field.name).is_some();
    if flow.columns.iter().any(clash) {
        return;
    }
    flow.pipe(&format!("union ({})", legs[1].text));
    flow.columns = united(&legs, false);
    flow.id = None;
}

/// A view that is used twice.
pub(super) fn twice(random: &mut Random, view: &Flow) -> Flow {
    let mut both = Flow {
        text: "V".to_owned(),
        ..view.clone()
    };
    match random.below(3) {
        0 => {
            let p = predicate(random, &both, DEPTH);
            both.text = format!("V | union (V | where {p})");
            both.id = None;
            both
        }
        1 => join(random, both.clone(), both),
        _ => {
            let p = predicate(random, &both, 1);
            if let Some(name) = both.named("k").map(|field| field.name.clone()) {
                both.pipe(&format!(
                    "where {name} in ((V | where {p} | project {name}))"
                ));
            }
            both
        }
    }
}
