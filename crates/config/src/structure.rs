//! The check of a tree against the schema: every key known, every value of the kind and form that is asked for, every
//! name there. It goes on after each problem, and gives the tree back in the one long form that the types read.

mod anything;
mod branch;
mod shape;
mod text;

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::io;
use std::path::Path;

pub(crate) use self::shape::Shapes;
use self::shape::{Group, Kind, Shape};
use crate::problem::{Place, Report};
use crate::substitute::Environment;
use crate::suggest::did_you_mean;
use crate::tree::{Content, Entry, Node};
use crate::written::Written;

/// What a file may refer to outside of itself.
pub(crate) struct Surroundings<'a> {
    /// The folder from which relative paths start.
    pub(crate) base: &'a Path,
    /// Looks variables up.
    pub(crate) environment: Environment<'a>,
    /// Reads the files that hold secrets.
    pub(crate) read: &'a dyn Fn(&Path) -> io::Result<String>,
}

/// Checks a tree and gives what it says, with [`Written::Wrong`] in place of what is wrong and has been reported.
pub(crate) fn check<'a>(
    root: &'a Node,
    shapes: &'a Shapes,
    surroundings: &'a Surroundings<'a>,
    report: &mut Report,
) -> Written<'a> {
    let names = ["services", "databases", "policies"].map(|key| {
        let entries = root.entry(key).map(|entry| entry.node.entries()).unwrap_or_default();
        (key, entries.iter().map(|entry| &*entry.key).collect())
    });
    Walk {
        shapes,
        surroundings,
        report,
        names: names.into(),
        path: String::new(),
    }
    .value(root, shapes.root(), root.place)
}

struct Walk<'a, 'r> {
    shapes: &'a Shapes,
    surroundings: &'a Surroundings<'a>,
    report: &'r mut Report,
    /// The names that there are to refer to, by the key of the file under which they stand.
    names: HashMap<&'static str, BTreeSet<&'a str>>,
    path: String,
}

/// A step of the path to a value.
enum Step<'k> {
    Key(&'k str),
    Item(usize),
}

