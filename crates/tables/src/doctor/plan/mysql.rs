//! MariaDB and MySQL: `EXPLAIN FORMAT=JSON`. Rows of InnoDB are in the tree of the primary key, which is `PRIMARY`.

use serde_json::{Map, Value};

use super::sources::Sources;
use super::{Plan, Step};
use crate::doctor::Access;

/// How deep a document is looked into.
const DEEPEST: usize = 100;

pub(super) fn read(said: &str, sources: &Sources) -> Plan {
    let document: Value = serde_json::from_str(said).unwrap_or_default();
    let block = &document["query_block"];
    // MySQL writes numbers as texts there, MariaDB from 11.0 a number under another name.
    let cost = &block["cost_info"]["query_cost"];
    let cost = cost
        .as_str()
        .and_then(|cost| cost.parse().ok())
        .or_else(|| block["cost"].as_f64());
    let mut steps = Vec::new();
    look(&document, sources, 0, &mut steps);
    Plan { steps, cost }
}

fn look(value: &Value, sources: &Sources, depth: usize, steps: &mut Vec<Step>) {
    if depth > DEEPEST {
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| look(item, sources, depth + 1, steps)),
        Value::Object(members) => {
            steps.extend(step(members, sources));
            for (name, member) in members {
                if name == "filesort" || (name == "using_filesort" && member == &Value::Bool(true)) {
                    steps.push(Step {
                        access: Access::Sort,
                        relation: None,
                        index: None,
                    });
                }
                look(member, sources, depth + 1, steps);
            }
        }
        _ => {}
    }
}

fn step(table: &Map<String, Value>, sources: &Sources) -> Option<Step> {
    let text = |name: &str| table.get(name).and_then(Value::as_str);
    let kind = text("access_type")?;
    // Derived tables are in angle brackets, and are what a statement within the statement gave.
    let relation = sources.relation(text("table_name")?)?.to_owned();
    let key = text("key");
    let covers = table.get("using_index") == Some(&Value::Bool(true));
    let access = match kind {
        "ALL" => Access::FullScan,
        "index" => Access::IndexScan,
        "index_merge" => Access::Bitmap,
        "fulltext" => Access::Seek,
        _ if key == Some("PRIMARY") || kind == "system" => Access::Clustered,
        _ if covers => Access::Covering,
        _ => Access::SeekLookup,
    };
    Some(Step {
        access,
        relation: Some(relation),
        index: key.map(str::to_owned),
    })
}
