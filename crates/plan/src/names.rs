//! The names of columns that a query does not name itself.
//!
//! The rules are Kusto's own, measured: `tostring(a)` is called `a`, `d.x[0]` is called `d_x_0`,
//! `sum(a)` is called `sum_a`, and most functions give no name at all.

use functions::{ResultName, registry};
use kql::ast::{Call, Expr, ExprKind, Literal};

use crate::aggregates;

/// The name that an expression gives its column; `None` if it gives none.
pub(crate) fn implicit(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Name(name) => Some(name.clone()),
        ExprKind::Member(base, name) => Some(joined(implicit(base), &name.text)),
        ExprKind::Index(base, index) => {
            let index = match &index.kind {
                ExprKind::Literal(Literal::String(text)) => text.clone(),
                ExprKind::Literal(Literal::Long(Some(value))) => value.to_string(),
                _ => return implicit(base),
            };
            Some(joined(implicit(base), &index))
        }
        ExprKind::Call(call) => of_call(call),
        _ => None,
    }
}

fn joined(base: Option<String>, part: &str) -> String {
    match base {
        Some(base) if !base.is_empty() => format!("{base}_{part}"),
        _ => part.to_owned(),
    }
}

fn of_call(call: &Call) -> Option<String> {
    let name = call.name.text.as_str();
    let is_aggregate = aggregates::is_aggregate_call(call);
    let first = || call.args.first().and_then(|arg| implicit(&arg.expr));
    if let Some(prefix) = aggregates::result_prefix(name).filter(|_| is_aggregate) {
        let mut named = format!("{prefix}_{}", first().unwrap_or_default());
        for arg in call
            .args
            .iter()
            .take(aggregates::named_arguments(name))
            .skip(1)
        {
            named.push('_');
            named.push_str(&implicit(&arg.expr).unwrap_or_default());
        }
        return Some(named);
    }
    if aggregates::is_named_after_argument(name) {
        return first();
    }
    let kind = match name {
        "column_ifexists" | "columnifexists" => {
            return match &call.args.first()?.expr.kind {
                ExprKind::Literal(Literal::String(text)) => Some(text.clone()),
                _ => None,
            };
        }
        "ingestion_time" => ResultName::Fixed("$IngestionTime"),
        "bin_auto" => ResultName::FirstArgument,
        "gettype" => ResultName::Prefix("type"),
        _ => registry::scalar(name)?.result_name,
    };
    match kind {
        ResultName::None => None,
        ResultName::FirstArgument => first(),
        ResultName::OnlyArgument if call.args.len() == 1 => first(),
        ResultName::OnlyArgument => None,
        ResultName::Prefix(prefix) => Some(format!("{prefix}_{}", first().unwrap_or_default())),
        ResultName::Fixed(name) => Some(name.to_owned()),
    }
}

/// Gives out names that no other column has.
pub(crate) struct Names {
    taken: Vec<String>,
    unnamed: usize,
}

impl Names {
    /// Names beside those in `taken`.
    pub(crate) fn new(taken: impl IntoIterator<Item = String>) -> Self {
        Self {
            taken: taken.into_iter().collect(),
            unnamed: 0,
        }
    }

    /// Whether a name is taken.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.taken.iter().any(|taken| taken == name)
    }

    /// `name`, or `name1`, `name2`, … if it is taken.
    pub(crate) fn unique(&mut self, name: &str) -> String {
        let mut unique = name.to_owned();
        let mut suffix = 0;
        while self.has(&unique) {
            suffix += 1;
            unique = format!("{name}{suffix}");
        }
        self.taken.push(unique.clone());
        unique
    }

    /// `Column1`, `Column2`, …
    pub(crate) fn unnamed(&mut self) -> String {
        loop {
            self.unnamed += 1;
            let name = format!("Column{}", self.unnamed);
            if !self.has(&name) {
                self.taken.push(name.clone());
                return name;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Option<String> {
        implicit(&kql::parse_expr(text).0.expect("an expression"))
    }

    #[test]
    fn names_follow_kusto() {
        assert_eq!(name("tostring(a)").as_deref(), Some("a"));
        assert_eq!(name("tolower(a)"), None);
        assert_eq!(name("d.x[0]").as_deref(), Some("d_x_0"));
        assert_eq!(name("split(a, '/')[-1]").as_deref(), Some("a_-1"));
        assert_eq!(name("parse_json(a).b").as_deref(), Some("a_b"));
        assert_eq!(name("sum(a)").as_deref(), Some("sum_a"));
        assert_eq!(name("countif(a > 1)").as_deref(), Some("countif_"));
        assert_eq!(name("make_list(a)").as_deref(), Some("list_a"));
        assert_eq!(name("bin(T, 1h)").as_deref(), Some("T"));
        assert_eq!(name("a + b"), None);
        assert_eq!(name("strlen(a)").as_deref(), Some("strlen_a"));
        assert_eq!(name("covariance(a, b)").as_deref(), Some("covariance_a_b"));
        assert_eq!(name("binary_all_or(a)").as_deref(), Some("a"));
        assert_eq!(name("dcount_hll(a)").as_deref(), Some("dcount_hll_a"));
    }

    #[test]
    fn merging_is_named_by_how_many_are_merged() {
        assert_eq!(name("hll_merge(a)").as_deref(), Some("hll_merge_a"));
        assert_eq!(
            name("hll_merge(a, b)").as_deref(),
            Some("hll_merged_result")
        );
        assert_eq!(
            name("tdigest_merge(a)").as_deref(),
            Some("merge_tdigests_a")
        );
        assert_eq!(
            name("merge_tdigest(a, b)").as_deref(),
            Some("tdigests_merge_result")
        );
    }
}
