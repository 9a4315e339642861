//! What statements took, by their text.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Statement, StatementStatus};

use crate::database::Counted;

/// Texts that are counted. Those of more shapes than that are not: they would take memory without limit.
const MAX_TEXTS: usize = 2000;

/// The counts of one connection. Only its thread adds to them, so that its lock is free but for the moment in which
/// somebody asks.
#[derive(Default)]
pub(super) struct Counters(Mutex<HashMap<Arc<str>, Counted>>);

impl Counters {
    /// Adds what an execution took that has just ended.
    pub(super) fn add(&self, text: &Arc<str>, statement: &Statement<'_>) {
        let take = |status| u64::try_from(statement.reset_status(status)).unwrap_or_default();
        let scanned = take(StatementStatus::FullscanStep);
        let sorts = take(StatementStatus::Sort);
        let indexed = take(StatementStatus::AutoIndex);
        let instructions = take(StatementStatus::VmStep);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !counts.contains_key(text) {
            if counts.len() >= MAX_TEXTS {
                return;
            }
            let text = Arc::clone(text);
            counts.insert(
                Arc::clone(&text),
                Counted {
                    text,
                    ..Counted::default()
                },
            );
        }
        let counted = counts.get_mut(text).expect("it is there, or was put there just now");
        counted.runs += 1;
        counted.scanned += scanned;
        counted.sorts += sorts;
        counted.indexed += indexed;
        counted.instructions += instructions;
    }

    /// Adds all of it to sums.
    pub(super) fn sum_into(&self, sums: &mut HashMap<Arc<str>, Counted>) {
        for (text, counted) in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            let sum = sums.entry(Arc::clone(text)).or_insert_with(|| Counted {
                text: Arc::clone(text),
                ..Counted::default()
            });
            sum.runs += counted.runs;
            sum.scanned += counted.scanned;
            sum.sorts += counted.sorts;
            sum.indexed += counted.indexed;
            sum.instructions += counted.instructions;
        }
    }
}
