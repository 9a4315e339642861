//! PostgreSQL: `EXPLAIN (FORMAT JSON)`. Tables are heaps, so that no index holds the rows themselves.

use serde_json::Value;

use super::{Plan, Step};
use crate::doctor::Access;

/// Nodes of a plan that are looked at.
const MOST: usize = 1000;

pub(super) fn read(said: &str) -> Plan {
    let document: Value = serde_json::from_str(said).unwrap_or_default();
    let root = match &document[0]["Plan"] {
        Value::Null => &document["Plan"],
        plan => plan,
    };
    let mut plan = Plan {
        steps: Vec::new(),
        cost: root["Total Cost"].as_f64(),
    };
    let mut left = vec![root];
    let mut looked_at = 0;
    while let Some(node) = left.pop() {
        looked_at += 1;
        if looked_at > MOST {
            break;
        }
        plan.steps.extend(step(node));
        // A heap's bitmap is made of its indexes by the nodes below, which are told with it.
        if node["Node Type"] != "Bitmap Heap Scan"
            && let Some(below) = node["Plans"].as_array()
        {
            left.extend(below.iter().rev());
        }
    }
    plan
}

fn step(node: &Value) -> Option<Step> {
    let has_condition = !node["Index Cond"].is_null();
    let access = match node["Node Type"].as_str()? {
        "Seq Scan" | "Sample Scan" => Access::FullScan,
        "Index Scan" if has_condition => Access::SeekLookup,
        "Index Only Scan" if has_condition => Access::Covering,
        "Index Scan" | "Index Only Scan" => Access::IndexScan,
        "Bitmap Heap Scan" => Access::Bitmap,
        "Tid Scan" | "Tid Range Scan" => Access::Seek,
        "Sort" | "Incremental Sort" => Access::Sort,
        _ => return None,
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Some(Step {
        access,
        relation: text(&node["Relation Name"]),
        index: match access {
            Access::Bitmap => index_below(node),
            _ => text(&node["Index Name"]),
        },
    })
}

/// The first index that a bitmap is made of.
fn index_below(node: &Value) -> Option<String> {
    let below = node["Plans"].as_array()?;
    below.iter().find_map(|node| {
        let name = node["Index Name"].as_str().map(str::to_owned);
        name.or_else(|| index_below(node))
    })
}
