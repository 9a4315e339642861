//! The index doctor: what it is told of a route and its database, and what it says.
//!
//! `watched` knows the routes of a database and what their statements' plans are, one question a second at the most.
//! Here is the report, which is made when somebody asks for it.

mod watched;

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use portcullis_databases::plans::{Answered, Question, plans};
use portcullis_databases::settings::Settings;
use portcullis_tables::api::{Api, Resource};
use portcullis_tables::content::Format;
use portcullis_tables::doctor::Access;
use portcullis_tables::doctor::advice::{Candidate, candidates};
use portcullis_tables::doctor::indexes;
use portcullis_tables::doctor::plan::Plan;
use portcullis_tables::doctor::potential;
use portcullis_tables::doctor::unindexed::{Unindexed, Why, unindexed};
use portcullis_tables::doctor::words;
use portcullis_tables::query::Read;
use portcullis_tables::schema::{Engine, Relation};
use portcullis_tables::sql::{self, RowForm};
use portcullis_tables::statement::Statement;
use serde_json::{Value, json};

pub(super) use self::watched::{Plans, Watched};
use super::shapes::{BUCKETS, Seen};

/// Questions of one report whose plans are asked for. An API may allow many thousands.
const MOST_QUESTIONS: usize = 2000;
/// Indexes that are tried out for one report.
const MOST_TRIED: usize = 200;

/// A route that is looked at.
pub struct Patient<'p> {
    /// Its name.
    pub route: &'p str,
    /// Its path.
    pub path: &'p str,
    /// The database's settings.
    pub settings: &'p Settings,
    /// What it exposes.
    pub api: &'p Api,
    /// The statements that were run for it, and in what time.
    pub seen: Option<(Vec<Seen>, Duration)>,
}

/// A question of a report on its way.
struct Asked {
    resource: usize,
    query: String,
    read: Read,
    text: Arc<str>,
    unindexed: Vec<Unindexed>,
    plan: Option<Plan>,
    /// The best that an index could do so far.
    best: Option<Plan>,
    failed: Option<String>,
    advice: Vec<Value>,
}

