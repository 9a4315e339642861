//! New rows as one JSON document, for PostgreSQL to take apart.

use super::insert::NewRows;
use crate::value::Value;

/// The rows as the document that `json_to_recordset` takes apart.
pub(super) fn of(rows: &NewRows<'_>) -> String {
    let mut json = String::from("[");
    for (at, row) in rows.rows.iter().enumerate() {
        json.push_str(if at == 0 { "{" } else { ",{" });
        for (slot, ((_, mixed), value)) in rows.columns.iter().zip(row).enumerate() {
            let comma = if slot == 0 { "" } else { "," };
            json.push_str(&format!("{comma}\"c{slot}\":"));
            write_json(&mut json, value.unwrap_or(&Value::Null));
            if *mixed {
                json.push_str(&format!(",\"h{slot}\":{}", value.is_some()));
            }
        }
        json.push('}');
    }
    json.push(']');
    json
}

fn write_json(json: &mut String, value: &Value) {
    match value {
        Value::Null | Value::Of { .. } | Value::AllOf { .. } => json.push_str("null"),
        Value::Boolean(truth) => json.push_str(if *truth { "true" } else { "false" }),
        Value::Integer(number) => json.push_str(itoa::Buffer::new().format(*number)),
        Value::Real(number) => json.push_str(&serde_json::Value::from(*number).to_string()),
        Value::Text(text) => json.push_str(&serde_json::Value::from(text.as_str()).to_string()),
        Value::Json(document) => json.push_str(document),
        // PostgreSQL's own form of bytes.
        Value::Bytes(bytes) => {
            json.push_str("\"\\\\x");
            bytes.iter().for_each(|byte| json.push_str(&format!("{byte:02x}")));
            json.push('"');
        }
        Value::List(items) => {
            json.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    json.push(',');
                }
                write_json(json, item);
            }
            json.push(']');
        }
    }
}
