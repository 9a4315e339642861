//! The file of a load test, `bench.yaml`: what is asked of whom, how much, and what must hold.

pub mod auth;
pub mod data;
pub mod defaults;
pub mod flow;
pub mod objective;
pub mod profiles;
pub mod step;

mod check;
mod load;
mod pause;
mod rate;
mod speed;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::auth::Auth;
use self::data::Data;
use self::flow::Flow;
use self::objective::Objective;
use self::profiles::Profiles;
use self::step::Step;
use crate::schema::form;
use crate::units;

pub use load::{Loaded, load, load_with, parse};
pub use pause::Pause;
pub use rate::Rate;
pub use speed::Speed;

use crate::reference::reference_of;

/// A load test: what is asked of whom, how much of it when, and what must hold.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is called in reports. By default the name of the target.
    #[serde(default)]
    #[schemars(extend("format" = "label"))]
    pub name: Option<String>,
    /// Who is asked: `http://host:port` or `https://host:port`, without a path. The command line may name another one.
    #[serde(default)]
    #[schemars(extend("format" = "bench-target"))]
    pub target: Option<String>,
    /// The version of HTTP that is spoken.
    #[serde(default)]
    pub protocol: Protocol,
    /// Whom to trust, and who we are, where the target speaks TLS.
    #[serde(default)]
    pub tls: Tls,
    /// The most connections, over all threads.
    #[serde(default = "defaults::connections")]
    #[schemars(range(min = 1, max = 100_000))]
    pub connections: u32,
    /// The most requests in progress on each connection of HTTP/2 or HTTP/3; HTTP/1.1 has one.
    #[serde(default = "defaults::streams")]
    #[schemars(range(min = 1, max = 10_000))]
    pub streams: u32,
    /// A connection for each request, to measure what connecting costs.
    #[serde(default)]
    pub fresh_connections: bool,
    /// Threads that generate the load. By default as many as this process has processors, but no more than connections.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1024))]
    pub threads: Option<u16>,
    /// The processors of these threads, by their numbers, in turn. By default the system decides. Where the target is on the
    /// same machine, keep the two apart.
    #[serde(default)]
    #[schemars(transform = form::single)]
    pub processors: Vec<u16>,
    /// How long a request may take, from when it was sent. It has failed then.
    #[serde(default = "defaults::timeout")]
    #[schemars(extend("format" = "timeout"))]
    pub timeout: units::Duration,
    /// The most arrivals that wait for a free connection. Those beyond have failed (`missed`).
    #[serde(default = "defaults::backlog")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub backlog: u32,
    /// How arrivals of a rate lie in time.
    #[serde(default)]
    pub spacing: Spacing,
    /// Where chance begins: with the same number the same arrivals, choices and values come again.
    #[serde(default)]
    pub seed: u64,
    /// Header fields of every request, by their names; those of a step come in their place. Values may have placeholders. A
    /// step of the setup goes without a field whose value isn't captured yet.
    #[serde(default)]
    #[schemars(transform = form::keys("bench-field-name"), transform = form::values("field-value"))]
    pub headers: BTreeMap<String, String>,
    /// How every request proves who it is, but those of steps with `auth: false`.
    #[serde(default)]
    pub auth: Option<Auth>,
    /// What can be run, each with its own load. A command runs one of them.
    #[serde(default)]
    pub profiles: Profiles,
    /// What must hold of a run: `p99 < 50ms`, `errors < 0.1%`, or by the names of routes: `orders: p99 < 20ms`.
    ///
    /// What is measured is a percentile of the latency (`p50` to `p99.999`), `mean`, `max`, `errors` (all that failed),
    /// `failures.KIND`, `status 503` or `status 5xx` (as a share or a number), and `rate` (good answers a second).
    #[serde(default)]
    #[schemars(transform = form::single)]
    pub objectives: Vec<Objective>,
    /// Rows of values for placeholders, by name.
    #[serde(default)]
    #[schemars(transform = form::keys("name"))]
    pub data: BTreeMap<String, Data>,
    /// Steps that are done once, before the load. What they capture is known to all flows: a token, the id of something made.
    #[serde(default)]
    #[schemars(transform = form::single)]
    pub setup: Vec<Step>,
    /// What clients do. Each arrival chooses one of them by its weight.
    #[serde(default)]
    #[schemars(transform = form::single)]
    pub flows: Vec<Flow>,
}

/// The version of HTTP that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2: by TLS, or in clear text without asking first.
    Http2,
    /// HTTP/3; the target must be `https`.
    Http3,
}

/// How arrivals of a rate lie in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// Evenly.
    #[default]
    Uniform,
    /// By chance, as those of many clients who don't know of each other.
    Poisson,
}

/// Whom to trust, and who we are, where the target speaks TLS.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// A PEM file of authorities to trust in place of the system's.
    #[schemars(extend("format" = "path"))]
    pub ca: Option<PathBuf>,
    /// The name that the certificate must have, in place of the target's host.
    #[schemars(extend("format" = "host-name"))]
    pub server_name: Option<String>,
    /// A PEM file with the certificate that is shown to a target that asks for one, and its chain. It needs `key`.
    #[schemars(extend("format" = "path"))]
    pub cert: Option<PathBuf>,
    /// The PEM file of the private key of `cert`.
    #[schemars(extend("format" = "path"))]
    pub key: Option<PathBuf>,
    /// Whether the target must prove who it is. Without that, anybody could be measured in its place.
    pub verify: bool,
}

impl Default for Tls {
    fn default() -> Tls {
        Tls {
            ca: None,
            server_name: None,
            cert: None,
            key: None,
            verify: true,
        }
    }
}

const INTRODUCTION: &str = "\
<!-- Written from the schema by `cargo xtask docs`; change the doc comments in `crates/config/src/bench` instead. -->

# The file of a load test

`portcullis bench run bench.yaml` runs what this file says. Its form follows the same rules as the
[configuration file](configuration.md): unknown keys are errors, all problems are reported at once, `${VARIABLE}` is put in,
a *secret* is only ever a reference, a *duration* has a unit, and paths are relative to the file.

- A *rate* is a number of flows in a time: `500/s`, `5k/s`, `30/m`; `500` alone is by the second.
- A *placeholder* stands in paths, queries, header fields and bodies, and what is put in is encoded as its place needs it:
  `{{users.id}}` is a column of the data `users`; `{{token}}` is what a step before, or the setup, has captured;
  `{{random 1..1000}}` is any of these numbers, and `{{popular 1..1000}}` too, the first ones more often; `{{uuid}}` is a random
  UUID, `{{number}}` the number of the arrival, `{{timestamp}}` the seconds since 1970. Within `{…}` and `[…]`, and at the
  beginning of a value, YAML wants a placeholder in quotes.
- In JSON, a string that is a placeholder and nothing else becomes the value with its kind; `\"{{users.age as number}}\"` makes
  a number of a text. `GET {{next as link}}` takes a value as the whole path.
";

/// The JSON Schema (2020-12) of the file of a load test.
pub fn schema() -> serde_json::Value {
    let mut schema = crate::schema::schema_of::<Scenario>();
    if let serde_json::Value::Object(root) = &mut schema {
        root.insert("title".to_owned(), "A load test of Portcullis".into());
    }
    schema
}

/// The reference of the file of a load test, as Markdown.
pub fn reference() -> String {
    reference_of(&schema(), INTRODUCTION)
}
