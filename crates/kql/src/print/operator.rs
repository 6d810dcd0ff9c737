//! Operators, one arm each.

use super::Printer;
use crate::ast::{
    FindProject, GraphDirection, GraphElement, GraphMatch, Join, MakeSeries, MvColumn, NamedExpr,
    Operator, OperatorKind, ParseSegment, Reorder, ReorderBy, Scan, SortKey, UnionSource,
};

impl Printer {
    pub(super) fn operator(&mut self, operator: &Operator) {
        match &operator.kind {
            OperatorKind::As(operator) => {
                self.word("as");
                self.params(&operator.params);
                self.word(" ");
                self.ident(&operator.name);
            }
            OperatorKind::AssertSchema(columns) => {
                self.word("assert-schema ");
                self.schema(columns);
            }
            OperatorKind::Consume(params) => {
                self.word("consume");
                self.params(params);
            }
            OperatorKind::Count(name) => {
                self.word("count");
                if let Some(name) = name {
                    self.word(" as ");
                    self.ident(name);
                }
            }
            OperatorKind::Distinct(distinct) => {
                self.word("distinct");
                self.params(&distinct.params);
                self.word(" ");
                if distinct.columns.is_empty() {
                    self.word("*");
                }
                self.list(&distinct.columns, Self::named);
            }
            OperatorKind::Evaluate(evaluate) => {
                self.word("evaluate");
                self.params(&evaluate.params);
                self.word(" ");
                self.call(&evaluate.plugin.call);
                if let Some(schema) = &evaluate.schema {
                    self.word(" : ");
                    self.output_schema(schema, evaluate.with_source);
                }
            }
            OperatorKind::ExecuteAndCache => self.word("execute-and-cache"),
            OperatorKind::Extend(columns) => self.columns("extend ", columns),
            OperatorKind::Facet(facet) => {
                self.word("facet by ");
                self.list(&facet.by, Self::ident);
                if let Some(with) = &facet.with {
                    self.word(" with ");
                    self.contextual(with);
                }
            }
            OperatorKind::Fork(branches) => {
                self.word("fork");
                for (name, pipeline) in branches {
                    self.word(" ");
                    if let Some(name) = name {
                        self.ident(name);
                        self.word(" = ");
                    }
                    self.contextual(pipeline);
                }
            }
            OperatorKind::GetSchema => self.word("getschema"),
            OperatorKind::Invoke(invocation) => {
                self.word("invoke ");
                self.call(&invocation.call);
            }
            OperatorKind::Partition(partition) => {
                self.word("partition");
                self.params(&partition.params);
                self.word(" by ");
                self.expr(&partition.by);
                if partition.braces {
                    self.word(" { ");
                    self.pipeline(&partition.subquery, " ");
                    self.word(" }");
                } else {
                    self.word(" ");
                    self.contextual(&partition.subquery);
                }
            }
            OperatorKind::Print(columns) => self.columns("print ", columns),
            OperatorKind::Project(columns) => self.columns("project ", columns),
            OperatorKind::ProjectRename(columns) => self.columns("project-rename ", columns),
            OperatorKind::ProjectAway(patterns) => {
                self.word("project-away ");
                self.list(patterns, Self::pattern);
            }
            OperatorKind::ProjectKeep(patterns) => {
                self.word("project-keep ");
                self.list(patterns, Self::pattern);
            }
            OperatorKind::ProjectByNames(exprs) => {
                self.word("project-by-names ");
                self.list(exprs, Self::expr);
            }
            OperatorKind::ProjectReorder(items) => {
                self.word("project-reorder ");
                self.list(items, Self::reorder);
            }
            OperatorKind::Range(range) => {
                self.word("range ");
                self.ident(&range.name);
                self.word(" from ");
                self.expr(&range.from);
                self.word(" to ");
                self.expr(&range.to);
                self.word(" step ");
                self.expr(&range.step);
            }
            OperatorKind::Render(render) => {
                self.word("render ");
                self.ident(&render.visualization);
                self.properties(&render.properties);
            }
            OperatorKind::Sample(count) => {
                self.word("sample ");
                self.expr(count);
            }
            OperatorKind::SampleDistinct(count, of) => {
                self.word("sample-distinct ");
                self.expr(count);
                self.word(" of ");
                self.named(of);
            }
            OperatorKind::Serialize(columns) if columns.is_empty() => self.word("serialize"),
            OperatorKind::Serialize(columns) => self.columns("serialize ", columns),
            OperatorKind::Take(count) => {
                self.word("take ");
                self.expr(count);
            }
            OperatorKind::Where(predicate) => {
                self.word("where ");
                self.expr(predicate);
            }
            _ => self.aggregating_operator(&operator.kind),
        }
    }

