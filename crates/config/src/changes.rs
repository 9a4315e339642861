//! What tells one configuration from another: which listeners, services, routes and so on come, go and change.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::effective::effective;
use crate::file::File;
use crate::record::Record;
use crate::secret::MASK;

/// One side of a comparison.
pub struct Side<'a> {
    /// What it says.
    pub file: &'a File,
    /// What is remembered of it, with its secrets. Without it nobody can tell whether those have changed.
    pub record: Option<&'a Record>,
    /// The name of each route, no two alike.
    pub route_names: Vec<String>,
}

/// Something that comes, goes or changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// How.
    pub change: Kind,
    /// What it is: `listener`, `service`, `database`, `policies`, `route`, or `setting` for a key of the file itself.
    pub of: &'static str,
    /// Its name; of a setting the key.
    pub name: String,
    /// What changes in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
}

/// How something changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Kind {
    Added,
    Removed,
    Changed,
}

/// A value that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Where it stands, such as `targets[0].url`; empty where the whole is meant.
    pub path: String,
    /// What it was, where it was there; of a secret `***`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What it will be, where it will be there; of a secret `***`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

/// What came of a comparison.
pub struct Changes {
    /// The changes, in the order in which a file says things.
    pub changes: Vec<Change>,
    /// How many secrets could not be compared, because one side doesn't tell its own.
    pub uncompared_secrets: usize,
}

/// The sections whose items have names: the key in the file, what one is called, and how items are told apart.
const SECTIONS: [(&str, &str); 5] = [
    ("listeners", "listener"),
    ("services", "service"),
    ("databases", "database"),
    ("policies", "policies"),
    ("routes", "route"),
];

/// Compares two configurations.
pub fn changes(from: &Side<'_>, to: &Side<'_>) -> Changes {
    let (from, to) = (Known::of(from), Known::of(to));
    let mut comparison = Comparison { uncompared: 0 };
    let mut changes = Vec::new();
    let keys: Vec<&String> = union(from.shown.as_object(), to.shown.as_object());
    for key in keys
        .iter()
        .filter(|key| SECTIONS.iter().all(|(section, _)| section != **key))
    {
        let mut fields = Vec::new();
        comparison.values(
            from.pair().get(key),
            to.pair().get(key),
            &mut String::new(),
            &mut fields,
        );
        if !fields.is_empty() {
            changes.push(Change {
                change: Kind::Changed,
                of: "setting",
                name: (*key).clone(),
                fields,
            });
        }
    }
    for (section, of) in SECTIONS {
        comparison.section(&from.items(section), &to.items(section), of, &mut changes);
    }
    Changes {
        changes,
        uncompared_secrets: comparison.uncompared,
    }
}

/// What is known of a side.
struct Known {
    /// With its defaults and without secrets.
    shown: Value,
    /// As it was written, with secrets.
    written: Option<Value>,
    route_names: Vec<String>,
}

/// A value in both of its forms.
#[derive(Clone, Copy)]
struct Pair<'v> {
    shown: Option<&'v Value>,
    /// `None` where the side doesn't tell.
    written: Option<Option<&'v Value>>,
}

impl<'v> Pair<'v> {
    fn get(self, key: &str) -> Pair<'v> {
        Pair {
            shown: self.shown.and_then(|shown| shown.get(key)),
            written: self.written.map(|written| written.and_then(|written| written.get(key))),
        }
    }

    fn at(self, index: usize) -> Pair<'v> {
        Pair {
            shown: self.shown.and_then(|shown| shown.get(index)),
            written: self
                .written
                .map(|written| written.and_then(|written| written.get(index))),
        }
    }
}

impl Known {
    fn of(side: &Side<'_>) -> Known {
        Known {
            shown: effective(side.file),
            written: side.record.map(Record::written),
            route_names: side.route_names.clone(),
        }
    }

