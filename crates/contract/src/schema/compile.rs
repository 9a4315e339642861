//! From schemas as they are written to those that run.

mod index;
mod keywords;

use std::collections::HashMap;

use serde_json::Value;

use crate::pattern::Patterns;

use super::check::SchemaSet;
use super::dialect::{Dialect, Rules};
use super::documents::Documents;
use super::node::{Node, NodeId, ResourceId, Rule, Types};
use super::{Direction, Problem};
use index::Index;

/// The most schemas in one set. A document of 5 MB has about 100,000.
const MOST: usize = 2_000_000;

/// The most problems that are told of.
const MOST_PROBLEMS: usize = 50;

/// A schema of a [`SchemaSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaId(pub(super) NodeId);

/// Compiles schemas of the given documents into one set.
///
/// ```
/// use portcullis_contract::schema::{Compiler, Dialect, Direction, Documents, Verdict};
///
/// let mut documents = Documents::default();
/// documents.add("person.json", serde_json::json!({"type": "object", "required": ["name"]}))?;
/// let mut compiler = Compiler::new(&documents, Dialect::Draft202012, false);
/// let person = compiler.schema("person.json", "", Direction::Either)?;
/// let set = compiler.finish().map_err(|mut problems| problems.remove(0))?;
/// assert_eq!(set.check(person, &serde_json::json!({"name": "Ada"}), 1_000), Verdict::Valid);
/// assert_eq!(set.check(person, &serde_json::json!({}), 1_000), Verdict::Invalid);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Compiler<'d> {
    index: Index<'d>,
    /// What is compiled or will be; `None` for what is still to come.
    nodes: Vec<Option<Node>>,
    known: HashMap<(*const Value, Direction), NodeId>,
    pending: Vec<Pending<'d>>,
    /// Names of dynamic anchors that something refers to, and from where.
    dynamic: Vec<(String, Direction)>,
    patterns: Patterns,
    problems: Vec<Problem>,
}

/// A schema that will be compiled.
struct Pending<'d> {
    id: NodeId,
    value: &'d Value,
    direction: Direction,
}

impl<'d> Compiler<'d> {
    /// A compiler for schemas without a `$schema` of that dialect, with `format` as something that must hold or not.
    #[must_use]
    pub fn new(documents: &'d Documents, dialect: Dialect, formats: bool) -> Compiler<'d> {
        let rules = Rules {
            dialect,
            validation: true,
            formats,
        };
        Compiler {
            index: Index::new(documents, rules),
            nodes: Vec::new(),
            known: HashMap::new(),
            pending: Vec::new(),
            dynamic: Vec::new(),
            patterns: Patterns::default(),
            problems: Vec::new(),
        }
    }

    /// Says that a document isn't a schema but holds some, such as a description of an API: its own members are no
    /// keywords. A local reference of a schema in it that leads nowhere in the document is taken to start at that schema.
    pub fn holder(&mut self, uri: &str) {
        self.index.holder(uri);
    }

    /// The schema at that JSON pointer of a document.
    ///
    /// # Errors
    /// When there is no such document, or nothing at that place in it.
    pub fn schema(&mut self, uri: &str, pointer: &str, direction: Direction) -> Result<SchemaId, Problem> {
        let value = self.index.at(uri, pointer).map_err(|what| Problem {
            place: format!("{uri}#{pointer}"),
            what,
        })?;
        let id = SchemaId(self.node(value, direction));
        self.compile_pending();
        Ok(id)
    }

    /// The set.
    ///
    /// # Errors
    /// All that is wrong with the schemas, up to a number.
    pub fn finish(mut self) -> Result<SchemaSet, Vec<Problem>> {
        let dynamic = !self.dynamic.is_empty();
        self.resolve_dynamic();
        self.problems.extend(self.index.problems());
        if !self.problems.is_empty() {
            self.problems.truncate(MOST_PROBLEMS);
            return Err(self.problems);
        }
        let nodes: Option<Vec<Node>> = self.nodes.into_iter().collect();
        let nodes = nodes.expect("all that was pending has been compiled");
        Ok(SchemaSet::new(nodes, dynamic))
    }

    /// The node of a schema, which will be compiled if it hasn't been.
    fn node(&mut self, value: &'d Value, direction: Direction) -> NodeId {
        let next = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        let id = *self.known.entry((std::ptr::from_ref(value), direction)).or_insert(next);
        if id == next {
            self.nodes.push(None);
            self.pending.push(Pending { id, value, direction });
        }
        id
    }

    fn compile_pending(&mut self) {
        while let Some(Pending { id, value, direction }) = self.pending.pop() {
            let node = if self.nodes.len() > MOST {
                self.problem(value, format!("there are more than {MOST} schemas"));
                self.pending.clear();
                Node {
                    resource: ResourceId(0),
                    types: Types::NONE,
                    accepts: Types::NONE,
                    rules: Box::default(),
                    tracks: false,
                    null_passes: false,
                }
            } else {
                self.compile(value, direction)
            };
            self.nodes[id.0 as usize] = Some(node);
        }
    }

    /// Finds all the places where a dynamic reference may lead. Looking for them may bring up more of them.
    fn resolve_dynamic(&mut self) {
        let mut done = 0;
        while done < self.dynamic.len() {
            let (name, direction) = self.dynamic[done].clone();
            for (_, value) in self.index.dynamic_anchors(&name) {
                self.node(value, direction);
            }
            self.compile_pending();
            done += 1;
        }
        for node in self.nodes.iter_mut().flatten() {
            for rule in &mut node.rules {
                let Rule::DynamicRef(reference) = rule else { continue };
                let Some((name, direction)) = reference.name.take() else {
                    continue;
                };
                let anchors = self.index.dynamic_anchors(&name).into_iter();
                let compiled = anchors.filter_map(|(resource, value)| {
                    let id = self.known.get(&(std::ptr::from_ref(value), direction))?;
                    Some((resource, *id))
                });
                reference.anchors = compiled.collect();
            }
        }
    }

    /// Notes what is wrong with a schema.
    fn problem(&mut self, value: &Value, what: String) {
        if self.problems.len() < MOST_PROBLEMS {
            let place = self.index.place(value);
            self.problems.push(Problem { place, what });
        }
    }
}
