//! What holds in the end.

use serde_json::Value;

use crate::file::File;
use crate::secret::MASK;

/// Header fields that carry proof of who one is. Their values are often put together from variables.
const TELLING: [&str; 7] = ["auth", "cookie", "key", "password", "secret", "session", "token"];

/// The configuration with all defaults filled in, for people to look at. Secrets are masked, and so are the values of
/// header fields whose names suggest that they hold some.
pub fn effective(file: &File) -> Value {
    let mut value = serde_json::to_value(file).expect("the types of the file hold nothing that JSON can't");
    tidy(&mut value);
    value
}

/// Takes out what isn't set, and masks header fields.
fn tidy(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(entries) => {
            entries.retain(|_, value| !value.is_null());
            for (key, value) in entries {
                tidy(value);
                if let ("headers" | "set" | "add", Value::Object(fields)) = (key.as_str(), value) {
                    mask(fields);
                }
            }
        }
        _ => {}
    }
}

fn mask(fields: &mut serde_json::Map<String, Value>) {
    for (name, value) in fields {
        if value.is_string() && is_telling(name) {
            *value = Value::String(MASK.to_owned());
        }
    }
}

/// Whether the name of a header field suggests that its value must not be shown.
pub(crate) fn is_telling(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TELLING.iter().any(|part| name.contains(part))
}
