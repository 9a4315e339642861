//! What can only be wrong between values.

use std::collections::BTreeMap;

use super::auth::Auth;
use super::step::{Body, Step};
use super::{Protocol, Scenario};

/// Takes the path of a value and what is wrong with it.
type Sink<'a> = &'a mut dyn FnMut(&str, String);

/// Finds what must not be.
pub(super) fn problems(scenario: &Scenario, sink: Sink<'_>) {
    let tls = &scenario.tls;
    match (&tls.cert, &tls.key) {
        (Some(_), None) => sink("tls.cert", half("key")),
        (None, Some(_)) => sink("tls.key", half("cert")),
        _ => {}
    }
    let is_clear = scenario
        .target
        .as_deref()
        .is_some_and(|target| target.starts_with("http://"));
    if scenario.protocol == Protocol::Http3 && is_clear {
        sink("protocol", "http3 needs TLS: the target must be `https://…`".to_owned());
    }
    if let Some(Auth::Basic(basic)) = &scenario.auth
        && basic.basic.user.contains(':')
    {
        let message = "the name ends at the first colon (RFC 7617, section 2); take it out";
        sink("auth.basic.user", message.to_owned());
    }
    if let Some(spike) = &scenario.profiles.spike
        && spike.peak <= spike.base
    {
        let message = format!("a peak of {} is no peak over a base of {}", spike.peak, spike.base);
        sink("profiles.spike.peak", message);
    }
    if let Some(stress) = &scenario.profiles.stress {
        if stress.most < stress.from {
            let message = format!(
                "{} is less than the rate of the first step, {}",
                stress.most, stress.from
            );
            sink("profiles.stress.most", message);
        }
        if stress.growth.per_mille() == 0 {
            sink(
                "profiles.stress.growth",
                "steps that don't grow never break anything".to_owned(),
            );
        }
    }
    if let Some(capacity) = &scenario.profiles.capacity {
        if capacity.from.is_some_and(|from| capacity.most < from) {
            let message = "the highest rate is less than that of the first step, `from`";
            sink("profiles.capacity.most", message.to_owned());
        }
        if !(1..=500).contains(&capacity.precision.per_mille()) {
            let message = "a rate is found to something between `0.1%` and `50%`";
            sink("profiles.capacity.precision", message.to_owned());
        }
    }
    let mut names = BTreeMap::new();
    for (index, flow) in scenario.flows.iter().enumerate() {
        if let Some(name) = &flow.name
            && let Some(first) = names.insert(name, index)
        {
            let message = format!("`flows[{first}]` has the name `{name}` too; each needs its own");
            sink(&format!("flows[{index}].name"), message);
        }
        for (at, step) in flow.steps.iter().enumerate() {
            bodies(&format!("flows[{index}].steps[{at}]"), step, sink);
        }
    }
    for (at, step) in scenario.setup.iter().enumerate() {
        bodies(&format!("setup[{at}]"), step, sink);
    }
}

fn half(missing: &str) -> String {
    format!("`{missing}` is missing: a certificate and its key are of use together only")
}

fn bodies(path: &str, step: &Step, sink: Sink<'_>) {
    if let Some(Body::Json(body)) = &step.body
        && body.json.0.is_null()
    {
        let message = "there is no value here; write one, or take the key out";
        sink(&format!("{path}.body.json"), message.to_owned());
    }
    if step.body.is_some() && step.request.starts_with("TRACE ") {
        sink(
            &format!("{path}.body"),
            "TRACE has no content (RFC 9110, section 9.3.8)".to_owned(),
        );
    }
}
