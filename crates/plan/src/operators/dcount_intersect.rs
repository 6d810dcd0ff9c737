use kql::{Code, Span, Type, ast};

use crate::binder::Binder;
use crate::error::{Result, error, unsupported};
use crate::expr::Row;
use crate::names::Names;
use crate::relation::{Output, Relation, Visible};
use crate::scope::Scope;
use crate::typed::Typed;

/// Most sets, as Kusto says.
const SETS_MAX: usize = 16;

/// `T | evaluate dcount_intersect(hll_0, hll_1, …)`: columns `s0`, `s1`, … with how many values the
/// first set has, the first two have in common, and so on.
///
/// <https://learn.microsoft.com/kusto/query/dcount-intersect-plugin>
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    evaluate: &'q ast::Evaluate,
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let call = &evaluate.plugin.call;
    if !(2..=SETS_MAX).contains(&call.args.len()) {
        let message = format!("`dcount_intersect` takes 2 to {SETS_MAX} results of `hll()`");
        return Err(error(Code::Arity, evaluate.plugin.span, message));
    }
    if evaluate.schema.is_some() {
        return Err(unsupported(span, "a schema of `dcount_intersect`"));
    }
    let mut sets = Vec::with_capacity(call.args.len());
    for arg in call.exprs() {
        let set = binder.scalar(arg, scope, Row::of(&input))?;
        if set.ty != Type::Dynamic {
            let message = format!("expected a result of `hll()`, found a {}", set.ty);
            return Err(error(Code::Type, arg.span, message));
        }
        sets.push(set);
    }
    let count = sets.len() as i64;
    let counts = binder.invoke("__dcount_intersect", sets, span)?;
    let kept = input.columns.iter();
    let kept = kept.filter(|column| column.visible != Visible::Never);
    let mut outputs: Vec<Output> = kept.map(Output::keep).collect();
    let mut names = Names::new(outputs.iter().map(|output| output.name.clone()));
    for index in 0..count {
        let place = binder.convert(Typed::long(index), Type::Dynamic, span)?;
        let element = binder.invoke("__path", vec![counts.clone(), place], span)?;
        let value = binder.invoke("tolong", vec![element], span)?;
        outputs.push(Output::new(names.unique(&format!("s{index}")), value));
    }
    input.project(outputs, span)
}
