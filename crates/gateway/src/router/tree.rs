//! The paths of one host as a tree of segments, walked in the order of precedence.

use memchr::memchr;

use super::path_pattern::{PathPattern, Segment};
use super::text_map::TextMap;

/// The paths of one host: those without variable parts in a map, the others in a tree of segments.
///
/// A walk tries the children of a node in the order of precedence (literal, variable, end, rest), so that the first
/// rule it comes to is the most specific one, and turning back leads to the next one. It comes to each node at most
/// once, and no deeper than the longest pattern.
#[derive(Debug, Default)]
pub(super) struct Tree {
    exact: TextMap<Leaf>,
    nodes: Vec<Node>,
}

/// The rules of one pattern, in the order of precedence. Most patterns have one rule or none; those stand in the node
/// itself, so that a search among thousands of nodes fetches no more memory than it must.
#[derive(Debug, Default)]
enum Leaf {
    #[default]
    Empty,
    One(u32),
    Many(Box<[u32]>),
}

#[derive(Debug, Default)]
struct Node {
    literals: Literals,
    variable: Option<u32>,
    end: Leaf,
    rest: Leaf,
}

/// Most nodes have one child or none, and a map for each would be most of the tree.
#[derive(Debug, Default)]
enum Literals {
    #[default]
    None,
    One(Box<str>, u32),
    Many(Box<TextMap<u32>>),
}

const ROOT: u32 = 0;

impl Tree {
    /// Adds a rule. Rules of one pattern must come in the order of precedence.
    pub(super) fn insert(&mut self, pattern: &PathPattern, rule: u32) {
        self.leaf_mut(pattern).push(rule);
    }

    /// Hands the rules of every pattern that matches `path` to `claim`, the most specific pattern first, until it
    /// answers.
    pub(super) fn visit<T>(&self, path: &str, claim: &mut impl FnMut(&[u32]) -> Option<T>) -> Option<T> {
        if let Some(leaf) = self.exact.get(path)
            && let Some(answer) = claim(leaf.rules())
        {
            return Some(answer);
        }
        if self.nodes.is_empty() {
            return None;
        }
        // The `*` of `OPTIONS *` is no path: it has no segments, and only `/**` claims it.
        self.walk(ROOT, path.strip_prefix('/'), claim)
    }

    /// The rules of that pattern, in the order of precedence.
    pub(super) fn rules_of(&self, pattern: &PathPattern) -> &[u32] {
        if pattern.is_literal() {
            return self.exact.get(pattern.as_str()).map_or(&[], Leaf::rules);
        }
        let mut at = ROOT;
        for segment in pattern.segments() {
            let Some(node) = self.nodes.get(at as usize) else {
                return &[];
            };
            let child = match segment {
                Segment::Literal(text) => node.literals.get(text),
                Segment::Variable => node.variable,
                Segment::Rest => return node.rest.rules(),
            };
            let Some(child) = child else { return &[] };
            at = child;
        }
        self.nodes[at as usize].end.rules()
    }

    fn walk<T>(&self, at: u32, path: Option<&str>, claim: &mut impl FnMut(&[u32]) -> Option<T>) -> Option<T> {
        let node = &self.nodes[at as usize];
        match path {
            Some(path) => {
                // The compiler makes a search through 16-byte blocks of `position` here, three times as slow as this.
                let (segment, after) = match memchr(b'/', path.as_bytes()) {
                    Some(end) => (&path[..end], Some(&path[end + 1..])),
                    None => (path, None),
                };
                if let Some(child) = node.literals.get(segment)
                    && let Some(answer) = self.walk(child, after, claim)
                {
                    return Some(answer);
                }
                if !segment.is_empty()
                    && let Some(child) = node.variable
                    && let Some(answer) = self.walk(child, after, claim)
                {
                    return Some(answer);
                }
            }
            None if matches!(node.end, Leaf::Empty) => {}
            None => {
                if let Some(answer) = claim(node.end.rules()) {
                    return Some(answer);
                }
            }
        }
        match &node.rest {
            Leaf::Empty => None,
            rest => claim(rest.rules()),
        }
    }

    fn leaf_mut(&mut self, pattern: &PathPattern) -> &mut Leaf {
        if pattern.is_literal() {
            return self.exact.get_or_insert(pattern.as_str(), Leaf::Empty);
        }
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let mut at = ROOT;
        for segment in pattern.segments() {
            at = match segment {
                Segment::Literal(text) => self.literal_child(at, text),
                Segment::Variable => self.variable_child(at),
                Segment::Rest => return &mut self.nodes[at as usize].rest,
            };
        }
        &mut self.nodes[at as usize].end
    }

    fn literal_child(&mut self, at: u32, text: &str) -> u32 {
        if let Some(child) = self.nodes[at as usize].literals.get(text) {
            return child;
        }
        let child = self.new_node();
        self.nodes[at as usize].literals.insert(text, child);
        child
    }

    fn variable_child(&mut self, at: u32) -> u32 {
        if let Some(child) = self.nodes[at as usize].variable {
            return child;
        }
        let child = self.new_node();
        self.nodes[at as usize].variable = Some(child);
        child
    }

    fn new_node(&mut self) -> u32 {
        self.nodes.push(Node::default());
        u32::try_from(self.nodes.len() - 1).expect("a file holds fewer than 2^32 segments")
    }
}

impl Leaf {
    fn rules(&self) -> &[u32] {
        match self {
            Leaf::Empty => &[],
            Leaf::One(rule) => std::slice::from_ref(rule),
            Leaf::Many(rules) => rules,
        }
    }

    fn push(&mut self, rule: u32) {
        if self.rules().last() == Some(&rule) {
            return;
        }
        *self = match std::mem::take(self) {
            Leaf::Empty => Leaf::One(rule),
            Leaf::One(first) => Leaf::Many([first, rule].into()),
            Leaf::Many(rules) => Leaf::Many(rules.iter().copied().chain([rule]).collect()),
        };
    }
}

impl Literals {
    fn get(&self, segment: &str) -> Option<u32> {
        match self {
            Literals::None => None,
            Literals::One(text, child) => (**text == *segment).then_some(*child),
            Literals::Many(children) => children.get(segment).copied(),
        }
    }

    fn insert(&mut self, text: &str, child: u32) {
        *self = match std::mem::take(self) {
            Literals::None => Literals::One(text.into(), child),
            Literals::One(known, known_child) => {
                let mut children = TextMap::default();
                children.insert(&known, known_child);
                children.insert(text, child);
                Literals::Many(Box::new(children))
            }
            Literals::Many(mut children) => {
                children.insert(text, child);
                Literals::Many(children)
            }
        };
    }
}
