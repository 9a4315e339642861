//! Rows of values for placeholders.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::anything::Anything;

/// Rows of values. Each start of a flow takes one row and keeps it to its end. Short form: the file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Data {
    /// The file, whose rows come in turn.
    #[schemars(extend("format" = "path"))]
    Name(PathBuf),
    /// A file, and how it is used.
    File(DataFile),
    /// Rows that stand here.
    Rows(DataRows),
}

/// A file of rows, and how it is used.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// The file, of 64 MiB and a million rows at the most.
    #[schemars(extend("format" = "path"))]
    pub file: PathBuf,
    /// What it holds. By default its ending tells: `.csv`, `.json`, `.ndjson` or `.jsonl`.
    #[serde(default)]
    pub format: Option<DataFormat>,
    /// In which order flows get the rows.
    #[serde(default)]
    pub order: DataOrder,
}

/// Rows that stand here.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataRows {
    /// The rows: values by the names of columns, the same columns in each.
    #[schemars(length(min = 1, max = 10_000))]
    pub rows: Vec<BTreeMap<String, Anything>>,
    /// In which order flows get the rows.
    #[serde(default)]
    pub order: DataOrder,
}

/// What a file of data holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DataFormat {
    /// Comma-separated values (RFC 4180); the first line names the columns.
    Csv,
    /// A list of objects.
    Json,
    /// Objects, one a line.
    Ndjson,
}

/// In which order flows get rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DataOrder {
    /// From the first to the last, and from the first again.
    #[default]
    InTurn,
    /// By chance, each as likely as the others.
    Random,
    /// By chance, the first ones more often: row n about 1/n as often as the first, as things are popular (Zipf's law).
    Popular,
    /// Each row once; a flow that finds none left fails. The look at every flow before a run takes a row, too.
    Once,
}
