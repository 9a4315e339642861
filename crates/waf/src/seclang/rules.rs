//! A rule set, compiled: what all transactions share and none changes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use aho_corasick::AhoCorasick;

use super::action::{Allowed, Change, Engine, Processor};
use super::bytes::ByteSet;
use super::lines::{Place, Problem};
use super::operator::Operator;
use super::pattern::GROUPS;
use super::template::Template;
use super::transform::Transform;
use super::variable::Target;

/// A compiled rule set.
#[derive(Debug)]
pub struct RuleSet {
    /// The rules of each phase, from 1 to 5, in their order.
    pub(super) phases: [Vec<Rule>; 5],
    /// Lists of variables, shared by the rules that have the same.
    pub(super) lists: Vec<TargetList>,
    /// Chains of transformations; each is one step more than another, and the first is none.
    pub(super) chains: Vec<Chain>,
    /// Pairs of a list and a chain that occur.
    pub(super) pairs: Vec<(usize, usize)>,
    /// Finds the words without which rules can't match.
    pub(super) words: Words,
    /// Names of values of `TX` that rules name, with their places.
    pub(super) tx_names: HashMap<Box<[u8]>, usize>,
    /// Values of `TX` that the operator fixed: no rule changes them.
    pub(super) pinned: Vec<(usize, Box<[u8]>)>,
    /// Where `TX:0` to `TX:9` are.
    pub(super) capture_places: [usize; GROUPS],
    pub(super) settings: Settings,
    pub(super) warnings: Vec<Problem>,
    pub(super) count: usize,
    pub(super) files: Vec<PathBuf>,
}

/// What directives say beside rules.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) engine: Engine,
    pub(super) request_body: bool,
    pub(super) response_body: bool,
    pub(super) argument_separator: u8,
    pub(super) most_arguments: usize,
    pub(super) json_depth: usize,
}

/// One rule, with what it is chained to.
#[derive(Debug)]
pub(super) struct Rule {
    /// 0 for a chained one.
    pub(super) id: u32,
    /// Its place among all rules that begin a chain.
    pub(super) number: usize,
    pub(super) place: Place,
    /// Which values it looks at: a place in [`RuleSet::lists`]. `None` for one that always matches.
    pub(super) list: Option<usize>,
    pub(super) chain: usize,
    pub(super) pair: usize,
    pub(super) operator: Operator,
    pub(super) negated: bool,
    pub(super) admission: Admission,
    pub(super) capture: bool,
    pub(super) multi_match: bool,
    pub(super) effects: Vec<Consequence>,
    pub(super) disruptive: Decision,
    /// Where the phase goes on after a match: a place in its list of rules.
    pub(super) skip_to: Option<usize>,
    pub(super) log: bool,
    pub(super) message: Option<Template>,
    pub(super) data: Option<Template>,
    pub(super) tags: Arc<[Box<str>]>,
    pub(super) severity: Option<u8>,
    pub(super) next: Option<Box<Rule>>,
}

/// What a text must hold for a rule to be asked about it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Admission {
    /// Places of lists of words; one of each must occur.
    pub(super) words: [Option<u32>; 2],
    pub(super) bytes: [Option<ByteSet>; 2],
}

/// What is done when a rule matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Pass,
    Deny(u16),
    Redirect(u16, Arc<str>),
    Allow(Allowed),
}

/// An effect of a match, resolved.
#[derive(Debug)]
pub(super) enum Consequence {
    Set {
        name: TxName,
        change: Change,
    },
    Engine(Engine),
    RequestBody(bool),
    BodyProcessor(Processor),
    ForceBodyVariable(bool),
    /// Numbers of rules.
    RemoveRules(Arc<[usize]>),
    RemoveTarget(Arc<[usize]>, Arc<Target>),
}

/// A name in `TX`.
#[derive(Debug)]
pub(super) enum TxName {
    Known(usize),
    Made(Template),
}

/// Variables that rules look at together.
#[derive(Debug)]
pub(super) struct TargetList {
    pub(super) targets: Vec<Target>,
    /// Whether it holds facts of the message only, which don't change while rules run.
    pub(super) lasting: bool,
}

/// A chain of transformations.
#[derive(Debug)]
pub(super) struct Chain {
    /// The chain without the last step, and that step. `None` for the empty chain.
    pub(super) last: Option<(usize, Transform)>,
    /// A text that holds none of these bytes goes through unchanged; `None` where any may change.
    pub(super) needs: Option<ByteSet>,
}

/// The words of all rules, to be looked for at once.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) searcher: Option<AhoCorasick>,
    /// For each word the lists that it belongs to: `starts[word]..starts[word + 1]` of `lists`.
    pub(super) starts: Vec<u32>,
    pub(super) lists: Vec<u32>,
    /// How many lists there are.
    pub(super) count: usize,
}

impl RuleSet {
    /// How many rules it has, chained ones not counted.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it has no rules.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What in the files has no meaning here.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// The files that it was made of, and the folders whose content decided which those are.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    pub(super) fn with_files(mut self, mut files: Vec<PathBuf>) -> RuleSet {
        files.sort();
        files.dedup();
        self.files = files;
        self
    }

    /// Whether rules look at responses' bodies.
    pub fn reads_responses(&self) -> bool {
        self.settings.response_body
    }
}
