//! The whole file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bans::Bans;
use crate::database::Database;
use crate::dns::Dns;
use crate::listener::{Admin, Listener};
use crate::overload::Overload;
use crate::policy::PolicySet;
use crate::route::Route;
use crate::schema::form;
use crate::service::Service;
use crate::stores::Stores;
use crate::{defaults, units};

/// A configuration of Portcullis: which listeners there are, which routes claim their requests, which policies guard
/// them and which backends answer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where clients connect.
    #[schemars(length(min = 1))]
    pub listeners: Vec<Listener>,
    /// Where operators ask for health and metrics and reload. Keep it off public networks.
    #[serde(default)]
    pub admin: Option<Admin>,
    /// How many workers serve requests, each on a thread and an event loop of its own. By default one for each core.
    /// The variable PORTCULLIS_WORKERS overrides it.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1024))]
    pub workers: Option<u16>,
    /// How long requests in progress may go on after SIGTERM.
    #[serde(default = "defaults::drain")]
    pub drain: units::Duration,
    /// How long requests that began under an older configuration may go on after a reload replaced it: WebSockets, streams
    /// of events, streams of gRPC, long uploads. Until then they are served by what they began with; then they are ended, as
    /// a broken connection would end them, and clients begin anew under the configuration in force. Ordinary requests are
    /// long over by then. What counts is the `max_age` of the configuration in force, so a reload can shorten it for all.
    #[serde(default = "defaults::max_age")]
    pub max_age: units::Duration,
    /// A folder in which the gate keeps what operators and roll-outs decided while it ran, so that it survives a restart:
    /// targets that were added, drained or removed, services that were swapped. It must be there, and each gate needs one
    /// of its own. Without it such decisions hold until the process ends; an upgrade (SIGUSR2) keeps them in either case. A
    /// change of it needs a restart.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub state: Option<PathBuf>,
    /// Where the gate keeps what it is told to remember.
    #[serde(default)]
    pub stores: Stores,
    /// What the node itself can take.
    #[serde(default)]
    pub overload: Overload,
    /// Addresses that are kept out for a while.
    #[serde(default)]
    pub bans: Bans,
    /// How names of targets are resolved.
    #[serde(default)]
    pub dns: Dns,
    /// Pools of upstream servers, by name.
    #[serde(default)]
    #[schemars(transform = form::keys("name"))]
    pub services: BTreeMap<String, Service>,
    /// Databases, by name.
    #[serde(default)]
    #[schemars(transform = form::keys("name"))]
    pub databases: BTreeMap<String, Database>,
    /// Sets of policies, by name, for routes to use.
    #[serde(default)]
    #[schemars(transform = form::keys("name"))]
    pub policies: BTreeMap<String, PolicySet>,
    /// Names of policy sets that apply to every request, even to those that no route claims.
    #[serde(default)]
    #[schemars(transform = form::names("policies"), transform = form::single)]
    pub everywhere: Vec<String>,
    /// Who answers what. The most specific match wins, whatever the order.
    #[schemars(length(min = 1))]
    pub routes: Vec<Route>,
}
