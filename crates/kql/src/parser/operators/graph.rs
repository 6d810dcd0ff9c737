//! `make-graph`, `graph-match`, `graph-shortest-paths`, `graph-to-table`.

use super::super::{Parse, Parser};
use crate::ast::{
    GraphDirection, GraphElement, GraphMatch, GraphOutput, GraphToTable, MakeGraph, OperatorKind,
};
use crate::lexer::TokenKind;

impl Parser<'_> {
    pub(in crate::parser) fn make_graph_operator(&mut self) -> Parse<OperatorKind> {
        let params = self.params(&[])?;
        let source = self.name("a column name")?;
        self.expect(TokenKind::Minus, "`-->`")?;
        self.expect(TokenKind::Minus, "`-->`")?;
        let directed = self.eat(TokenKind::Greater);
        let target = self.name("a column name")?;
        let (mut nodes, mut node_id) = (Vec::new(), None);
        if self.is_word("with_node_id") {
            self.bump();
            self.expect(TokenKind::Assign, "`=`")?;
            node_id = Some(self.name("a name")?);
        } else if self.eat_word("with") {
            nodes = self.list(|parser| {
                let table = parser.expr()?;
                parser.expect_word("on")?;
                Ok((table, parser.name("a column name")?))
            })?;
        }
        Ok(OperatorKind::MakeGraph(MakeGraph {
            params,
            source,
            directed,
            target,
            nodes,
            node_id,
        }))
    }

    pub(in crate::parser) fn graph_match_operator(
        &mut self,
        shortest_paths: bool,
    ) -> Parse<OperatorKind> {
        let params = self.params(&["cycles", "output"])?;
        let patterns = self.list(Self::graph_pattern)?;
        let predicate = if self.eat_word("where") {
            Some(self.expr()?)
        } else {
            None
        };
        let project = if self.eat_word("project") {
            self.list(Self::named_expr)?
        } else {
            Vec::new()
        };
        let matching = GraphMatch {
            params,
            shortest_paths,
            patterns,
            predicate,
            project,
        };
        Ok(OperatorKind::GraphMatch(matching))
    }

    fn graph_pattern(&mut self) -> Parse<Vec<GraphElement>> {
        let mut elements = vec![self.graph_node()?];
        while matches!(self.kind(), TokenKind::Minus | TokenKind::Less) {
            self.count_node()?;
            elements.push(self.graph_edge()?);
            elements.push(self.graph_node()?);
        }
        Ok(elements)
    }

    fn graph_node(&mut self) -> Parse<GraphElement> {
        self.expect(TokenKind::OpenParen, "`(` and a node")?;
        let name = if self.is_name() {
            Some(self.name("a name")?)
        } else {
            None
        };
        self.expect(TokenKind::CloseParen, "`)`")?;
        Ok(GraphElement::Node(name))
    }

    fn graph_edge(&mut self) -> Parse<GraphElement> {
        let left = self.eat(TokenKind::Less);
        self.expect(TokenKind::Minus, "`-`")?;
        let (mut name, mut hops) = (None, None);
        if self.eat(TokenKind::OpenBracket) {
            if self.is_name() {
                name = Some(self.name("a name")?);
            }
            if self.eat(TokenKind::Star) {
                let low = self.expr()?;
                self.expect(TokenKind::DotDot, "`..`")?;
                hops = Some((low, self.expr()?));
            }
            self.expect(TokenKind::CloseBracket, "`]`")?;
        }
        self.expect(TokenKind::Minus, "`-`")?;
        let direction = match (left, self.eat(TokenKind::Greater)) {
            (false, true) => GraphDirection::Right,
            (true, false) => GraphDirection::Left,
            (false, false) => GraphDirection::Either,
            (true, true) => return Err(self.expected("an edge that points one way")),
        };
        Ok(GraphElement::Edge {
            direction,
            name,
            hops,
        })
    }

    pub(in crate::parser) fn graph_to_table_operator(&mut self) -> Parse<OperatorKind> {
        let outputs = self.list(|parser| {
            let nodes = parser.is_word("nodes");
            if !nodes && !parser.is_word("edges") {
                return Err(parser.expected("`nodes` or `edges`"));
            }
            parser.bump();
            let name = if parser.eat_word("as") {
                Some(parser.name("a name")?)
            } else {
                None
            };
            let params = parser.params(&["with_node_id", "with_source_id", "with_target_id"])?;
            Ok(GraphOutput {
                nodes,
                name,
                params,
            })
        })?;
        Ok(OperatorKind::GraphToTable(GraphToTable { outputs }))
    }
}
