//! Compiled expressions.

use crate::check::{self, Node};
use crate::evaluate::Evaluation;
use crate::parser;
use crate::problem::{Failure, Problem};
use crate::types::Type;
use crate::value::Value;

/// The steps that an evaluation may take unless its host says otherwise: below a millisecond's work.
pub const STEPS: u64 = 20_000;

/// The variables that expressions may use.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: Vec<(&'static str, Type)>,
}

impl Environment {
    /// One without variables.
    pub fn new() -> Environment {
        Environment::default()
    }

    /// Adds a variable. The first one has the place 0, the next one 1: that is what [`Variables::get`] is asked for.
    #[must_use]
    pub fn with(mut self, name: &'static str, r#type: Type) -> Environment {
        self.variables.push((name, r#type));
        self
    }

    /// The place and the type of a variable.
    pub(crate) fn find(&self, name: &str) -> Option<(usize, &Type)> {
        let place = self.variables.iter().position(|(known, _)| *known == name)?;
        Some((place, &self.variables[place].1))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|(name, _)| *name)
    }
}

/// The values of variables, fetched when an expression wants them.
pub trait Variables {
    /// The value of the variable at that place of the [`Environment`]; of the type that it was declared with.
    fn get(&self, place: usize) -> Value<'_>;
}

/// No variables.
impl Variables for () {
    fn get(&self, _place: usize) -> Value<'_> {
        Value::Null
    }
}

/// A compiled expression. It can be evaluated by many threads at the same time.
#[derive(Debug)]
pub struct Program {
    node: Node,
    r#type: Type,
    used: Vec<bool>,
}

impl Program {
    /// Reads an expression and checks its types.
    ///
    /// # Errors
    /// When it is none, has no sense over these variables, or is larger than the limits allow.
    pub fn compile(environment: &Environment, text: &str) -> Result<Program, Problem> {
        let expression = parser::parse(text)?;
        let checked = check::check(environment, &expression)?;
        Ok(Program {
            node: checked.node,
            r#type: checked.r#type,
            used: checked.used,
        })
    }

    /// The type of what it is worth; [`Type::Dyn`] where only its evaluation tells.
    pub fn result(&self) -> &Type {
        &self.r#type
    }

    /// Whether it may ask for the variable at that place.
    pub fn uses(&self, place: usize) -> bool {
        self.used.get(place).copied().unwrap_or(false)
    }

    /// What it is worth, within [`STEPS`].
    ///
    /// # Errors
    /// When it is worth nothing for these variables, or costs more than it may.
    pub fn evaluate<'a>(&'a self, variables: &'a dyn Variables) -> Result<Value<'a>, Failure> {
        self.evaluate_within(STEPS, variables)
    }

    /// What it is worth, within so many steps.
    ///
    /// # Errors
    /// As [`Program::evaluate`].
    pub fn evaluate_within<'a>(&'a self, steps: u64, variables: &'a dyn Variables) -> Result<Value<'a>, Failure> {
        Evaluation::new(variables, steps).evaluate(&self.node)
    }
}
