//! Running a script: what can be sent at once is, and what was sent is answered in that order.

mod plan;
mod started;

use std::borrow::Cow;
use std::sync::Arc;

use portcullis_core::codes;
use portcullis_tables::content::Format;
use portcullis_tables::statement::{Outcome, Script, Step};
use portcullis_tables::value::Value;
use tokio_postgres::{Error, RowStream};

use self::plan::Execution;
pub(super) use self::plan::Plan;
use self::started::{Started, started};
use super::connection::{Connection, Ready};
use super::cursor::{Answering, Cursor};
use super::failure::{is_forbidden, is_lost, to_error, unknown};
use super::pool::{Lease, Want};
use super::rows::{Rows, drain};
use super::values::Parameter;
use crate::failure::{busy, unmet};
use crate::script::{Progress, Taker, Verdict, judge};

/// Executions of statements that are under way on a connection at the most.
const MAX_UNDER_WAY: usize = 256;

/// Why a script did not run.
pub(super) enum Failed {
    /// The server failed it, or is gone; whether its transaction may have been committed all the same.
    Server { error: Error, committing: bool },
    /// It did not come to what it must, or can't be run.
    Refused(portcullis_core::Error),
    /// The answer is more than is held, and its rows are still coming.
    TooLarge,
}

/// What came of a script.
pub(super) struct Done {
    /// What its steps came to, but for the one whose rows are still coming.
    pub(super) outcomes: Vec<Outcome>,
    /// The last step's rows, where they are more than are held.
    pub(super) rest: Option<Answering>,
}

/// One run of a script.
pub(super) struct Run<'s> {
    script: &'s Script,
    plan: &'s Plan,
    format: Format,
    hold: usize,
    progress: Progress,
    /// The rows so far of a step whose batch is under way.
    taken: Option<Taker>,
}

/// The settings that a transaction begins with: a statement, and its values.
type Settings<'p> = Option<(Ready, &'p [Value])>;
type Sent<'a> = Started<'a, Result<RowStream, Error>>;
type Ending<'a> = Started<'a, Result<(), Error>>;

