//! How a script is run.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use portcullis_tables::statement::{Access, Fewer, Isolation, Script, Step};
use portcullis_tables::value::Value;

use crate::postgres::address::IDLE_IN_TRANSACTION;
use crate::postgres::pool::Want;

/// Executions that are sent on a connection that others use too.
const MAX_SHARED: usize = 32;

/// How a script is run.
#[derive(Debug, PartialEq)]
pub(in crate::postgres) struct Plan {
    pub(in crate::postgres) want: Want,
    /// Whether anything may change.
    pub(in crate::postgres) writes: bool,
    /// Whether what changes is to stay.
    pub(super) commits: bool,
    /// Whether nothing may be kept on a connection.
    pub(super) pooled: bool,
    /// Whether the last step's rows are fetched through a cursor, some at a time.
    pub(super) cursor: bool,
    /// Whether a transaction is needed. A single statement that reads is one by itself: the session can't write.
    pub(super) in_transaction: bool,
    pub(super) begin: String,
    pub(super) end: &'static str,
    pub(super) settings: Option<(Arc<str>, Vec<Value>)>,
}

/// One execution of one statement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Execution {
    pub(super) step: usize,
    /// The row of the batch; the first is the statement's own.
    row: usize,
    /// Whether it is the last one of its step.
    pub(super) completes: bool,
    /// How many steps must be complete before its values are known.
    pub(super) needs: usize,
}

impl Plan {
    /// How to run that script on connections whose own time limit for statements is `limit`.
    pub(in crate::postgres) fn new(script: &Script, pooled: bool, limit: Duration) -> Plan {
        let writes = script.access == Access::ReadWrite;
        let executions = Execution::all(script);
        let at_once = executions.len() <= MAX_SHARED
            && executions.iter().all(|execution| execution.needs == 0)
            && !script.steps.iter().any(depends);
        let settings = settings(script, pooled, limit);
        let alone = executions.len() == 1 && script.isolation == Isolation::Default && settings.is_none();
        Plan {
            want: if !writes && at_once { Want::Shared } else { Want::Own },
            writes,
            commits: writes && !script.roll_back,
            pooled,
            cursor: false,
            in_transaction: writes || pooled || !alone || !at_once,
            begin: begin(script),
            end: if writes && script.roll_back {
                "rollback"
            } else {
                "commit"
            },
            settings,
        }
    }

    /// The same for an answer that is too large to be held.
    pub(in crate::postgres) fn with_cursor(mut self) -> Plan {
        self.want = Want::Own;
        self.cursor = true;
        self.in_transaction = true;
        self
    }
}

fn depends(step: &Step) -> bool {
    matches!(&*step.expect.fewer, Fewer::Depends { .. }) && step.expect.least > 0
}

fn begin(script: &Script) -> String {
    let isolation = match script.isolation {
        Isolation::Default => "",
        Isolation::ReadCommitted => " isolation level read committed",
        Isolation::RepeatableRead => " isolation level repeatable read",
        Isolation::Serializable => " isolation level serializable",
    };
    let access = match script.access {
        Access::ReadOnly => "read only",
        Access::ReadWrite => "read write",
    };
    format!("begin{isolation} {access}")
}

/// The statement that tells the transaction who it is for, and how long its statements may take. All of that ends with
/// the transaction, and is bound, not written.
fn settings(script: &Script, pooled: bool, limit: Duration) -> Option<(Arc<str>, Vec<Value>)> {
    let session = &script.session;
    let mut text = String::from("select");
    let mut values = Vec::new();
    let mut set = |name: &str, value: String| {
        values.push(Value::Text(value));
        let comma = if values.len() == 1 { "" } else { "," };
        write!(text, "{comma} pg_catalog.set_config('{name}', ${}, true)", values.len())
            .expect("a String takes every write");
    };
    if pooled || script.timeout != limit {
        set("statement_timeout", script.timeout.as_millis().max(1).to_string());
    }
    if pooled {
        // A client that takes nothing of a large answer must not keep the connection.
        set(
            "idle_in_transaction_session_timeout",
            IDLE_IN_TRANSACTION.as_millis().to_string(),
        );
    }
    if let Some(zone) = &session.time_zone {
        set("timezone", zone.clone());
    }
    if let Some(claims) = &session.claims {
        set("request.jwt.claims", claims.clone());
    }
    // The role comes last: it may lack the right to what else is set.
    if let Some(role) = &session.role {
        set("role", role.to_string());
    }
    (!values.is_empty()).then(|| (text.into(), values))
}

impl Execution {
    /// All executions of a script, in their order.
    pub(super) fn all(script: &Script) -> Vec<Execution> {
        let mut all = Vec::new();
        for (place, step) in script.steps.iter().enumerate() {
            for row in 0..=step.batch.len() {
                let mut execution = Execution {
                    step: place,
                    row,
                    completes: row == step.batch.len(),
                    needs: 0,
                };
                execution.needs = execution.values(script).iter().map(needs).max().unwrap_or(0);
                all.push(execution);
            }
        }
        all
    }

    /// Its values.
    pub(super) fn values<'s>(&self, script: &'s Script) -> &'s [Value] {
        let step = &script.steps[self.step];
        match self.row.checked_sub(1) {
            None => &step.statement.values,
            Some(row) => &step.batch[row],
        }
    }
}

fn needs(value: &Value) -> usize {
    match value {
        Value::Of { step, .. } | Value::AllOf { step } => step.saturating_add(1),
        _ => 0,
    }
}
