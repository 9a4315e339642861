//! Where a service learns of targets that the file doesn't list.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Target;
use crate::schema::form;

/// Where a service learns of targets beside those that it lists, as long as the gate runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Discover {
    /// From a file that something else writes.
    File(DiscoverFile),
    /// From SRV records of DNS.
    Srv(DiscoverSrv),
}

/// Targets from a file that something else writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscoverFile {
    /// A file of YAML or JSON: a list of the same items as `targets`, or that list under the key `targets`; 5,000 targets and
    /// 1 MiB at the most, without variables. It is read again within seconds after it was changed, as soon as it is at rest.
    /// One that is missing or wrong leaves the targets as they are, and the log says why.
    #[schemars(extend("format" = "path"))]
    pub file: PathBuf,
}

/// Targets from SRV records of DNS (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscoverSrv {
    /// The name of the records, such as `_http._tcp.shop.example.com`. The records' weights are the targets' weights, brought
    /// into the range from 1 to 1000; their priorities become `priority` in their order, those of the lowest number 0, and
    /// from the eighth on 7.
    #[schemars(extend("format" = "service-name"))]
    pub srv: String,
    /// What is spoken to them, for a record doesn't say so.
    #[serde(default)]
    pub scheme: Scheme,
}

/// Whether targets speak TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// They don't.
    #[default]
    Http,
    /// They do. Their certificates must have the names that the records give, unless `tls.server_name` says otherwise.
    Https,
}

impl Scheme {
    /// What URLs begin with, ahead of `://`.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// A file of targets. Short form: the list.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("targets"))]
pub(crate) struct TargetList {
    /// The servers.
    #[schemars(length(max = 5000))]
    pub(crate) targets: Vec<Target>,
}
