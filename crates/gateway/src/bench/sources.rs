//! Where requests come from that nobody has written down: routes of a gate's file, descriptions of APIs, access logs.

pub(crate) mod log;
pub(crate) mod openapi;
pub(crate) mod routes;

use std::collections::BTreeMap;

/// What whoever asks for requests has said about them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    /// Whether requests may change something at the target.
    pub(crate) writes: bool,
    /// Values of parameters, by their names.
    pub(crate) values: BTreeMap<String, String>,
    /// Fields for every request. With credentials among them, what is guarded can be asked for.
    pub(crate) headers: Vec<(String, String)>,
}

impl Wish {
    /// Whether a field is among those for every request.
    fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }
}
