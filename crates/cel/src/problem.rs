//! What can be wrong: with an expression when it is compiled, and with its values when it is evaluated.

use std::fmt;

/// Why a text is no expression, or one that could never be evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where in the text: the offset of a byte, at most the text's length.
    pub at: usize,
    /// What is wrong there, as a sentence for the one who wrote it.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Problem {
        Problem {
            at,
            message: message.into(),
        }
    }

    /// The column in characters, from 1, and the line, from 1, at which the problem is in that text.
    pub fn place(&self, text: &str) -> (usize, usize) {
        let before = &text.as_bytes()[..self.at.min(text.len())];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        // Bytes that continue a character are not counted.
        let column = before[line_start..].iter().filter(|byte| **byte & 0xC0 != 0x80).count() + 1;
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        (line, column)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

/// Why an expression has no value for what it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It would cost more than it may. No operator saves an expression from that.
    TooCostly,
    /// A number, time or duration is out of its range.
    OutOfRange,
    /// Something was divided by zero.
    DivisionByZero,
    /// A map has no such key.
    NoSuchKey(Box<str>),
    /// A list has no such place.
    NoSuchIndex,
    /// A function or operator was given something that it isn't for.
    WrongType(&'static str),
    /// A text can't be understood as what it should be: the name of that.
    Unreadable(&'static str),
    /// A map was made with one key twice.
    KeyTwice,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::TooCostly => f.write_str("the expression costs more than it may"),
            Failure::OutOfRange => f.write_str("a value is out of its range"),
            Failure::DivisionByZero => f.write_str("division by zero"),
            Failure::NoSuchKey(key) => write!(f, "there is no key `{}`", key.escape_debug()),
            Failure::NoSuchIndex => f.write_str("the index is outside of the list"),
            Failure::WrongType(what) => write!(f, "{what} was given a value of a type that it isn't for"),
            Failure::Unreadable(what) => write!(f, "a text is no {what}"),
            Failure::KeyTwice => f.write_str("a map has one key twice"),
        }
    }
}

impl std::error::Error for Failure {}
