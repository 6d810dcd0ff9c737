//! `docs/kql.md` says what runs, and this holds it to that: each operator's example is asked, and
//! functions and aggregates come from the registry. `make bless` writes the page anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use functions::{Overload, Param, ScalarFunction, registry};
use kql::Type;
use plan::QueryContext;
use proto::failure::Failure;
use testkit::Node;

const CONTEXT: QueryContext = QueryContext {
    now: 1_768_478_400_000_000_000,
    timespan: None,
};

/// What stands before each example.
const TABLES: &str = "let T = datatable(a: long, b: string, t: datetime, d: dynamic) \
    [1, 'x', datetime(2026-01-01), dynamic({'k': 1})]; \
    let U = datatable(a: long, c: real) [1, 2.0]; ";

/// Every tabular operator, source and statement, with a query that needs it.
const EXAMPLES: &[(&str, &str)] = &[
    (
        "alias database",
        "alias database D = cluster('c').database('d'); T",
    ),
    ("as", "T | as V | union V"),
    ("assert-schema", "T | project a | assert-schema (a: long)"),
    ("cluster()", "cluster('c').database('d').T"),
    ("consume", "T | consume"),
    ("count", "T | count"),
    ("database()", "database('d').T"),
    ("datatable", "datatable(x: long) [1]"),
    ("declare pattern", "declare pattern P; T"),
    (
        "declare query_parameters",
        "declare query_parameters(n: long = 1); T | where a == n",
    ),
    ("distinct", "T | distinct a, b"),
    (
        "evaluate bag_unpack",
        "T | project d | evaluate bag_unpack(d)",
    ),
    ("evaluate narrow", "T | evaluate narrow()"),
    (
        "evaluate pivot",
        "T | project a, b | evaluate pivot(b, sum(a))",
    ),
    ("evaluate autocluster", "T | evaluate autocluster()"),
    ("evaluate basket", "T | evaluate basket()"),
    ("evaluate python", "T | evaluate python('result = df')"),
    ("extend", "T | extend x = a + 1"),
    (
        "externaldata",
        "externaldata(x: string) ['https://example.com/f.csv']",
    ),
    ("facet", "T | facet by a"),
    ("find", "find in (T) where a == 1"),
    ("fork", "T | fork (count) (take 1)"),
    ("getschema", "T | getschema"),
    (
        "invoke",
        "let f = (X: (a: long)) { X | count }; T | invoke f()",
    ),
    ("join", "T | join U on a"),
    (
        "join kind=anti, leftanti, leftantisemi",
        "T | join kind=leftanti U on a",
    ),
    ("join kind=fullouter", "T | join kind=fullouter U on a"),
    ("join kind=inner", "T | join kind=inner U on a"),
    ("join kind=innerunique", "T | join kind=innerunique U on a"),
    ("join kind=leftouter", "T | join kind=leftouter U on a"),
    ("join kind=leftsemi", "T | join kind=leftsemi U on a"),
    (
        "join kind=rightanti, rightantisemi",
        "T | join kind=rightanti U on a",
    ),
    ("join kind=rightouter", "T | join kind=rightouter U on a"),
    ("join kind=rightsemi", "T | join kind=rightsemi U on a"),
    (
        "let",
        "let n = 1; let f = (x: long = 2) { x + n }; T | extend y = f()",
    ),
    ("lookup", "T | lookup U on a"),
    (
        "macro-expand",
        "macro-expand entity_group [cluster('c').database('d')] as X (X.T)",
    ),
    ("make-graph", "T | make-graph a --> b"),
    (
        "make-series",
        "T | make-series n = count() on t from datetime(2026-01-01) to datetime(2026-01-03) step 1d",
    ),
    ("materialize()", "let M = materialize(T); M | union M"),
    (
        "mv-apply",
        "T | mv-apply x = range(1, 3, 1) to typeof(long) on (summarize s = sum(x))",
    ),
    ("mv-expand", "T | mv-expand d"),
    ("parse", "T | parse b with 'x' rest"),
    (
        "parse kind=regex",
        "T | parse kind=regex flags=i b with 'X' rest",
    ),
    (
        "parse kind=relaxed",
        "T | parse kind=relaxed b with 'x' n:long",
    ),
    (
        "parse-kv",
        "T | parse-kv b as (k: string) with (pair_delimiter=';', kv_delimiter='=')",
    ),
    ("parse-where", "T | parse-where b with 'x' rest"),
    ("partition", "T | partition by b (top 1 by a)"),
    ("print", "print x = 1"),
    ("project", "T | project a"),
    ("project-away", "T | project-away a"),
    ("project-by-names", "T | project-by-names 'a'"),
    ("project-keep", "T | project-keep a"),
    ("project-rename", "T | project-rename x = a"),
    ("project-reorder", "T | project-reorder b, a"),
    ("range", "range x from 1 to 3 step 1"),
    ("reduce", "T | reduce by b"),
    ("render", "T | render table"),
    ("restrict access", "restrict access to (T); T"),
    ("sample", "T | sample 1"),
    ("sample-distinct", "T | sample-distinct 1 of a"),
    ("scan", "T | sort by t asc | scan with (step s: true;)"),
    ("search", "search in (T) 'x'"),
    ("serialize", "T | serialize n = row_number()"),
    ("set", "set notruncation; T"),
    ("sort, order", "T | sort by a asc nulls last, b"),
    ("summarize", "T | summarize count() by b, bin(t, 1h)"),
    ("take, limit", "T | take 1"),
    ("top", "T | top 1 by a"),
    ("top-hitters", "T | top-hitters 1 of b"),
    ("top-nested", "T | top-nested 1 of b by count()"),
    ("toscalar()", "print x = toscalar(T | count)"),
    ("union", "union withsource = S T, U"),
    ("where, filter", "T | where a == 1 and b has 'x'"),
];

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/kql.md")
}

