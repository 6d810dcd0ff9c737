//! Bounds on what the parser accepts. Every one ends in a diagnostic that names it.

/// Longest query text, in bytes.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// Deepest nesting of operators, expressions and parentheses, which are two levels each, since a
/// pipeline may stand in them. A chain of binary operators (`a + b + c`) counts as deep as it is
/// long, except `and` and `or`, which are kept flat.
pub const NESTING_MAX: usize = 100;

/// Most syntax nodes in one query.
pub const NODES_MAX: usize = 250_000;

/// Most operators in one pipeline.
pub const PIPES_MAX: usize = 200;

/// Most statements in one query.
pub const STATEMENTS_MAX: usize = 1_000;

/// Most diagnostics kept for one query; later ones are dropped, since they seldom help.
pub const DIAGNOSTICS_MAX: usize = 20;