impl Patient<'_> {
    /// Everything that is to be said of the route's indexes. It asks the database and blocks.
    ///
    /// # Errors
    /// The database can't be reached.
    pub fn report(&self) -> Result<Value, String> {
        let mut asked = self.questions();
        self.plan(&mut asked)?;
        self.advise(&mut asked)?;
        let seen = self.seen()?;
        let resources = self.api.resources().iter().enumerate();
        let resources = resources.map(|(place, resource)| self.resource(place, resource, &asked, &seen));
        Ok(json!({
            "route": self.route,
            "path": self.path,
            "database": self.settings.name,
            "engine": self.engine().as_str(),
            "resources": resources.collect::<Vec<_>>(),
            "statements": seen.iter().map(|(seen, plan)| statement(seen, plan.as_ref())).collect::<Vec<_>>(),
        }))
    }

    /// What is to be said of one question to a resource. It asks the database and blocks.
    ///
    /// # Errors
    /// The engine can't do what is asked for, or the database can't be reached.
    pub fn explain(&self, resource: usize, query: &str, read: Read) -> Result<Value, String> {
        let mut asked = vec![self.asked(resource, query.to_owned(), read)?];
        self.plan(&mut asked)?;
        self.advise(&mut asked)?;
        let relation = &self.api.resources()[resource].relation;
        let mut told = self.question(&asked[0]);
        told["route"] = self.route.into();
        told["engine"] = self.engine().as_str().into();
        told["storage"] = words::of_storage(self.engine(), relation).into();
        Ok(told)
    }

    fn engine(&self) -> Engine {
        self.api.schema().engine()
    }

    /// The questions that the route allows.
    fn questions(&self) -> Vec<Asked> {
        let places = 0..self.api.resources().len();
        let potential =
            places.flat_map(|place| potential::of(self.api, place).into_iter().map(move |one| (place, one)));
        potential
            .filter_map(|(place, one)| self.asked(place, one.query, one.read).ok())
            .take(MOST_QUESTIONS)
            .collect()
    }

    fn asked(&self, resource: usize, query: String, read: Read) -> Result<Asked, String> {
        let statement = sql::read(self.api, &read, RowForm::of(Format::Json)).map_err(|error| error.to_string())?;
        Ok(Asked {
            resource,
            query,
            text: statement.text,
            unindexed: unindexed(self.api, &read),
            read,
            plan: None,
            best: None,
            failed: None,
            advice: Vec::new(),
        })
    }

    fn plan(&self, asked: &mut [Asked]) -> Result<(), String> {
        let questions: Vec<Question> = asked.iter().map(|asked| plain(&asked.text)).collect();
        let answers = plans(self.settings, &questions)?;
        for (asked, answer) in asked.iter_mut().zip(answers) {
            match answer {
                Ok(Some(said)) => asked.plan = Some(Plan::read(self.engine(), &said, &asked.text)),
                Ok(None) => {}
                Err(why) => asked.failed = Some(why),
            }
        }
        Ok(())
    }

    /// Tries indexes for what reads whole tables.
    fn advise(&self, asked: &mut [Asked]) -> Result<(), String> {
        let mut tried: Vec<(usize, Candidate)> = Vec::new();
        for (place, asked) in asked.iter().enumerate() {
            let is_dear = match &asked.plan {
                Some(plan) => plan.class() >= Access::Sort,
                None => !asked.unindexed.is_empty(),
            };
            if is_dear && tried.len() < MOST_TRIED {
                tried.extend(
                    candidates(self.api, &asked.read)
                        .into_iter()
                        .map(|candidate| (place, candidate)),
                );
            }
        }
        let questions = tried.iter().map(|(place, candidate)| Question {
            text: asked[*place].text.clone(),
            index: Some(candidate.imagined.clone()),
        });
        let questions: Vec<Question> = questions.collect();
        if questions.is_empty() {
            return Ok(());
        }
        let answers = plans(self.settings, &questions)?;
        for ((place, candidate), answer) in tried.into_iter().zip(answers) {
            let asked = &mut asked[place];
            if let Some(told) = advice(self.engine(), asked, &candidate, answer) {
                asked.advice.push(told);
            }
        }
        Ok(())
    }

    /// What was run, with its plans.
    fn seen(&self) -> Result<Vec<(Seen, Option<Plan>)>, String> {
        let Some((seen, _)) = &self.seen else {
            return Ok(Vec::new());
        };
        let questions: Vec<Question> = seen.iter().take(MOST_QUESTIONS).map(|seen| plain(&seen.text)).collect();
        let answers = plans(self.settings, &questions)?;
        let planned = seen.iter().zip(answers).map(|(seen, answer)| {
            let plan = answer
                .ok()
                .flatten()
                .map(|said| Plan::read(self.engine(), &said, &seen.text));
            (seen.clone(), plan)
        });
        Ok(planned.collect())
    }

    fn resource(&self, place: usize, resource: &Resource, asked: &[Asked], seen: &[(Seen, Option<Plan>)]) -> Value {
        let relation = &resource.relation;
        let own: Vec<&Asked> = asked.iter().filter(|asked| asked.resource == place).collect();
        json!({
            "name": &*resource.name,
            "relation": relation.name.as_str(),
            "rows": relation.estimated_rows,
            "storage": words::of_storage(self.engine(), relation),
            "writes_per_second": self.writes(relation, seen),
            "questions": own.iter().map(|asked| self.question(asked)).collect::<Vec<_>>(),
            "indexes": self.indexes(resource, asked, seen),
        })
    }

    fn question(&self, asked: &Asked) -> Value {
        let resource = &self.api.resources()[asked.resource];
        json!({
            "resource": &*resource.name,
            "query": asked.query,
            "shape": Statement::shape(&asked.text),
            "sql": &*asked.text,
            "class": asked.plan.as_ref().map(|plan| plan.class().as_str()),
            "cost": asked.plan.as_ref().and_then(|plan| plan.cost),
            "plan": asked.plan.as_ref().map(words::of_plan),
            "reads_all": asked.plan.as_ref().map(|plan| plan.reads_all().collect::<Vec<_>>()),
            "unindexed": asked.unindexed.iter().map(|found| self.unindexed(found)).collect::<Vec<_>>(),
            "advice": asked.advice,
            "failed": asked.failed,
        })
    }

    fn unindexed(&self, found: &Unindexed) -> Value {
        let relation = &self.api.resources()[found.resource].relation;
        let name = |place: &usize| relation.columns[*place].name.as_str();
        json!({
            "relation": relation.name.as_str(),
            "rows": relation.estimated_rows,
            "columns": found.columns.iter().map(name).collect::<Vec<_>>(),
            "why": match found.why {
                Why::Filter => "no condition can be looked up in an index",
                Why::Order => "no index has the order",
                Why::Join => "no index has the columns that relate it",
                Why::Whole => "there is neither a condition nor a limit",
            },
        })
    }

    /// The indexes of a table, and what each is for.
    fn indexes(&self, resource: &Resource, asked: &[Asked], seen: &[(Seen, Option<Plan>)]) -> Vec<Value> {
        let engine = self.engine();
        let own = &resource.relation.indexes;
        let told = indexes::findings(&resource.relation)
            .into_iter()
            .zip(own)
            .map(|(finding, index)| {
                let uses = |plan: &Option<Plan>| {
                    plan.as_ref().is_some_and(|plan| {
                        plan.steps.iter().any(|step| {
                            // InnoDB's primary keys all have one name.
                            let is_of = engine == Engine::Postgres
                                || step.relation.as_deref() == Some(resource.relation.name.as_str());
                            // The tree that the rows are in is that of the primary key, which has no name in plans.
                            let is_rows = index.primary && step.access == Access::Clustered && step.index.is_none();
                            is_of && (is_rows || step.index.as_deref() == Some(&*finding.index))
                        })
                    })
                };
                let serves = asked.iter().filter(|asked| uses(&asked.plan));
                let serves = serves.map(|asked| {
                    let name = &self.api.resources()[asked.resource].name;
                    format!("GET {name}?{}", asked.query)
                });
                let runs: u64 = seen
                    .iter()
                    .filter(|(_, plan)| uses(plan))
                    .map(|(seen, _)| seen.runs)
                    .sum();
                let all: u64 = seen.iter().map(|(seen, _)| seen.runs).sum();
                let serves: Vec<String> = serves.take(20).collect();
                let unused = serves.is_empty() && runs == 0 && !finding.is_needed;
                json!({
                    "index": finding.index,
                    "columns": finding.columns,
                    "serves": serves,
                    "share_of_runs": (all > 0).then(|| runs as f64 / all as f64),
                    "redundant_with": finding.redundant_with,
                    "scans": finding.scans,
                    "bytes": finding.bytes,
                    "unused": match (unused, finding.scans) {
                        (false, _) => None,
                        (true, Some(0)) => Some("by this route, and the database has counted no use of it"),
                        (true, _) => Some("by this route"),
                    },
                })
            });
        told.collect()
    }

    /// How often rows of a table are written, as far as this route does it.
    fn writes(&self, relation: &Relation, seen: &[(Seen, Option<Plan>)]) -> Option<f64> {
        let (_, time) = self.seen.as_ref()?;
        let name = format!("{}.{}", relation.namespace.quoted(), relation.name.quoted());
        let writes = |seen: &&(Seen, Option<Plan>)| {
            let text = &seen.0.text;
            ["INSERT INTO ", "UPDATE ", "DELETE FROM "]
                .iter()
                .any(|word| text.contains(&format!("{word}{name}")))
        };
        let runs: u64 = seen.iter().filter(writes).map(|(seen, _)| seen.runs).sum();
        Some(runs as f64 / time.as_secs_f64().max(1.0))
    }
}

