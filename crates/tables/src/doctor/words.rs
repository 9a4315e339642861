//! What a plan means, in sentences.

use super::Access;
use super::plan::{Plan, Step};
use crate::schema::{Engine, Relation};

/// Where the engine keeps the rows of a table, and what that means for its indexes.
pub fn of_storage(engine: Engine, relation: &Relation) -> &'static str {
    match engine {
        Engine::Sqlite if relation.rowid.is_some() => {
            "The table is a B-tree in the order of its rowid, which an INTEGER PRIMARY KEY is another name of: it is clustered. \
             Every other index is a tree of its own that leads to a rowid, and from there down the table's tree to the row."
        }
        Engine::Sqlite => {
            "The table is WITHOUT ROWID: a B-tree in the order of its primary key, which so is clustered. Every other index \
             holds that key and leads by it to the row, so that a long key makes every index longer."
        }
        Engine::MariaDb | Engine::MySql => {
            "InnoDB keeps the rows in a B-tree in the order of the primary key: it is clustered. Every other index holds that \
             key and leads by it to the row, so that a long key makes every index longer."
        }
        Engine::Postgres => {
            "The rows lie in a heap, in no order; every index, the primary key's too, is a tree beside it that leads to them: none \
             is clustered. (CLUSTER sorts the heap once; later rows lie where there is room.) An index that has all columns that are \
             asked for answers by itself, where VACUUM has marked the pages that all may see."
        }
    }
}

/// What a way of finding rows costs.
pub(crate) fn of_access(access: Access) -> &'static str {
    match access {
        Access::Clustered => "down the tree that the rows are in: a few pages, however large the table is",
        Access::Covering => "down an index that holds all that is asked for: the rows themselves are not read",
        Access::Seek => "by an index made for such conditions",
        Access::SeekLookup => "down an index, and then to each row by itself: cheap as long as few rows match",
        Access::Bitmap => "by one or several indexes, whose rows are then read in the order in which they lie",
        Access::Walk => "along the order that is asked for, as far as the limit: it costs what the page costs",
        Access::Sort => {
            "the rows that were found are sorted before the first one is sent: it costs more the more match"
        }
        Access::IndexScan => "through a whole index: it costs more the larger the table is",
        Access::AutomaticIndex => {
            "by an index that is made for this one execution and thrown away: the whole table is read for it each time"
        }
        Access::FullScan => "through the whole table: it costs more the larger the table is",
    }
}

/// A plan, a sentence for each step.
pub fn of_plan(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(of_step).collect()
}

fn of_step(step: &Step) -> String {
    let meaning = of_access(step.access);
    match (&step.relation, &step.index) {
        (Some(relation), Some(index)) => format!("{relation}, by {index}: {meaning} ({})", step.access),
        (Some(relation), None) => format!("{relation}: {meaning} ({})", step.access),
        _ => format!("{meaning} ({})", step.access),
    }
}
