//! SQLite: scripts, answers, schemas, and what many at once see of each other.

mod reading;
mod schemas;
mod writing;

use std::path::Path;
use std::sync::Arc;
use std::task::Poll;

use portcullis_core::Result;
use portcullis_databases::settings::Settings;
use portcullis_databases::{Answer, Database};
use portcullis_tables::content::Format;
use portcullis_tables::output::{Output, Outputs, Shown};
use portcullis_tables::schema::Type;
use portcullis_tables::statement::{Access, Outcome, Script, Statement, Step};
use portcullis_tables::value::Value;
use rusqlite::Connection;
use tempfile::TempDir;

use super::opened::{self, script};

/// A database in a folder that goes with it.
struct Fixture {
    database: Arc<Database>,
    folder: TempDir,
}

impl Fixture {
    /// One in which this SQL was run.
    fn new(sql: &str) -> Fixture {
        Fixture::with(sql, |_| {})
    }

    /// One in which this SQL was run, opened with such settings.
    fn with(sql: &str, change: impl FnOnce(&mut Settings)) -> Fixture {
        let folder = TempDir::new().unwrap();
        outside(folder.path()).execute_batch(sql).unwrap();
        let mut settings = settings(folder.path());
        change(&mut settings);
        Fixture {
            database: Database::open(settings).unwrap(),
            folder,
        }
    }

    /// A connection of somebody else.
    fn outside(&self) -> Connection {
        outside(self.folder.path())
    }

    fn run(&self, script: Script) -> Result<Vec<Outcome>> {
        block_on(self.database.run(script, Format::Json))
    }

    /// What a query gives, whole.
    fn ask(&self, sql: &str) -> String {
        let (_, answer) = block_on(self.database.read(reading(sql, &[]), Format::Json, usize::MAX)).unwrap();
        text(&answer.outcome.body)
    }
}

fn outside(folder: &Path) -> Connection {
    Connection::open(folder.join("t.db")).unwrap()
}

fn settings(folder: &Path) -> Settings {
    opened::settings(&format!("sqlite:{}/t.db", folder.display()))
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// A statement with columns `n` (an integer) that are shown: as many as the query gives.
fn statement(sql: &str, values: &[Value], shown: &[&str], hidden: usize) -> Statement {
    let kind = Type::Integer {
        bytes: 8,
        unsigned: false,
    };
    let columns: Vec<Output> = shown.iter().map(|name| Output::new(name, kind.clone())).collect();
    Statement {
        text: sql.into(),
        values: values.to_vec(),
        outputs: Outputs {
            shown: if shown.is_empty() {
                Shown::Nothing
            } else {
                Shown::Columns(columns.into())
            },
            hidden,
            checked: false,
        },
    }
}

/// A script of one query with a column `n`.
fn reading(sql: &str, values: &[Value]) -> Script {
    script(Access::ReadOnly, vec![Step::of(statement(sql, values, &["n"], 0))])
}

/// A script of statements that give nothing.
fn writing(sql: &[&str]) -> Script {
    let steps = sql.iter().map(|sql| Step::of(statement(sql, &[], &[], 0))).collect();
    script(Access::ReadWrite, steps)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// All that an answer consists of, and how many pieces came after its beginning.
async fn collect(answer: Answer) -> Result<(String, usize)> {
    let mut content = answer.outcome.body.to_vec();
    let mut pieces = 0;
    if let Some(mut rest) = answer.rest {
        while let Some(piece) = std::future::poll_fn(|cx| match rest.poll_next(cx) {
            Poll::Ready(piece) => Poll::Ready(piece),
            Poll::Pending => Poll::Pending,
        })
        .await
        {
            content.extend_from_slice(&piece?);
            pieces += 1;
        }
    }
    Ok((String::from_utf8(content).unwrap(), pieces))
}
