//! `source | operator | operator`, and which operator a word names.

use super::{Parse, Parser};
use crate::ast::{OPERATOR_NAMES, Operator, OperatorKind, Param, ParamValue, Pipeline};
use crate::diagnostic::{Code, Diagnostic, shortened};
use crate::lexer::TokenKind;
use crate::limits;
use crate::span::Span;
use crate::suggest;

impl Parser<'_> {
    /// A source and its operators. The source may be an operator that makes rows itself.
    pub(super) fn pipeline(&mut self) -> Parse<Pipeline> {
        let start = self.span();
        let mut pipeline = Pipeline {
            source: None,
            operators: Vec::new(),
            span: start,
        };
        let source = if self.starts_with_operator() {
            let operator = self.operator();
            operator.map(|operator| pipeline.operators.push(operator))
        } else {
            self.expr().map(|source| pipeline.source = Some(source))
        };
        if source.is_err() && !self.halted {
            // Reported; go on to report the operators' mistakes, too.
            self.recover();
        }
        self.piped_operators(&mut pipeline.operators)?;
        source?;
        pipeline.span = start.to(self.last_span());
        Ok(pipeline)
    }

    /// Operators without a source, as in `mv-apply … on (where x > 1 | take 5)`, or a full pipeline.
    pub(super) fn contextual_pipeline(&mut self) -> Parse<Pipeline> {
        let start = self.span();
        if !self.is_operator_name() && !self.is_unknown_operator() {
            return self.pipeline();
        }
        let mut operators = vec![self.operator()?];
        self.piped_operators(&mut operators)?;
        Ok(Pipeline {
            source: None,
            operators,
            span: start.to(self.last_span()),
        })
    }

    pub(super) fn piped_operators(&mut self, operators: &mut Vec<Operator>) -> Parse<()> {
        loop {
            if self.is_double_pipe() {
                let span = self.bump().span.to(self.span());
                let diagnostic = Diagnostic::error(Code::Syntax, span, "`||` is no operator");
                self.report(diagnostic.with_hint("one `|` stands before an operator"));
            }
            if let Some(name) = self.unpiped_operator() {
                let span = self.span();
                let message = "expected `|` before an operator";
                let diagnostic = Diagnostic::error(Code::Syntax, span, message);
                self.report(diagnostic.with_hint(format!("write `| {name}`")));
            } else if !self.eat(TokenKind::Pipe) {
                return Ok(());
            }
            if operators.len() >= limits::PIPES_MAX {
                let message = format!("the pipeline has more than {} operators", limits::PIPES_MAX);
                return Err(self.over_limit(self.span(), message));
            }
            match self.operator() {
                Ok(operator) => operators.push(operator),
                // Reported; go on with the next operator to report its mistakes, too.
                Err(failed) if self.halted => return Err(failed),
                Err(_) => self.recover(),
            }
        }
    }

    /// Whether the word `ahead` names an operator, or begins the name of one.
    pub(super) fn is_operator_at(&self, ahead: usize) -> bool {
        let word = self.text_at(ahead);
        let mut names = OPERATOR_NAMES.iter();
        names.any(|name| name.split('-').next() == Some(word))
    }

    /// Whether `||` stands here, written without white space.
    pub(super) fn is_double_pipe(&self) -> bool {
        self.is(TokenKind::Pipe) && self.kind_at(1) == TokenKind::Pipe && self.is_joined(1)
    }

    /// Whether an operator stands here that makes rows itself.
    fn starts_with_operator(&self) -> bool {
        if !self.is(TokenKind::Word) || self.ends_operand(1) {
            return false;
        }
        match self.text_at(0) {
            "print" | "union" | "find" | "search" | "evaluate" => true,
            "range" => {
                self.kind_at(1) == TokenKind::Word || self.kind_at(1) == TokenKind::OpenBracket
            }
            "macro" => self.text_at(1) == "-" && self.text_at(2) == "expand",
            _ => false,
        }
    }

    /// Whether the word here names an operator, followed by what is not the rest of an expression.
    fn is_operator_name(&self) -> bool {
        let hyphenated =
            self.kind_at(1) == TokenKind::Minus && self.is_joined(1) && self.is_joined(2);
        let end = if hyphenated { self.at + 2 } else { self.at };
        let Some(last) = self.tokens.get(end) else {
            return false;
        };
        let name = Span::new(self.span().start, last.span.end).text(self.text);
        self.is(TokenKind::Word)
            && (OPERATOR_NAMES.contains(&name)
                || hyphenated
                || matches!(name, "mvexpand" | "mvapply"))
            && (matches!(name, "count" | "getschema" | "serialize" | "consume")
                || !matches!(
                    self.kind_at(end - self.at + 1),
                    TokenKind::Pipe | TokenKind::CloseParen | TokenKind::CloseBrace
                ))
    }

    /// Whether the word here can only be meant as an operator: no expression goes on as this does.
    fn is_unknown_operator(&self) -> bool {
        let operand = match self.kind_at(1) {
            TokenKind::String | TokenKind::Long | TokenKind::Real | TokenKind::Timespan => true,
            TokenKind::Word => !self.is_infix_at(1) && !self.is_operator_at(1),
            _ => false,
        };
        self.is(TokenKind::Word) && !self.is_literal() && operand
    }

    /// One operator, from its name on.
    pub(super) fn operator(&mut self) -> Parse<Operator> {
        self.count_node()?;
        let (name, keyword) = self.operator_name()?;
        let kind = self.nested(|parser| parser.operator_kind(name, keyword))?;
        Ok(Operator {
            kind,
            keyword,
            span: keyword.to(self.last_span()),
        })
    }

    /// The operator's name, its hyphens included.
    fn operator_name(&mut self) -> Parse<(&'static str, Span)> {
        if !self.is(TokenKind::Word) {
            return Err(self.expected("an operator"));
        }
        let mut span = self.bump().span;
        while self.is(TokenKind::Minus) && self.is_joined(0) && self.is_joined(1) {
            self.bump();
            span = span.to(self.bump().span);
        }
        let text = span.text(self.text);
        let canonical = match text {
            "mvexpand" => "mv-expand",
            "mvapply" => "mv-apply",
            "filter" => "where",
            "order" => "sort",
            "limit" => "take",
            text => text,
        };
        if let Some(name) = OPERATOR_NAMES.iter().find(|name| **name == canonical) {
            return Ok((name, span));
        }
        let short = shortened(text);
        let lower = short.to_ascii_lowercase();
        let hint = super::slips::sql_habit(&lower).map(str::to_owned);
        let hint = hint.or_else(|| suggest::did_you_mean(&short, OPERATOR_NAMES.iter().copied()));
        let diagnostic = Diagnostic::error(
            Code::UnknownOperator,
            span,
            format!("unknown operator `{short}`"),
        );
        Err(self.report(diagnostic.with_hint_opt(hint)))
    }

    fn operator_kind(&mut self, name: &'static str, keyword: Span) -> Parse<OperatorKind> {
        match name {
            "as" => self.as_operator(),
            "assert-schema" => Ok(OperatorKind::AssertSchema(self.row_schema()?)),
            "consume" => Ok(OperatorKind::Consume(self.params(&["decodeblocks"])?)),
            "count" => self.count_operator(),
            "distinct" => self.distinct_operator(),
            "evaluate" => self.evaluate_operator(),
            "execute-and-cache" => Ok(OperatorKind::ExecuteAndCache),
            "extend" => Ok(OperatorKind::Extend(self.list(Self::named_expr)?)),
            "facet" => self.facet_operator(),
            "find" => self.find_operator(),
            "fork" => self.fork_operator(),
            "getschema" => Ok(OperatorKind::GetSchema),
            "graph-mark-components" => Ok(OperatorKind::GraphMarkComponents(
                self.params(&["kind", "with_component_id"])?,
            )),
            "graph-match" => self.graph_match_operator(false),
            "graph-shortest-paths" => self.graph_match_operator(true),
            "graph-to-table" => self.graph_to_table_operator(),
            "invoke" => Ok(OperatorKind::Invoke(self.invocation()?)),
            "join" => self.join_operator().map(OperatorKind::Join),
            "lookup" => self.join_operator().map(OperatorKind::Lookup),
            "macro-expand" => self.macro_expand_operator(),
            "make-graph" => self.make_graph_operator(),
            "make-series" => self.make_series_operator(),
            "mv-apply" => self.mv_apply_operator(),
            "mv-expand" => self.mv_expand_operator(keyword),
            "parse" => self.parse_operator(false),
            "parse-kv" => self.parse_kv_operator(),
            "parse-where" => self.parse_operator(true),
            "partition" => self.partition_operator(),
            "print" => Ok(OperatorKind::Print(self.list(Self::named_expr)?)),
            "project" => self.project_operator().map(OperatorKind::Project),
            "project-away" => self.patterns_operator().map(OperatorKind::ProjectAway),
            "project-by-names" => Ok(OperatorKind::ProjectByNames(self.list(Self::expr)?)),
            "project-keep" => self.patterns_operator().map(OperatorKind::ProjectKeep),
            "project-rename" => Ok(OperatorKind::ProjectRename(self.list(Self::named_expr)?)),
            "project-reorder" => self.project_reorder_operator(),
            "range" => self.range_operator(),
            "reduce" => self.reduce_operator(),
            "render" => self.render_operator(),
            "sample" => Ok(OperatorKind::Sample(self.expr()?)),
            "sample-distinct" => self.sample_distinct_operator(),
            "scan" => self.scan_operator(),
            "search" => self.search_operator(),
            "serialize" => self.serialize_operator(),
            "sort" => self.sort_operator(),
            "summarize" => self.summarize_operator(),
            "take" => {
                self.params(&[])?;
                Ok(OperatorKind::Take(self.expr()?))
            }
            "top" => self.top_operator(),
            "top-hitters" => self.top_hitters_operator(),
            "top-nested" => self.top_nested_operator(),
            "union" => self.union_operator(),
            "where" => {
                self.params(&[])?;
                Ok(OperatorKind::Where(self.expr()?))
            }
            _ => Err(self.error(
                Code::UnknownOperator,
                keyword,
                format!("unknown operator `{name}`"),
            )),
        }
    }

    /// Parameters before an operator's operands: hints, and those in `known`.
    pub(super) fn params(&mut self, known: &[&str]) -> Parse<Vec<Param>> {
        let mut params = Vec::new();
        while let Some(tokens) = self.param_name(known) {
            let first = self.bump().span;
            let mut span = first;
            for _ in 1..tokens {
                span = span.to(self.bump().span);
            }
            self.bump();
            let name = crate::ast::Name {
                text: span.text(self.text).to_owned(),
                span,
            };
            let value = self.param_value()?;
            self.push_param(&mut params, Param { name, value });
        }
        Ok(params)
    }

    /// Adds a parameter. Hints may be given again, as `hint.shufflekey` takes a key each time, and so
    /// may the quotes of `parse-kv`.
    pub(super) fn push_param(&mut self, params: &mut Vec<Param>, param: Param) {
        let name = &param.name.text;
        let again = name.starts_with("hint.") || name == "quote";
        if !again && params.iter().any(|other| other.name.text == *name) {
            let message = format!("`{}` is given twice", shortened(name));
            self.error(Code::Parameter, param.name.span, message);
        }
        params.push(param);
    }

    /// How many tokens the name of a parameter here has.
    fn param_name(&self, known: &[&str]) -> Option<usize> {
        if !self.is(TokenKind::Word) {
            return None;
        }
        if self.kind_at(1) == TokenKind::Assign {
            let name = self.text_at(0);
            return known.contains(&name).then_some(1);
        }
        let hint = self.is_word("hint")
            && self.kind_at(1) == TokenKind::Dot
            && self.kind_at(2) == TokenKind::Word
            && self.kind_at(3) == TokenKind::Assign;
        (hint && self.is_joined(1) && self.is_joined(2)).then_some(3)
    }

    fn param_value(&mut self) -> Parse<ParamValue> {
        if self.is_literal() || matches!(self.kind(), TokenKind::Minus | TokenKind::Plus) {
            let (literal, span) = self.signed_literal()?;
            return Ok(ParamValue::Literal(literal, span));
        }
        Ok(ParamValue::Word(self.name("a value")?))
    }

    /// `(name = value, …)` after `with`.
    pub(super) fn property_list(&mut self) -> Parse<Vec<Param>> {
        self.expect(TokenKind::OpenParen, "`(`")?;
        let mut properties = Vec::new();
        while !self.is(TokenKind::CloseParen) {
            let property = self.property()?;
            self.push_param(&mut properties, property);
            if !self.eat(TokenKind::Comma) {
                break;
            }
        }
        self.expect(TokenKind::CloseParen, "`)` or `,`")?;
        Ok(properties)
    }

    /// `name = value`, where the value may be several names.
    pub(super) fn property(&mut self) -> Parse<Param> {
        let name = self.name("a property name")?;
        self.expect(TokenKind::Assign, "`=`")?;
        let mut value = self.param_value()?;
        while self.is(TokenKind::Comma)
            && self.is_name_at(1)
            && self.kind_at(1 + self.name_tokens_at(1)) != TokenKind::Assign
            && let ParamValue::Word(_) | ParamValue::Names(_) = &value
        {
            self.bump();
            let next = self.name("a name")?;
            value = match value {
                ParamValue::Word(first) => ParamValue::Names(vec![first, next]),
                ParamValue::Names(mut names) => {
                    names.push(next);
                    ParamValue::Names(names)
                }
                literal @ ParamValue::Literal(..) => literal,
            };
        }
        Ok(Param { name, value })
    }
}
