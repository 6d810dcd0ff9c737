//! Tree to canonical text: the same tree always prints the same, and parses back to itself.

mod expr;
mod operator;

use crate::ast::{
    ColumnDecl, EntityGroup, Expr, ExprKind, Function, LetValue, Name, NamePattern, Names,
    OPERATOR_NAMES, Operator, Param, ParamValue, Parameter, ParameterKind, Pipeline, Query,
    Statement, StatementKind,
};
use crate::lexer::is_type_word;
use crate::value::json;

/// Prints a query, a statement a paragraph and an operator a line.
///
/// ```
/// let (query, _) = kql::parse("T|where x==1 and y=='a'");
/// assert_eq!(kql::print(&query), "T\n| where x == 1 and y == \"a\"");
/// ```
pub fn print(query: &Query) -> String {
    let mut printer = Printer { out: String::new() };
    for (index, statement) in query.statements.iter().enumerate() {
        if index > 0 {
            printer.out.push_str(";\n");
        }
        printer.statement(statement, "\n");
    }
    printer.out
}

/// Prints one expression on one line.
pub fn print_expr(expr: &Expr) -> String {
    let mut printer = Printer { out: String::new() };
    printer.expr(expr);
    printer.out
}

struct Printer {
    out: String,
}

/// Words that end or join expressions: as names they need brackets.
const EXPRESSION_WORDS: &[&str] = &[
    "and",
    "or",
    "in",
    "between",
    "has",
    "has_any",
    "has_all",
    "has_cs",
    "hasprefix",
    "hassuffix",
    "hasprefix_cs",
    "hassuffix_cs",
    "contains",
    "contains_cs",
    "containscs",
    "notcontains",
    "notcontainscs",
    "startswith",
    "startswith_cs",
    "endswith",
    "endswith_cs",
    "matches",
    "like",
    "notlike",
    "likecs",
    "notlikecs",
    "true",
    "false",
    "True",
    "False",
    "TRUE",
    "FALSE",
    "dynamic",
    "datatable",
    "externaldata",
    "external_data",
    "datetime",
    "date",
    "timespan",
    "time",
    "guid",
    "uuid",
    "uniqueid",
    "int",
    "int32",
    "long",
    "int64",
    "real",
    "double",
    "decimal",
    "bool",
    "boolean",
    "typeof",
    "float",
    "uint",
    "ulong",
    "by",
    "on",
    "of",
    "to",
    "from",
    "step",
    "asc",
    "desc",
    "nulls",
    "with",
    "as",
    "where",
    "project",
    "let",
    "set",
    "declare",
    "alias",
    "restrict",
    "entity_group",
    "hint",
    "kind",
    "flags",
    "print",
    "union",
    "find",
    "search",
    "evaluate",
    "mvexpand",
    "mvapply",
    "select",
    "SELECT",
    "Select",
    "macro",
    "withsource",
    "with_source",
    "isfuzzy",
    "bagexpansion",
    "with_itemindex",
    "bin",
    "pack",
    "pack_all",
    "cycles",
    "decodeblocks",
    "with_match_id",
    "with_step_name",
    "with_node_id",
    "with_component_id",
];

/// Words that are functions as well, and need no brackets before a parenthesis.
const CALL_WORDS: &[&str] = &["bin", "count", "pack", "pack_all", "range"];

fn is_plain(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_' || b == b'$')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name != "$"
}

/// Whether a word is a literal, or becomes one if a parenthesis follows.
fn begins_literal(word: &str) -> bool {
    is_type_word(word)
        || word == "dynamic"
        || ["true", "false"].contains(&word.to_ascii_lowercase().as_str())
}

