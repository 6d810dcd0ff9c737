//! What a generator knows of the rows that it has written a query for so far.

use kql::Type;

use super::Random;

/// How two answers' cells of a column must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Same {
    /// Bit by bit.
    Exact,
    /// Nearly: reals that are computed in another order.
    Near,
    /// As lists whose order is open.
    List,
}

/// A column.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Whether sums of it are exact in any order.
    pub tame: bool,
    /// Whether rows may be grouped and sorted by it: both zeros of a real are one value to KQL and
    /// two to a sort.
    pub key: bool,
    /// How it is compared. What is not exact is only carried on.
    pub same: Same,
}

impl Field {
    /// A column that an expression gives.
    pub fn computed(name: &str, ty: Type) -> Self {
        Self {
            name: name.to_owned(),
            ty,
            tame: matches!(ty, Type::Int | Type::Long | Type::Timespan | Type::Decimal),
            key: !matches!(ty, Type::Real | Type::Dynamic),
            same: Same::Exact,
        }
    }

    /// The same column under another name.
    pub fn named(&self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self.clone()
        }
    }

    /// The same column, agreeing otherwise.
    pub fn same(mut self, same: Same) -> Self {
        self.same = same;
        if same != Same::Exact {
            (self.key, self.tame) = (false, false);
        }
        self
    }
}

/// A tabular expression and what is known of its rows.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The query's text.
    pub text: String,
    /// The columns.
    pub columns: Vec<Field>,
    /// A column that no two rows share a value of.
    pub id: Option<String>,
}

impl Flow {
    /// A column that an expression may read, of some kind.
    pub fn column(&self, random: &mut Random, fits: impl Fn(&Field) -> bool) -> Option<&Field> {
        let fitting: Vec<&Field> = self
            .columns
            .iter()
            .filter(|field| field.same == Same::Exact && fits(field))
            .collect();
        (!fitting.is_empty()).then(|| fitting[random.below(fitting.len())])
    }

    /// A column by name.
    pub fn named(&self, name: &str) -> Option<&Field> {
        self.columns.iter().find(|field| field.name == name)
    }

    /// Adds a column, or takes the place of one.
    pub fn set(&mut self, field: Field) {
        match self
            .columns
            .iter_mut()
            .find(|known| known.name == field.name)
        {
            Some(known) => *known = field,
            None => self.columns.push(field),
        }
    }

    /// A name that no column has.
    pub fn fresh(&self, stem: &str) -> String {
        let mut number = 1;
        while self.named(&format!("{stem}{number}")).is_some() {
            number += 1;
        }
        format!("{stem}{number}")
    }

    /// Adds an operator.
    pub fn pipe(&mut self, operator: &str) {
        self.text.push_str(" | ");
        self.text.push_str(operator);
    }

    /// Keeps some of the columns.
    pub fn retain(&mut self, keep: impl Fn(&Field) -> bool) {
        self.columns.retain(keep);
        if let Some(id) = &self.id
            && self.named(id).is_none()
        {
            self.id = None;
        }
    }

    /// The columns' names, as a list in a query.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self
            .columns
            .iter()
            .map(|field| field.name.as_str())
            .collect();
        names.join(", ")
    }
}
