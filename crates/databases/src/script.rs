//! What is the same in all drivers about running a script: values that stand for what earlier steps gave, and what must
//! come of a step.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use portcullis_core::{Error, Result, codes};
use portcullis_tables::content::{Format, RowWriter};
use portcullis_tables::output::Row;
use portcullis_tables::statement::{Expect, Failure, Fewer, Outcome, Script, Statement, Step};
use portcullis_tables::value::Value;

/// How far a script has come.
pub(crate) struct Progress {
    outcomes: Vec<Outcome>,
    /// Of each step that a later one wants all rows of, these rows as a JSON array of arrays.
    gathered: Vec<Option<String>>,
}

/// Takes the rows of one step, those of all its batch.
pub(crate) struct Taker {
    writer: RowWriter,
    hidden: std::ops::Range<usize>,
    gathered: Option<String>,
    touched: u64,
    most: u64,
}

/// What it means that a step came to so many rows.
pub(crate) enum Verdict<'s> {
    /// That is fine.
    Met,
    /// All is rolled back.
    Unmet(Failure),
    /// All is rolled back, and this statement tells what it means: the first, where it finds a row, else the second.
    Depends(&'s Statement, Failure, Failure),
}

impl Progress {
    /// The beginning of that script.
    pub(crate) fn new(script: &Script) -> Progress {
        let mut gathered = vec![None; script.steps.len()];
        for step in &script.steps {
            for value in step.batch.iter().flatten().chain(&step.statement.values) {
                if let Value::AllOf { step } = value
                    && let Some(of) = gathered.get_mut(*step)
                {
                    *of = Some(String::new());
                }
            }
        }
        Progress {
            outcomes: Vec::with_capacity(script.steps.len()),
            gathered,
        }
    }

    /// A taker for the rows of the next step.
    pub(crate) fn taker(&self, step: &Step, format: Format) -> Taker {
        let outputs = &step.statement.outputs;
        let shown = outputs.shown_columns();
        Taker {
            writer: RowWriter::new(format, outputs.clone()),
            hidden: shown..shown + outputs.hidden,
            gathered: self.gathered.get(self.outcomes.len()).cloned().flatten(),
            touched: 0,
            most: step.expect.most,
        }
    }

    /// Notes what the next step came to.
    pub(crate) fn push(&mut self, taker: Taker) {
        let (outcome, gathered) = taker.finish();
        if let Some(slot) = self.gathered.get_mut(self.outcomes.len()) {
            *slot = gathered;
        }
        self.outcomes.push(outcome);
    }

    /// What is bound for that value: itself, or what it stands for.
    ///
    /// # Errors
    /// It stands for a step that has not run, or an output that the step doesn't have: a bug of whoever made the script.
    pub(crate) fn value<'v>(&self, value: &'v Value) -> Result<Cow<'v, Value>> {
        match value {
            Value::Of { step, output } => match self.outcomes.get(*step) {
                // A step without a row has no outputs: what refers to it refers to nothing.
                Some(outcome) if outcome.rows == 0 => Ok(Cow::Owned(Value::Null)),
                Some(outcome) => outcome
                    .last
                    .get(*output)
                    .cloned()
                    .map(Cow::Owned)
                    .ok_or_else(|| dangling(*step)),
                None => Err(dangling(*step)),
            },
            Value::AllOf { step } if *step < self.outcomes.len() => {
                let rows = self.gathered[*step].as_deref().unwrap_or_default();
                Ok(Cow::Owned(Value::Json(format!("[{rows}]"))))
            }
            Value::AllOf { step } => Err(dangling(*step)),
            value => Ok(Cow::Borrowed(value)),
        }
    }

    /// What the steps came to that have run.
    pub(crate) fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// What every step came to.
    pub(crate) fn finish(self) -> Vec<Outcome> {
        self.outcomes
    }
}

impl Taker {
    /// Takes a row.
    ///
    /// # Errors
    /// The row may not be, or is one too many.
    pub(crate) fn row(&mut self, row: &impl Row) -> std::result::Result<(), Failure> {
        if self.writer.rows() >= self.most {
            return Err(Failure::TooMany);
        }
        self.writer.write(row)?;
        if let Some(rows) = &mut self.gathered {
            if !rows.is_empty() {
                rows.push(',');
            }
            let values: Vec<Value> = self.hidden.clone().map(|place| row.cell(place).to_value()).collect();
            rows.push_str(&json_list(&values));
        }
        Ok(())
    }

    /// Takes the number of rows that an execution touched without giving any.
    ///
    /// # Errors
    /// They are too many.
    pub(crate) fn touched(&mut self, rows: u64) -> std::result::Result<(), Failure> {
        self.touched = self.touched.saturating_add(rows);
        if self.touched > self.most {
            Err(Failure::TooMany)
        } else {
            Ok(())
        }
    }

    /// Rows that were given or touched so far.
    pub(crate) fn rows(&self) -> u64 {
        self.writer.rows().saturating_add(self.touched)
    }

    /// Bytes of content that were written and not taken yet.
    pub(crate) fn ready(&self) -> usize {
        self.writer.ready()
    }

    /// Takes the content that was written so far.
    pub(crate) fn take(&mut self) -> bytes::Bytes {
        self.writer.take()
    }

    /// What came of it.
    pub(crate) fn finish_alone(self) -> Outcome {
        self.finish().0
    }

    fn finish(self) -> (Outcome, Option<String>) {
        let rows = self.rows();
        let mut outcome = self.writer.finish();
        outcome.rows = rows;
        (outcome, self.gathered)
    }
}

/// Judges the number of rows of a whole step. That there are not too many, the taker has seen to.
pub(crate) fn judge(expect: &Expect, rows: u64) -> Verdict<'_> {
    if rows >= expect.least {
        return Verdict::Met;
    }
    match &*expect.fewer {
        Fewer::Fails(failure) => Verdict::Unmet(*failure),
        Fewer::Depends { probe, found, missing } => Verdict::Depends(probe, *found, *missing),
    }
}

/// A list as a JSON array; bytes in it are base64.
pub(crate) fn json_list(values: &[Value]) -> String {
    serde_json::Value::Array(values.iter().map(to_json).collect()).to_string()
}

fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Boolean(truth) => (*truth).into(),
        Value::Integer(number) => (*number).into(),
        Value::Real(number) => (*number).into(),
        Value::Text(text) | Value::Json(text) => text.as_str().into(),
        Value::Bytes(bytes) => BASE64.encode(bytes).into(),
        Value::Null | Value::List(_) | Value::Of { .. } | Value::AllOf { .. } => serde_json::Value::Null,
    }
}

#[cold]
fn dangling(step: usize) -> Error {
    Error::new(&codes::INTERNAL).with_cause(format!("a value refers to what step {step} does not give"))
}
