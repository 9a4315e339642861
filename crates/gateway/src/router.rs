//! Which route claims a request.
//!
//! A request has a host, a path in normal form ([`portcullis_core::target`]), a method, header fields and a query.
//! A rule claims it when all that the rule names agrees. Where several rules do, the most specific one wins, as in the
//! Kubernetes Gateway API; these decide, in this order:
//!
//! 1. the host: an exact one, then the longest wildcard, then none at all;
//! 2. the path, segment by segment from the left: a literal, then `{param}` or `*`, then the end of the path, then
//!    `**`. An exact path therefore goes before a prefix, and a longer prefix before a shorter one;
//! 3. a rule that names methods before one that doesn't;
//! 4. the rule with more header fields;
//! 5. the rule with more query parameters;
//! 6. the order of the file.
//!
//! A rule that is more specific but fails by method, header or query leaves the request to the next one. A method is
//! taken literally: a rule for GET does not claim HEAD. Where a rule would have claimed the request but for its
//! method, and no other does, the answer is 405 with the methods of all such rules.
//!
//! Nothing here does I/O or knows the configuration. Finding a rule takes one look-up for the host and one for a path
//! without variable parts, else one for each segment, however many rules there are. Only rules that share host and
//! path are tried one after the other, and a walk turns back only where a literal and a variable segment both lead on.

mod condition;
mod explain;
mod findings;
mod host_pattern;
mod hosts;
mod path_pattern;
mod text_map;
mod tree;

use std::cmp::Reverse;

use portcullis_core::{Headers, Method, PathParams};

pub(crate) use condition::Match;
pub(crate) use explain::{Lost, Verdict};
pub(crate) use findings::Finding;
pub(crate) use host_pattern::HostPattern;
pub(crate) use path_pattern::{PathPattern, decoded};

use hosts::Hosts;

/// What a request must be for a route to claim it.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// One of these hosts; any host when there is none here.
    pub(crate) hosts: Vec<HostPattern>,
    /// The path.
    pub(crate) path: PathPattern,
    /// One of these methods; any method when there is none here.
    pub(crate) methods: Vec<Method>,
    /// All of these header fields, by name.
    pub(crate) headers: Vec<(Box<str>, Match)>,
    /// All of these query parameters, by name.
    pub(crate) query: Vec<(Box<str>, Match)>,
}

/// Finds the rule that claims a request.
#[derive(Debug)]
pub(crate) struct Router {
    rules: Vec<Rule>,
    /// For each rule whether host and path decide alone and nothing in the path varies. These few bytes stay in the
    /// processor's cache where thousands of rules don't.
    plain: Vec<bool>,
    hosts: Hosts,
}

/// What became of the search.
#[derive(Debug)]
pub(crate) enum Found {
    /// A rule claims the request.
    Route {
        /// Its place among the rules that the router was made of.
        index: u32,
        /// What the variable segments of its path matched.
        params: PathParams,
    },
    /// Rules would have claimed the request but for its method.
    MethodNotAllowed {
        /// Their methods, as the `Allow` field lists them (RFC 9110 §10.2.1).
        allow: String,
    },
    /// No rule claims it.
    None,
}

/// What of a request is looked at beside its host.
#[derive(Clone, Copy)]
struct Asked<'r> {
    method: &'r Method,
    path: &'r str,
    headers: &'r Headers,
    query: Option<&'r str>,
}

impl Router {
    /// A router over `rules`, and what is odd about them. A rule is known by its place in `rules` from then on.
    ///
    /// # Panics
    /// With more than `u32::MAX` rules: a configuration file that holds them does not fit into memory.
    pub(crate) fn new(rules: Vec<Rule>) -> (Router, Vec<Finding>) {
        let count = u32::try_from(rules.len()).expect("a file holds fewer than 2^32 routes");
        let mut in_order: Vec<u32> = (0..count).collect();
        in_order.sort_by_key(|&index| {
            let rule = &rules[index as usize];
            (
                rule.methods.is_empty(),
                Reverse(rule.headers.len()),
                Reverse(rule.query.len()),
                index,
            )
        });
        let mut hosts = Hosts::default();
        for index in in_order {
            let rule = &rules[index as usize];
            if rule.hosts.is_empty() {
                hosts.tree_mut(None).insert(&rule.path, index);
            }
            for host in &rule.hosts {
                hosts.tree_mut(Some(host)).insert(&rule.path, index);
            }
        }
        let findings = findings::findings(&rules, &hosts);
        let plain = rules.iter().map(Rule::is_plain).collect();
        (Router { rules, plain, hosts }, findings)
    }

    /// Whether any rule is for certain hosts only. Otherwise it is all the same what [`Router::find`] is told of it.
    pub(crate) fn reads_host(&self) -> bool {
        self.hosts.has_names()
    }

    /// The rule that claims the request. `host` may carry a port, which is ignored; `path` must be in normal form;
    /// `query` is what the request had, still encoded.
    pub(crate) fn find(
        &self,
        host: &str,
        method: &Method,
        path: &str,
        headers: &Headers,
        query: Option<&str>,
    ) -> Found {
        let asked = Asked {
            method,
            path,
            headers,
            query,
        };
        let host = hosts::normal(host);
        for tree in self.hosts.trees(&host) {
            let won = tree.visit(path, &mut |rules| {
                rules
                    .iter()
                    .copied()
                    .find(|&index| self.plain[index as usize] || self.rules[index as usize].missing(&asked).is_none())
            });
            if let Some(index) = won {
                let params = if self.plain[index as usize] {
                    PathParams::default()
                } else {
                    self.rules[index as usize].path.params(path)
                };
                return Found::Route { index, params };
            }
        }
        self.not_found(&host, &asked)
    }

    /// Tells a method that no rule takes from a request that no rule claims at all.
    #[cold]
    fn not_found(&self, host: &str, asked: &Asked<'_>) -> Found {
        let mut allowed: Vec<&str> = Vec::new();
        for tree in self.hosts.trees(host) {
            tree.visit(asked.path, &mut |rules| {
                for &index in rules {
                    let rule = &self.rules[index as usize];
                    if rule.missing(asked) == Some(Lost::Method) {
                        allowed.extend(rule.methods.iter().map(Method::as_str));
                    }
                }
                None::<()>
            });
        }
        if allowed.is_empty() {
            return Found::None;
        }
        allowed.sort_unstable();
        allowed.dedup();
        Found::MethodNotAllowed {
            allow: allowed.join(", "),
        }
    }
}

impl Rule {
    fn is_plain(&self) -> bool {
        let unconditional = self.methods.is_empty() && self.headers.is_empty() && self.query.is_empty();
        unconditional && !self.path.has_params()
    }

    /// What the request lacks beside host and path, the method named last: `Some(Lost::Method)` means that all else
    /// agrees.
    fn missing(&self, asked: &Asked<'_>) -> Option<Lost<'_>> {
        for (name, wanted) in &self.headers {
            if !condition::in_headers(asked.headers, name, wanted) {
                return Some(Lost::Header(name));
            }
        }
        for (name, wanted) in &self.query {
            if !condition::in_query(asked.query, name, wanted) {
                return Some(Lost::Query(name));
            }
        }
        if !self.methods.is_empty() && !self.methods.contains(asked.method) {
            return Some(Lost::Method);
        }
        None
    }
}

#[cfg(test)]
mod tests;
