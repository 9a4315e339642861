//! Rows to the content of an answer, and the content of a request to rows.
//!
//! | form | in | out |
//! |---|---|---|
//! | `application/json` | an object, or an array of them | an array of objects |
//! | `application/vnd.pgrst.object+json` | the same | one object |
//! | `application/x-ndjson` | an object on each line | an object on each line |
//! | `text/csv` (RFC 4180) | a line of names, a line for each row | the same |
//! | `application/x-www-form-urlencoded` | one row | |
//! | `application/xml` | | `<rows>`, see [`Format::Xml`] |
//!
//! Values are the same in all of them: integers have all their digits, decimals too, bytes are base64 with padding
//! (RFC 4648 §4), dates and times are those of RFC 3339. What a column takes is decided by its type, not by what the
//! database would make of a text: else the type of a stored value would depend on the value.

mod csv;
pub(crate) mod document;
mod json;
mod record;
pub(crate) mod rows;
mod temporal;
mod value;
mod writer;
mod xml;

pub use self::rows::{Rows, parse_rows, parse_values, with_key, writable_columns};
pub(crate) use self::value::from_json;
pub use self::value::from_text;
pub use self::writer::{Format, RowWriter};
