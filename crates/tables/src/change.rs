//! A change of a resource, resolved and checked.

use crate::query::{Filter, Item};
use crate::value::Value;

/// A change of the rows of one resource. It happens wholly, or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The resource, by its place in the API.
    pub resource: usize,
    /// What happens.
    pub action: Action,
    /// Which rows the caller may see and so change, and what new values must comply with.
    pub rule: Option<Filter>,
    /// What the answer shows of each row; nothing where the client doesn't want rows.
    pub shown: Option<Vec<Item>>,
    /// Whether one row is meant, by its address: it must be there.
    pub single: bool,
    /// Rows that may be touched; one more and none is.
    pub max_affected: u64,
    /// What `If-Match` and `If-None-Match` ask of the row.
    pub condition: Condition,
    /// Columns whose values later steps of a transaction refer to ([`Value::Of`]), by their places: hidden outputs, in
    /// this order, the primary key's columns before them.
    pub keep: Vec<usize>,
}

/// What happens to the rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// New rows.
    Insert {
        /// The columns that get values.
        columns: Vec<usize>,
        /// The rows: for each column a value, or its default.
        rows: Vec<Vec<Option<Value>>>,
        /// What happens where a row with the same key is there; without it, that is a failure.
        conflict: Option<Conflict>,
    },
    /// Other values in the rows that the filter lets through.
    Update {
        /// The new values, by column.
        values: Vec<(usize, Value)>,
        /// The rows; `None` is all of them, where the route allows that.
        filter: Option<Filter>,
    },
    /// One row as a whole, by its primary key: it is made, or all of its writable columns get new values (those that
    /// are not given, their default).
    Put {
        /// The values, by column, the key's among them.
        values: Vec<(usize, Value)>,
    },
    /// No more of the rows that the filter lets through.
    Delete {
        /// The rows; `None` is all of them, where the route allows that.
        filter: Option<Filter>,
    },
}

/// What happens to a new row whose key is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The columns of the key: the primary one's, or those of another unique key.
    pub columns: Vec<usize>,
    /// Whether the row gets the new values, or stays as it is.
    pub merge: bool,
}

/// What must hold of the row that a change is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Condition {
    /// Nothing.
    #[default]
    None,
    /// It is there (`If-Match: *`).
    Present,
    /// It is not there (`If-None-Match: *`).
    Absent,
    /// Its version is one of these (`If-Match`), in the version column's own values.
    Version(Vec<Value>),
}
