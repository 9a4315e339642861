//! Parameters of an operation, written as their styles have them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::Api;
use crate::bench::draft::Drafted;

/// All but what no part of a URL needs to have encoded (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl<'d> Api<'d> {
    /// Puts the parameters in that an operation can't do without.
    pub(super) fn put_parameters(
        &self,
        request: &mut Drafted,
        item: &'d Value,
        operation: &'d Value,
    ) -> Result<(), String> {
        let mut query = String::new();
        let mut cookies = Vec::new();
        for parameter in self.parameters(item, operation) {
            let (Some(name), Some(place)) = (parameter["name"].as_str(), parameter["in"].as_str()) else {
                return Err("a parameter of it has no name or no place".to_owned());
            };
            let needed = parameter["required"] == true || place == "path";
            if !needed || (place == "header" && self.wish.has_header(name)) {
                continue;
            }
            let values = self.values(name, parameter)?;
            match place {
                "path" => {
                    let value = encoded(&values.join(","));
                    request.path = request.path.replace(&format!("{{{name}}}"), &value);
                }
                "query" => put_query(&mut query, name, parameter, &values),
                "header" => request.headers.push((name.to_owned(), values.join(","))),
                "cookie" => cookies.push(format!("{name}={}", encoded(&values.join(",")))),
                other => return Err(format!("its parameter `{name}` is in `{other}`")),
            }
        }
        if let Some(left) = request.path.find('{') {
            return Err(format!("nothing is said of `{}` in its path", &request.path[left..]));
        }
        request.path.push_str(&query);
        if !cookies.is_empty() {
            request.headers.push(("Cookie".to_owned(), cookies.join("; ")));
        }
        Ok(())
    }

    /// Those of the operation, and those of its path that the operation doesn't say anew.
    fn parameters(&self, item: &'d Value, operation: &'d Value) -> Vec<&'d Value> {
        let list = |value: &'d Value| value["parameters"].as_array().into_iter().flatten();
        let mut found: Vec<&Value> = list(operation).map(|parameter| self.pages.follow(parameter)).collect();
        for parameter in list(item).map(|parameter| self.pages.follow(parameter)) {
            let same = |known: &&Value| known["name"] == parameter["name"] && known["in"] == parameter["in"];
            if !found.iter().any(same) {
                found.push(parameter);
            }
        }
        found
    }

    /// The value of a parameter: one text, or several of a list.
    fn values(&self, name: &str, parameter: &'d Value) -> Result<Vec<String>, String> {
        if let Some(value) = self.wish.values.get(name) {
            return Ok(vec![value.clone()]);
        }
        let media = parameter["content"]
            .as_object()
            .and_then(|content| content.values().next());
        let told =
            |why| format!("its parameter `{name}` has no example, and none is made up: {why}; give --value {name}=…");
        if let Some(media) = media {
            return Ok(vec![self.value_of_media(media).map_err(told)?.to_string()]);
        }
        match self.value_of_media(parameter).map_err(told)? {
            Value::Array(items) => items
                .iter()
                .map(|item| text(item).ok_or_else(|| told(LISTS.to_owned())))
                .collect(),
            value => Ok(vec![text(&value).ok_or_else(|| told("it is a group".to_owned()))?]),
        }
    }
}

const LISTS: &str = "its list holds groups or lists";

fn put_query(query: &mut String, name: &str, parameter: &Value, values: &[String]) {
    let separator = match parameter["style"].as_str() {
        Some("spaceDelimited") => "%20",
        Some("pipeDelimited") => "%7C",
        _ => ",",
    };
    let form = matches!(parameter["style"].as_str(), None | Some("form"));
    let explode = parameter["explode"].as_bool().unwrap_or(form);
    let encode: Vec<String> = values.iter().map(|value| encoded(value)).collect();
    let pieces = if explode { encode } else { vec![encode.join(separator)] };
    for piece in pieces {
        query.push(if query.is_empty() { '?' } else { '&' });
        query.push_str(&format!("{}={piece}", encoded(name)));
    }
}

/// A group as the content of a form.
pub(super) fn form(value: &Value) -> Result<String, String> {
    let members = value.as_object().ok_or("its form is no group of members")?;
    let mut pairs = Vec::new();
    for (name, value) in members {
        let values = match value {
            Value::Array(items) => items.iter().collect(),
            value => vec![value],
        };
        for value in values {
            let value = text(value).ok_or_else(|| format!("the member `{name}` of its form is a group"))?;
            pairs.push(format!("{}={}", encoded(name), encoded(&value)));
        }
    }
    Ok(pairs.join("&"))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}
