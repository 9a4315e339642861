//! Tables as REST resources, without a database: the schema as it was found, the grammar of queries, what a route
//! exposes, and the SQL that is made of all three.
//!
//! A request becomes a [`query::Read`] or a [`change::Change`] by [`grammar`] and [`content`], both resolved against an
//! [`api::Api`]; [`sql`] makes a [`statement::Script`] of it, and a driver elsewhere runs that. Nothing here does I/O,
//! and nothing here can put a name into SQL that was not found in the schema.

pub mod api;
pub mod change;
pub mod content;
pub mod cursor;
pub mod doctor;
#[cfg(any(test, feature = "fixture"))]
pub mod fixture;
pub mod grammar;
pub mod openapi;
pub mod output;
pub mod percent;
pub mod query;
pub mod schema;
pub mod sql;
pub mod statement;
pub mod tag;
pub mod tx;
pub mod value;
