//! Expressions in CEL, the Common Expression Language: compiled once, checked for their types, and limited in what they cost.
//!
//! Nothing here does I/O or knows what a request is: whoever compiles an expression says which variables there are, and whoever
//! evaluates it gives their values. (Compiling an expression that names a time zone reads that from the system, if it has any.)
//!
//! ```
//! use portcullis_cel::{Environment, Program, Type, Value, Variables};
//!
//! struct Path(&'static str);
//!
//! impl Variables for Path {
//!     fn get(&self, _place: usize) -> Value<'_> {
//!         Value::text(self.0)
//!     }
//! }
//!
//! let environment = Environment::new().with("path", Type::String);
//! let program = Program::compile(&environment, "path.startsWith('/public/')")?;
//! assert!(matches!(program.evaluate(&Path("/public/a")), Ok(Value::Bool(true))));
//! # Ok::<(), portcullis_cel::Problem>(())
//! ```
//!
//! What is of the language: all of its values but messages, all of its operators and macros, its standard functions, and of
//! the widespread extensions those for text. What is not: optional values, and patterns that are made while an expression
//! is evaluated.

mod lexer;

mod parser;
mod syntax;

mod check;
mod functions;
mod types;

mod evaluate;
mod time;
mod value;

mod problem;
mod program;

pub use parser::{MAX_LENGTH, parse};
pub use problem::{Failure, Problem};
pub use program::{Environment, Program, STEPS, Variables};
pub use syntax::Expression;
pub use time::{Duration, Timestamp};
pub use types::{RecordType, Type};
pub use value::{List, Map, Mapping, Record, Sequence, Shared, Value};
