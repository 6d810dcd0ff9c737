//! Scalar expressions, and the tabular ones that may stand among them.

use super::{Name, Operator};
use crate::span::Span;
use crate::types::Type;
use crate::value::Json;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it says.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// The forms of expressions.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A constant.
    Literal(Literal),
    /// A column, a table, or what `let` bound.
    Name(String),
    /// `*`: every column.
    Star,
    /// `-x`, `+x`.
    Unary(UnaryOp, Box<Expr>),
    /// `x op y`.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `a and b and c`, `a or b or c`: two operands or more, kept flat.
    Logical(LogicalOp, Vec<Expr>),
    /// `x between (low .. high)`.
    Between(Box<Between>),
    /// `x in (…)`, `x has_any (…)` and their like.
    Membership(Box<Membership>),
    /// `f(…)`.
    Call(Call),
    /// `x.name`, `scope.f(…)`.
    Member(Box<Expr>, Name),
    /// `scope.f(…)`: a call on what stands before the point, as in `workspace("w").T()`.
    MemberCall(Box<Expr>, Call),
    /// `x[index]`.
    Index(Box<Expr>, Box<Expr>),
    /// A tabular expression with operators.
    Pipeline(Box<Pipeline>),
    /// `datatable (…) […]`.
    DataTable(Box<DataTable>),
    /// `externaldata (…) […]`.
    ExternalData(Box<ExternalData>),
}

/// An expression that may have been given a name, or several.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedExpr {
    /// The names on the left of `=`.
    pub names: Names,
    /// The value.
    pub expr: Expr,
}

/// What stands on the left of `=`.
#[derive(Clone, Debug, PartialEq)]
pub enum Names {
    /// Nothing.
    None,
    /// `name = …`.
    One(Name),
    /// `(a, b) = …`, for functions that return several values.
    Many(Vec<Name>),
}

impl NamedExpr {
    /// An expression without a name.
    pub fn unnamed(expr: Expr) -> Self {
        Self {
            names: Names::None,
            expr,
        }
    }

    /// The span of name and value together.
    pub fn span(&self) -> Span {
        match &self.names {
            Names::None => self.expr.span,
            Names::One(name) => name.span.to(self.expr.span),
            Names::Many(names) => names
                .iter()
                .fold(self.expr.span, |span, name| span.to(name.span)),
        }
    }
}

/// A function call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The function's name.
    pub name: Name,
    /// Its arguments; a lone `*` is [`ExprKind::Star`].
    pub args: Vec<NamedExpr>,
}

/// `value between (low .. high)`, both ends included.
#[derive(Clone, Debug, PartialEq)]
pub struct Between {
    /// `!between`.
    pub negated: bool,
    /// What is compared.
    pub value: Expr,
    /// Lower end.
    pub low: Expr,
    /// Upper end.
    pub high: Expr,
}

/// `value op (items)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Membership {
    /// Which test.
    pub op: MembershipOp,
    /// What is tested.
    pub value: Expr,
    /// The right side: scalars, or one tabular expression.
    pub items: Vec<Expr>,
}

/// A tabular expression: a source and the operators that it passes through.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// Where the rows come from. Absent if the first operator makes them (`print`, `union`, …), or
    /// if the rows come from round about, as in `mv-apply … on (…)`.
    pub source: Option<Expr>,
    /// The operators in order.
    pub operators: Vec<Operator>,
    /// Where it stands.
    pub span: Span,
}

/// A constant. `None` is the null of the type.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `true`, `bool(null)`.
    Bool(Option<bool>),
    /// `int(1)`.
    Int(Option<i32>),
    /// `1`, `long(1)`, `0x1F`.
    Long(Option<i64>),
    /// `1.0`, `real(nan)`.
    Real(Option<f64>),
    /// `decimal(1.0)`, as text: an optional minus, digits, an optional point and digits.
    Decimal(Option<String>),
    /// Any quoted string.
    String(String),
    /// `datetime(…)`, in ticks since 0001-01-01.
    Datetime(Option<i64>),
    /// `1d`, `timespan(…)`, in ticks.
    Timespan(Option<i64>),
    /// `guid(…)`, lower case with hyphens.
    Guid(Option<String>),
    /// `dynamic(…)`.
    Dynamic(Json),
    /// `typeof(…)`.
    Type(Type),
}

/// Prefix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-`.
    Minus,
    /// `+`.
    Plus,
}

/// `and`, `or`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogicalOp {
    /// `and`.
    And,
    /// `or`.
    Or,
}

