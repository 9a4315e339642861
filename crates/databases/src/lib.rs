//! Databases and their drivers: schemas are read, connections kept, scripts run. What a script is for, nobody here
//! knows: no route, no request.

mod database;
mod failure;
mod migrations;
pub mod settings;

pub use self::database::{Answer, Database, Rest};
