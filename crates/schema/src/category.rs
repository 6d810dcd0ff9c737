//! Log categories: what a diagnostic setting switches, and the table each one fills.

use std::sync::LazyLock;

/// A log category.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct Category {
    /// The name, as exported records carry it.
    pub name: String,
    /// The table that its records go to.
    pub table: String,
    /// The type of the resources that emit it.
    pub resource_type: String,
    /// Whether Azure charges for exporting it.
    pub costs_to_export: bool,
}

#[derive(serde::Deserialize)]
struct Definitions {
    category: Vec<Category>,
}

static CATEGORIES: LazyLock<Vec<Category>> = LazyLock::new(|| {
    let text = include_str!("builtin/categories.toml");
    toml::from_str::<Definitions>(text)
        .expect("the built-in categories are valid TOML")
        .category
});

/// All log categories.
pub fn categories() -> &'static [Category] {
    &CATEGORIES
}

/// The category of that name; letter case does not count, since exports write it both ways.
pub fn category(name: &str) -> Option<&'static Category> {
    CATEGORIES
        .iter()
        .find(|category| category.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_category_fills_a_built_in_table() {
        assert_eq!(categories().len(), 31);
        for category in categories() {
            assert!(
                crate::builtin::table(&category.table).is_some(),
                "{}",
                category.name
            );
        }
        assert_eq!(
            category("runreadevent").map(|c| c.table.as_str()),
            Some("AmlRunEvent")
        );
    }
}
