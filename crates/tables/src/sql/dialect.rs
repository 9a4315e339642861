//! How the engines' SQL differs, as far as it does everywhere.

use crate::query::Comparison;
use crate::schema::{Cast, Engine};

/// A dialect of SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// SQLite's, from 3.45.
    Sqlite,
    /// PostgreSQL's, from 13.
    Postgres,
    /// MariaDB's from 10.6, and MySQL's from 8.0.14 where they are one.
    MariaDb {
        /// Whether it is MySQL.
        mysql: bool,
    },
}

impl Dialect {
    /// The engine's dialect.
    pub(crate) fn of(engine: Engine) -> Dialect {
        match engine {
            Engine::Sqlite => Dialect::Sqlite,
            Engine::Postgres => Dialect::Postgres,
            Engine::MariaDb => Dialect::MariaDb { mysql: false },
            Engine::MySql => Dialect::MariaDb { mysql: true },
        }
    }

    /// The type that a cast names; `None` where the engine has none, or where a function does it.
    pub(crate) fn cast(self, cast: Cast) -> Option<&'static str> {
        match self {
            Dialect::Postgres => Some(match cast {
                Cast::Text => "text",
                Cast::Boolean => "boolean",
                Cast::SmallInteger => "smallint",
                Cast::Integer => "integer",
                Cast::BigInteger => "bigint",
                Cast::Real => "real",
                Cast::Double => "double precision",
                Cast::Decimal => "numeric",
                Cast::Date => "date",
                Cast::Time => "time",
                Cast::Timestamp => "timestamp",
                Cast::Moment => "timestamptz",
                Cast::Interval => "interval",
                Cast::Uuid => "uuid",
                Cast::Json => "json",
                Cast::JsonBinary => "jsonb",
                Cast::TextArray => "text[]",
                Cast::IntegerArray => "integer[]",
            }),
            Dialect::Sqlite => match cast {
                Cast::Text | Cast::Uuid => Some("TEXT"),
                Cast::SmallInteger | Cast::Integer | Cast::BigInteger => Some("INTEGER"),
                Cast::Real | Cast::Double => Some("REAL"),
                Cast::Decimal => Some("NUMERIC"),
                _ => None,
            },
            Dialect::MariaDb { .. } => match cast {
                Cast::Text | Cast::Uuid => Some("CHAR"),
                Cast::SmallInteger | Cast::Integer | Cast::BigInteger => Some("SIGNED"),
                Cast::Real | Cast::Double => Some("DOUBLE"),
                Cast::Decimal => Some("DECIMAL(65, 10)"),
                Cast::Date => Some("DATE"),
                Cast::Time => Some("TIME"),
                Cast::Timestamp => Some("DATETIME"),
                _ => None,
            },
        }
    }
}

/// The operator, with spaces around it.
pub(crate) fn operator(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => " = ",
        Comparison::NotEqual => " <> ",
        Comparison::Greater => " > ",
        Comparison::GreaterOrEqual => " >= ",
        Comparison::Less => " < ",
        Comparison::LessOrEqual => " <= ",
    }
}
