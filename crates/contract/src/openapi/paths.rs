//! The paths of a description, found by those of requests: what is fixed before what is variable.

use std::collections::{BTreeMap, HashMap};

use crate::text;

/// All paths, as a tree of their segments.
#[derive(Debug, Default)]
pub(super) struct Paths {
    root: Step,
}

/// A path that has been found.
#[derive(Debug, Default)]
pub(super) struct Item {
    /// The operations by their methods.
    pub(super) methods: BTreeMap<String, Target>,
}

/// One method of a path.
#[derive(Debug)]
pub(super) struct Target {
    /// The place of the operation among all.
    pub(super) operation: usize,
    /// The path as it is written: two of one form may name their variable parts differently.
    pub(super) template: String,
}

impl Target {
    /// The names of the variable parts, in their order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.template
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split('}').next())
    }
}

#[derive(Debug, Default)]
struct Step {
    fixed: HashMap<String, Step>,
    variable: Vec<(Segment, Step)>,
    item: Option<Item>,
}

/// A segment with variable parts: names, each with the text before it, and the text at the end.
#[derive(Debug, PartialEq, Eq)]
struct Segment {
    parts: Vec<(String, String)>,
    end: String,
}

impl Paths {
    /// Adds a method of a path.
    pub(super) fn add(&mut self, template: &str, method: &str, operation: usize) -> Result<(), String> {
        let mut step = &mut self.root;
        for segment in template.split('/').skip(1) {
            step = if segment.contains('{') {
                let segment = Segment::parse(segment)?;
                let known = step.variable.iter().position(|(known, _)| known.has_form_of(&segment));
                let at = known.unwrap_or(step.variable.len());
                if known.is_none() {
                    step.variable.push((segment, Step::default()));
                    // More fixed text is more specific.
                    let added = step.variable.pop();
                    let place = added.as_ref().map_or(0, |(added, _)| {
                        step.variable
                            .iter()
                            .take_while(|(known, _)| known.fixed() >= added.fixed())
                            .count()
                    });
                    step.variable.splice(place..place, added);
                    &mut step.variable[place].1
                } else {
                    &mut step.variable[at].1
                }
            } else {
                let text = text::decoded(segment, false).unwrap_or_else(|| segment.to_owned());
                step.fixed.entry(text).or_default()
            };
        }
        let methods = &mut step.item.get_or_insert_default().methods;
        let target = Target {
            operation,
            template: template.to_owned(),
        };
        match methods.insert(method.to_owned(), target) {
            None => Ok(()),
            Some(other) => Err(format!(
                "{method} of `{}` and of `{template}` are the same",
                other.template
            )),
        }
    }

    /// The path to which a request's belongs, and what its variable parts hold. Each step of the tree is looked at once at the
    /// most.
    pub(super) fn find(&self, path: &str) -> Option<(&Item, Vec<String>)> {
        let segments: Option<Vec<String>> = path.split('/').skip(1).map(|it| text::decoded(it, false)).collect();
        let mut values = Vec::new();
        let item = self.root.find(&segments?, &mut values)?;
        Some((item, values))
    }
}

