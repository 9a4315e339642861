//! Which servers of DNS are asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::form;

/// How names of targets are resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("servers"))]
pub struct Dns {
    /// The servers to ask, in place of those in `/etc/resolv.conf`: `10.0.0.53` or `10.0.0.53:5353`. Names are asked for as
    /// they are written then; without servers here, the search domains of that file hold. `/etc/hosts` goes before either.
    #[schemars(length(max = 8), transform = form::items("dns-server"), transform = form::single)]
    pub servers: Vec<String>,
}
