use kql::ast::{Literal, ParamValue, Render};

use crate::binder::Visualization;
use crate::relation::Relation;

/// `T | render chart with (…)`: changes no row; travels beside the result.
pub(crate) fn bind(render: &Render, input: Relation) -> Relation {
    let properties = render.properties.iter().map(|property| {
        let value = match &property.value {
            ParamValue::Word(name) => name.text.clone(),
            ParamValue::Literal(Literal::String(text), _) => text.clone(),
            ParamValue::Literal(literal, _) => plain(literal),
            ParamValue::Names(names) => names
                .iter()
                .map(|name| name.text.as_str())
                .collect::<Vec<_>>()
                .join(","),
        };
        (property.name.text.clone(), value)
    });
    let visualization = Visualization {
        chart: render.visualization.text.clone(),
        properties: properties.collect(),
    };
    Relation {
        visualization: Some(visualization),
        ..input
    }
}

fn plain(literal: &Literal) -> String {
    match literal {
        Literal::Bool(Some(value)) => value.to_string(),
        Literal::Long(Some(value)) => value.to_string(),
        Literal::Real(Some(value)) => value.to_string(),
        _ => String::new(),
    }
}