impl Step {
    fn find(&self, segments: &[String], values: &mut Vec<String>) -> Option<&Item> {
        let Some((first, rest)) = segments.split_first() else {
            return self.item.as_ref();
        };
        if let Some(found) = self.fixed.get(first).and_then(|step| step.find(rest, values)) {
            return Some(found);
        }
        for (segment, step) in &self.variable {
            let before = values.len();
            if segment.matches(first, values)
                && let Some(found) = step.find(rest, values)
            {
                return Some(found);
            }
            values.truncate(before);
        }
        None
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Segment, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("a `{` in the path has no `}`")?;
            parts.push((before.to_owned(), name.to_owned()));
            rest = after;
        }
        Ok(Segment {
            parts,
            end: rest.to_owned(),
        })
    }

    /// Whether another one has the same fixed text in the same places.
    fn has_form_of(&self, other: &Segment) -> bool {
        let before = |segment: &Segment| {
            segment
                .parts
                .iter()
                .map(|(before, _)| before.clone())
                .collect::<Vec<_>>()
        };
        self.end == other.end && before(self) == before(other)
    }

    /// How much of it is fixed.
    fn fixed(&self) -> usize {
        self.end.len() + self.parts.iter().map(|(before, _)| before.len()).sum::<usize>()
    }

    /// Whether a segment is of this form. Each part takes as little as it can, the last one what is left.
    fn matches(&self, text: &str, values: &mut Vec<String>) -> bool {
        let Some(mut rest) = text.strip_suffix(self.end.as_str()) else {
            return false;
        };
        for (index, (before, _)) in self.parts.iter().enumerate() {
            let Some(after) = rest.strip_prefix(before.as_str()) else {
                return false;
            };
            let length = match self.parts.get(index + 1) {
                Some((next, _)) if !next.is_empty() => match after.find(next.as_str()) {
                    Some(at) => at,
                    None => return false,
                },
                Some(_) => 0,
                None => after.len(),
            };
            // RFC 6570 lets a value be empty, OpenAPI's paths don't: `/items/` is another path than `/items/{id}`.
            if length == 0 {
                return false;
            }
            values.push(after[..length].to_owned());
            rest = &after[length..];
        }
        true
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_path_is_found() {
        let mut paths = Paths::default();
        for template in [
            "/",
            "/items",
            "/items/",
            "/items/{id}",
            "/items/mine",
            "/items/{id}/parts",
            "/items/{id}/{part}.{format}",
            "/items/{id}/{part}",
            "/{a}/{b}/end",
            "/a%20b",
            "/users/{id}:ban",
        ] {
            paths.add(template, "GET", 0).unwrap();
        }
        for (path, template, values) in [
            ("/", "/", &[][..]),
            ("/items", "/items", &[]),
            ("/items/", "/items/", &[]),
            ("/items/7", "/items/{id}", &[("id", "7")]),
            ("/items/mine", "/items/mine", &[]),
            ("/items/mine/parts", "/items/{id}/parts", &[("id", "mine")]),
            ("/items/a%2Fb", "/items/{id}", &[("id", "a/b")]),
            (
                "/items/7/x.json",
                "/items/{id}/{part}.{format}",
                &[("id", "7"), ("part", "x"), ("format", "json")],
            ),
            ("/items/7/end", "/items/{id}/{part}", &[("id", "7"), ("part", "end")]),
            ("/others/7/end", "/{a}/{b}/end", &[("a", "others"), ("b", "7")]),
            ("/a%20b", "/a%20b", &[]),
            ("/users/7:ban", "/users/{id}:ban", &[("id", "7")]),
        ] {
            let (item, found) = paths.find(path).unwrap();
            let target = &item.methods["GET"];
            assert_eq!(target.template, template, "{path}");
            let found: Vec<_> = target.names().zip(found.iter().map(String::as_str)).collect();
            assert_eq!(found, values, "{path}");
        }
        for path in ["/none", "/items/7/parts/8", "/users/7", "/items//parts", "/%ff"] {
            assert!(paths.find(path).is_none(), "{path}");
        }
    }

    #[test]
    fn paths_that_are_the_same_are_refused() {
        let mut paths = Paths::default();
        paths.add("/a/{x}", "GET", 0).unwrap();
        paths.add("/a/{y}", "PUT", 1).unwrap();
        let (item, _) = paths.find("/a/7").unwrap();
        assert_eq!(item.methods["PUT"].names().collect::<Vec<_>>(), ["y"]);
        assert!(paths.add("/a/{y}", "GET", 2).unwrap_err().contains("the same"));
        assert!(paths.add("/a/{y", "GET", 3).is_err());
    }
}
