//! How many rows there are in all, as exactly as the client wants to know it.

use portcullis_core::Result;
use portcullis_tables::query::{Count, Item, Read};
use portcullis_tables::schema::Engine;
use portcullis_tables::sql;
use portcullis_tables::statement::{Outcome, Statement};
use portcullis_tables::value::Value;
use serde_json::Value as Json;

use super::Asked;

/// Rows that are counted one by one where an estimate would do.
const FEW: u64 = 1000;

/// How the number of rows is found out.
pub(super) enum Counting {
    /// Nobody asked.
    Not,
    /// By a statement of the same script.
    By {
        statement: Statement,
        /// The most that it counts.
        cap: u64,
        /// Whether the planner is asked where there are more.
        or_planned: bool,
    },
    /// The planner said it.
    Known(u64),
}

impl Asked<'_> {
    /// How the number of rows of a read is found out.
    ///
    /// # Errors
    /// What the database had against it.
    pub(super) async fn counting(&self, read: &Read) -> Result<Counting> {
        let most = self.api.limits().max_counted;
        let by = |cap: u64, or_planned: bool| {
            let statement = sql::count(self.api, read, cap)?;
            Ok(Counting::By {
                statement,
                cap,
                or_planned,
            })
        };
        match read.count {
            None => Ok(Counting::Not),
            // What the planner believes comes from all rows of a table, and says something of those that nobody may see.
            Some(_) if self.session.role.is_some() || is_restricted(read) => by(most, false),
            Some(Count::Exact) => by(most, false),
            Some(Count::Estimated) => by(most.min(FEW), true),
            Some(Count::Planned) => match self.planned(read).await? {
                Some(rows) => Ok(Counting::Known(rows)),
                None => by(most, false),
            },
        }
    }

    /// The number that a statement for it gave; `None` where there are more than are counted.
    ///
    /// # Errors
    /// What the database had against asking its planner.
    pub(super) async fn counted(&self, read: &Read, counting: &Counting, outcomes: &[Outcome]) -> Result<Option<u64>> {
        let (cap, or_planned) = match counting {
            Counting::Not => return Ok(None),
            Counting::Known(rows) => return Ok(Some(*rows)),
            Counting::By { cap, or_planned, .. } => (*cap, *or_planned),
        };
        match number(outcomes, cap) {
            None if or_planned => Ok(self.planned(read).await?.map(|rows| rows.max(cap))),
            number => Ok(number),
        }
    }

    /// What the planner believes. SQLite knows the size of whole tables only.
    async fn planned(&self, read: &Read) -> Result<Option<u64>> {
        if self.api.schema().engine() == Engine::Sqlite {
            let is_all = read.filter.is_none() && read.rule.is_none() && read.union.is_none();
            let relation = &self.api.resources()[read.resource].relation;
            return Ok(relation.estimated_rows.filter(|_| is_all));
        }
        let statement = sql::planned(self.api, read)?;
        let plan = self.table.open.database().explain(&statement).await?;
        Ok(serde_json::from_str(&plan).ok().and_then(|plan: Json| rows_of(&plan)))
    }
}

/// The number that the statement gave that counts up to `cap`, the first of those; `None` where there are more.
pub(super) fn number(outcomes: &[Outcome], cap: u64) -> Option<u64> {
    let number = match outcomes.first()?.first.first()? {
        Value::Integer(number) => u64::try_from(*number).ok()?,
        Value::Text(text) => text.parse().ok()?,
        _ => return None,
    };
    (number <= cap).then_some(number)
}

/// Whether there are rows of any table in it that the caller may not see.
fn is_restricted(read: &Read) -> bool {
    read.rule.is_some()
        || read.union.iter().flat_map(|union| &union.members).any(is_restricted)
        || read.items.iter().any(|item| match item {
            Item::Embed(embed) => embed.through_rule.is_some() || is_restricted(&embed.read),
            Item::Field { .. } | Item::Aggregate { .. } | Item::Origin { .. } => false,
        })
}

/// The number of rows that a plan speaks of first, which is that of its outermost step.
fn rows_of(plan: &Json) -> Option<u64> {
    match plan {
        Json::Object(members) => {
            let own = ["Plan Rows", "rows_produced_per_join", "rows"].iter();
            let own = own.filter_map(|name| members.get(*name)).find_map(Json::as_f64);
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it is a number of rows, about"
            )]
            own.map(|rows| rows.max(0.0) as u64)
                .or_else(|| members.values().find_map(rows_of))
        }
        Json::Array(items) => items.iter().find_map(rows_of),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_tables::query::{Embed, Filter, Union};
    use serde_json::json;

    #[test]
    fn a_rule_anywhere_in_a_read_restricts_it() {
        let read = |rule: Option<Filter>, items: Vec<Item>, members: Vec<Read>| Read {
            union: (!members.is_empty()).then_some(Union {
                distinct: false,
                members,
            }),
            count: Some(Count::Planned),
            ..Read::all(0, items, Some(Filter::And(Vec::new())), rule)
        };
        let rule = || Some(Filter::Or(Vec::new()));
        let embed = |inner: Read, through_rule: Option<Filter>| {
            Item::Embed(Box::new(Embed {
                name: "orders".into(),
                relationship: 0,
                inner: true,
                spread: false,
                read: inner,
                through_rule,
            }))
        };
        let open = || read(None, Vec::new(), Vec::new());
        let closed = || read(rule(), Vec::new(), Vec::new());
        assert!(!is_restricted(&open()));
        assert!(!is_restricted(&read(None, vec![embed(open(), None)], vec![open()])));
        assert!(is_restricted(&closed()));
        assert!(is_restricted(&read(None, Vec::new(), vec![open(), closed()])));
        assert!(is_restricted(&read(None, vec![embed(open(), rule())], Vec::new())));
        let deep = read(None, vec![embed(closed(), None)], Vec::new());
        assert!(is_restricted(&read(None, vec![embed(deep, None)], Vec::new())));
    }

    #[test]
    fn the_outermost_step_says_how_many_rows() {
        for (plan, rows) in [
            (
                json!([{"Plan": {"Node Type": "Limit", "Plan Rows": 42, "Plans": [{"Plan Rows": 9}]}}]),
                Some(42),
            ),
            (
                json!({"query_block": {"select_id": 1, "table": {"table_name": "a", "rows": 7}}}),
                Some(7),
            ),
            (
                json!({"query_block": {"nested_loop": [{"table": {"rows": 3.6}}]}}),
                Some(3),
            ),
            (json!({"query_block": {}}), None),
        ] {
            assert_eq!(rows_of(&plan), rows);
        }
    }
}
