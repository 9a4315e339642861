//! Rows of values for placeholders.

use std::path::Path;

use portcullis_bench::flow::data::{DataSet, MOST_BYTES, Order, Rows};
use portcullis_bench::flow::scope::Scope;
use portcullis_config::bench::Scenario;
use portcullis_config::bench::data::{Data, DataFormat, DataOrder};

use super::Found;
use super::files::Files;

/// What knows the sets of a file; those that are no good are told.
pub(super) fn scope(scenario: &Scenario, files: &Files<'_>, found: &mut Found<'_>) -> Scope {
    let mut sets = Vec::new();
    let mut unread = Vec::new();
    for (name, data) in &scenario.data {
        let path = format!("data.{name}");
        let (rows, order) = match data {
            Data::Name(file) => (of_file(file, None, files), DataOrder::InTurn),
            Data::File(written) => (of_file(&written.file, written.format, files), written.order),
            Data::Rows(written) => {
                let rows = written.rows.iter().map(|row| {
                    let members = row.iter().map(|(name, value)| (name.clone(), value.0.clone()));
                    members.collect::<serde_json::Map<_, _>>()
                });
                (Rows::from_objects(&rows.collect::<Vec<_>>()), written.order)
            }
        };
        let order = match order {
            DataOrder::InTurn => Order::InTurn,
            DataOrder::Random => Order::Random,
            DataOrder::Popular => Order::Popular,
            DataOrder::Once => Order::Once,
        };
        match found.good(&path, rows.and_then(|rows| DataSet::new(name, rows, order))) {
            Some(set) => sets.push(set),
            None => unread.push(name),
        }
    }
    let mut scope = Scope::new(sets);
    for name in unread {
        scope.forgive(name);
    }
    scope
}

fn of_file(file: &Path, format: Option<DataFormat>, files: &Files<'_>) -> Result<Rows, String> {
    let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let format = format.or(match ending.to_ascii_lowercase().as_str() {
        "csv" => Some(DataFormat::Csv),
        "json" => Some(DataFormat::Json),
        "ndjson" | "jsonl" => Some(DataFormat::Ndjson),
        _ => None,
    });
    let format = format.ok_or_else(|| {
        let file = file.display();
        format!("the ending of `{file}` doesn't tell what it holds; write `{{file: {file}, format: csv}}`, or `json`, or `ndjson`")
    })?;
    let text = files.read(file, MOST_BYTES as u64)?;
    let rows = match format {
        DataFormat::Csv => Rows::from_csv(&text),
        DataFormat::Json => Rows::from_json(&text),
        DataFormat::Ndjson => Rows::from_json_lines(&text),
    };
    rows.map_err(|message| format!("`{}`: {message}", file.display()))
}