impl<'s> Run<'s> {
    /// A run of that script, whose last step's rows are held up to `hold` bytes.
    pub(super) fn new(script: &'s Script, plan: &'s Plan, format: Format, hold: usize) -> Run<'s> {
        Run {
            script,
            plan,
            format,
            hold,
            progress: Progress::new(script),
            taken: None,
        }
    }

    /// Runs it.
    pub(super) async fn go(mut self, lease: Lease) -> Result<Done, Failed> {
        let connection = lease.connection().clone();
        match self.all(&connection).await {
            Ok(None) => {
                lease.done();
                Ok(Done {
                    outcomes: self.progress.finish(),
                    rest: None,
                })
            }
            // Without a place for it, the lease is dropped, and so the transaction rolled back.
            Ok(Some(cursor)) => match lease.stream() {
                Some(streaming) => Ok(Done {
                    outcomes: self.progress.finish(),
                    rest: Some(Answering::new(cursor, lease, streaming)),
                }),
                None => Err(Failed::Refused(
                    busy().with_cause("too many large answers are being taken"),
                )),
            },
            Err(Failed::TooLarge) => {
                // To receive the rest, which nobody wants, would take longer than to connect anew.
                lease.sever();
                Err(Failed::TooLarge)
            }
            Err(failed) => {
                if self.plan.want == Want::Own && !connection.is_closed() {
                    // The transaction may be open still.
                    let _ = connection.client.batch_execute("rollback").await;
                }
                lease.done();
                Err(failed)
            }
        }
    }

    async fn all(&mut self, connection: &Connection) -> Result<Option<Cursor>, Failed> {
        let ready = self.prepare(connection).await?;
        if self.plan.in_transaction {
            return self.transaction(connection, &ready).await;
        }
        let step = &self.script.steps[0];
        let rows = connection
            .execute(&ready[0], self.values(&step.statement.values)?)
            .await?;
        let rows = Rows::new(rows, self.progress.taker(step, self.format), &step.statement.outputs);
        let taker = rows.take(self.hold).await?;
        self.judge(connection, step, taker).await?;
        Ok(None)
    }

    async fn transaction(&mut self, connection: &Connection, ready: &[Ready]) -> Result<Option<Cursor>, Failed> {
        let settings = settings(self.plan, connection).await?;
        let mut beginning = Some(begin(self.plan, connection, &settings).await);
        let mut executions = Execution::all(self.script);
        if self.plan.cursor {
            executions.pop();
        }
        let mut next = 0;
        loop {
            let (sent, ending) = self.send(connection, ready, &executions[next..]).await?;
            if let Some((begin, set)) = beginning.take() {
                begin.done().await?;
                if let Some(set) = set {
                    drain(set.done().await?).await?;
                }
            }
            let committing = ending.is_some() && self.plan.commits;
            let received = &executions[next..next + sent.len()];
            next += received.len();
            let received = self.receive(connection, received, sent).await;
            received.map_err(|failed| match failed {
                Failed::Server { error, .. } => Failed::Server { error, committing },
                other => other,
            })?;
            let end = match ending {
                // What only reads has its answer: how it ends is of no interest.
                Some(_) if !committing => return Ok(None),
                Some(ending) => ending.done().await,
                None if next < executions.len() => continue,
                None if self.plan.cursor => return self.open_cursor(connection).await,
                None => connection.client.batch_execute(self.plan.end).await,
            };
            let committing = self.plan.commits;
            return end.map(|()| None).map_err(|error| Failed::Server { error, committing });
        }
    }

    /// Opens a cursor for the last step, and takes what is held of it. Gives it back where there is more.
    async fn open_cursor(&mut self, connection: &Connection) -> Result<Option<Cursor>, Failed> {
        let step = self.script.steps.last().expect("a script that reads has a step");
        let values = self.values(&step.statement.values)?;
        let taker = self.progress.taker(step, self.format);
        let cursor = Cursor::open(connection, &step.statement, values, taker).await?;
        let cursor = cursor.fill(connection, self.hold).await?;
        if !cursor.is_complete() {
            return Ok(Some(cursor));
        }
        self.judge(connection, step, cursor.into_taker()).await?;
        connection.client.batch_execute(self.plan.end).await?;
        Ok(None)
    }

    /// Sends as many executions as can be sent before something must be known of earlier ones; and the end of the
    /// transaction with the last of them, where nothing but the server can have something against it.
    async fn send<'a>(
        &self,
        connection: &'a Connection,
        ready: &'a [Ready],
        executions: &[Execution],
    ) -> Result<(Vec<Sent<'a>>, Option<Ending<'a>>), Failed>
    where
        's: 'a,
    {
        let known = executions.first().map_or(0, |execution| execution.step);
        let mut sent = Vec::new();
        for execution in executions.iter().take(MAX_UNDER_WAY) {
            if execution.needs > known && !sent.is_empty() {
                break;
            }
            let values = self.values(execution.values(self.script))?;
            sent.push(started(connection.execute(&ready[execution.step], values)).await);
        }
        let steps = executions.iter().map(|execution| &self.script.steps[execution.step]);
        let all = sent.len() == executions.len() && !self.plan.cursor;
        let ends = all && (self.plan.want == Want::Shared || steps.into_iter().all(is_certain));
        let ending = if ends {
            Some(started(connection.client.batch_execute(self.plan.end)).await)
        } else {
            None
        };
        Ok((sent, ending))
    }

    /// Takes the answers to executions, in their order.
    async fn receive(
        &mut self,
        connection: &Connection,
        executions: &[Execution],
        sent: Vec<Sent<'_>>,
    ) -> Result<(), Failed> {
        for (execution, sent) in executions.iter().zip(sent) {
            let script = self.script;
            let step = &script.steps[execution.step];
            let taker = self
                .taken
                .take()
                .unwrap_or_else(|| self.progress.taker(step, self.format));
            let is_last = execution.step + 1 == script.steps.len();
            // An answer that goes out before the end can't be taken back: only what reads is held up to a limit.
            let hold = if is_last && !self.plan.writes {
                self.hold
            } else {
                usize::MAX
            };
            let taker = Rows::new(sent.done().await?, taker, &step.statement.outputs)
                .take(hold)
                .await?;
            if execution.completes {
                self.judge(connection, step, taker).await?;
            } else {
                self.taken = Some(taker);
            }
        }
        Ok(())
    }

    /// Judges what a step came to.
    async fn judge(&mut self, connection: &Connection, step: &Step, taker: Taker) -> Result<(), Failed> {
        let failure = match judge(&step.expect, taker.rows()) {
            Verdict::Met => {
                self.progress.push(taker);
                return Ok(());
            }
            Verdict::Unmet(failure) => failure,
            Verdict::Depends(probe, found, missing) => {
                let ready = connection.prepare(&probe.text, self.plan.pooled).await?;
                let rows = connection.execute(&ready, self.values(&probe.values)?).await?;
                if drain(rows).await? > 0 { found } else { missing }
            }
        };
        Err(Failed::Refused(unmet(failure)))
    }

    /// All of its statements, prepared. The session may lack privileges of the role that the transaction takes: what it
    /// may not prepare by itself is prepared within such a transaction.
    async fn prepare(&self, connection: &Connection) -> Result<Vec<Ready>, Error> {
        let mut ready = Vec::with_capacity(self.script.steps.len());
        for step in &self.script.steps {
            let text = &step.statement.text;
            let statement = match connection.prepare(text, self.plan.pooled).await {
                Err(error) if is_forbidden(&error) && self.script.session.role.is_some() => {
                    self.prepare_as_role(connection, text).await?
                }
                other => other?,
            };
            ready.push(statement);
        }
        Ok(ready)
    }

    async fn prepare_as_role(&self, connection: &Connection, text: &Arc<str>) -> Result<Ready, Error> {
        let settings = settings(self.plan, connection).await?;
        let (begin, set) = begin(self.plan, connection, &settings).await;
        let prepared = started(connection.client.prepare(text)).await;
        let end = started(connection.client.batch_execute("rollback")).await;
        begin.done().await?;
        if let Some(set) = set {
            drain(set.done().await?).await?;
        }
        let prepared = prepared.done().await;
        end.done().await?;
        Ok(connection.keep(text, prepared?))
    }

    fn values<'v>(&self, values: &'v [Value]) -> portcullis_core::Result<Vec<Parameter<'v>>> {
        values
            .iter()
            .map(|value| Ok(Parameter(self.progress.value(value)?)))
            .collect()
    }
}