impl Printer {
    fn word(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn string(&mut self, text: &str) {
        json::write_string(&mut self.out, text);
    }

    /// A name where a column, table or function may stand.
    fn name(&mut self, name: &str, is_call: bool) {
        let reserved = EXPRESSION_WORDS.contains(&name) || OPERATOR_NAMES.contains(&name);
        if is_plain(name) && (!reserved || is_call && CALL_WORDS.contains(&name)) {
            self.out.push_str(name);
        } else {
            self.out.push('[');
            self.string(name);
            self.out.push(']');
        }
    }

    fn ident(&mut self, name: &Name) {
        self.name(&name.text, false);
    }

    fn pattern(&mut self, pattern: &NamePattern) {
        if pattern.wildcard {
            self.out.push_str(&pattern.text);
        } else {
            self.name(&pattern.text, false);
        }
    }

    fn list<T>(&mut self, items: &[T], mut print: impl FnMut(&mut Self, &T)) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            print(self, item);
        }
    }

    fn names(&mut self, names: &Names) {
        match names {
            Names::None => {}
            Names::One(name) => {
                self.ident(name);
                self.word(" = ");
            }
            Names::Many(names) => {
                self.word("(");
                self.list(names, Self::ident);
                self.word(") = ");
            }
        }
    }

    fn schema(&mut self, columns: &[ColumnDecl]) {
        self.output_schema(columns, false);
    }

    fn output_schema(&mut self, columns: &[ColumnDecl], with_source: bool) {
        self.word(match (with_source, columns) {
            (false, _) => "(",
            (true, []) => "(*",
            (true, _) => "(*, ",
        });
        self.list(columns, |printer, column| {
            printer.ident(&column.name);
            printer.word(": ");
            printer.word(column.ty.name());
        });
        self.word(")");
    }

    /// ` name = value` for each; the leading blank is part of it.
    fn params(&mut self, params: &[Param]) {
        for param in params {
            self.word(" ");
            self.word(&param.name.text);
            self.param_value(param);
        }
    }

    /// `name=value`, where the name may be any.
    fn property(&mut self, property: &Param) {
        if is_plain(&property.name.text) {
            self.word(&property.name.text);
        } else {
            self.ident(&property.name);
        }
        self.param_value(property);
    }

    fn param_value(&mut self, param: &Param) {
        self.word("=");
        match &param.value {
            ParamValue::Word(name) if is_plain(&name.text) && !begins_literal(&name.text) => {
                self.word(&name.text);
            }
            ParamValue::Word(name) => self.ident(name),
            ParamValue::Literal(literal, _) => self.literal(literal),
            ParamValue::Names(names) => self.list(names, Self::ident),
        }
    }

    fn properties(&mut self, properties: &[Param]) {
        if !properties.is_empty() {
            self.word(" with (");
            self.list(properties, Self::property);
            self.word(")");
        }
    }

    fn statement(&mut self, statement: &Statement, line: &str) {
        match &statement.kind {
            StatementKind::Let(binding) => {
                self.word("let ");
                self.ident(&binding.name);
                self.word(" = ");
                match &binding.value {
                    LetValue::Expr(expr) => self.tabular_or_scalar(expr, line),
                    LetValue::Function(function) => self.function(function),
                    LetValue::EntityGroup(members) => self.entity_group(members),
                }
            }
            StatementKind::Set { name, value } => {
                self.word("set ");
                self.ident(name);
                if let Some(value) = value {
                    self.word("=");
                    self.literal(value);
                }
            }
            StatementKind::QueryParameters(parameters) => {
                self.word("declare query_parameters");
                self.parameters(parameters);
            }
            StatementKind::Pattern(name) => {
                self.word("declare pattern ");
                self.ident(name);
            }
            StatementKind::Alias(name, expr) => {
                self.word("alias database ");
                self.ident(name);
                self.word(" = ");
                self.expr(expr);
            }
            StatementKind::Restrict(entities) => {
                self.word("restrict access to (");
                self.list(entities, Self::union_source);
                self.word(")");
            }
            StatementKind::Query(pipeline) => self.pipeline(pipeline, line),
        }
    }

    fn entity_group(&mut self, members: &[Expr]) {
        self.word("entity_group [");
        self.list(members, Self::expr);
        self.word("]");
    }

    fn macro_group(&mut self, group: &EntityGroup) {
        match group {
            EntityGroup::Named(group) => self.expr(group),
            EntityGroup::Inline(members) => self.entity_group(members),
        }
    }

    fn function(&mut self, function: &Function) {
        if function.view {
            self.word("view ");
        }
        self.parameters(&function.parameters);
        self.word(" { ");
        for statement in &function.statements {
            self.statement(statement, " ");
            self.word("; ");
        }
        self.tabular_or_scalar(&function.body, " ");
        self.word(" }");
    }

    fn parameters(&mut self, parameters: &[Parameter]) {
        self.word("(");
        self.list(parameters, |printer, parameter| {
            printer.ident(&parameter.name);
            printer.word(": ");
            match &parameter.kind {
                ParameterKind::Scalar(ty, default) => {
                    printer.word(ty.name());
                    if let Some(default) = default {
                        printer.word(" = ");
                        printer.literal(default);
                    }
                }
                ParameterKind::AnyTable => printer.word("(*)"),
                ParameterKind::Table(columns) => printer.schema(columns),
            }
        });
        self.word(")");
    }

    /// A pipeline with `line` before each pipe.
    fn pipeline(&mut self, pipeline: &Pipeline, line: &str) {
        if let Some(source) = &pipeline.source {
            self.expr(source);
        }
        self.operators(&pipeline.operators, pipeline.source.is_some(), line);
    }

    fn operators(&mut self, operators: &[Operator], has_source: bool, line: &str) {
        for (index, operator) in operators.iter().enumerate() {
            if has_source || index > 0 {
                self.word(line);
                self.word("| ");
            }
            self.operator(operator);
        }
    }

    /// An expression where nothing but its end can follow, so that a pipeline needs no parentheses.
    fn tabular_or_scalar(&mut self, expr: &Expr, line: &str) {
        match &expr.kind {
            ExprKind::Pipeline(pipeline) => self.pipeline(pipeline, line),
            _ => self.expr(expr),
        }
    }

    /// A pipeline on one line in parentheses that may begin with any operator, so that a source
    /// must not look like one.
    fn contextual(&mut self, pipeline: &Pipeline) {
        self.word("(");
        let start = self.out.len();
        if let Some(source) = &pipeline.source {
            self.expr(source);
        }
        let text = &self.out[start..];
        if text.starts_with("count(") || text.starts_with("range(") {
            self.out.insert(start, '(');
            self.word(")");
        }
        self.operators(&pipeline.operators, pipeline.source.is_some(), " ");
        self.word(")");
    }

    /// A pipeline on one line in parentheses.
    fn inline(&mut self, pipeline: &Pipeline) {
        self.word("(");
        self.pipeline(pipeline, " ");
        self.word(")");
    }
}
