//! What becomes of a request, for people: from the same document that programs read.

use std::fmt::Write as _;

use portcullis_core::codes;
use serde_json::Value;

/// The document that [`super::answer`] makes, in lines.
pub(crate) fn in_words(answer: &Value) -> String {
    let mut out = String::new();
    let host = match text(&answer["host"]) {
        "" => "no host",
        host => host,
    };
    let _ = writeln!(out, "{} {} ({host})", text(&answer["method"]), text(&answer["target"]));
    if answer["claimed"].is_object() {
        claimed(&answer["claimed"], &mut out);
    } else {
        refused(&answer["refused"], &mut out);
    }
    let others = list(&answer["others"]);
    if !others.is_empty() {
        out.push_str("  others\n");
    }
    for other in others {
        let _ = writeln!(
            out,
            "    {} (routes[{}]): {}",
            text(&other["route"]),
            other["index"],
            text(&other["why"])
        );
    }
    if let Some(left_out @ 1..) = answer["left_out"].as_u64() {
        let _ = writeln!(out, "    and {left_out} more: --all shows them");
    }
    out
}

fn claimed(claimed: &Value, out: &mut String) {
    let _ = writeln!(
        out,
        "  route     {} (routes[{}])",
        text(&claimed["route"]),
        claimed["index"]
    );
    let policies: Vec<&str> = list(&claimed["policies"]).iter().map(text).collect();
    let policies = if policies.is_empty() {
        "none".to_owned()
    } else {
        policies.join(" → ")
    };
    let _ = writeln!(out, "  policies  {policies}");
    let _ = writeln!(out, "  backend   {}", text(&claimed["backend"]));
    for service in list(&claimed["services"]) {
        let _ = writeln!(out, "  service   {}", text(&service["name"]));
        for (rule, said) in service["rules"].as_object().into_iter().flatten() {
            let _ = writeln!(out, "    {rule:<8}{}", text(said));
        }
        let Some(targets) = service["targets"].as_array() else {
            continue;
        };
        if targets.is_empty() {
            out.push_str("    there is no target now\n");
        }
        for target in targets {
            self::target(target, out);
        }
    }
}

fn target(target: &Value, out: &mut String) {
    let (url, address) = (text(&target["url"]), text(&target["address"]));
    let shown = match address.is_empty() || url.ends_with(address) {
        true => url.to_owned(),
        false => format!("{url} ({address})"),
    };
    let _ = write!(out, "    {shown} {}", text(&target["verdict"]));
    if target["may"] == true {
        let share = target["share"].as_f64().unwrap_or(0.0) * 100.0;
        let _ = write!(out, ": {share:.0} % of such requests");
    }
    let _ = writeln!(
        out,
        "; {} in progress, {:.1} ms, {}",
        target["in_progress"],
        target["latency_ms"].as_f64().unwrap_or(0.0),
        text(&target["source"])
    );
}

fn refused(refused: &Value, out: &mut String) {
    let code = text(&refused["code"]);
    let reason = match code == codes::METHOD_NOT_IMPLEMENTED.name {
        true => "refused before a route is looked for",
        false => "no route claims it",
    };
    let _ = write!(out, "  {reason}: {} ({code})", refused["status"]);
    let _ = match refused["allow"].as_str() {
        Some(allow) => writeln!(out, ", allowed are {allow}"),
        None => writeln!(out),
    };
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
