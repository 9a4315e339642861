//! Why each rule lost or won: the slow way to the same end, for people.

use std::cmp::Reverse;
use std::fmt;

use portcullis_core::{Headers, Method};

use super::{Asked, HostPattern, Router, Rule, hosts};

/// What a rule had to say to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict<'r> {
    /// The rule's place among those that the router was made of.
    pub(crate) index: u32,
    /// Why it lost; nothing for the one that won.
    pub(crate) lost: Option<Lost<'r>>,
}

/// Why a rule does not claim a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost<'r> {
    /// The host is none of its hosts.
    Host,
    /// The path doesn't match.
    Path,
    /// All else agrees but for the method.
    Method,
    /// This header field is missing or has another value.
    Header(&'r str),
    /// This query parameter is missing or has another value.
    Query(&'r str),
    /// It matches, but the rule in this place goes first.
    Outranked(u32),
}

impl fmt::Display for Lost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lost::Host => f.write_str("the host is another"),
            Lost::Path => f.write_str("the path does not match"),
            Lost::Method => f.write_str("the method is not one of its methods"),
            Lost::Header(name) => write!(f, "the header field `{name}` is missing or has another value"),
            Lost::Query(name) => write!(f, "the query parameter `{name}` is missing or has another value"),
            Lost::Outranked(_) => f.write_str("it matches, but a more specific route goes first"),
        }
    }
}

impl Router {
    /// Why each rule lost, or that it won, in the order of precedence. Looks at every rule, unlike [`Router::find`],
    /// and comes to the same end.
    pub(crate) fn explain(
        &self,
        host: &str,
        method: &Method,
        path: &str,
        headers: &Headers,
        query: Option<&str>,
    ) -> Vec<Verdict<'_>> {
        let asked = Asked {
            method,
            path,
            headers,
            query,
        };
        let host = hosts::normal(host);
        let mut order: Vec<usize> = (0..self.rules.len()).collect();
        order.sort_by(|&left, &right| {
            let (left_rule, right_rule) = (&self.rules[left], &self.rules[right]);
            let conditions = |rule: &Rule, index: usize| {
                (
                    rule.methods.is_empty(),
                    Reverse(rule.headers.len()),
                    Reverse(rule.query.len()),
                    index,
                )
            };
            host_rank(right_rule, &host)
                .cmp(&host_rank(left_rule, &host))
                .then_with(|| left_rule.path.by_precedence(&right_rule.path))
                .then_with(|| conditions(left_rule, left).cmp(&conditions(right_rule, right)))
        });
        let mut winner = None;
        let verdict = |index: usize| {
            let rule = &self.rules[index];
            let index = u32::try_from(index).expect("a router has fewer than 2^32 rules");
            let lost = if !rule.hosts.is_empty() && !rule.hosts.iter().any(|pattern| pattern.matches(&host)) {
                Some(Lost::Host)
            } else if !rule.path.matches(path) {
                Some(Lost::Path)
            } else {
                rule.missing(&asked).or(winner.map(Lost::Outranked))
            };
            if lost.is_none() {
                winner = Some(index);
            }
            Verdict { index, lost }
        };
        order.into_iter().map(verdict).collect()
    }
}

/// How specific the rule is about this host: rules that don't name it come last. The greater, the more specific.
fn host_rank(rule: &Rule, host: &str) -> (bool, usize) {
    if rule.hosts.is_empty() {
        return (true, 0);
    }
    let matching = rule
        .hosts
        .iter()
        .filter(|pattern| pattern.matches(host))
        .map(HostPattern::specificity)
        .max();
    match matching {
        Some(specificity) => (true, specificity),
        None => (
            false,
            rule.hosts.iter().map(HostPattern::specificity).max().unwrap_or(0),
        ),
    }
}
