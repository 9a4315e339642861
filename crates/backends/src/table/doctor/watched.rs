//! Routes that are watched while they serve: each new kind of statement is planned once for each state of the schema and
//! each day, away from requests, and its runs are counted by what came of that.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portcullis_databases::Database;
use portcullis_databases::plans::{Question, plans};
use portcullis_tables::doctor::Access;
use portcullis_tables::doctor::plan::Plan;

use super::super::live::Live;
use super::super::shapes::{Seen, Shapes};

/// How long a plan is believed: statistics change without the schema changing.
const BELIEVED: Duration = Duration::from_secs(24 * 3600);
/// Plans that are kept of a database.
const MOST: usize = 4096;

/// A route of a database.
#[derive(Debug)]
pub(in crate::table) struct Watched {
    pub(in crate::table) route: String,
    pub(in crate::table) path: String,
    pub(in crate::table) live: Arc<Live>,
    pub(in crate::table) shapes: Arc<Shapes>,
    pub(in crate::table) since: Instant,
    counts: [AtomicU64; Access::ALL.len()],
    /// Runs that were counted, by method and statement.
    counted: Mutex<HashMap<(&'static str, Arc<str>), u64>>,
}

/// What is known of the plans of a database's statements.
#[derive(Debug, Default)]
pub(in crate::table) struct Plans(Mutex<HashMap<Arc<str>, Planned>>);

#[derive(Debug)]
struct Planned {
    generation: u64,
    at: Instant,
    /// None where the database had something against the question.
    plan: Option<Arc<Plan>>,
}

impl Watched {
    pub(in crate::table) fn new(route: &str, path: &str, live: Arc<Live>, shapes: Arc<Shapes>) -> Watched {
        Watched {
            route: route.to_owned(),
            path: path.to_owned(),
            live,
            shapes,
            since: Instant::now(),
            counts: Default::default(),
            counted: Mutex::default(),
        }
    }

    /// How many statements were run of each class.
    pub(in crate::table) fn counts(&self) -> impl Iterator<Item = (Access, u64)> {
        let counts = Access::ALL.into_iter().zip(&self.counts);
        counts.map(|(access, count)| (access, count.load(Ordering::Relaxed)))
    }

    /// Counts the runs since the last time, of statements whose plans are known.
    fn count(&self, plans: &Plans, seen: &[Seen]) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        for seen in seen {
            let Some(plan) = plans.plan(&seen.text) else { continue };
            let before = counted.entry((seen.method, seen.text.clone())).or_default();
            let class = plan.class();
            let place = Access::ALL
                .iter()
                .position(|access| *access == class)
                .unwrap_or_default();
            self.counts[place].fetch_add(seen.runs.saturating_sub(*before), Ordering::Relaxed);
            *before = seen.runs;
        }
    }
}

impl Plans {
    /// The plan of a statement, where it is known.
    pub(in crate::table) fn plan(&self, text: &str) -> Option<Arc<Plan>> {
        self.known().get(text)?.plan.clone()
    }

    /// Plans up to `most` statements of which no plan is known, and counts runs. It asks the database and blocks.
    ///
    /// # Errors
    /// The database can't be reached.
    pub(in crate::table) fn look(
        &self,
        database: &Database,
        routes: &[Arc<Watched>],
        most: usize,
    ) -> Result<(), String> {
        let generation = database.generation();
        let seen: Vec<Vec<Seen>> = routes.iter().map(|route| route.shapes.seen()).collect();
        let mut questions: Vec<Question> = Vec::new();
        {
            let known = self.known();
            for seen in seen.iter().flatten() {
                let is_known = known
                    .get(&seen.text)
                    .is_some_and(|planned| planned.generation == generation && planned.at.elapsed() < BELIEVED);
                if !is_known && questions.len() < most && questions.iter().all(|question| question.text != seen.text) {
                    questions.push(Question {
                        text: seen.text.clone(),
                        index: None,
                    });
                }
            }
        }
        if !questions.is_empty() {
            let answers = plans(database.settings(), &questions)?;
            let engine = database.schema().engine();
            let mut known = self.known();
            if known.len() + questions.len() > MOST {
                known.retain(|_, planned| planned.generation == generation && planned.at.elapsed() < BELIEVED);
            }
            for (question, answer) in questions.into_iter().zip(answers) {
                let plan = answer.ok().flatten();
                let plan = plan.map(|said| Arc::new(Plan::read(engine, &said, &question.text)));
                let at = Instant::now();
                if known.len() < MOST || known.contains_key(&question.text) {
                    known.insert(question.text, Planned { generation, at, plan });
                }
            }
        }
        for (route, seen) in routes.iter().zip(&seen) {
            route.count(self, seen);
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Arc<str>, Planned>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
