//! Whether a value keeps a schema, and what it breaks.

mod report;
mod rules;

use std::collections::HashMap;

use serde_json::Value;

use super::compile::SchemaId;
use super::node::{Node, NodeId, ResourceId, Rule, Types};
use super::seen::Seen;
use crate::sameness::Constants;
use report::Report;

/// The deepest that a check goes: through a value and through what schemas refer to.
const DEEPEST: u32 = 600;

/// After how many steps results are remembered: a check that takes so many may be one that branches at each level.
const REMEMBER_AFTER: u64 = 2_000;

/// The most results that are remembered.
const MOST_REMEMBERED: usize = 100_000;

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The value keeps the schema.
    Valid,
    /// It doesn't.
    Invalid,
    /// The steps were used up, a pattern took too long, or it went too deep. What guards refuses then.
    Undecided,
}

/// One thing that a value breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where: a JSON pointer into the value, cut off when it is long.
    pub pointer: String,
    /// What is wrong there. It repeats nothing of the value but names of members, cut off when they are long.
    pub what: String,
}

/// Compiled schemas. One set is shared by all threads.
#[derive(Debug)]
pub struct SchemaSet {
    nodes: Box<[Node]>,
    /// Whether what a reference means depends on the way to it: then no result holds elsewhere.
    dynamic: bool,
}

impl SchemaSet {
    pub(super) fn new(mut nodes: Vec<Node>, dynamic: bool) -> SchemaSet {
        find_types(&mut nodes);
        SchemaSet {
            nodes: nodes.into(),
            dynamic,
        }
    }

    /// Whether a value keeps a schema, found in at most so many steps. A step is a schema that is held against a value, a
    /// member that is looked at, and the like: some twenty of them take a microsecond.
    #[must_use]
    pub fn check(&self, schema: SchemaId, value: &Value, steps: u64) -> Verdict {
        self.run(schema, value, steps, None).0
    }

    /// What a value breaks, the first `most` of it, found in at most so many steps.
    #[must_use]
    pub fn violations(&self, schema: SchemaId, value: &Value, steps: u64, most: usize) -> Vec<Violation> {
        self.run(schema, value, steps, Some(Report::new(most))).1
    }

    /// How many schemas the set has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    fn run(&self, schema: SchemaId, value: &Value, steps: u64, report: Option<Report>) -> (Verdict, Vec<Violation>) {
        let mut run = Run {
            set: self,
            steps,
            spent: 0,
            depth: 0,
            undecided: false,
            scope: Vec::new(),
            report,
            silent: 0,
            remembered: HashMap::new(),
        };
        let holds = run.holds(schema.0, value, &Place::Root, None);
        let verdict = match (run.undecided, holds) {
            (true, _) => Verdict::Undecided,
            (false, true) => Verdict::Valid,
            (false, false) => Verdict::Invalid,
        };
        (verdict, run.report.map(Report::into_violations).unwrap_or_default())
    }
}

/// Finds for each schema which types it lets pass, by what it refers to as well. What is found is never too little, and
/// a chain of references longer than the rounds leaves it too much.
fn find_types(nodes: &mut [Node]) {
    const ROUNDS: usize = 8;
    for _ in 0..ROUNDS {
        let mut changed = false;
        for id in 0..nodes.len() {
            let found = types_of(nodes, &nodes[id]);
            changed |= nodes[id].accepts != found;
            nodes[id].accepts = found;
        }
        if !changed {
            return;
        }
    }
}

fn types_of(nodes: &[Node], node: &Node) -> Types {
    let of = |id: &NodeId| nodes[id.0 as usize].accepts;
    let mut types = node.types;
    for rule in &node.rules {
        types = match rule {
            Rule::Ref(inner) => types.and(of(inner)),
            Rule::AllOf(all) => all.iter().map(of).fold(types, Types::and),
            Rule::AnyOf(any) | Rule::OneOf(any) => types.and(any.iter().map(of).fold(Types::NONE, Types::with)),
            Rule::Const(constants) | Rule::Enum(constants) => types.and(types_of_constants(constants)),
            _ => types,
        };
    }
    if node.null_passes {
        types.with(Types::NULL)
    } else {
        types
    }
}

fn types_of_constants(constants: &Constants) -> Types {
    let texts = if constants.has_texts() {
        Types::STRING
    } else {
        Types::NONE
    };
    constants.others().map(Types::of).fold(texts, Types::with)
}