    fn pair(&self) -> Pair<'_> {
        Pair {
            shown: Some(&self.shown),
            written: self.written.as_ref().map(Some),
        }
    }

    /// The items of a section by their names, in their order.
    fn items(&self, section: &str) -> Vec<(String, Pair<'_>)> {
        let all = self.pair().get(section);
        match all.shown {
            Some(Value::Object(entries)) => entries.keys().map(|key| (key.clone(), all.get(key))).collect(),
            Some(Value::Array(items)) if section == "routes" => {
                let names = self.route_names.iter().cloned();
                names.zip((0..items.len()).map(|index| all.at(index))).collect()
            }
            // A listener is its address: that is what a reload knows it by. Those whose port the system chooses are counted.
            Some(Value::Array(items)) => {
                let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
                let named = items.iter().enumerate().map(|(index, item)| {
                    let bind = item["bind"].as_str().unwrap_or_default();
                    let nth = seen.entry(bind).or_insert(0);
                    *nth += 1;
                    let name = if *nth == 1 {
                        bind.to_owned()
                    } else {
                        format!("{bind} #{nth}")
                    };
                    (name, all.at(index))
                });
                named.collect()
            }
            _ => Vec::new(),
        }
    }
}

struct Comparison {
    uncompared: usize,
}

impl Comparison {
    fn section(
        &mut self,
        from: &[(String, Pair<'_>)],
        to: &[(String, Pair<'_>)],
        of: &'static str,
        changes: &mut Vec<Change>,
    ) {
        let before: BTreeMap<&str, Pair<'_>> = from.iter().map(|(name, pair)| (name.as_str(), *pair)).collect();
        let after: BTreeSet<&str> = to.iter().map(|(name, _)| name.as_str()).collect();
        let mut add = |change: Kind, name: &str, fields: Vec<Field>| {
            let name = name.to_owned();
            changes.push(Change {
                change,
                of,
                name,
                fields,
            });
        };
        for (name, _) in from.iter().filter(|(name, _)| !after.contains(name.as_str())) {
            add(Kind::Removed, name, Vec::new());
        }
        for (name, pair) in to {
            let Some(before) = before.get(name.as_str()) else {
                add(Kind::Added, name, Vec::new());
                continue;
            };
            let mut fields = Vec::new();
            self.values(*before, *pair, &mut String::new(), &mut fields);
            if !fields.is_empty() {
                add(Kind::Changed, name, fields);
            }
        }
    }

    /// Finds what differs between two values, as deep as they have the same form.
    fn values(&mut self, from: Pair<'_>, to: Pair<'_>, path: &mut String, fields: &mut Vec<Field>) {
        let length = path.len();
        match (from.shown, to.shown) {
            (Some(Value::Object(one)), Some(Value::Object(other))) => {
                for key in union(Some(one), Some(other)) {
                    if length > 0 {
                        path.push('.');
                    }
                    path.push_str(key);
                    self.values(from.get(key), to.get(key), path, fields);
                    path.truncate(length);
                }
            }
            (Some(Value::Array(one)), Some(Value::Array(other)))
                if one.len() == other.len()
                    && one.iter().chain(other).any(|item| item.is_object() || *item == MASK) =>
            {
                for index in 0..one.len() {
                    path.push_str(&format!("[{index}]"));
                    self.values(from.at(index), to.at(index), path, fields);
                    path.truncate(length);
                }
            }
            (one, other) if one != other || self.is_other_secret(from, to) => fields.push(Field {
                path: path.clone(),
                from: one.cloned(),
                to: other.cloned(),
            }),
            _ => {}
        }
    }

    /// Whether both are masked, and not the same behind the masks.
    fn is_other_secret(&mut self, from: Pair<'_>, to: Pair<'_>) -> bool {
        if !from
            .shown
            .and_then(Value::as_str)
            .is_some_and(|text| text.contains(MASK))
        {
            return false;
        }
        match (from.written, to.written) {
            (Some(one), Some(other)) => one != other,
            _ => {
                self.uncompared += 1;
                false
            }
        }
    }
}

/// The keys of both, each once, in the order in which they come.
fn union<'v>(
    one: Option<&'v serde_json::Map<String, Value>>,
    other: Option<&'v serde_json::Map<String, Value>>,
) -> Vec<&'v String> {
    let mut keys: Vec<&String> = one.into_iter().flat_map(serde_json::Map::keys).collect();
    let more = other.into_iter().flat_map(serde_json::Map::keys);
    keys.extend(more.filter(|key| !one.is_some_and(|one| one.contains_key(*key))));
    keys
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::load::Loaded;

    const BASE: &str = "listeners: [127.0.0.1:8080]\nservices: {up: http://a:1}\n\
        policies: {keys: {api_key: {consumers: [{name: a, key: '${KEY}'}]}}}\n\
        routes:\n  - {path: /a, policies: keys, to: {service: up}}\n";

    fn loaded(text: &str, key: &str) -> Loaded {
        let environment = |_: &str| Some(key.to_owned());
        let read = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
        crate::parse(text, "gate.yaml".as_ref(), &environment, &read).unwrap()
    }

    fn side(loaded: &Loaded, with_secrets: bool) -> Side<'_> {
        Side {
            file: &loaded.file,
            record: with_secrets.then_some(&loaded.record),
            route_names: loaded.file.routes.iter().map(|route| route.path.clone()).collect(),
        }
    }

    fn check(to: &str, expected: &[&str]) {
        let (from, to) = (loaded(BASE, "hunter2"), loaded(to, "hunter2"));
        let found = changes(&side(&from, true), &side(&to, true));
        let shown = found.changes.iter().map(|change| {
            let fields: Vec<_> = change
                .fields
                .iter()
                .map(|field| {
                    let show = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
                    format!(" {}: {} → {}", field.path, show(&field.from), show(&field.to))
                })
                .collect();
            format!("{:?} {} {}{}", change.change, change.of, change.name, fields.concat())
        });
        assert_eq!(shown.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_comes_and_goes_and_changes_is_told_by_name() {
        check(BASE, &[]);
        check(
            &BASE.replace("127.0.0.1:8080", "127.0.0.1:8081"),
            &["Removed listener 127.0.0.1:8080", "Added listener 127.0.0.1:8081"],
        );
        check(
            &BASE.replace("http://a:1}", "http://b:1}"),
            &[r#"Changed service up targets[0].url: "http://a:1" → "http://b:1""#],
        );
        check(
            &format!("{BASE}  - {{path: /b, to: {{respond: b}}}}\ndrain: 5s\n"),
            &[r#"Changed setting drain : "30s" → "5s""#, "Added route /b"],
        );
        check(
            &BASE.replace("policies: keys, ", ""),
            &[r#"Changed route /a policies: ["keys"] → []"#],
        );
        check(
            &BASE.replace("to: {service: up}", "to: {service: up, strip: /a}"),
            &[r#"Changed route /a to.strip: - → "/a""#],
        );
    }

    #[test]
    fn routes_may_change_their_places() {
        let two = format!("{BASE}  - {{path: /b, to: {{respond: b}}}}\n");
        let swapped = two.replace("/a,", "/c,").replace("/b,", "/a,").replace("/c,", "/b,");
        let swapped = swapped
            .replace("policies: keys, to: {service: up}", "X")
            .replace("to: {respond: b}", "policies: keys, to: {service: up}");
        let swapped = swapped.replace('X', "to: {respond: b}");
        let (from, to) = (loaded(&two, "k"), loaded(&swapped, "k"));
        assert_eq!(changes(&side(&from, true), &side(&to, true)).changes, []);
    }

    #[test]
    fn a_secret_that_changes_is_told_without_itself() {
        let (from, to) = (loaded(BASE, "hunter2"), loaded(BASE, "correct horse"));
        let found = changes(&side(&from, true), &side(&to, true));
        let told = serde_json::to_string(&found.changes).unwrap();
        assert_eq!(found.changes.len(), 1, "{told}");
        assert!(
            told.contains("api_key.consumers[0].key") && told.contains("***"),
            "{told}"
        );
        assert!(!told.contains("hunter2") && !told.contains("horse"), "{told}");
        let found = changes(&side(&from, false), &side(&to, true));
        assert_eq!((found.changes.len(), found.uncompared_secrets), (0, 1));
    }
}
