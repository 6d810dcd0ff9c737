//! `scan`: rows in order against the steps of a sequence.
//!
//! The function gives each row a list of what it matched, in the order in which the matches are told.
//! <https://learn.microsoft.com/kusto/query/scan-operator>

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, ListArray, RecordBatch, RecordBatchOptions, StructArray,
    new_empty_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use datafusion_common::{DFSchema, Result, ScalarValue, exec_err, internal_err};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_expr::{Expr, PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl};
use datafusion_physical_expr::{PhysicalExpr, create_physical_expr};

/// Most rows that one `scan` goes over.
const ROWS_MAX: usize = 5_000_000;

/// The field of a match that holds its number.
pub const MATCH_ID: &str = "match";

/// The field of a match that holds its place among those of its row.
pub const TOLD: &str = "told";

/// A value that expressions of steps may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A column of the row, by the position of the function's argument.
    Input(usize),
    /// A declared variable.
    Declared(usize),
}

impl Place {
    /// The column that stands for the place in the row itself.
    pub fn column(self) -> String {
        match self {
            Self::Input(index) => format!("i{index}"),
            Self::Declared(index) => format!("d{index}"),
        }
    }

    /// The column that stands for the place in the state of a step.
    pub fn state_column(self, step: usize) -> String {
        format!("s{step}.{}", self.column())
    }
}

/// The field of a match that holds a declared variable.
pub fn declared_field(index: usize) -> String {
    Place::Declared(index).column()
}

/// What `scan` is to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ScanSpec {
    /// The types and the nulls of the columns that the steps read; the function's arguments.
    pub inputs: Vec<ScalarValue>,
    /// The declared variables, by what they hold at first.
    pub declared: Vec<ScalarValue>,
    /// The steps.
    pub steps: Vec<ScanStep>,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ScanStep {
    /// Whether a row matches.
    pub condition: Expr,
    /// Variables with the values that a match gives them.
    pub assignments: Vec<(usize, Expr)>,
    /// Whether a match is told.
    pub output: bool,
}

/// `kql_scan(columns…)`.
pub fn scan(spec: ScanSpec) -> Arc<WindowUDF> {
    let signature = Signature::variadic_any(Volatility::Immutable);
    Arc::new(WindowUDF::new_from_impl(ScanUdwf {
        spec: Arc::new(spec),
        signature,
    }))
}

#[derive(Debug)]
struct ScanUdwf {
    spec: Arc<ScanSpec>,
    signature: Signature,
}

impl PartialEq for ScanUdwf {
    fn eq(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

impl Eq for ScanUdwf {}

impl Hash for ScanUdwf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.spec.hash(state);
    }
}

impl ScanSpec {
    fn fields(&self) -> Fields {
        let declared = self.declared.iter().enumerate();
        [MATCH_ID, TOLD]
            .map(|name| Field::new(name, DataType::Int64, true))
            .into_iter()
            .chain(
                declared.map(|(index, value)| {
                    Field::new(declared_field(index), value.data_type(), true)
                }),
            )
            .collect()
    }

    fn item(&self) -> FieldRef {
        Arc::new(Field::new("item", DataType::Struct(self.fields()), true))
    }

    /// The schema of all values that expressions may read, and where each lies.
    fn schema(&self) -> (Schema, Vec<(Option<usize>, Place)>) {
        let inputs = (0..self.inputs.len()).map(Place::Input);
        let places: Vec<Place> = inputs
            .chain((0..self.declared.len()).map(Place::Declared))
            .collect();
        let mut fields = Vec::new();
        let mut sources = Vec::new();
        for step in std::iter::once(None).chain((0..self.steps.len()).map(Some)) {
            for place in &places {
                let name = match step {
                    Some(step) => place.state_column(step),
                    None => place.column(),
                };
                let data_type = self.empty(*place).data_type();
                fields.push(Field::new(name, data_type, true));
                sources.push((step, *place));
            }
        }
        (Schema::new(fields), sources)
    }

    /// What a place holds where there is no state.
    fn empty(&self, place: Place) -> &ScalarValue {
        match place {
            Place::Input(index) => &self.inputs[index],
            Place::Declared(index) => &self.declared[index],
        }
    }
}

impl WindowUDFImpl for ScanUdwf {
    fn name(&self) -> &'static str {
        "kql_scan"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(
        &self,
        _: PartitionEvaluatorArgs<'_>,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Evaluator(Arc::clone(&self.spec))))
    }

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        let list = DataType::List(self.spec.item());
        Ok(Arc::new(Field::new(args.name(), list, true)))
    }
}

#[derive(Debug)]
struct Evaluator(Arc<ScanSpec>);