    fn aggregating_operator(&mut self, kind: &OperatorKind) {
        match kind {
            OperatorKind::MakeSeries(series) => self.make_series(series),
            OperatorKind::Reduce(reduce) => {
                self.word("reduce");
                self.params(&reduce.params);
                self.word(" by ");
                self.named(&reduce.by);
                if !reduce.with.is_empty() {
                    self.columns(" with ", &reduce.with);
                }
            }
            OperatorKind::Sort(sort) => {
                self.word("sort");
                self.params(&sort.params);
                self.word(" by ");
                self.list(&sort.keys, Self::sort_key);
            }
            OperatorKind::Summarize(summarize) => {
                self.word("summarize");
                self.params(&summarize.params);
                if !summarize.aggregates.is_empty() {
                    self.columns(" ", &summarize.aggregates);
                }
                if let Some(by) = &summarize.by {
                    self.columns(" by ", by);
                }
                if let Some(bin) = &summarize.bin {
                    self.word(" bin=");
                    self.expr(bin);
                }
            }
            OperatorKind::Top(top) => {
                self.word("top");
                self.params(&top.params);
                self.word(" ");
                self.expr(&top.count);
                self.word(" by ");
                self.sort_key(&top.key);
            }
            OperatorKind::TopHitters(top) => {
                self.word("top-hitters ");
                self.expr(&top.count);
                self.word(" of ");
                self.named(&top.of);
                if let Some(by) = &top.by {
                    self.word(" by ");
                    self.named(by);
                }
            }
            OperatorKind::TopNested(levels) => self.list(levels, |printer, level| {
                printer.word("top-nested ");
                if let Some(count) = &level.count {
                    printer.expr(count);
                    printer.word(" ");
                }
                printer.word("of ");
                printer.named(&level.of);
                if let Some(others) = &level.others {
                    printer.word(" with others = ");
                    printer.expr(others);
                }
                printer.word(" by ");
                printer.sort_key(&level.by);
            }),
            _ => self.combining_operator(kind),
        }
    }

    fn combining_operator(&mut self, kind: &OperatorKind) {
        match kind {
            OperatorKind::Join(join) => self.join("join", join),
            OperatorKind::Lookup(join) => self.join("lookup", join),
            OperatorKind::Union(union) => {
                self.word("union");
                self.params(&union.params);
                self.word(" ");
                self.list(&union.sources, Self::union_source);
            }
            OperatorKind::Search(search) => {
                self.word("search");
                self.params(&search.params);
                self.in_tables(&search.tables);
                self.word(" ");
                self.expr(&search.predicate);
            }
            OperatorKind::Find(find) => {
                self.word("find");
                self.params(&find.params);
                self.in_tables(&find.tables);
                self.word(" where ");
                self.expr(&find.predicate);
                if let FindProject::Columns { columns, pack } = &find.project {
                    self.word(" project ");
                    self.list(columns, |printer, (name, ty)| {
                        printer.ident(name);
                        if let Some(ty) = ty {
                            printer.word(": ");
                            printer.word(ty.name());
                        }
                    });
                    if *pack {
                        self.word(if columns.is_empty() {
                            "pack(*)"
                        } else {
                            ", pack(*)"
                        });
                    }
                }
                if !find.project_away.is_empty() {
                    self.word(" project-away ");
                    self.list(&find.project_away, Self::pattern);
                }
            }
            OperatorKind::MacroExpand(expand) => {
                self.word("macro-expand");
                self.params(&expand.params);
                self.word(" ");
                self.macro_group(&expand.group);
                self.word(" as ");
                self.ident(&expand.name);
                self.word(" (");
                for (index, statement) in expand.statements.iter().enumerate() {
                    if index > 0 {
                        self.word("; ");
                    }
                    self.statement(statement, " ");
                }
                self.word(")");
            }
            _ => self.shaping_operator(kind),
        }
    }

