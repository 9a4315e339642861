//! What a statement gives: how each column is written, and how a driver hands over a row.

use std::sync::Arc;

use crate::schema::Type;
use crate::value::Value;

/// What becomes of the rows that a statement gives. The columns are, in this order: those that are shown, those that
/// are hidden, and the check.
#[derive(Clone, Debug, PartialEq)]
pub struct Outputs {
    /// What the answer shows.
    pub shown: Shown,
    /// How many columns behind the shown ones are kept, unseen: of the first and of the last row.
    pub hidden: usize,
    /// Whether one more column, the last, must be true in every row. One row where it isn't is a refusal, and nothing
    /// of the script has happened.
    pub checked: bool,
}

/// What an answer shows of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// Nothing: rows are counted only.
    Nothing,
    /// These columns, as members of an object (or fields of a line, or elements).
    Columns(Arc<[Output]>),
    /// One column that holds the whole row as a JSON object, made by the database.
    Json,
    /// One column that is the whole answer for the row, without a name: the result of a routine.
    Value(Type),
    /// As many columns as the database finds, by the names that it gives them ([`Row::names`]): a statement of the file.
    /// Nothing is hidden behind them.
    Found,
}

/// A shown column.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its name.
    pub name: Box<str>,
    /// The name as the member of a JSON object, escaped and with quotes and colon.
    pub member: Box<str>,
    /// What it holds: JSON is written as it is, decimals as numbers, bytes in base64.
    pub kind: Type,
}

/// One column of a row, as the driver has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'r> {
    /// NULL.
    Null,
    /// True or false.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// An integer beyond those of `i64`.
    Unsigned(u64),
    /// A number.
    Real(f64),
    /// Text, or a value in the database's text form. What is no UTF-8 is replaced when it is written.
    Text(&'r [u8]),
    /// Bytes.
    Bytes(&'r [u8]),
}

/// A row as a driver has it.
pub trait Row {
    /// The column of that place.
    fn cell(&self, place: usize) -> Cell<'_>;

    /// The names of its columns, and what is known of their types, where the driver knows them: for [`Shown::Found`].
    fn names(&self) -> Vec<(String, Type)> {
        Vec::new()
    }
}

impl Output {
    /// A column of that name.
    pub fn new(name: &str, kind: Type) -> Output {
        let mut member = serde_json::to_string(name).expect("a text can be written");
        member.push(':');
        Output {
            name: name.into(),
            member: member.into(),
            kind,
        }
    }
}

impl Outputs {
    /// No rows are expected, or they are counted only.
    pub const NONE: Outputs = Outputs {
        shown: Shown::Nothing,
        hidden: 0,
        checked: false,
    };

    /// How many columns the answer shows.
    pub fn shown_columns(&self) -> usize {
        match &self.shown {
            Shown::Nothing | Shown::Found => 0,
            Shown::Columns(columns) => columns.len(),
            Shown::Json | Shown::Value(_) => 1,
        }
    }
}

impl Cell<'_> {
    /// The cell as a value of its own: for hidden columns, which go into cursors, tags and later steps.
    pub fn to_value(self) -> Value {
        match self {
            Cell::Null => Value::Null,
            Cell::Boolean(truth) => Value::Boolean(truth),
            Cell::Integer(number) => Value::Integer(number),
            Cell::Unsigned(number) => Value::Text(number.to_string()),
            Cell::Real(number) => Value::Real(number),
            Cell::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
            Cell::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        }
    }
}
