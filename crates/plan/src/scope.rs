//! What names stand for, apart from columns.

use std::collections::HashMap;
use std::rc::Rc;

use kql::ast;

use crate::relation::Relation;
use crate::typed::Typed;

/// Bindings of `let` statements and parameters, innermost last.
#[derive(Clone, Default)]
pub(crate) struct Scope<'q> {
    frame: Option<Rc<Frame<'q>>>,
}

struct Frame<'q> {
    name: String,
    binding: Binding<'q>,
    outer: Option<Rc<Frame<'q>>>,
}

/// What a name stands for.
#[derive(Clone)]
pub(crate) enum Binding<'q> {
    /// A value, bound once.
    Scalar(Typed),
    /// A value that reads columns of the row that a function is called on, and how many tables deep
    /// in values that row is. It means nothing inside a table within the function's body.
    OfRow(Typed, usize),
    /// A tabular expression that is bound where it is used.
    Tabular(&'q ast::Expr, Scope<'q>),
    /// Rows that were passed to a function.
    Relation(Box<Relation>),
    /// A function, with the scope that it was defined in.
    Function(&'q ast::Function, Scope<'q>),
}

impl<'q> Scope<'q> {
    pub(crate) fn with(&self, name: &str, binding: Binding<'q>) -> Self {
        let frame = Frame {
            name: name.to_owned(),
            binding,
            outer: self.frame.clone(),
        };
        Self {
            frame: Some(Rc::new(frame)),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Binding<'q>> {
        let mut frame = self.frame.as_deref();
        while let Some(current) = frame {
            if current.name == name {
                return Some(&current.binding);
            }
            frame = current.outer.as_deref();
        }
        None
    }

    /// All names with what they stand for, inner ones first.
    pub(crate) fn bindings(&self) -> HashMap<&str, &Binding<'q>> {
        let mut bindings = HashMap::new();
        let mut frame = self.frame.as_deref();
        while let Some(current) = frame {
            bindings
                .entry(current.name.as_str())
                .or_insert(&current.binding);
            frame = current.outer.as_deref();
        }
        bindings
    }
}

impl Drop for Frame<'_> {
    /// Scopes are chains as long as a query has statements; dropping them must not recurse as deep.
    fn drop(&mut self) {
        let mut outer = self.outer.take();
        while let Some(frame) = outer {
            match Rc::try_unwrap(frame) {
                Ok(mut frame) => outer = frame.outer.take(),
                Err(_) => break,
            }
        }
    }
}
