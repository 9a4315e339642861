//! Roll-outs under way: who looks at what both versions answered, and does what is decided.
//!
//! A course is kept over reloads for as long as its route and its definition stay the same; with a new definition the roll-out
//! begins anew. [`watch`] looks at all courses of the configuration in force, several times a second.

mod record;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use portcullis_backends::rollout::Progress;
use portcullis_config::route::rollout as written;
use portcullis_resilience::Moment;
use portcullis_resilience::rollout::seen::Pair;
use portcullis_resilience::rollout::{Command, Decision, Judge, NotNow, Outcome, Phase, Plan, Rollout, Standing};
use serde_json::{Value, json};

use self::record::Names;
use crate::handover::Lives;
use crate::state::State;
use crate::telemetry::log;

/// How often what was answered is looked at: so that a version that is bad goes within a second of it being certain.
const LOOK: Duration = Duration::from_millis(250);

/// Decisions that are remembered of each roll-out.
const REMEMBERED: usize = 50;

/// Hands over to the next process how far roll-outs are, and what operators exchanged.
pub(crate) fn register(state: &State) {
    let (old, new) = (state.kept.rollouts.clone(), state.kept.rollouts.clone());
    let import = move |value| new.import(value);
    state
        .handover
        .register("rollouts", Lives::Restarts, move || old.export(), import);
    let (old, new) = (state.kept.swaps.clone(), state.kept.swaps.clone());
    let import = move |value| {
        let swaps = serde_json::from_value(value).map_err(|error| error.to_string())?;
        new.restore(swaps)
    };
    state
        .handover
        .register("swaps", Lives::Restarts, move || json!(old.all()), import);
}

/// Looks at the roll-outs of the configuration in force, for as long as the process lives.
pub(crate) async fn watch(state: Arc<State>) {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let courses = state.snapshot.load().rollouts.clone();
        let decided = courses.iter().filter(|course| course.look()).count();
        if decided > 0 {
            state.handover.changed();
        }
    }
}

/// The courses of all roll-outs, to be found again after a reload.
#[derive(Default)]
pub(crate) struct Rollouts(Mutex<Vec<Weak<Course>>>);

impl Rollouts {
    /// The course of a route's roll-out: the one under way, or a new one.
    pub(crate) fn course(&self, route: &'static str, definition: &written::Rollout) -> Arc<Course> {
        let mut courses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        courses.retain(|course| course.strong_count() > 0);
        let mut known = courses.iter().filter_map(Weak::upgrade);
        if let Some(course) = known.find(|course| course.route == route && course.definition == *definition) {
            return course;
        }
        let course = Arc::new(Course::new(route, definition));
        courses.push(Arc::downgrade(&course));
        course
    }

    /// What another process has to know to go on with them.
    pub(crate) fn export(&self) -> Value {
        let courses = self.all();
        let told = courses.iter().map(|course| (course.route.to_owned(), course.export()));
        Value::Object(told.collect())
    }

    /// Goes on with what another process has begun. What has no roll-out here, or another definition, is left out.
    ///
    /// # Errors
    /// What in it can't be understood.
    pub(crate) fn import(&self, value: Value) -> Result<(), String> {
        let mut told: BTreeMap<String, Value> = serde_json::from_value(value).map_err(|error| error.to_string())?;
        for course in self.all() {
            if let Some(told) = told.remove(course.route) {
                course.import(&told).map_err(|why| format!("{}: {why}", course.route))?;
            }
        }
        Ok(())
    }

    fn all(&self) -> Vec<Arc<Course>> {
        let courses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        courses.iter().filter_map(Weak::upgrade).collect()
    }
}

/// The course of one roll-out.
pub(crate) struct Course {
    /// The name of its route.
    pub(crate) route: &'static str,
    definition: written::Rollout,
    /// What requests go by, and where they are counted.
    pub(crate) progress: Arc<Progress>,
    control: Mutex<Control>,
}

struct Control {
    rollout: Rollout,
    /// The last decisions, the oldest first.
    history: VecDeque<Value>,
}

impl Course {
    fn new(route: &'static str, definition: &written::Rollout) -> Course {
        let rollout = Rollout::new(plan_of(definition), now());
        Course {
            route,
            definition: definition.clone(),
            progress: Arc::new(Progress::new(rollout.weight())),
            control: Mutex::new(Control {
                rollout,
                history: VecDeque::new(),
            }),
        }
    }

    /// What has become of it.
    pub(crate) fn phase(&self) -> Phase {
        self.control().rollout.standing().phase
    }

    /// Looks at what was answered, and does what that says. Whether anything was decided.
    fn look(&self) -> bool {
        let mut control = self.control();
        let decision = control.rollout.look(self.progress.seen(), now());
        if let Some(decision) = &decision {
            self.carry_out(&mut control, decision);
        }
        decision.is_some()
    }

    /// Does what an operator says.
    ///
    /// # Errors
    /// When that makes no sense now.
    pub(crate) fn command(&self, command: Command) -> Result<(), NotNow> {
        let mut control = self.control();
        let decision = control.rollout.command(command, self.progress.seen(), now())?;
        self.carry_out(&mut control, &decision);
        Ok(())
    }

