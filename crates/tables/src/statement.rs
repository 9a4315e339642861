//! What a driver runs.

use std::sync::Arc;
use std::time::Duration;

use crate::output::Outputs;
use crate::value::Value;

/// One statement: its text has a placeholder for every value, and no value. So the text is the query's *shape*, shared
/// by all requests that differ in values only: drivers keep it prepared, and the index doctor counts by it.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The text, in the engine's dialect: `?` in SQLite and MariaDB, `$1` in PostgreSQL.
    pub text: Arc<str>,
    /// The values, in the order of their placeholders.
    pub values: Vec<Value>,
    /// What the rows that it gives become.
    pub outputs: Outputs,
}

/// Statements that run in one transaction, in this order: all of them happen, or none.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// Whether anything may change. Where not, the database itself is told so.
    pub access: Access,
    /// How transactions at the same time see each other.
    pub isolation: Isolation,
    /// Who it is for, as the database is told.
    pub session: Session,
    /// The steps.
    pub steps: Vec<Step>,
    /// Whether all is rolled back at the end (`Prefer: tx=rollback`): a dry run.
    pub roll_back: bool,
    /// How long all of it may take.
    pub timeout: Duration,
}

/// Whether a script changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Access {
    ReadOnly,
    ReadWrite,
}

/// How transactions at the same time see each other (ISO/IEC 9075). SQLite always gives the strongest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Isolation {
    /// The database's own default.
    #[default]
    Default,
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

/// Who a script is for, as PostgreSQL is told by settings that end with the transaction. Other engines have no such.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The role that the transaction takes, one of those that the file lists.
    pub role: Option<Arc<str>>,
    /// The caller's claims, as JSON, in `request.jwt.claims`.
    pub claims: Option<String>,
    /// The time zone for moments, by its name (`Prefer: timezone=`): letters, digits and `+-_/` only.
    pub time_zone: Option<String>,
}

/// One step of a script.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The statement.
    pub statement: Statement,
    /// Further rows of values for the same statement, run one after the other: for inserts of several rows where that
    /// is fastest. `statement.values` is the first.
    pub batch: Vec<Vec<Value>>,
    /// What must come of it.
    pub expect: Expect,
}

/// How many rows a step must give or touch, in all of its batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Expect {
    /// No fewer.
    pub least: u64,
    /// What fewer mean.
    pub fewer: Box<Fewer>,
    /// No more, or it is `Failure::TooMany`.
    pub most: u64,
}

/// What it means that a step touched fewer rows than it must.
#[derive(Clone, Debug, PartialEq)]
pub enum Fewer {
    /// That.
    Fails(Failure),
    /// It depends on whether this statement finds a row.
    Depends {
        /// A statement that gives a row, or none.
        probe: Statement,
        /// What it is when there is one.
        found: Failure,
        /// What it is when there is none.
        missing: Failure,
    },
}

/// Why a script that the database had nothing against was rolled back all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The row is not there, or the caller may not see it (404).
    NotFound,
    /// The row has another version, is not there, or is there (412).
    PreconditionFailed,
    /// More rows would be touched than may be (400).
    TooMany,
    /// A row would not comply with the caller's rule (403).
    Forbidden,
    /// One row was asked for, and there are none or several (406).
    NotSingular,
}

/// What one step came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Rows that it gave or touched.
    pub rows: u64,
    /// What the answer shows of them, in the script's format.
    pub body: bytes::Bytes,
    /// The hidden columns of the first row.
    pub first: Vec<Value>,
    /// The hidden columns of the last row.
    pub last: Vec<Value>,
}

impl Expect {
    /// Anything is fine.
    pub fn anything() -> Expect {
        Expect {
            least: 0,
            fewer: Box::new(Fewer::Fails(Failure::NotFound)),
            most: u64::MAX,
        }
    }
}

impl Step {
    /// One that is right whatever comes of it.
    pub fn of(statement: Statement) -> Step {
        Step {
            statement,
            batch: Vec::new(),
            expect: Expect::anything(),
        }
    }
}

impl Statement {
    /// A digest of the shape, in 16 hexadecimal digits: its name in reports and metrics.
    pub fn shape(text: &str) -> String {
        use sha2::{Digest as _, Sha256};
        let digest = Sha256::digest(text.as_bytes());
        digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
