//! An API that follows its database: when tables change, it is made anew away from requests, and swapped.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use portcullis_config::database::DatabaseRole;
use portcullis_databases::Database;
use portcullis_tables::api::Api;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::doctor::{Patient, Plans, Watched};
use super::exposed::Route;
use crate::service::Journal;

/// An open database, and the APIs that are made of its schema. As long as it is held, the database is asked now and then
/// whether its tables have changed.
#[derive(Debug)]
pub struct Open {
    database: Arc<Database>,
    role: Option<DatabaseRole>,
    apis: Mutex<Vec<Weak<Live>>>,
    failures: AtomicU64,
    /// Where work is done that would hold up a worker; none where nobody looks after the database.
    slow: Option<Handle>,
    /// Routes whose statements are planned and counted.
    watched: Mutex<Vec<Weak<Watched>>>,
    plans: Plans,
    tasks: Vec<AbortHandle>,
}

/// The API of a route as it is now.
#[derive(Debug)]
pub(super) struct Live {
    route: Route,
    current: ArcSwap<Api>,
    /// Of which of the database's schemas it was made, or was last tried.
    generation: AtomicU64,
}

impl Open {
    /// Looks after a database, on `slow`. What can't be done is told there, in `journal`.
    pub fn new(database: Arc<Database>, role: Option<DatabaseRole>, journal: Journal, slow: &Handle) -> Arc<Open> {
        Arc::new_cyclic(|this: &Weak<Open>| {
            let look = slow.spawn(watch(this.clone(), database.settings().look, journal, slow.clone()));
            let plan = slow.spawn(plan(this.clone(), slow.clone()));
            Open {
                database,
                role,
                apis: Mutex::default(),
                failures: AtomicU64::new(0),
                slow: Some(slow.clone()),
                watched: Mutex::default(),
                plans: Plans::default(),
                tasks: vec![look.abort_handle(), plan.abort_handle()],
            }
        })
    }

    /// A database that nobody looks after.
    pub fn still(database: Arc<Database>) -> Arc<Open> {
        Arc::new(Open {
            database,
            role: None,
            apis: Mutex::default(),
            failures: AtomicU64::new(0),
            slow: None,
            watched: Mutex::default(),
            plans: Plans::default(),
            tasks: Vec::new(),
        })
    }

    /// The database.
    pub fn database(&self) -> &Arc<Database> {
        &self.database
    }

    /// Which roles callers have in the database.
    pub(super) fn role(&self) -> Option<&DatabaseRole> {
        self.role.as_ref()
    }

    /// Looks at the database once, and makes the APIs anew where its tables have changed. It blocks: not for event loops.
    ///
    /// # Errors
    /// One line for each thing that could not be done. What was there before stays.
    pub fn look(&self) -> Result<(), Vec<String>> {
        let mut failed = Vec::new();
        if let Err(why) = self.database.refresh() {
            failed.push(format!("its tables can't be looked at: {why}"));
        }
        let apis: Vec<Arc<Live>> = {
            let mut apis = self.apis.lock().unwrap_or_else(PoisonError::into_inner);
            apis.retain(|api| api.strong_count() > 0);
            apis.iter().filter_map(Weak::upgrade).collect()
        };
        let renewed = apis.iter().map(|api| api.renew(&self.database));
        failed.extend(renewed.filter_map(Result::err));
        self.failures.fetch_add(failed.len() as u64, Ordering::Relaxed);
        if failed.is_empty() { Ok(()) } else { Err(failed) }
    }

    /// Where work is done that would hold up a worker.
    pub(super) fn slow(&self) -> Option<&Handle> {
        self.slow.as_ref()
    }

    /// Plans up to `most` statements that are new, and counts what was run. It asks the database and blocks.
    ///
    /// # Errors
    /// The database can't be reached.
    pub fn plan(&self, most: usize) -> Result<(), String> {
        self.plans.look(&self.database, &self.watched(), most)
    }