fn plain(text: &Arc<str>) -> Question {
    Question {
        text: text.clone(),
        index: None,
    }
}

/// What an index would do; none where the database would not use it, or it would make nothing better.
fn advice(engine: Engine, asked: &mut Asked, candidate: &Candidate, answer: Answered) -> Option<Value> {
    let mut told = json!({
        "statement": candidate.statement,
        "relation": candidate.relation,
        "columns": candidate.columns,
        "covered": candidate.covered,
    });
    match answer {
        Ok(Some(said)) => {
            let after = Plan::read(engine, &said, &asked.text);
            let before = asked.plan.as_ref()?;
            // A further index has to do more than the ones before.
            if !is_cheaper(asked.best.as_ref().unwrap_or(before), &after) {
                return None;
            }
            told["verified"] = true.into();
            told["class"] = after.class().as_str().into();
            told["cost"] = json!({"before": before.cost, "after": after.cost});
            told["times_cheaper"] = match (before.cost, after.cost) {
                (Some(before), Some(after)) if after > 0.0 => json!((before / after * 10.0).round() / 10.0),
                _ => Value::Null,
            };
            asked.best = Some(after);
        }
        // The engine can't imagine indexes: it remains a guess, and it is said so.
        Ok(None) => told["verified"] = false.into(),
        Err(_) => return None,
    }
    Some(told)
}

fn is_cheaper(before: &Plan, after: &Plan) -> bool {
    match (before.cost, after.cost) {
        (Some(before), Some(after)) => after < before * 0.9,
        _ => dearness(after) < dearness(before),
    }
}

/// How dear the steps of a plan are, the dearest first.
fn dearness(plan: &Plan) -> Vec<Access> {
    let mut classes: Vec<_> = plan.steps.iter().map(|step| step.access).collect();
    classes.sort_by(|one, other| other.cmp(one));
    classes
}

fn statement(seen: &Seen, plan: Option<&Plan>) -> Value {
    let last_seen = seen.last_seen.duration_since(UNIX_EPOCH).unwrap_or_default();
    json!({
        "method": seen.method,
        "shape": Statement::shape(&seen.text),
        "sql": &*seen.text,
        "runs": seen.runs,
        "rows": seen.rows,
        "p50_microseconds": quantile(seen, 50),
        "p99_microseconds": quantile(seen, 99),
        "last_seen": last_seen.as_secs(),
        "class": plan.map(|plan| plan.class().as_str()),
        "plan": plan.map(words::of_plan),
    })
}

/// No more than how long so many of a hundred runs took; none where it is longer than all that is told apart.
fn quantile(seen: &Seen, percent: u64) -> Option<u64> {
    let wanted = seen.runs.saturating_mul(percent).div_ceil(100);
    let mut runs = 0;
    let bucket = seen.buckets.iter().position(|count| {
        runs += count;
        runs >= wanted
    })?;
    BUCKETS.get(bucket).copied()
}