/// The settings of a transaction, ready to be made.
async fn settings<'p>(plan: &'p Plan, connection: &Connection) -> Result<Settings<'p>, Error> {
    match &plan.settings {
        Some((text, values)) => Ok(Some((connection.prepare(text, plan.pooled).await?, values))),
        None => Ok(None),
    }
}

/// Begins a transaction: what it begins with is on its way.
async fn begin<'a>(
    plan: &'a Plan,
    connection: &'a Connection,
    settings: &'a Settings<'a>,
) -> (Ending<'a>, Option<Sent<'a>>) {
    let begin = started(connection.client.batch_execute(&plan.begin)).await;
    let set = match settings {
        Some((ready, values)) => {
            let values = values.iter().map(|value| Parameter(Cow::Borrowed(value))).collect();
            Some(started(connection.execute(ready, values)).await)
        }
        None => None,
    };
    (begin, set)
}

/// Whether nothing that comes of a step is a reason to roll back.
fn is_certain(step: &Step) -> bool {
    step.expect.least == 0 && step.expect.most == u64::MAX && !step.statement.outputs.checked
}

impl Failed {
    /// What it means to the client of a script that was run so.
    pub(super) fn into_error(self, plan: &Plan) -> portcullis_core::Error {
        match self {
            Failed::Server {
                error,
                committing: true,
            } if is_lost(&error) => unknown(&error),
            Failed::Server { error, .. } => to_error(&error, plan.writes),
            Failed::Refused(error) => error,
            Failed::TooLarge => {
                portcullis_core::Error::new(&codes::INTERNAL).with_cause("an answer was held that is too large")
            }
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed::Server {
            error,
            committing: false,
        }
    }
}

impl From<portcullis_core::Error> for Failed {
    fn from(error: portcullis_core::Error) -> Failed {
        Failed::Refused(error)
    }
}