impl PartitionEvaluator for Evaluator {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        if rows > ROWS_MAX {
            return exec_err!("`scan` goes over more than {ROWS_MAX} rows");
        }
        let spec = &*self.0;
        let mut scan = Scan::new(spec, values, rows)?;
        let mut told = Told {
            lengths: Vec::with_capacity(rows),
            ids: Vec::new(),
            declared: vec![Vec::new(); spec.declared.len()],
        };
        for row in 0..rows {
            let before = told.ids.len();
            for step in (0..spec.steps.len()).rev() {
                if let Some(matched) = scan.advance(step, row)?
                    && spec.steps[step].output
                {
                    told.ids.push(matched.id);
                    for (column, value) in told.declared.iter_mut().zip(&matched.declared) {
                        column.push(Arc::clone(value));
                    }
                }
            }
            told.lengths.push(told.ids.len() - before);
        }
        told.into_list(spec)
    }
}

/// The matches told so far.
struct Told {
    lengths: Vec<usize>,
    ids: Vec<i64>,
    declared: Vec<Vec<ArrayRef>>,
}

impl Told {
    fn into_list(self, spec: &ScanSpec) -> Result<ArrayRef> {
        let places = self.lengths.iter().flat_map(|length| 0..*length as i64);
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(self.ids)),
            Arc::new(Int64Array::from_iter_values(places)),
        ];
        for (values, empty) in self.declared.iter().zip(&spec.declared) {
            let values: Vec<&dyn Array> = values.iter().map(|value| &**value).collect();
            columns.push(match values.is_empty() {
                true => new_empty_array(&empty.data_type()),
                false => concat(&values)?,
            });
        }
        let items = StructArray::new(spec.fields(), columns, None);
        let offsets = OffsetBuffer::from_lengths(self.lengths);
        let list = ListArray::new(spec.item(), offsets, Arc::new(items), None);
        Ok(Arc::new(list))
    }
}

/// A row that matched a step, with what the step assigned.
#[derive(Debug)]
struct Match {
    row: usize,
    id: i64,
    /// A value of one row for each variable.
    declared: Vec<ArrayRef>,
}

/// The rows of a sequence: the last that matched each of its steps so far.
type Sequence = Vec<Option<Rc<Match>>>;

struct Scan<'a> {
    values: &'a [ArrayRef],
    conditions: Vec<Compiled>,
    assignments: Vec<Vec<(usize, Compiled)>>,
    /// The values that variables hold at first, of one row each.
    defaults: Vec<ArrayRef>,
    /// The nulls of the columns, of one row each.
    nulls: Vec<ArrayRef>,
    /// The sequence that has come to each step.
    states: Vec<Option<Sequence>>,
    next_id: i64,
}

impl<'a> Scan<'a> {
    fn new(spec: &ScanSpec, values: &'a [ArrayRef], rows: usize) -> Result<Self> {
        let one = |value: &ScalarValue| value.to_array_of_size(1);
        let compiler = Compiler::new(spec)?;
        let mut scan = Self {
            values,
            conditions: Vec::new(),
            assignments: Vec::new(),
            defaults: spec.declared.iter().map(one).collect::<Result<_>>()?,
            nulls: spec.inputs.iter().map(one).collect::<Result<_>>()?,
            states: vec![None; spec.steps.len()],
            next_id: 0,
        };
        for step in &spec.steps {
            scan.conditions
                .push(compiler.compile(&step.condition, values, rows)?);
            let assignments = step
                .assignments
                .iter()
                .map(|(index, expr)| Ok((*index, compiler.compile(expr, values, rows)?)));
            scan.assignments.push(assignments.collect::<Result<_>>()?);
        }
        Ok(scan)
    }

    /// Puts a row against a step: first as what follows the step before, then as one more of the
    /// step's own.
    fn advance(&mut self, step: usize, row: usize) -> Result<Option<Rc<Match>>> {
        if step > 0
            && let Some(before) = &self.states[step - 1]
            && self.fits(step, row, before)?
        {
            let id = sequence_id(before);
            let matched = self.matched(step, row, id, before)?;
            let mut sequence = self.states[step - 1].take().unwrap_or_default();
            sequence.push(Some(Rc::clone(&matched)));
            self.states[step] = Some(sequence);
            return Ok(Some(matched));
        }
        let empty = Sequence::new();
        let own = self.states[step].as_ref();
        if own.is_none() && step > 0 {
            return Ok(None);
        }
        let sequence = own.unwrap_or(&empty);
        if !self.fits(step, row, sequence)? {
            return Ok(None);
        }
        let is_new = own.is_none();
        let id = if is_new {
            self.next_id
        } else {
            sequence_id(sequence)
        };
        let matched = self.matched(step, row, id, sequence)?;
        self.next_id += i64::from(is_new);
        let sequence = self.states[step].get_or_insert_with(Sequence::new);
        sequence.truncate(step);
        sequence.push(Some(Rc::clone(&matched)));
        Ok(Some(matched))
    }