impl<'a> Walk<'a, '_> {
    /// Reports a problem with the value that is being looked at.
    fn problem(&mut self, place: Place, message: impl Into<String>) -> Written<'a> {
        self.report.add(Some(place), &self.path, message);
        Written::Wrong
    }

    /// The proposal that follows a name that isn't there.
    fn advice<'n>(&self, wrong: &str, names: impl Iterator<Item = &'n str>) -> String {
        if self.report.is_full() {
            String::new()
        } else {
            did_you_mean(wrong, names)
        }
    }

    /// Looks at something below the present value: its path is longer by a step.
    fn below<T>(&mut self, step: &Step<'_>, look: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        // Writing to a text doesn't fail.
        let _ = match step {
            Step::Key(key) if length == 0 => self.path.write_str(key),
            Step::Key(key) => write!(self.path, ".{key}"),
            Step::Item(index) => write!(self.path, "[{index}]"),
        };
        let result = look(self);
        self.path.truncate(length);
        result
    }

    /// A value of any kind. `key` is the place of its key, where it has one: what is nothing stands nowhere itself.
    fn value(&mut self, node: &'a Node, shape: &'a Shape, key: Place) -> Written<'a> {
        match &node.content {
            Content::Broken => return Written::Wrong,
            _ if matches!(shape.kind, Kind::Anything) => return self.anything(node),
            Content::Nothing => {
                return self.problem(key, "there is no value here; write one, or take the key out");
            }
            _ => {}
        }
        match (&shape.kind, &node.content) {
            // Whatever isn't a group of keys is the value of the one key that matters.
            (Kind::Short { long, .. }, Content::Map(_)) => self.value(node, self.shapes.get(*long), node.place),
            (Kind::Short { key, brief, .. }, _) => match self.value(node, self.shapes.get(*brief), node.place) {
                Written::Wrong => Written::Wrong,
                value => Written::Group(vec![(key, value)]),
            },
            (Kind::Single { item, .. }, content) if self.shapes.get(*item).may_stand_alone_as(content) => {
                match self.value(node, self.shapes.get(*item), node.place) {
                    Written::Wrong => Written::Wrong,
                    item => Written::List(vec![item]),
                }
            }
            (Kind::Single { list, .. }, _) => self.value(node, self.shapes.get(*list), node.place),
            (Kind::AnyOf(branches), _) => match self.branch(node, branches) {
                Some(branch) => self.value(node, branch, key),
                None => Written::Wrong,
            },
            (Kind::Group(group), Content::Map(entries)) => self.group(node, entries, group),
            (Kind::List { items, least, most }, Content::List(nodes)) => {
                self.list(node, nodes, self.shapes.get(*items), *least..=*most)
            }
            (Kind::Integer, Content::Scalar { text, quoted }) => self.integer(node.place, text, *quoted, shape),
            (Kind::Boolean, Content::Scalar { text, quoted }) => self.boolean(node.place, text, *quoted),
            (Kind::Text, Content::Scalar { text, .. }) => self.text(node.place, text, shape),
            _ => {
                let expected = expected_in_words(&shape.kind_name);
                self.problem(node.place, format!("expected {expected}, found {}", node.described()))
            }
        }
    }

    fn list(
        &mut self,
        node: &Node,
        nodes: &'a [Node],
        items: &'a Shape,
        count: std::ops::RangeInclusive<usize>,
    ) -> Written<'a> {
        if nodes.len() < *count.start() {
            return self.problem(node.place, "the list is empty; it needs at least one item");
        }
        if nodes.len() > *count.end() {
            let message = format!("the list has {} items; it can have {}", nodes.len(), count.end());
            return self.problem(node.place, message);
        }
        let each = nodes
            .iter()
            .enumerate()
            .map(|(index, item)| self.below(&Step::Item(index), |walk| walk.value(item, items, item.place)));
        Written::List(each.collect())
    }

    fn group(&mut self, node: &Node, entries: &'a [Entry], group: &'a Group) -> Written<'a> {
        let mut written = Vec::with_capacity(entries.len());
        for entry in entries {
            self.below(&Step::Key(&entry.key), |walk| walk.entry(entry, group, &mut written));
        }
        for required in &group.required {
            if !written.iter().any(|(key, _)| *key == required.key) {
                self.problem(node.place, format!("`{}` is missing{}", required.key, required.purpose));
                written.push((&required.key, Written::Wrong));
            }
        }
        Written::Group(written)
    }

    fn entry(&mut self, entry: &'a Entry, group: &'a Group, written: &mut Vec<(&'a str, Written<'a>)>) {
        let property = group.properties.iter().find(|property| *property.key == *entry.key);
        let (key, shape) = match (property, &group.others) {
            (Some(property), _) => {
                let key = property.means.as_str();
                // The tree has each key once, so that only two words for one thing can meet.
                if written.iter().any(|(other, _)| *other == key) {
                    let message = format!("this means the same as `{key}`, which is there too; keep one of them");
                    self.problem(entry.place, message);
                    return;
                }
                (key, property.shape)
            }
            (None, Some((format, shape))) => {
                if let Err(message) = crate::formats::check(format, &entry.key) {
                    self.problem(entry.place, message);
                }
                (&*entry.key, *shape)
            }
            (None, None) => {
                self.unknown(entry, group);
                return;
            }
        };
        let value = self.value(&entry.node, self.shapes.get(shape), entry.place);
        written.push((key, value));
    }

    fn unknown(&mut self, entry: &Entry, group: &Group) {
        let known = || group.properties.iter().map(|property| property.key.as_str());
        let mut advice = self.advice(&entry.key, known());
        if advice.is_empty() {
            let keys: Vec<_> = known().map(|key| format!("`{key}`")).collect();
            advice = format!("; there is {}", keys.join(", "));
        }
        self.problem(entry.place, format!("there is no key `{}` here{advice}", entry.key));
    }
}

/// What a type of the schema is called in a message.
fn expected_in_words(kind: &str) -> &'static str {
    match kind {
        "object" => "a group of keys",
        "array" => "a list",
        "integer" => "a whole number",
        "boolean" => "`true` or `false`",
        _ => "a text",
    }
}
