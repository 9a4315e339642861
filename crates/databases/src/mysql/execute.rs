//! Scripts on a connection.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::Value as Raw;
use portcullis_core::{Error, Result as Outcomes, codes};
use portcullis_tables::content::Format;
use portcullis_tables::statement::{Access, Failure, Isolation, Outcome, Script, Statement, Step};
use portcullis_tables::value::Value;
use tokio::time::Instant;

use super::failure::{self, is_conflict, is_lost, to_error};
use super::pool::{Lease, Pool};
use super::session::{Mode, Session};
use super::values::{Cells, bound};
use crate::failure::unmet;
use crate::script::{Progress, Taker, Verdict, judge};

/// How often a script is tried again that could not be ordered among others.
const RETRIES: u32 = 3;
/// The first pause before that, which doubles. Somewhat more or less of it, so that two don't meet again.
const PAUSE: Duration = Duration::from_millis(5);
/// How long a commit may take: it waits for the disk, not for others.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a script did not come to its end.
pub(super) enum Fault {
    /// The database had something against it.
    Database(mysql_async::Error),
    /// The connection was lost while the change was being committed.
    Unknown(mysql_async::Error),
    /// A step did not come to what it must.
    Unmet(Failure),
    /// Anything else.
    Other(Error),
}

/// Which attempts were made.
#[derive(Default)]
pub(super) struct Attempts {
    conflicts: u32,
    /// Whether a connection was lost: the next one must be a new one.
    pub(super) is_lost: bool,
}

impl Fault {
    /// The error for it.
    pub(super) fn into_error(self, access: Access) -> Error {
        match self {
            Fault::Database(failure) => to_error(&failure, access == Access::ReadWrite),
            Fault::Unknown(failure) => failure::unknown(&failure),
            Fault::Unmet(failure) => unmet(failure),
            Fault::Other(error) => error,
        }
    }

    /// Whether the connection can't be used any more.
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Fault::Database(failure) => is_lost(failure),
            Fault::Unknown(_) => true,
            Fault::Unmet(_) | Fault::Other(_) => false,
        }
    }
}