    fn fits(&self, step: usize, row: usize, sequence: &Sequence) -> Result<bool> {
        let value = self.conditions[step].value(self, row, sequence)?;
        match value.as_boolean_opt() {
            Some(truth) => Ok(truth.is_valid(0) && truth.value(0)),
            None => internal_err!("the condition of a step is not a bool"),
        }
    }

    fn matched(&self, step: usize, row: usize, id: i64, sequence: &Sequence) -> Result<Rc<Match>> {
        let mut declared = self.defaults.clone();
        for (index, value) in &self.assignments[step] {
            declared[*index] = value.value(self, row, sequence)?;
        }
        Ok(Rc::new(Match { row, id, declared }))
    }

    /// The value of a place, of one row.
    fn read(&self, source: (Option<usize>, Place), row: usize, sequence: &Sequence) -> ArrayRef {
        let (step, place) = source;
        let Some(step) = step else {
            return match place {
                Place::Input(index) => self.values[index].slice(row, 1),
                Place::Declared(index) => Arc::clone(&self.defaults[index]),
            };
        };
        match (sequence.get(step).and_then(Option::as_ref), place) {
            (Some(matched), Place::Input(index)) => self.values[index].slice(matched.row, 1),
            (Some(matched), Place::Declared(index)) => Arc::clone(&matched.declared[index]),
            (None, Place::Input(index)) => Arc::clone(&self.nulls[index]),
            (None, Place::Declared(index)) => Arc::clone(&self.defaults[index]),
        }
    }
}

fn sequence_id(sequence: &Sequence) -> i64 {
    sequence.iter().flatten().next().map_or(0, |first| first.id)
}

/// An expression, ready to be evaluated.
enum Compiled {
    /// It reads no state: the values of all rows.
    Known(ArrayRef),
    /// It reads these places.
    Live(
        Arc<dyn PhysicalExpr>,
        Arc<Schema>,
        Vec<(Option<usize>, Place)>,
    ),
}

impl Compiled {
    /// The value for a row, of one row.
    fn value(&self, scan: &Scan<'_>, row: usize, sequence: &Sequence) -> Result<ArrayRef> {
        match self {
            Self::Known(values) => Ok(values.slice(row, 1)),
            Self::Live(expr, schema, sources) => {
                let columns = sources
                    .iter()
                    .map(|source| scan.read(*source, row, sequence))
                    .collect();
                evaluate(expr, schema, columns, 1)
            }
        }
    }
}

fn evaluate(
    expr: &Arc<dyn PhysicalExpr>,
    schema: &Arc<Schema>,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<ArrayRef> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?;
    expr.evaluate(&batch)?.into_array(rows)
}

struct Compiler<'a> {
    spec: &'a ScanSpec,
    sources: HashMap<String, (Option<usize>, Place)>,
}

impl<'a> Compiler<'a> {
    fn new(spec: &'a ScanSpec) -> Result<Self> {
        let (schema, sources) = spec.schema();
        let names = schema.fields().iter().map(|field| field.name().clone());
        Ok(Self {
            spec,
            sources: names.zip(sources).collect(),
        })
    }

    fn compile(&self, expr: &Expr, values: &[ArrayRef], rows: usize) -> Result<Compiled> {
        let mut names: Vec<String> = expr
            .column_refs()
            .into_iter()
            .map(|column| column.name.clone())
            .collect();
        names.sort_unstable();
        let mut sources = Vec::with_capacity(names.len());
        let mut fields = Vec::with_capacity(names.len());
        for name in names {
            let Some(source) = self.sources.get(&name) else {
                return internal_err!("no value {name} in a scan");
            };
            let data_type = self.spec.empty(source.1).data_type();
            fields.push(Field::new(name, data_type, true));
            sources.push(*source);
        }
        let schema = Arc::new(Schema::new(fields));
        let plain = DFSchema::try_from(Arc::clone(&schema))?;
        let physical = create_physical_expr(
            expr,
            &plain,
            &ExecutionProps::new(),
            &PhysicalPlanningContext::default(),
        )?;
        if sources.iter().any(|(step, _)| step.is_some()) {
            return Ok(Compiled::Live(physical, schema, sources));
        }
        let columns = sources.iter().map(|(_, place)| match place {
            Place::Input(index) => Ok(Arc::clone(&values[*index])),
            Place::Declared(index) => self.spec.declared[*index].to_array_of_size(rows),
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        Ok(Compiled::Known(evaluate(
            &physical, &schema, columns, rows,
        )?))
    }
}