    fn shaping_operator(&mut self, kind: &OperatorKind) {
        match kind {
            OperatorKind::MvExpand(expand) => {
                self.word("mv-expand");
                self.params(&expand.params);
                self.word(" ");
                self.list(&expand.columns, Self::mv_column);
                if let Some(limit) = &expand.limit {
                    self.word(" limit ");
                    self.expr(limit);
                }
            }
            OperatorKind::MvApply(apply) => {
                self.word("mv-apply");
                self.params(&apply.params);
                self.word(" ");
                self.list(&apply.columns, Self::mv_column);
                if let Some(limit) = &apply.limit {
                    self.word(" limit ");
                    self.expr(limit);
                }
                self.word(" on ");
                self.contextual(&apply.subquery);
            }
            OperatorKind::Parse(parse) => {
                self.word(if parse.where_matched {
                    "parse-where"
                } else {
                    "parse"
                });
                self.params(&parse.params);
                self.word(" ");
                self.expr(&parse.expr);
                self.word(" with");
                for segment in &parse.pattern {
                    self.word(" ");
                    self.parse_segment(segment);
                }
            }
            OperatorKind::ParseKv(parse) => {
                self.word("parse-kv ");
                self.expr(&parse.expr);
                self.word(" as ");
                self.schema(&parse.columns);
                self.properties(&parse.properties);
            }
            OperatorKind::Scan(scan) => self.scan(scan),
            _ => self.graph_operator(kind),
        }
    }

    fn graph_operator(&mut self, kind: &OperatorKind) {
        match kind {
            OperatorKind::GraphMarkComponents(params) => {
                self.word("graph-mark-components");
                self.params(params);
            }
            OperatorKind::GraphMatch(matching) => self.graph_match(matching),
            OperatorKind::GraphToTable(graph) => {
                self.word("graph-to-table ");
                self.list(&graph.outputs, |printer, output| {
                    printer.word(if output.nodes { "nodes" } else { "edges" });
                    if let Some(name) = &output.name {
                        printer.word(" as ");
                        printer.ident(name);
                    }
                    printer.params(&output.params);
                });
            }
            OperatorKind::MakeGraph(graph) => {
                self.word("make-graph");
                self.params(&graph.params);
                self.word(" ");
                self.ident(&graph.source);
                self.word(if graph.directed { " --> " } else { " -- " });
                self.ident(&graph.target);
                if let Some(name) = &graph.node_id {
                    self.word(" with_node_id=");
                    self.ident(name);
                }
                if !graph.nodes.is_empty() {
                    self.word(" with ");
                    self.list(&graph.nodes, |printer, (table, key)| {
                        printer.expr(table);
                        printer.word(" on ");
                        printer.ident(key);
                    });
                }
            }
            // The caller's matches have taken every other operator.
            _ => {}
        }
    }

    fn graph_match(&mut self, matching: &GraphMatch) {
        self.word(if matching.shortest_paths {
            "graph-shortest-paths"
        } else {
            "graph-match"
        });
        self.params(&matching.params);
        self.word(" ");
        self.list(&matching.patterns, |printer, pattern| {
            for element in pattern {
                printer.graph_element(element);
            }
        });
        if let Some(predicate) = &matching.predicate {
            self.word(" where ");
            self.expr(predicate);
        }
        if !matching.project.is_empty() {
            self.columns(" project ", &matching.project);
        }
    }

    fn graph_element(&mut self, element: &GraphElement) {
        let (direction, name, hops) = match element {
            GraphElement::Node(name) => {
                self.word("(");
                if let Some(name) = name {
                    self.ident(name);
                }
                return self.word(")");
            }
            GraphElement::Edge {
                direction,
                name,
                hops,
            } => (direction, name, hops),
        };
        self.word(if *direction == GraphDirection::Left {
            "<-"
        } else {
            "-"
        });
        if name.is_some() || hops.is_some() {
            self.word("[");
            if let Some(name) = name {
                self.ident(name);
            }
            if let Some((low, high)) = hops {
                self.word("*");
                self.expr(low);
                self.word(" .. ");
                self.expr(high);
            }
            self.word("]");
        }
        self.word(if *direction == GraphDirection::Right {
            "->"
        } else {
            "-"
        });
    }

    fn columns(&mut self, keyword: &str, columns: &[NamedExpr]) {
        self.word(keyword);
        self.list(columns, Self::named);
    }

    fn join(&mut self, keyword: &str, join: &Join) {
        self.word(keyword);
        self.params(&join.params);
        self.word(" (");
        self.tabular_or_scalar(&join.right, " ");
        self.word(")");
        if !join.on.is_empty() {
            self.word(" on ");
            self.list(&join.on, Self::expr);
        }
    }

