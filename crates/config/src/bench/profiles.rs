//! What can be run: how much load, and when.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Rate, Speed, defaults};
use crate::schema::form;
use crate::units::{Duration, Percent};

/// What can be run. Rates count flows, which may have several requests.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Profiles {
    /// A few of every flow, one at a time: does it work at all? `smoke: {}` will do.
    pub smoke: Option<Smoke>,
    /// A constant rate: does it keep its objectives under the load that is expected?
    pub load: Option<Constant>,
    /// Steps that grow until it breaks: what breaks first, and when?
    pub stress: Option<Stress>,
    /// A base, a sudden peak, and the base again: what becomes of requests meanwhile, and how long does it take to recover?
    pub spike: Option<Spike>,
    /// A constant rate for long: does something leak, or get slower?
    pub soak: Option<Soak>,
    /// A search for the highest rate that keeps the objectives. `capacity: {}` will do.
    pub capacity: Option<Capacity>,
    /// What came by an access log, again.
    pub replay: Option<Replay>,
    /// So many users, each of whom waits for an answer before asking again. A target that stands still gets no requests
    /// meanwhile, and so hides that it did.
    pub closed: Option<Closed>,
}

/// A few of every flow, one at a time. Short form: how often.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("repeats"))]
pub struct Smoke {
    /// How often each flow is done.
    #[serde(default = "defaults::repeats")]
    #[schemars(range(min = 1, max = 1000))]
    pub repeats: u32,
}

/// A constant rate. Short form: the rate.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("rate"))]
pub struct Constant {
    /// How many flows start in a time.
    pub rate: Rate,
    /// How long the full rate goes on.
    #[serde(default = "defaults::duration")]
    #[schemars(extend("format" = "timeout"))]
    pub duration: Duration,
    /// How long the rate takes to rise from nothing, before. It is not counted.
    #[serde(default = "defaults::at_once")]
    pub rise: Duration,
    /// How long it takes to fall to nothing, after. It is not counted.
    #[serde(default = "defaults::at_once")]
    pub fall: Duration,
    /// How long the full rate goes on before it is counted.
    #[serde(default = "defaults::warm_up")]
    pub warm_up: Duration,
}

/// Steps that grow until it breaks. Short form: the rate of the first one.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("from"))]
pub struct Stress {
    /// The rate of the first step.
    pub from: Rate,
    /// By how much of its own rate each step is more than the one before.
    #[serde(default = "defaults::growth")]
    pub growth: Percent,
    /// The highest rate: there it ends, even if nothing broke.
    #[serde(default = "defaults::most")]
    pub most: Rate,
    /// How long each step takes.
    #[serde(default = "defaults::each")]
    #[schemars(extend("format" = "timeout"))]
    pub each: Duration,
    /// How long the first rate goes on before it is counted.
    #[serde(default = "defaults::warm_up")]
    pub warm_up: Duration,
}

/// A base, a sudden peak, and the base again.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spike {
    /// The rate before and after.
    pub base: Rate,
    /// The rate of the peak.
    pub peak: Rate,
    /// How long the base is measured before.
    #[serde(default = "defaults::before")]
    #[schemars(extend("format" = "timeout"))]
    pub before: Duration,
    /// How long the rate takes from base to peak.
    #[serde(default = "defaults::at_once")]
    pub rise: Duration,
    /// How long the peak lasts.
    #[serde(default = "defaults::hold")]
    #[schemars(extend("format" = "timeout"))]
    pub hold: Duration,
    /// How long the rate takes from peak to base.
    #[serde(default = "defaults::at_once")]
    pub fall: Duration,
    /// How long the base is measured after, while it recovers.
    #[serde(default = "defaults::after")]
    #[schemars(extend("format" = "timeout"))]
    pub after: Duration,
    /// It has recovered when its latency (99th percentile) is back below this share of that before, and stays there.
    #[serde(default = "defaults::within")]
    pub within: Percent,
    /// How long the base goes on before it is counted.
    #[serde(default = "defaults::warm_up")]
    pub warm_up: Duration,
}

/// A constant rate for long. Short form: the rate.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("rate"))]
pub struct Soak {
    /// How many flows start in a time.
    pub rate: Rate,
    /// How long it goes on.
    #[serde(default = "defaults::soak_duration")]
    #[schemars(extend("format" = "timeout"))]
    pub duration: Duration,
    /// The length of the periods that are compared. By default a twelfth of it.
    #[serde(default)]
    #[schemars(extend("format" = "timeout"))]
    pub period: Option<Duration>,
    /// How long it goes on before it is counted.
    #[serde(default = "defaults::soak_warm_up")]
    pub warm_up: Duration,
}

/// A search for the highest rate that keeps the objectives.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// The rate of the first step. By default one that the closed model finds.
    #[serde(default)]
    pub from: Option<Rate>,
    /// The highest rate that is tried.
    #[serde(default = "defaults::most")]
    pub most: Rate,
    /// How long each step takes at least; longer where the objectives need more requests.
    #[serde(default = "defaults::each")]
    #[schemars(extend("format" = "timeout"))]
    pub each: Duration,
    /// How exactly the rate is found.
    #[serde(default = "defaults::precision")]
    pub precision: Percent,
    /// The rate that is expected one day, to tell how much room there is above it.
    #[serde(default)]
    pub expected: Option<Rate>,
    /// How long the first rate goes on before it is counted.
    #[serde(default = "defaults::capacity_warm_up")]
    pub warm_up: Duration,
}

/// What came by an access log, again. Short form: the file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("log"))]
pub struct Replay {
    /// The log: lines of JSON as the gate writes them, or the common or combined format.
    #[schemars(extend("format" = "path"))]
    pub log: PathBuf,
    /// How many times as fast as it was.
    #[serde(default)]
    pub speed: Speed,
}

/// So many users, each of whom waits for an answer before asking again. Short form: how many.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("users"))]
pub struct Closed {
    /// How many users there are.
    #[schemars(range(min = 1, max = 100_000))]
    pub users: u32,
    /// How long it goes on.
    #[serde(default = "defaults::duration")]
    #[schemars(extend("format" = "timeout"))]
    pub duration: Duration,
    /// How long it goes on before it is counted.
    #[serde(default = "defaults::warm_up")]
    pub warm_up: Duration,
}