/// One check.
struct Run<'s> {
    set: &'s SchemaSet,
    /// The steps that are left.
    steps: u64,
    spent: u64,
    depth: u32,
    undecided: bool,
    /// The resources on the way here, the outermost first (JSON Schema Core §7.1).
    scope: Vec<ResourceId>,
    report: Option<Report>,
    /// How many alternatives are being tried: what fails in one is no violation yet.
    silent: u32,
    remembered: HashMap<(NodeId, *const Value), bool>,
}

/// Where in the value a check is.
enum Place<'p> {
    Root,
    Member(&'p Place<'p>, &'p str),
    Item(&'p Place<'p>, usize),
}

impl<'s> Run<'s> {
    /// Whether a value keeps a schema. What is looked at in it is marked in `seen`, if the schema around wants to know.
    fn holds(&mut self, id: NodeId, value: &Value, place: &Place<'_>, seen: Option<&mut Seen>) -> bool {
        let set: &'s SchemaSet = self.set;
        let node = set.node(id);
        if !self.step(1) {
            return false;
        }
        if node.null_passes && value.is_null() {
            return true;
        }
        if !self.has_type(node, value) {
            return self.fail(place, || report::type_mismatch(node.types));
        }
        if node.rules.is_empty() {
            return true;
        }
        if self.depth >= DEEPEST {
            self.undecided = true;
            return false;
        }
        let key = (id, std::ptr::from_ref(value));
        let remembers = seen.is_none() && self.remembers(value);
        if remembers && let Some(known) = self.remembered.get(&key) {
            return *known;
        }
        self.depth += 1;
        let entered = self.scope.last() != Some(&node.resource);
        if entered {
            self.scope.push(node.resource);
        }
        let holds = if node.tracks {
            self.tracked(node, value, place, seen)
        } else {
            self.all(node, value, place, seen)
        };
        if entered {
            self.scope.pop();
        }
        self.depth -= 1;
        if remembers && !self.undecided && self.remembered.len() < MOST_REMEMBERED {
            self.remembered.insert(key, holds);
        }
        holds
    }

    /// As [`Run::all`], for a schema that asks what its own parts have looked at: those beside it don't count.
    fn tracked(&mut self, node: &'s Node, value: &Value, place: &Place<'_>, seen: Option<&mut Seen>) -> bool {
        let Some(mut own) = self.nothing_seen(value) else {
            return self.all(node, value, place, None);
        };
        let holds = self.all(node, value, place, Some(&mut own));
        if holds && let Some(seen) = seen {
            seen.merge(&own);
        }
        holds
    }

    fn all(&mut self, node: &'s Node, value: &Value, place: &Place<'_>, mut seen: Option<&mut Seen>) -> bool {
        let mut holds = true;
        for rule in &node.rules {
            holds &= self.rule(rule, value, place, seen.as_deref_mut());
            if self.undecided || (!holds && !self.reports()) {
                return false;
            }
        }
        holds
    }

    /// Marks for a value, where it has something to mark.
    fn nothing_seen(&mut self, value: &Value) -> Option<Seen> {
        let count = match value {
            Value::Object(members) => members.len(),
            Value::Array(items) => items.len(),
            _ => return None,
        };
        self.step(count as u64 / 16);
        Some(Seen::none_of(count))
    }

    fn has_type(&self, node: &Node, value: &Value) -> bool {
        node.types == Types::ANY || node.types.overlaps(Types::of(value))
    }

    /// Takes steps. False when none are left: then nothing is decided.
    fn step(&mut self, count: u64) -> bool {
        match self.steps.checked_sub(count) {
            Some(left) => {
                self.steps = left;
                self.spent += count;
            }
            None => {
                self.steps = 0;
                self.undecided = true;
            }
        }
        !self.undecided
    }

    /// Whether a result for this value is worth remembering, and would hold elsewhere.
    fn remembers(&self, value: &Value) -> bool {
        self.spent > REMEMBER_AFTER && !self.set.dynamic && !self.reports() && (value.is_object() || value.is_array())
    }

    /// Whether what fails now is to be told.
    fn reports(&self) -> bool {
        self.silent == 0 && self.report.as_ref().is_some_and(|report| !report.is_full())
    }

    /// Does something of which failures are not told.
    fn silently<T>(&mut self, task: impl FnOnce(&mut Self) -> T) -> T {
        self.silent += 1;
        let result = task(self);
        self.silent -= 1;
        result
    }

    /// Tells of a failure. Always false.
    fn fail(&mut self, place: &Place<'_>, what: impl FnOnce() -> String) -> bool {
        if self.reports()
            && !self.undecided
            && let Some(report) = &mut self.report
        {
            report.add(place, what());
        }
        false
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
