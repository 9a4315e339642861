//! A new version that takes the place of an old one by itself, or doesn't.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::split::SplitKey;
use crate::{defaults, units};

/// A new version of a service that gets more and more of the requests as long as it does well, and none when it doesn't.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToRollout {
    /// The versions, the steps, and what the new version is judged by.
    pub rollout: Rollout,
    /// What keeps a client with the version that it was given: as the new version's share grows, clients move to it and none
    /// comes back. By default nothing: each request is given anew, at random.
    #[serde(default)]
    pub by: Option<SplitKey>,
    /// A prefix of the path that the targets don't see. It must end between two segments.
    #[serde(default)]
    #[schemars(extend("format" = "path-prefix"))]
    pub strip: Option<String>,
}

/// Two versions, and how the new one takes the old one's place.
///
/// The new version is judged at least once a second. When it is worse than the old one, the old one gets all requests at
/// once, until an operator resumes the roll-out (`POST /rollouts/ROUTE/resume`) or something in this group changes. Progress
/// lives through reloads and upgrades, and through restarts where the file names a folder for `state`. Each gate judges what
/// it sees itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// The version in use: the name of a service under `services`.
    #[schemars(extend("x-names" = "services"))]
    pub from: String,
    /// The new version: the name of a service under `services`.
    #[schemars(extend("x-names" = "services"))]
    pub to: String,
    /// The shares of the requests that the new version gets, one after the other: rising, two to twenty of them, the last one
    /// `100%`, with which the roll-out is completed.
    #[serde(default = "defaults::rollout_steps")]
    #[schemars(length(min = 1))]
    pub steps: Vec<units::Percent>,
    /// How long each step takes at the least.
    #[serde(default = "defaults::rollout_every")]
    #[schemars(extend("format" = "timeout"))]
    pub every: units::Duration,
    /// What the new version is judged by.
    #[serde(default)]
    pub judge: Judge,
}

/// What a new version is judged by. It is taken back when the difference to the old version is more than this *and* no
/// accident, which is tested so that of a hundred roll-outs of a version as good as the old one, less than one is taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Judge {
    /// By how much its share of failed requests may be above that of the old version, `0%` to `100%`. Failed are answers 5xx,
    /// failures of the gate to get an answer, answers that break off, and calls of gRPC that end in a status of the
    /// server's fault. This is judged from the first request on.
    pub errors: units::Percent,
    /// How much of the old version's time to the response's head it may take, from `100%`, by the 95th percentile of requests
    /// that didn't fail. Less than 5 ms more are never held against it.
    pub latency: units::Percent,
    /// Requests that it must have answered in a step for the step to be good, and for its latency to be judged. With
    /// fewer the roll-out waits.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub min_requests: u32,
}

/// Each step costs some certainty, since a version may look bad by chance in each.
const MOST_STEPS: usize = 20;

impl Default for Judge {
    fn default() -> Self {
        defaults::rollout_judge()
    }
}

impl Rollout {
    /// What makes no sense in it: the key, and why.
    pub(crate) fn contradictions(&self) -> Vec<(String, String)> {
        let whole = units::Percent::whole(100);
        let mut found = Vec::new();
        let mut add = |key: &str, message: &str| found.push((format!("rollout.{key}"), message.to_owned()));
        if self.from == self.to {
            add("to", "the new version is the old one; name two services");
        }
        match self.steps.len() {
            1 => add(
                "steps",
                "a single step compares nothing; begin with a smaller one, or exchange the services by `POST /swap`",
            ),
            count if count > MOST_STEPS => add("steps", "these are too many; leave some out"),
            _ => {}
        }
        if self.steps.first().is_some_and(|first| first.per_mille() == 0) {
            add(
                "steps[0]",
                "a version that gets no requests can't be judged; begin with a small share",
            );
        }
        for (at, pair) in self.steps.windows(2).enumerate() {
            if pair[0] >= pair[1] {
                add(
                    &format!("steps[{}]", at + 1),
                    "each step must be larger than the one before",
                );
            }
        }
        if self.steps.last().is_some_and(|last| *last != whole) {
            add("steps", "the last step must be `100%`");
        }
        if self.judge.errors > whole {
            add("judge.errors", "there are no more failures than `100%`");
        }
        if self.judge.latency < whole {
            add(
                "judge.latency",
                "a version that is as fast as the old one takes `100%` of its time; allow at least that",
            );
        }
        found
    }
}
