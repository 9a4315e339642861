//! Expressions over a request, for every policy that takes one.
//!
//! The reference of what an expression sees is in the documentation of `portcullis_config::policy::authorize`.

mod view;

use std::sync::OnceLock;

use portcullis_cel::{Environment, Failure, Problem, Program, Type, Value};
use portcullis_core::{Ctx, Request};

use view::{CLAIMS, CONSUMER, View};

/// A compiled expression over a request and what is known of it.
#[derive(Debug)]
pub struct Expression {
    program: Program,
}

impl Expression {
    /// Compiles an expression that is true or false.
    ///
    /// # Errors
    /// Says in a sentence what is wrong with it, and at which column.
    pub fn boolean(text: &str) -> Result<Expression, String> {
        Expression::compile(text, &[Type::Bool], "true or false")
    }

    /// Compiles an expression that is a text.
    ///
    /// # Errors
    /// As [`Expression::boolean`].
    pub fn text(text: &str) -> Result<Expression, String> {
        Expression::compile(text, &[Type::String], "a string")
    }

    /// Compiles an expression that is a whole number.
    ///
    /// # Errors
    /// As [`Expression::boolean`].
    pub fn number(text: &str) -> Result<Expression, String> {
        Expression::compile(text, &[Type::Int, Type::Uint, Type::Double], "a number")
    }

    fn compile(text: &str, wanted: &[Type], what: &str) -> Result<Expression, String> {
        static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
        let environment = ENVIRONMENT.get_or_init(view::environment);
        let program = Program::compile(environment, text).map_err(|problem| told(&problem, text))?;
        let found = program.result();
        if *found != Type::Dyn && !wanted.contains(found) {
            return Err(format!("the expression must be {what}, and it is of the type {found}"));
        }
        Ok(Expression { program })
    }

    /// Whether it depends on who the request comes from.
    pub fn needs_identity(&self) -> bool {
        self.program.uses(CONSUMER) || self.program.uses(CLAIMS)
    }

    /// Whether it is true of the request.
    ///
    /// # Errors
    /// When it is neither true nor false of it. What guards, denies then.
    pub fn holds(&self, cx: &Ctx, request: &Request) -> Result<bool, Failure> {
        match self.program.evaluate(&View::new(cx, request))? {
            Value::Bool(value) => Ok(value),
            _ => Err(Failure::WrongType("what wants true or false")),
        }
    }

    /// The text that it is for the request.
    ///
    /// # Errors
    /// When it is none for it.
    pub fn text_of(&self, cx: &Ctx, request: &Request) -> Result<String, Failure> {
        match self.program.evaluate(&View::new(cx, request))? {
            Value::String(text) => Ok((*text).to_owned()),
            _ => Err(Failure::WrongType("what wants a string")),
        }
    }

    /// The whole number that it is for the request; a fraction is cut off.
    ///
    /// # Errors
    /// When it is none for it, or one that an `i64` can't hold.
    pub fn number_of(&self, cx: &Ctx, request: &Request) -> Result<i64, Failure> {
        match self.program.evaluate(&View::new(cx, request))? {
            Value::Int(number) => Ok(number),
            Value::Uint(number) => i64::try_from(number).map_err(|_| Failure::OutOfRange),
            #[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
            Value::Double(number) if number.abs() < 9e18 => Ok(number as i64),
            Value::Double(_) => Err(Failure::OutOfRange),
            _ => Err(Failure::WrongType("what wants a number")),
        }
    }
}

/// The problem with its place in the text.
fn told(problem: &Problem, text: &str) -> String {
    match problem.place(text) {
        (1, column) => format!("column {column} of the expression: {problem}"),
        (line, column) => format!("line {line}, column {column} of the expression: {problem}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