    fn carry_out(&self, control: &mut Control, decision: &Decision) {
        self.progress.set_weight(decision.weight);
        if control.history.len() == REMEMBERED {
            control.history.pop_front();
        }
        control.history.push_back(record::entry(decision, SystemTime::now()));
        let line = record::line(self.names(), decision);
        match decision.outcome {
            Outcome::RolledBack(_) | Outcome::Waiting(_) => log::warn(line),
            Outcome::Advanced | Outcome::Completed | Outcome::Commanded(_) => log::info(line),
        }
    }

    /// All that is known of it, for operators.
    pub(crate) fn told(&self) -> Value {
        let control = self.control();
        let rollout = &control.rollout;
        let (window, lasted) = rollout.window(&self.progress.seen(), now());
        json!({
            "route": self.route,
            "from": self.definition.from,
            "to": self.definition.to,
            "state": rollout.standing().phase.as_str(),
            "weight": record::percent(rollout.weight()),
            "step": rollout.standing().step + 1,
            "steps": self.definition.steps,
            "window": record::window(&window, lasted),
            "history": control.history,
        })
    }

    fn export(&self) -> Value {
        let control = self.control();
        let standing = control.rollout.standing();
        json!({
            "definition": self.definition,
            "state": standing.phase.as_str(),
            "step": standing.step,
            "history": control.history,
        })
    }

    fn import(&self, told: &Value) -> Result<(), String> {
        let definition = serde_json::from_value::<written::Rollout>(told["definition"].clone());
        if definition.map_err(|error| error.to_string())? != self.definition {
            return Ok(());
        }
        let phase = Phase::ALL.into_iter().find(|phase| told["state"] == phase.as_str());
        let step = told["step"].as_u64().and_then(|step| usize::try_from(step).ok());
        let (Some(phase), Some(step)) = (phase, step) else {
            return Err("neither state nor step can be read".to_owned());
        };
        let history = told["history"].as_array().into_iter().flatten();
        let mut control = self.control();
        let standing = Standing { phase, step };
        control.rollout = Rollout::resumed(plan_of(&self.definition), standing, self.progress.seen(), now());
        control.history = history.take(REMEMBERED).cloned().collect();
        self.progress.set_weight(control.rollout.weight());
        Ok(())
    }

    fn names(&self) -> Names<'_> {
        Names {
            route: self.route,
            versions: Pair {
                old: &self.definition.from,
                new: &self.definition.to,
            },
        }
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> Moment {
    Moment::of(Instant::now())
}

/// From what was written to what is decided by.
fn plan_of(written: &written::Rollout) -> Plan {
    Plan {
        // Ten thousand is the whole there, and a thousand here.
        steps: written.steps.iter().map(|step| step.per_mille() * 10).collect(),
        every: written.every.0,
        judge: Judge {
            errors: written.judge.errors.ratio(),
            latency: written.judge.latency.ratio(),
            min_requests: u64::from(written.judge.min_requests),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(more: &str) -> written::Rollout {
        serde_json::from_str(&format!(r#"{{"from": "v1", "to": "v2"{more}}}"#)).expect("it is a roll-out")
    }

    #[test]
    fn a_course_is_found_again_by_its_route_and_definition() {
        let rollouts = Rollouts::default();
        let course = rollouts.course("a", &definition(""));
        assert_eq!(course.progress.weight(), 500);
        assert!(Arc::ptr_eq(&course, &rollouts.course("a", &definition(""))));
        assert!(!Arc::ptr_eq(&course, &rollouts.course("b", &definition(""))));
        let other = rollouts.course("a", &definition(r#", "every": "5m""#));
        assert!(!Arc::ptr_eq(&course, &other));
        drop((course, other));
        assert!(rollouts.all().is_empty());
    }

    #[test]
    fn another_process_goes_on_with_the_same_definition_only() {
        let old = Rollouts::default();
        let course = old.course("a", &definition(""));
        assert!(course.command(Command::Abort).is_ok());
        let exported = old.export();
        let new = Rollouts::default();
        let same = new.course("a", &definition(""));
        assert_eq!(new.import(exported.clone()), Ok(()));
        assert_eq!((same.phase(), same.progress.weight()), (Phase::RolledBack, 0));
        assert_eq!(same.told()["history"][0]["decision"], "abort");
        let changed = Rollouts::default();
        let other = changed.course("a", &definition(r#", "steps": ["10%", "100%"]"#));
        assert_eq!(changed.import(exported), Ok(()));
        assert_eq!((other.phase(), other.progress.weight()), (Phase::Running, 1000));
        assert!(changed.import(json!({"a": {"definition": definition("")}})).is_ok());
        assert!(
            new.import(json!({"a": {"definition": definition(""), "state": "?"}}))
                .is_err()
        );
        assert!(new.import(json!([1])).is_err());
    }

    #[test]
    fn so_many_decisions_are_remembered() {
        let rollouts = Rollouts::default();
        let course = rollouts.course("a", &definition(""));
        for _ in 0..REMEMBERED {
            assert!(course.command(Command::Pause).is_ok());
            assert!(course.command(Command::Resume).is_ok());
        }
        let told = course.told();
        assert_eq!(told["history"].as_array().map(Vec::len), Some(REMEMBERED));
        assert_eq!(told["state"], "running");
        assert!(course.command(Command::Resume).is_err());
    }
}