/// Where the part of the page that is written by hand ends.
const MARK: &str = "<!-- From here on the page is generated: make bless -->";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_support_matrix_is_current() {
    let text = std::fs::read_to_string(page()).expect("the page is there");
    let (by_hand, generated) = text.split_once(MARK).expect("the page has its mark");
    let mut wanted = String::from("\n\n");
    operators(&mut wanted).await;
    aggregates(&mut wanted);
    scalar_functions(&mut wanted);
    if std::env::var_os("LOGGIA_BLESS").is_some() {
        let page_text = format!("{by_hand}{MARK}{wanted}");
        std::fs::write(page(), page_text).expect("the page is written");
        return;
    }
    assert_eq!(generated, wanted, "docs/kql.md is stale: run `make bless`");
}

async fn operators(out: &mut String) {
    let node = Node::new(&[]);
    let mut runs = Vec::new();
    let mut refused = Vec::new();
    for (name, query) in EXAMPLES {
        match node.ask(&format!("{TABLES}{query}"), &CONTEXT).await {
            Ok(_) => runs.push((name, query)),
            Err(failure) => refused.push((name, refusal(name, &failure))),
        }
    }
    out.push_str("## Statements and tabular operators\n\n| Runs | For example |\n|---|---|\n");
    for (name, query) in runs {
        let _ = writeln!(out, "| `{name}` | `{}` |", query.replace('|', "\\|"));
    }
    out.push_str("\nRefused by name:\n\n");
    for (name, _) in refused {
        let _ = writeln!(out, "- `{name}`");
    }
    out.push('\n');
}

/// The message of a refusal; any other error means that the example is wrong.
fn refusal(name: &str, failure: &Failure) -> String {
    let first = failure.diagnostics.first();
    let first = first.unwrap_or_else(|| panic!("{name}: {}", failure.message));
    assert!(
        first.message.contains("not supported"),
        "{name} fails for another reason: {}",
        first.message
    );
    first.message.clone()
}

fn aggregates(out: &mut String) {
    out.push_str("## Aggregates\n\n");
    let names: Vec<String> = plan::aggregate_names()
        .map(|name| format!("`{name}`"))
        .collect();
    let _ = writeln!(out, "{}\n", names.join(", "));
}

fn scalar_functions(out: &mut String) {
    let functions: BTreeMap<&str, &ScalarFunction> = registry::scalar_names()
        .filter(|name| !name.starts_with("__"))
        .filter_map(|name| Some((name, registry::scalar(name)?)))
        .collect();
    out.push_str("## Scalar functions\n\nBeside these: ");
    let special = plan::special_function_names().map(|name| format!("`{name}`"));
    let _ = writeln!(out, "{}.\n", special.collect::<Vec<_>>().join(", "));
    out.push_str("| Function | Arguments | |\n|---|---|---|\n");
    for (name, function) in functions {
        if name != function.name {
            let _ = writeln!(out, "| `{name}` | | As `{}` |", function.name);
            continue;
        }
        let forms: Vec<String> = function.overloads.iter().map(form).collect();
        let _ = writeln!(
            out,
            "| `{name}` | {} | {} |",
            forms.join("<br>"),
            function.doc.replace('|', "\\|")
        );
    }
}

/// `(long, long [, string]): long`.
fn form(overload: &Overload) -> String {
    let mut text = String::new();
    for (index, param) in overload.params.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        let name = match param {
            Param::Is(ty) | Param::Const(ty) => ty.name(),
            Param::Text | Param::Json => "scalar",
        };
        if index >= overload.required {
            let _ = write!(text, "[{separator}{name}]");
        } else {
            let _ = write!(text, "{separator}{name}");
        }
    }
    let more = if overload.variadic { ", …" } else { "" };
    let returns: Type = overload.return_type();
    format!("({text}{more}): {}", returns.name())
}