    pub(super) fn union_source(&mut self, source: &UnionSource) {
        match source {
            UnionSource::Expr(expr) => self.expr(expr),
            UnionSource::Pattern(scope, pattern) => {
                if let Some(scope) = scope {
                    self.expr(scope);
                    self.word(".");
                }
                self.pattern(pattern);
            }
        }
    }

    fn in_tables(&mut self, tables: &[UnionSource]) {
        if !tables.is_empty() {
            self.word(" in (");
            self.list(tables, Self::union_source);
            self.word(")");
        }
    }

    fn reorder(&mut self, item: &Reorder) {
        self.pattern(&item.pattern);
        self.word(match item.order {
            None => "",
            Some(ReorderBy::Asc) => " asc",
            Some(ReorderBy::Desc) => " desc",
            Some(ReorderBy::GrannyAsc) => " granny-asc",
            Some(ReorderBy::GrannyDesc) => " granny-desc",
        });
    }

    fn sort_key(&mut self, key: &SortKey) {
        self.named(&key.expr);
        self.word(match key.ascending {
            None => "",
            Some(true) => " asc",
            Some(false) => " desc",
        });
        self.word(match key.nulls_first {
            None => "",
            Some(true) => " nulls first",
            Some(false) => " nulls last",
        });
    }

    fn mv_column(&mut self, column: &MvColumn) {
        self.named(&column.expr);
        if let Some(ty) = column.to {
            self.word(" to typeof(");
            self.word(ty.name());
            self.word(")");
        }
    }

    fn parse_segment(&mut self, segment: &ParseSegment) {
        match segment {
            ParseSegment::Star(_) => self.word("*"),
            ParseSegment::Text(text, _) => self.string(text),
            ParseSegment::Column(name, ty) => {
                self.ident(name);
                if let Some(ty) = ty {
                    self.word(":");
                    self.word(ty.name());
                }
            }
        }
    }

    fn make_series(&mut self, series: &MakeSeries) {
        self.word("make-series");
        self.params(&series.params);
        self.word(" ");
        self.list(&series.aggregates, |printer, aggregate| {
            printer.named(&aggregate.expr);
            if let Some(default) = &aggregate.default {
                printer.word(" default=");
                printer.expr(default);
            }
        });
        self.word(" on ");
        self.named(&series.axis);
        if let (true, Some(from), Some(to)) = (series.in_range, &series.from, &series.to) {
            self.word(" in range(");
            self.expr(from);
            self.word(", ");
            self.expr(to);
            self.word(", ");
            self.expr(&series.step);
            self.word(")");
        } else {
            for (word, bound) in [(" from ", &series.from), (" to ", &series.to)] {
                if let Some(bound) = bound {
                    self.word(word);
                    self.expr(bound);
                }
            }
            self.word(" step ");
            self.expr(&series.step);
        }
        if !series.by.is_empty() {
            self.columns(" by ", &series.by);
        }
    }

    fn scan(&mut self, scan: &Scan) {
        self.word("scan");
        self.params(&scan.params);
        if !scan.order.is_empty() {
            self.word(" order by ");
            self.list(&scan.order, Self::sort_key);
        }
        if !scan.partition.is_empty() {
            self.word(" partition by ");
            self.list(&scan.partition, Self::expr);
        }
        if !scan.declare.is_empty() {
            self.word(" declare (");
            self.list(&scan.declare, |printer, variable| {
                printer.ident(&variable.name);
                printer.word(": ");
                printer.word(variable.ty.name());
                if let Some(default) = &variable.default {
                    printer.word(" = ");
                    printer.expr(default);
                }
            });
            self.word(")");
        }
        self.word(" with (");
        for (index, step) in scan.steps.iter().enumerate() {
            self.word(if index == 0 { "step " } else { " step " });
            self.ident(&step.name);
            if step.optional {
                self.word(" optional");
            }
            if let Some(output) = &step.output {
                self.word(" output=");
                self.ident(output);
            }
            self.word(": ");
            self.expr(&step.condition);
            if !step.assignments.is_empty() {
                self.word(" => ");
                self.list(&step.assignments, |printer, (name, expr)| {
                    printer.ident(name);
                    printer.word(" = ");
                    printer.expr(expr);
                });
            }
            self.word(";");
        }
        self.word(")");
    }
}