/// A table of operators with their spelling.
macro_rules! operators {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The canonical spelling.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

operators! {
    /// Operators between two expressions.
    BinaryOp {
        /// Addition.
        Add = "+",
        /// Subtraction.
        Subtract = "-",
        /// Multiplication.
        Multiply = "*",
        /// Division.
        Divide = "/",
        /// Remainder.
        Modulo = "%",
        /// Equal.
        Equal = "==",
        /// Not equal.
        NotEqual = "!=",
        /// Less.
        Less = "<",
        /// Less or equal.
        LessOrEqual = "<=",
        /// Greater.
        Greater = ">",
        /// Greater or equal.
        GreaterOrEqual = ">=",
        /// Equal, letter case aside.
        EqualTilde = "=~",
        /// Not equal, letter case aside.
        NotTilde = "!~",
        /// The right side is a term of the left one.
        Has = "has",
        /// Negation of `has`.
        NotHas = "!has",
        /// `has`, letter case counts.
        HasCs = "has_cs",
        /// Negation of `has_cs`.
        NotHasCs = "!has_cs",
        /// A term of the left side begins with the right side.
        HasPrefix = "hasprefix",
        /// Negation of `hasprefix`.
        NotHasPrefix = "!hasprefix",
        /// `hasprefix`, letter case counts.
        HasPrefixCs = "hasprefix_cs",
        /// Negation of `hasprefix_cs`.
        NotHasPrefixCs = "!hasprefix_cs",
        /// A term of the left side ends in the right side.
        HasSuffix = "hassuffix",
        /// Negation of `hassuffix`.
        NotHasSuffix = "!hassuffix",
        /// `hassuffix`, letter case counts.
        HasSuffixCs = "hassuffix_cs",
        /// Negation of `hassuffix_cs`.
        NotHasSuffixCs = "!hassuffix_cs",
        /// Substring.
        Contains = "contains",
        /// Negation of `contains`.
        NotContains = "!contains",
        /// `contains`, letter case counts.
        ContainsCs = "contains_cs",
        /// Negation of `contains_cs`.
        NotContainsCs = "!contains_cs",
        /// Prefix.
        StartsWith = "startswith",
        /// Negation of `startswith`.
        NotStartsWith = "!startswith",
        /// `startswith`, letter case counts.
        StartsWithCs = "startswith_cs",
        /// Negation of `startswith_cs`.
        NotStartsWithCs = "!startswith_cs",
        /// Suffix.
        EndsWith = "endswith",
        /// Negation of `endswith`.
        NotEndsWith = "!endswith",
        /// `endswith`, letter case counts.
        EndsWithCs = "endswith_cs",
        /// Negation of `endswith_cs`.
        NotEndsWithCs = "!endswith_cs",
        /// A match of a regular expression.
        MatchesRegex = "matches regex",
        /// A pattern with `*`, as old queries write it.
        Like = "like",
        /// Negation of `like`.
        NotLike = "notlike",
        /// `like`, letter case counts.
        LikeCs = "likecs",
        /// Negation of `likecs`.
        NotLikeCs = "notlikecs",
    }
}

operators! {
    /// Tests of one value against several.
    MembershipOp {
        /// Equal to one of them.
        In = "in",
        /// Negation of `in`.
        NotIn = "!in",
        /// `in`, letter case aside.
        InTilde = "in~",
        /// Negation of `in~`.
        NotInTilde = "!in~",
        /// Has one of them as a term.
        HasAny = "has_any",
        /// Has all of them as terms.
        HasAll = "has_all",
    }
}

/// Rows written in the query.
#[derive(Clone, Debug, PartialEq)]
pub struct DataTable {
    /// Columns with their types.
    pub columns: Vec<ColumnDecl>,
    /// The cells, row after row; the count is a multiple of the columns'.
    pub values: Vec<Expr>,
}

/// Rows from outside, which Loggia does not read.
#[derive(Clone, Debug, PartialEq)]
pub struct ExternalData {
    /// Columns with their types.
    pub columns: Vec<ColumnDecl>,
    /// Where the rows lie.
    pub uris: Vec<Expr>,
    /// Properties after `with`.
    pub properties: Vec<Param>,
}

/// `name: type`.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDecl {
    /// The column's name.
    pub name: Name,
    /// Its type.
    pub ty: Type,
}

/// `name = value` before or after an operator's operands.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// The name; `hint.strategy` is one name.
    pub name: Name,
    /// The value.
    pub value: ParamValue,
}

/// What a parameter is set to.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamValue {
    /// A bare word, as in `kind = inner`.
    Word(Name),
    /// A constant.
    Literal(Literal, Span),
    /// Several names, as in `ycolumns = a, b`.
    Names(Vec<Name>),
}

impl Param {
    /// The value as text, whether it was a word or a string.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            ParamValue::Word(name) => Some(&name.text),
            ParamValue::Literal(Literal::String(text), _) => Some(text),
            _ => None,
        }
    }

    /// Where the value stands.
    pub fn value_span(&self) -> Span {
        match &self.value {
            ParamValue::Word(name) => name.span,
            ParamValue::Literal(_, span) => *span,
            ParamValue::Names(names) => names
                .iter()
                .map(|name| name.span)
                .reduce(Span::to)
                .unwrap_or(self.name.span),
        }
    }
}
