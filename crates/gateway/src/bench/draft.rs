//! Requests that a source proposes, before a person has looked at them.

use std::collections::BTreeMap;

/// What a source found worth asking, and what it didn't.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// The requests, in the order of the source.
    pub(crate) requests: Vec<Drafted>,
    /// What can't be asked for, or shouldn't.
    pub(crate) left_out: Vec<LeftOut>,
    /// What a person should know about it.
    pub(crate) notes: Vec<String>,
    /// Where routes of the gate describe themselves, with the names of the routes.
    pub(crate) described: Vec<(String, Drafted)>,
    /// Rows that paths have a value of, by name: `{{orders.id}}` is that of the rows `orders`.
    pub(crate) rows: BTreeMap<String, Vec<String>>,
}

/// A request that could be part of a scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Drafted {
    /// The route under which it is counted.
    pub(crate) route: String,
    /// The method.
    pub(crate) method: String,
    /// Path and query, percent-encoded.
    pub(crate) path: String,
    /// Its fields, with `Host` where another one is needed than the target's.
    pub(crate) headers: Vec<(String, String)>,
    /// Its content.
    pub(crate) body: Option<String>,
    /// How often it is asked, compared with the others.
    pub(crate) weight: f64,
    /// Statuses that are right. Where there are none, those below 400.
    pub(crate) statuses: Vec<u16>,
    /// What of it is made up, if something is: it counts only if the target knows it.
    pub(crate) guessed: Option<String>,
}

/// A route, an operation or a line that no request was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// What it is called.
    pub(crate) what: String,
    /// Why there is no request of it, and what would help.
    pub(crate) why: String,
}

impl Draft {
    /// Leaves something out.
    pub(crate) fn leave(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.left_out.push(LeftOut {
            what: what.into(),
            why: why.into(),
        });
    }

    /// Takes over what another source found.
    pub(crate) fn take(&mut self, other: Draft) {
        self.requests.extend(other.requests);
        self.left_out.extend(other.left_out);
        self.notes.extend(other.notes);
        self.described.extend(other.described);
        self.rows.extend(other.rows);
    }
}

/// Whether a method only reads (RFC 9110, section 9.2.1).
pub(crate) fn only_reads(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
}
