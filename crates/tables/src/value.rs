//! Values on their way into a statement.

/// A value that is bound to a statement, never written into it.
///
/// Dates, decimals, UUIDs and all else that has no variant of its own are text in the database's usual form: whoever
/// made the value has checked it against its column's type.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// True or false; 1 or 0 where the engine has no such type.
    Boolean(bool),
    /// An integer of 64 bits.
    Integer(i64),
    /// A finite number.
    Real(f64),
    /// Text, or what is written as text.
    Text(String),
    /// A JSON document, as text.
    Json(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Several values of one type, for lists and arrays.
    List(Vec<Value>),
    /// What an earlier step of the same script gave: the hidden output of that place in that step's last row.
    Of {
        /// The step, counted from 0.
        step: usize,
        /// The place among the step's hidden outputs.
        output: usize,
    },
    /// The hidden outputs of all rows of an earlier step, as a JSON array of arrays.
    AllOf {
        /// The step, counted from 0.
        step: usize,
    },
}
