//! The tree of a query: what was said, and where, and nothing about what it means.
//!
//! Every node has a [`Span`]. Names are unescaped: `['a b']` is the name `a b`.

pub mod expr;
pub mod graph;
pub mod operator;
pub mod statement;

pub use expr::*;
pub use graph::*;
pub use operator::*;
pub use statement::*;

use crate::span::Span;

/// A name as it was meant, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// The name without brackets or quotes.
    pub text: String,
    /// Where it stands, brackets included.
    pub span: Span,
}

/// A name in which `*` stands for any characters.
#[derive(Clone, Debug, PartialEq)]
pub struct NamePattern {
    /// The pattern; `*` is a wildcard only if `wildcard` says so.
    pub text: String,
    /// Whether the pattern has a wildcard; a quoted name has none.
    pub wildcard: bool,
    /// Where it stands.
    pub span: Span,
}

impl NamePattern {
    /// Whether `name` fits. Letter case counts.
    pub fn matches(&self, name: &str) -> bool {
        if !self.wildcard {
            return self.text == name;
        }
        let mut segments = self.text.split('*');
        let first = segments.next().unwrap_or("");
        let Some(mut rest) = name.strip_prefix(first) else {
            return false;
        };
        let mut segments: Vec<_> = segments.collect();
        let last = segments.pop().unwrap_or("");
        for segment in segments {
            match rest.find(segment) {
                Some(at) => rest = &rest[at + segment.len()..],
                None => return false,
            }
        }
        rest.len() >= last.len() && rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_patterns_match_as_globs() {
        let pattern = |text: &str| NamePattern {
            text: text.into(),
            wildcard: true,
            span: Span::default(),
        };
        assert!(pattern("Aml*").matches("AmlRunEvent"));
        assert!(pattern("*Event").matches("AmlRunEvent"));
        assert!(pattern("A*R*t").matches("AmlRunEvent"));
        assert!(pattern("*").matches(""));
        assert!(!pattern("ab*ba").matches("aba"));
        assert!(!pattern("Aml*x").matches("AmlRunEvent"));
    }
}
