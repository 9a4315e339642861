//! Rows to the content of an answer, and the content of a request to rows.

mod writer;

pub use self::writer::{Format, RowWriter};
