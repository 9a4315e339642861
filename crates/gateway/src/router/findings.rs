//! Rules that never match, found when a router is made.

use std::collections::HashMap;
use std::fmt::Write as _;

use portcullis_core::Method;

use super::hosts::Hosts;
use super::{HostPattern, Match, Rule};

/// What is odd about a set of rules. Rules are named by their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Two rules that can never be told apart: the second one never matches.
    Identical {
        /// The one that wins.
        first: u32,
        /// The one that always loses.
        second: u32,
    },
    /// A rule that can never match, because others take every request that it could take.
    Shadowed {
        /// The rule that never matches.
        rule: u32,
        /// One of those that go before it.
        by: u32,
    },
}

/// How many rules of the same host and path a rule is compared with. Where there are more, a rule that never matches
/// may go unreported; two that are identical never do.
const MOST_COMPARED: usize = 256;

/// All that is odd about the rules, in the order of the file.
pub(super) fn findings(rules: &[Rule], hosts: &Hosts) -> Vec<Finding> {
    let mut first_of_key: HashMap<String, u32> = HashMap::new();
    let mut findings = Vec::new();
    for (index, rule) in (0..).zip(rules) {
        match first_of_key.get(&key(rule)) {
            Some(&first) => findings.push(Finding::Identical { first, second: index }),
            None => {
                first_of_key.insert(key(rule), index);
                if let Some(by) = shadow(rules, hosts, index) {
                    findings.push(Finding::Shadowed { rule: index, by });
                }
            }
        }
    }
    findings
}

/// A text that is equal for rules that match the same requests and rank the same.
fn key(rule: &Rule) -> String {
    let mut hosts: Vec<&HostPattern> = rule.hosts.iter().collect();
    hosts.sort();
    hosts.dedup();
    let mut methods: Vec<&str> = rule.methods.iter().map(Method::as_str).collect();
    methods.sort_unstable();
    methods.dedup();
    let mut headers: Vec<(String, &Match)> = rule
        .headers
        .iter()
        .map(|(name, wanted)| (name.to_ascii_lowercase(), wanted))
        .collect();
    headers.sort();
    let mut query: Vec<&(Box<str>, Match)> = rule.query.iter().collect();
    query.sort();
    let mut key = rule.path.shape();
    write!(key, " {hosts:?} {methods:?} {headers:?} {query:?}").expect("a String takes every write");
    key
}

/// One of the rules that together take all that this one could take, if there are such.
///
/// Only rules of the same host and path can: of two different patterns, the one that goes first always leaves some
/// path or host to the other.
fn shadow(rules: &[Rule], hosts: &Hosts, index: u32) -> Option<u32> {
    let rule = &rules[index as usize];
    let mut by = None;
    let patterns: Vec<Option<&HostPattern>> = if rule.hosts.is_empty() {
        vec![None]
    } else {
        rule.hosts.iter().map(Some).collect()
    };
    for pattern in patterns {
        let same_path = hosts.tree(pattern)?.rules_of(&rule.path);
        let at = same_path.iter().position(|&other| other == index)?;
        let before = &same_path[at.saturating_sub(MOST_COMPARED)..at];
        let taken = |method: Option<&Method>| {
            before
                .iter()
                .copied()
                .find(|&other| takes(&rules[other as usize], rule, method))
        };
        if rule.methods.is_empty() {
            by = Some(taken(None)?);
        }
        for method in &rule.methods {
            by = Some(taken(Some(method))?);
        }
    }
    by
}

/// Whether `other` takes every request of that method (of any, for `None`) that `rule` takes, host and path being
/// equal.
fn takes(other: &Rule, rule: &Rule, method: Option<&Method>) -> bool {
    let takes_method = other.methods.is_empty() || method.is_some_and(|method| other.methods.contains(method));
    takes_method
        && other.headers.iter().all(|(name, wanted)| {
            rule.headers
                .iter()
                .any(|(known, value)| known.eq_ignore_ascii_case(name) && wanted.covers(value))
        })
        && other.query.iter().all(|(name, wanted)| {
            rule.query
                .iter()
                .any(|(known, value)| known == name && wanted.covers(value))
        })
}