impl From<mysql_async::Error> for Fault {
    fn from(failure: mysql_async::Error) -> Fault {
        Fault::Database(failure)
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Fault {
        Fault::Unmet(failure)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Other(error)
    }
}

impl Attempts {
    /// Waits before another attempt where the fault allows one; else it is the answer.
    ///
    /// # Errors
    /// The fault.
    pub(super) async fn again(&mut self, fault: Fault, script: &Script) -> Outcomes<()> {
        match &fault {
            Fault::Database(failure) if is_conflict(failure) && self.conflicts < RETRIES => {
                let pause = PAUSE * 2_u32.pow(self.conflicts);
                self.conflicts += 1;
                tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
                Ok(())
            }
            // Nothing of it holds: a transaction that was not committed is gone with its connection.
            Fault::Database(failure) if is_lost(failure) && !self.is_lost && !commits_by_itself(script) => {
                self.is_lost = true;
                Ok(())
            }
            _ => Err(fault.into_error(script.access)),
        }
    }
}

/// Runs a script in one transaction.
pub(super) async fn run(pool: &Arc<Pool>, script: &Script, format: Format) -> Outcomes<Vec<Outcome>> {
    let deadline = Instant::now() + script.timeout;
    let mut attempts = Attempts::default();
    loop {
        match attempt(pool, script, format, deadline, attempts.is_lost).await {
            Ok(outcomes) => return Ok(outcomes),
            Err(fault) => attempts.again(fault, script).await?,
        }
    }
}

async fn attempt(
    pool: &Arc<Pool>,
    script: &Script,
    format: Format,
    deadline: Instant,
    fresh: bool,
) -> Result<Vec<Outcome>, Fault> {
    let mode = match script.access {
        Access::ReadOnly => Mode::Reads,
        Access::ReadWrite => Mode::Writes,
    };
    let working = tokio::time::timeout_at(deadline, async {
        let mut lease = pool.take(mode, fresh).await?;
        let worked = steps(&mut lease, mode, script, format).await;
        Ok::<_, Fault>((lease, worked))
    });
    // A lease that is dropped by the timeout takes its connection with it, and so the transaction.
    let (mut lease, worked) = working.await.map_err(|_| Error::new(&codes::DATABASE_TIMEOUT))??;
    // Some statements end as if nothing were, when the server stops them (DO).
    let worked = match worked {
        Ok(_) if Instant::now() >= deadline => Err(Error::new(&codes::DATABASE_TIMEOUT).into()),
        worked => worked,
    };
    let ended = match worked {
        // The commit has a time of its own: nobody would know what became of one that was stopped.
        Ok(outcomes) => end(&mut lease, mode, script).await.map(|()| outcomes),
        Err(fault) => Err(fault),
    };
    match ended {
        Ok(outcomes) => {
            lease.give_back();
            Ok(outcomes)
        }
        Err(fault) => {
            end_badly(lease, &fault, true).await;
            Err(fault)
        }
    }
}

async fn steps(session: &mut Session, mode: Mode, script: &Script, format: Format) -> Result<Vec<Outcome>, Fault> {
    session.prepare_for(mode, script.timeout).await?;
    begin(session, mode, script).await?;
    let mut progress = Progress::new(script);
    for step in &script.steps {
        let mut taker = progress.taker(step, format);
        execute(session, &progress, step, &mut taker).await?;
        progress.push(taker);
    }
    Ok(progress.finish())
}

/// Begins the transaction, where that needs words.
///
/// # Errors
/// The connection is lost.
pub(super) async fn begin(session: &mut Session, mode: Mode, script: &Script) -> Result<(), Fault> {
    if let Some(level) = isolation(script.isolation) {
        // It holds for the next transaction only.
        session.command(level).await?;
    }
    // A single statement that reads is a transaction by itself, and one that writes begins one.
    if mode == Mode::Reads && needs_transaction(script) {
        session.command("START TRANSACTION READ ONLY").await?;
    }
    Ok(())
}

/// Ends the transaction: it is committed, or rolled back where the script is a dry run.
///
/// # Errors
/// What the server had against it.
pub(super) async fn end(session: &mut Session, mode: Mode, script: &Script) -> Result<(), Fault> {
    match mode {
        Mode::Reads if needs_transaction(script) => Ok(session.command("COMMIT").await?),
        Mode::Reads => Ok(()),
        Mode::Writes if script.roll_back => Ok(session.command("ROLLBACK").await?),
        Mode::Writes => match tokio::time::timeout(COMMIT_TIMEOUT, session.command("COMMIT")).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(failure)) if is_lost(&failure) => Err(Fault::Unknown(failure)),
            Ok(Err(failure)) => Err(Fault::Database(failure)),
            Err(_) => Err(Fault::Unknown(
                std::io::Error::from(std::io::ErrorKind::TimedOut).into(),
            )),
        },
    }
}

/// Ends a connection's work that failed: the transaction is taken back, or the connection closed.
pub(super) async fn end_badly(mut lease: Lease, fault: &Fault, all_read: bool) {
    if fault.is_lost() || lease.is_lost() {
        return lease.discard();
    }
    // In the middle of a result, all of it would have to be read first: the server is told to stop instead.
    if !all_read && matches!(fault, Fault::Unmet(_)) {
        return;
    }
    match lease.command("ROLLBACK").await {
        Ok(()) => lease.give_back(),
        Err(_) => lease.discard(),
    }
}

/// Runs one step, all of its batch, and judges what it came to.
pub(super) async fn execute(
    session: &mut Session,
    progress: &Progress,
    step: &Step,
    taker: &mut Taker,
) -> Result<(), Fault> {
    for values in std::iter::once(&step.statement.values).chain(&step.batch) {
        let values = bind(progress, values)?;
        let mut result = session.execute(&step.statement.text, values).await?;
        let has_rows = !result.columns_ref().is_empty();
        while let Some(row) = result.next().await? {
            taker.row(&Cells::new(&row))?;
        }
        let touched = result.affected_rows();
        // What else a procedure gives is not asked for.
        result.drop_result().await?;
        if !has_rows {
            taker.touched(touched)?;
        }
    }
    met(session, progress, step, taker.rows()).await
}

