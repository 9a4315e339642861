//! Databases and their drivers: schemas are read, connections kept, scripts run. What a script is for, nobody here
//! knows: no route, no request.

mod database;
pub mod failure;
mod migrations;
mod mysql;
pub mod plans;
mod postgres;
mod script;
pub mod settings;
mod sqlite;
#[cfg(test)]
mod tests;

pub use self::database::{Answer, Counted, Database, Load, Rest};
