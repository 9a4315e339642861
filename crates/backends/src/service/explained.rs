//! Why each target of a service would get a request, or wouldn't: for people.

use std::fmt::Write as _;
use std::time::Instant;

use portcullis_core::{Ctx, Request};
use portcullis_resilience::Moment;
use portcullis_resilience::balance::Asked;
use serde_json::Value;

use super::Pool;
use super::told::MemberTold;

/// A target, and what a request would find there.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The target.
    pub target: MemberTold,
    /// Whether it may get the request.
    pub may: bool,
    /// Why, in words that continue a sentence about the target.
    pub why: String,
    /// Which part of such requests it gets by the weights, from 0 to 1.
    pub share: f64,
}

impl Pool {
    /// How a target is chosen and when a request is sent again, in a few words for each.
    pub fn rules(&self) -> Vec<(&'static str, String)> {
        let written = serde_json::to_value(&self.offer.written).unwrap_or_default();
        rules(&written)
    }

    /// What each target would say now to a request that has been nowhere yet.
    pub fn explain(&self, cx: &Ctx, request: &Request) -> Vec<Explained> {
        let members = self.membership.now();
        let asked = Asked {
            now: Moment::of(Instant::now()),
            key: self.affinity.key(cx, request),
            sticky: self.affinity.sticky(request),
            tried: &[],
        };
        let verdicts = self.balancer.explain(&members, &asked);
        let places = self.membership.seating.told();
        let verdict = |verdict: portcullis_resilience::balance::Verdict| {
            Some(Explained {
                target: places.get(verdict.seat)?.clone(),
                may: verdict.why.may(),
                why: verdict.why.to_string(),
                share: verdict.share,
            })
        };
        verdicts.into_iter().filter_map(verdict).collect()
    }
}

/// What a service says, as far as it decides on where requests go.
fn rules(written: &Value) -> Vec<(&'static str, String)> {
    let mut rules = vec![("targets", targets(written)), ("balance", balance(&written["balance"]))];
    if let Some(cookie) = written["sticky"]["cookie"].as_str() {
        rules.push((
            "sticky",
            format!("the cookie {cookie} names the target, while that is good"),
        ));
    }
    rules.push(("retry", retry(&written["retry"])));
    if written["hedge"].is_object() {
        let after = text(&written["hedge"]["after"]);
        rules.push(("hedge", format!("a second attempt beside the first after {after}")));
    }
    rules
}

fn targets(written: &Value) -> String {
    let listed = written["targets"].as_array().map_or(&[][..], Vec::as_slice);
    let mut said = match listed.len() {
        1 => "1 is listed".to_owned(),
        count => format!("{count} are listed"),
    };
    let mut priorities: Vec<u64> = listed.iter().filter_map(|target| target["priority"].as_u64()).collect();
    priorities.sort_unstable();
    priorities.dedup();
    if priorities.len() > 1 {
        let shown: Vec<String> = priorities.iter().map(u64::to_string).collect();
        let _ = write!(said, ", of the priorities {}", shown.join(", "));
    }
    for (key, what) in [("file", "the file"), ("srv", "SRV records of")] {
        if let Some(from) = written["discover"][key].as_str() {
            let _ = write!(said, ", more by {what} {from}");
        }
    }
    said
}

fn balance(balance: &Value) -> String {
    match balance.as_str() {
        Some(algorithm) => algorithm.to_owned(),
        None => {
            let mut said = text(&balance["algorithm"]);
            for (key, before) in [("by", " by "), ("bounded_load", ", with at most ")] {
                if !balance[key].is_null() {
                    let _ = write!(said, "{before}{}", text(&balance[key]));
                }
            }
            if !balance["bounded_load"].is_null() {
                said.push_str(" of the mean load");
            }
            said
        }
    }
}

fn retry(retry: &Value) -> String {
    let attempts = retry["attempts"].as_u64().unwrap_or(0);
    if attempts == 0 {
        return "only what no target has begun with".to_owned();
    }
    let on = retry["on"].as_array().map_or(&[][..], Vec::as_slice);
    let on: Vec<String> = on
        .iter()
        .chain(retry["codes"].as_array().into_iter().flatten())
        .map(text)
        .collect();
    let mut said = format!("up to {attempts} times, on {}", on.join(", "));
    said.push_str("; what may have been begun only for idempotent methods");
    let methods = retry["methods"].as_array().map_or(&[][..], Vec::as_slice);
    if !methods.is_empty() {
        let _ = write!(said, " and {}", methods.iter().map(text).collect::<Vec<_>>().join(", "));
    }
    let _ = write!(said, "; at most {} of the requests", text(&retry["budget"]["percent"]));
    said
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_are_told_in_a_few_words() {
        let written = json!({
            "targets": [{"url": "http://a", "priority": 0}, {"url": "http://b", "priority": 1}],
            "discover": {"srv": "_http._tcp.shop.test"},
            "balance": {"algorithm": "consistent_hash", "by": "header:x-user", "bounded_load": "125%"},
            "sticky": {"cookie": "session"},
            "retry": {"attempts": 2, "on": ["connect", "reset"], "codes": [503], "methods": ["POST"], "budget": {"percent": "20%"}},
            "hedge": {"after": "p95"},
        });
        let expected = [
            (
                "targets",
                "2 are listed, of the priorities 0, 1, more by SRV records of _http._tcp.shop.test",
            ),
            (
                "balance",
                "consistent_hash by header:x-user, with at most 125% of the mean load",
            ),
            ("sticky", "the cookie session names the target, while that is good"),
            (
                "retry",
                "up to 2 times, on connect, reset, 503; what may have been begun only for idempotent methods and POST; at most 20% of the requests",
            ),
            ("hedge", "a second attempt beside the first after p95"),
        ];
        assert_eq!(rules(&written), expected.map(|(name, text)| (name, text.to_owned())));
        let brief = json!({"targets": [{"url": "http://a"}], "balance": "random", "retry": {"attempts": 0}});
        let expected = [
            ("targets", "1 is listed"),
            ("balance", "random"),
            ("retry", "only what no target has begun with"),
        ];
        assert_eq!(rules(&brief), expected.map(|(name, text)| (name, text.to_owned())));
    }
}
