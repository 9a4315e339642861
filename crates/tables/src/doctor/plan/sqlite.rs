//! SQLite: lines of `EXPLAIN QUERY PLAN`, whose text is for people and has changed little in years.

use super::sources::Sources;
use super::{Plan, Step};
use crate::doctor::Access;

pub(super) fn read(said: &str, sources: &Sources) -> Plan {
    Plan {
        steps: said.lines().filter_map(|line| step(line.trim(), sources)).collect(),
        cost: None,
    }
}

fn step(line: &str, sources: &Sources) -> Option<Step> {
    if line.starts_with("USE TEMP B-TREE FOR") {
        return Some(Step {
            access: Access::Sort,
            relation: None,
            index: None,
        });
    }
    let (seeks, rest) = match (line.strip_prefix("SEARCH "), line.strip_prefix("SCAN ")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return None,
    };
    let (name, how) = match rest
        .split_once(" USING ")
        .or_else(|| rest.split_once(" VIRTUAL TABLE INDEX "))
    {
        Some((name, how)) => (name, how),
        None => (rest, ""),
    };
    // What is no table is read from memory: a list of JSON, a statement within the statement.
    let relation = sources.relation(name.split(' ').next().unwrap_or_default())?.to_owned();
    let index = |word: &str| {
        let (_, name) = how.split_once(word)?;
        Some(
            name.split(" (")
                .next()
                .unwrap_or(name)
                .trim_end_matches(" LEFT-JOIN")
                .to_owned(),
        )
    };
    let is_virtual = rest.contains(" VIRTUAL TABLE INDEX ");
    let (access, index) = if is_virtual {
        // FTS5 says by `M` that words are looked up, by `=` that a rowid is.
        let is_found = how.contains('M') || how.contains('=');
        (if is_found { Access::Seek } else { Access::FullScan }, None)
    } else if how.contains("AUTOMATIC") {
        (Access::AutomaticIndex, None)
    } else if how.contains("PRIMARY KEY") {
        (if seeks { Access::Clustered } else { Access::FullScan }, None)
    } else if how.contains("COVERING INDEX ") {
        let access = if seeks { Access::Covering } else { Access::IndexScan };
        (access, index("COVERING INDEX "))
    } else if how.contains("INDEX ") {
        let access = if seeks { Access::SeekLookup } else { Access::IndexScan };
        (access, index("INDEX "))
    } else {
        (Access::FullScan, None)
    };
    Some(Step {
        access,
        relation: Some(relation),
        index,
    })
}
