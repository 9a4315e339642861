//! A plan, in the same words whatever engine made it.

mod mysql;
mod postgres;
mod sources;
mod sqlite;

use self::sources::Sources;
use super::Access;
use crate::schema::Engine;

/// What a database said of how it would execute a statement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// What it does, in its own order.
    pub steps: Vec<Step>,
    /// What it believes that this costs, in a unit of its own. SQLite doesn't tell.
    pub cost: Option<f64>,
}

/// One thing that a database does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How it finds rows.
    pub access: Access,
    /// Of which table or view; none where rows of any are sorted.
    pub relation: Option<String>,
    /// By which index.
    pub index: Option<String>,
}

impl Plan {
    /// Reads what the engine said of that statement: lines of `EXPLAIN QUERY PLAN`, or a JSON document. What isn't
    /// understood is no step.
    pub fn read(engine: Engine, said: &str, statement: &str) -> Plan {
        let sources = Sources::of(engine, statement);
        let mut plan = match engine {
            Engine::Sqlite => sqlite::read(said, &sources),
            Engine::Postgres => postgres::read(said),
            Engine::MariaDb | Engine::MySql => mysql::read(said, &sources),
        };
        plan.find_walks(&sources);
        plan
    }

    /// Its dearest step's; of a plan that reads no table, the cheapest there is.
    pub fn class(&self) -> Access {
        self.steps
            .iter()
            .map(|step| step.access)
            .max()
            .unwrap_or(Access::Clustered)
    }

    /// The tables that it reads from end to end.
    pub fn reads_all(&self) -> impl Iterator<Item = &str> {
        self.steps
            .iter()
            .filter(|step| step.access.reads_all())
            .filter_map(|step| step.relation.as_deref())
    }

    /// The indexes that it uses.
    pub fn indexes(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| step.index.as_deref())
    }

    /// What goes from end to end through a table that has no condition and ends at a limit goes no further than that,
    /// unless all rows must be there to be sorted.
    fn find_walks(&mut self, sources: &Sources) {
        if self.steps.iter().any(|step| step.access == Access::Sort) {
            return;
        }
        for step in &mut self.steps {
            let is_scan = matches!(step.access, Access::FullScan | Access::IndexScan);
            if is_scan && step.relation.as_deref().is_some_and(|name| sources.only_walks(name)) {
                step.access = Access::Walk;
            }
        }
    }
}