    /// What there is to be said of the indexes that the routes need: a report for each. It asks the database and blocks.
    ///
    /// # Errors
    /// The database can't be reached.
    pub fn indexes(&self) -> Result<Vec<serde_json::Value>, String> {
        let reports = self.watched().into_iter().map(|watched| {
            let api = watched.live.now();
            let patient = Patient {
                route: &watched.route,
                path: &watched.path,
                settings: self.database.settings(),
                api: &api,
                seen: Some((watched.shapes.seen(), watched.since.elapsed())),
            };
            patient.report()
        });
        reports.collect()
    }

    /// How many statements each route ran, by its name and by how they find rows.
    pub fn accesses(&self) -> Vec<(String, &'static str, u64)> {
        let watched = self.watched();
        let counts = watched.iter().flat_map(|watched| {
            let counts = watched.counts().filter(|(_, count)| *count > 0);
            counts.map(|(access, count)| (watched.route.clone(), access.as_str(), count))
        });
        counts.collect()
    }

    pub(super) fn plans(&self) -> &Plans {
        &self.plans
    }

    pub(super) fn watch(&self, route: &Arc<Watched>) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.push(Arc::downgrade(route));
    }

    fn watched(&self) -> Vec<Arc<Watched>> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|route| route.strong_count() > 0);
        watched.iter().filter_map(Weak::upgrade).collect()
    }

    /// How often something could not be done so far.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The API of a route.
    ///
    /// # Errors
    /// Names what the database doesn't have, with what was probably meant.
    pub(super) fn api(&self, route: Route) -> Result<Arc<Live>, String> {
        // The number first: should the schema be another one by then, it is made anew once too often.
        let generation = self.database.generation();
        let api = make(&route, &self.database)?;
        let live = Arc::new(Live {
            route,
            current: ArcSwap::from_pointee(api),
            generation: AtomicU64::new(generation),
        });
        let mut apis = self.apis.lock().unwrap_or_else(PoisonError::into_inner);
        apis.push(Arc::downgrade(&live));
        Ok(live)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Live {
    /// The API as it is now, for one request.
    pub(super) fn now(&self) -> Guard<Arc<Api>> {
        self.current.load()
    }

    /// Makes it anew where the database's schema is another one. One that can't be made is told once for each schema.
    fn renew(&self, database: &Database) -> Result<(), String> {
        let generation = database.generation();
        if self.generation.swap(generation, Ordering::Relaxed) == generation {
            return Ok(());
        }
        let api = make(&self.route, database)
            .map_err(|why| format!("its tables have changed, and a route goes on with what they were: {why}"))?;
        self.current.store(Arc::new(api));
        Ok(())
    }
}

fn make(route: &Route, database: &Database) -> Result<Api, String> {
    let schema = database.schema();
    let exposed = route.exposed(&schema)?;
    Api::new(schema, exposed)
}

async fn watch(open: Weak<Open>, every: Duration, journal: Journal, slow: Handle) {
    loop {
        tokio::time::sleep(every).await;
        let looked = slow.spawn_blocking({
            let open = open.clone();
            move || {
                let Some(open) = open.upgrade() else { return false };
                if let Err(failed) = open.look() {
                    for why in failed {
                        (journal.warn)(&format!("database {}: {why}", open.database.name()));
                    }
                }
                true
            }
        });
        if !looked.await.unwrap_or(true) {
            return;
        }
    }
}

/// New statements are planned five at a time every five seconds, which is one a second, over one connection.
async fn plan(open: Weak<Open>, slow: Handle) {
    const TOGETHER: usize = 5;
    loop {
        tokio::time::sleep(Duration::from_secs(TOGETHER as u64)).await;
        let planned = slow.spawn_blocking({
            let open = open.clone();
            move || {
                let Some(open) = open.upgrade() else { return false };
                // A database that can't be reached now is asked again; those whose requests fail for it are told why.
                let _ = open.plan(TOGETHER);
                true
            }
        });
        if !planned.await.unwrap_or(true) {
            return;
        }
    }
}
