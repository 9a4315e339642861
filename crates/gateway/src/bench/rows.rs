//! Rows that a target has, so that requests for one of them ask for one that is there.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::draft::Drafted;
use super::dry_run::Answered;

/// The most rows of a collection that become part of a scenario.
const MOST: usize = 100;

/// The longest value that names a row.
const LONGEST: usize = 100;

/// All but what no part of a path needs to have encoded (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Rows by the path of their collection.
#[derive(Debug, Default)]
pub(crate) struct Rows(BTreeMap<String, Vec<String>>);

impl Rows {
    /// Learns of the rows in an answer: those of a list in JSON that have an `id`.
    pub(crate) fn learn(&mut self, request: &Drafted, answered: &Answered) {
        let found = answered
            .body
            .as_ref()
            .filter(|_| request.method == "GET" && answered.status == 200);
        let Some(Ok(Value::Array(rows))) = found.map(|body| serde_json::from_slice(body)) else {
            return;
        };
        let ids = rows.iter().filter_map(|row| match &row["id"] {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
        let ids: Vec<String> = ids
            .filter(|id| !id.is_empty() && id.len() <= LONGEST)
            .take(MOST)
            .collect();
        if !ids.is_empty() {
            self.0.insert(collection(&request.path).to_owned(), ids);
        }
    }

    /// For a request for one row that was made up: the same for the first row that is there, and what it is called with all rows
    /// (the name of the rows, and the path that any of them can be put into).
    pub(crate) fn known(&self, request: &Drafted) -> Option<(Drafted, Known<'_>)> {
        request.guessed.as_ref()?;
        let path = request.path.split('?').next().unwrap_or_default();
        let (above, _) = path.rsplit_once('/')?;
        let ids = self.0.get(above)?;
        let query = &request.path[path.len()..];
        let first = ids.first()?;
        let tried = Drafted {
            path: format!("{above}/{}{query}", utf8_percent_encode(first, RESERVED)),
            guessed: None,
            ..request.clone()
        };
        let name = name(above);
        let path = format!("{above}/{{{{{name}.id}}}}{query}");
        Some((tried, Known { name, path, ids }))
    }
}

/// Rows that are there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Known<'r> {
    /// What they are called.
    pub(crate) name: String,
    /// A path that any of them can be put into.
    pub(crate) path: String,
    /// What names each.
    pub(crate) ids: &'r [String],
}

fn collection(path: &str) -> &str {
    path.split('?').next().unwrap_or_default().trim_end_matches('/')
}

/// A name made of a path: `v1_orders`.
fn name(path: &str) -> String {
    let letters = path.chars().map(|letter| match letter.is_ascii_alphanumeric() {
        true => letter.to_ascii_lowercase(),
        false => '_',
    });
    let name: String = letters.collect::<String>().trim_matches('_').to_owned();
    match name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        true => name,
        false => format!("rows_{name}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use portcullis_core::Headers;

    use super::*;

    fn request(path: &str) -> Drafted {
        Drafted {
            method: "GET".to_owned(),
            path: path.to_owned(),
            guessed: Some("a guess".to_owned()),
            ..Drafted::default()
        }
    }

    #[test]
    fn a_row_that_is_there_takes_the_place_of_a_guess() {
        let mut rows = Rows::default();
        let answered = Answered {
            status: 200,
            headers: Headers::new(),
            body: Some(br#"[{"id": "a/b"}, {"id": 7}, {"name": 1}, 3]"#.to_vec().into()),
        };
        rows.learn(&request("/v1/orders?limit=5"), &answered);
        let made_up = request("/v1/orders/1?select=id");
        let (tried, known) = rows.known(&made_up).unwrap();
        assert_eq!(tried.path, "/v1/orders/a%2Fb?select=id");
        assert_eq!(known.path, "/v1/orders/{{v1_orders.id}}?select=id");
        assert_eq!(known.ids, ["a/b", "7"]);
        assert_eq!(rows.known(&request("/v1/others/1")), None);
        let told = Drafted {
            guessed: None,
            ..made_up
        };
        assert_eq!(rows.known(&told), None);
    }
}