/// Whether a step came to what it must.
///
/// # Errors
/// It did not.
pub(super) async fn met(session: &mut Session, progress: &Progress, step: &Step, rows: u64) -> Result<(), Fault> {
    match judge(&step.expect, rows) {
        Verdict::Met => Ok(()),
        Verdict::Unmet(failure) => Err(failure.into()),
        Verdict::Depends(probe, found, missing) => {
            let there = finds_a_row(session, progress, probe).await?;
            Err(if there { found } else { missing }.into())
        }
    }
}

/// The values of a statement, as they are bound.
///
/// # Errors
/// One refers to what is not there.
pub(super) fn bind(progress: &Progress, values: &[Value]) -> Outcomes<Vec<Raw>> {
    values.iter().map(|value| Ok(bound(&*progress.value(value)?))).collect()
}

/// How the server would execute a statement, as JSON. Values that are missing are made up.
pub(super) async fn explain(pool: &Arc<Pool>, statement: &Statement, limit: Duration) -> Outcomes<String> {
    let reads = ["SELECT", "WITH", "("].iter().any(|word| {
        let start = statement.text.get(..word.len()).unwrap_or_default();
        start.eq_ignore_ascii_case(word)
    });
    // A plan for a statement that writes is refused where only reading is allowed.
    let mode = if reads { Mode::Reads } else { Mode::Writes };
    let values = statement.values.iter().map(bound).collect();
    let text = format!("EXPLAIN FORMAT=JSON {}", statement.text).into();
    let mut lease = pool.take(mode, false).await?;
    let explained = tokio::time::timeout(limit, explain_on(&mut lease, mode, limit, &text, values)).await;
    match explained {
        Ok(Ok(plan)) => {
            lease.give_back();
            Ok(plan)
        }
        Ok(Err(failure)) => {
            let fault = Fault::Database(failure);
            end_badly(lease, &fault, true).await;
            Err(fault.into_error(Access::ReadOnly))
        }
        Err(_) => Err(Error::new(&codes::DATABASE_TIMEOUT)),
    }
}

async fn explain_on(
    session: &mut Session,
    mode: Mode,
    limit: Duration,
    text: &Arc<str>,
    mut values: Vec<Raw>,
) -> mysql_async::Result<String> {
    session.prepare_for(mode, limit).await?;
    // A shape has no values, but the server wants some. Of what each may be, a digit is what most columns take.
    values.resize(
        session.parameters(text).await?.max(values.len()),
        Raw::Bytes(b"1".to_vec()),
    );
    let mut result = session.execute(text, values).await?;
    let row = result.next().await?;
    result.drop_result().await?;
    if mode == Mode::Writes {
        session.command("ROLLBACK").await?;
    }
    Ok(row.and_then(|mut row| row.take(0)).unwrap_or_default())
}

async fn finds_a_row(session: &mut Session, progress: &Progress, probe: &Statement) -> Result<bool, Fault> {
    let values = bind(progress, &probe.values)?;
    let mut result = session.execute(&probe.text, values).await?;
    let found = result.next().await?.is_some();
    result.drop_result().await?;
    Ok(found)
}

fn needs_transaction(script: &Script) -> bool {
    script.steps.len() > 1 || script.steps.iter().any(|step| !step.batch.is_empty())
}

fn isolation(level: Isolation) -> Option<&'static str> {
    match level {
        Isolation::Default => None,
        Isolation::ReadCommitted => Some("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"),
        Isolation::RepeatableRead => Some("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"),
        Isolation::Serializable => Some("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"),
    }
}

/// Whether a part of the script may hold though its transaction was never committed: procedures may commit.
fn commits_by_itself(script: &Script) -> bool {
    let is_call = |step: &Step| {
        step.statement
            .text
            .get(..4)
            .is_some_and(|word| word.eq_ignore_ascii_case("call"))
    };
    script.access == Access::ReadWrite && script.steps.iter().any(is_call)
}
