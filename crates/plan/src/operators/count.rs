use datafusion_expr::{LogicalPlanBuilder, lit};
use datafusion_functions_aggregate::count::count_udaf;
use kql::ast::Name;
use kql::{Span, Type};

use crate::binder::Binder;
use crate::error::{At, Result};
use crate::relation::{Column, Relation, Visible};

/// `T | count [as name]`: one row with the number of rows.
pub(crate) fn bind(
    _: &mut Binder<'_>,
    name: Option<&Name>,
    input: Relation,
    span: Span,
) -> Result<Relation> {
    let name = name.map_or("Count", |name| &name.text);
    let field = input.fresh(name);
    let count = input.counted(count_udaf().call(vec![lit(1_i64)]));
    let plan = input
        .builder(span)?
        .aggregate(input.part_keys(false), vec![count.alias(&field)])
        .and_then(LogicalPlanBuilder::build)
        .at(span)?;
    let column = Column {
        name: name.to_owned(),
        field,
        ty: Type::Long,
        visible: Visible::Always,
    };
    Ok(input.grouped(plan, vec![column], false))
}
