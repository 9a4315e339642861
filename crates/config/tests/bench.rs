//! The file of a load test: what it may say, and what is told of one that is wrong.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io;
use std::path::Path;

use portcullis_config::bench::auth::Auth;
use portcullis_config::bench::data::{Data, DataOrder};
use portcullis_config::bench::objective::Objective;
use portcullis_config::bench::step::{Body, Capture};
use portcullis_config::bench::{Loaded, Scenario, parse};
use portcullis_config::{Anything, Problems};
use proptest::prelude::prop;
use proptest::{prop_assert, proptest};
use serde_json::json;

fn read(text: &str) -> Result<Loaded, Problems> {
    let environment = |name: &str| match name {
        "TOKEN" => Some("hunter2".to_owned()),
        "COUNT" => Some("7".to_owned()),
        _ => None,
    };
    let none = |_: &Path| Err(io::Error::from(io::ErrorKind::NotFound));
    parse(text, Path::new("tests/bench.yaml"), &environment, &none)
}

fn scenario(text: &str) -> Scenario {
    match read(text) {
        Ok(loaded) => loaded.scenario().clone(),
        Err(problems) => panic!("{text}\n{problems}"),
    }
}

fn refused(text: &str, expected: &[&str]) {
    let problems = read(text)
        .err()
        .map(|problems| problems.to_string())
        .unwrap_or_default();
    let lines: Vec<_> = problems.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{text}\n{problems}");
    for (line, part) in lines.iter().zip(expected) {
        assert!(line.contains(part), "{line}\n  has not: {part}");
    }
}

/// Everything that there is, in its long form.
const WHOLE: &str = r#"
name: shop
target: https://127.0.0.1:8443
protocol: http2
tls: {ca: authority.pem, server_name: shop.test, verify: false}
connections: 20
streams: 10
threads: 2
processors: [0, 1]
timeout: 2s
spacing: poisson
seed: 7
headers: {Accept: application/json}
auth: {bearer: "${TOKEN}"}
profiles:
  smoke: {}
  load: {rate: 5k/s, duration: 1m, rise: 10s}
  stress: 100/s
  spike: {base: 100/s, peak: 1k/s, within: 150%}
  soak: 50
  capacity: {precision: 1%}
  replay: {log: access.jsonl, speed: 3x}
  closed: 40
objectives:
  - p99 < 50ms
  - orders: p99 < 20ms
    items: errors < 1%
data:
  users: users.csv
  carts: {file: carts.txt, format: ndjson, order: once}
  sizes:
    rows: [{name: small, count: 1, price: 2.5, note: null}, {name: large, count: "${COUNT}", price: 1e3, note: ~}]
    order: random
setup:
  - request: POST /token
    auth: false
    body: {form: {grant_type: client_credentials}}
    capture: {token: /access_token}
flows:
  - GET /
  - {steps: "GET /items/{{uuid}}", weight: 5}
  - name: buy
    steps:
      - GET /login
      - request: POST /orders/{{users.id}}
        route: orders
        query: {q: "{{sizes.name}}"}
        body: {json: {id: "{{users.id as number}}", lines: [1, 2.5, true, null, "${COUNT}"]}}
        expect: {status: [201, 400-404], contains: ok, json: {/state: paid, /error: null}}
        capture: {next: {header: Location}, id: {json: /id}, word: {matches: "a(b)"}}
        think: 50ms..200ms
      - {request: PUT /x, body: hello}
      - request: PATCH /x
        body:
          json:
            n: ${COUNT}
"#;

#[test]
fn all_of_it_is_understood() {
    let whole = scenario(WHOLE);
    assert_eq!((whole.connections, whole.threads, whole.seed), (20, Some(2), 7));
    let Some(Auth::Bearer(bearer)) = &whole.auth else {
        panic!("{:?}", whole.auth)
    };
    assert_eq!(bearer.bearer.expose(), "hunter2");
    assert!(!format!("{whole:?}").contains("hunter2"));
    let profiles = &whole.profiles;
    assert!((profiles.load.as_ref().unwrap().rate.get() - 5000.0).abs() < 1e-9);
    assert!((profiles.stress.as_ref().unwrap().from.get() - 100.0).abs() < 1e-9);
    assert_eq!(
        (
            profiles.smoke.as_ref().unwrap().repeats,
            profiles.closed.as_ref().unwrap().users
        ),
        (3, 40)
    );
    assert!((profiles.replay.as_ref().unwrap().speed.factor() - 3.0).abs() < 1e-9);
    assert!(matches!(&whole.objectives[..], [Objective::Of(_), Objective::ByRoute(routes)] if routes.len() == 2));
    assert!(matches!(&whole.data["users"], Data::Name(_)));
    assert!(matches!(&whole.data["carts"], Data::File(file) if file.order == DataOrder::Once));
    let Data::Rows(sizes) = &whole.data["sizes"] else {
        panic!("{:?}", whole.data)
    };
    assert_eq!(sizes.rows[0]["price"], Anything(json!(2.5)));
    assert_eq!(sizes.rows[1]["count"], Anything(json!("7")));
    assert_eq!(
        whole
            .flows
            .iter()
            .map(|flow| (flow.weight, flow.steps.len()))
            .collect::<Vec<_>>(),
        [(1, 1), (5, 1), (1, 4)]
    );
    let step = &whole.flows[2].steps[1];
    let Some(Body::Json(body)) = &step.body else {
        panic!("{:?}", step.body)
    };
    let expected = json!({"id": "{{users.id as number}}", "lines": [1, 2.5, true, null, "7"]});
    assert_eq!(body.json.0, expected);
    assert!(matches!(&whole.flows[2].steps[3].body, Some(Body::Json(body)) if body.json.0 == json!({"n": 7})));
    assert_eq!(step.expect.json["/error"], Anything(json!(null)));
    assert!(step.expect.status[1].contains(404) && !step.expect.status[1].contains(405));
    assert!(
        matches!(&step.capture["next"], Capture::Header(_)) && matches!(&step.capture["word"], Capture::Matches(_))
    );
    assert!(matches!(&whole.flows[2].steps[2].body, Some(Body::Text(text)) if text == "hello"));
}

#[test]
fn little_is_enough() {
    let little = scenario("{target: 'http://127.0.0.1:8080', flows: GET /, objectives: p99 < 50ms, setup: GET /}");
    assert_eq!(
        (little.flows.len(), little.objectives.len(), little.setup.len()),
        (1, 1, 1)
    );
    assert!(little.tls.verify && little.flows[0].steps[0].auth);
    assert_eq!((little.connections, little.streams), (50, 100));
    // JSON is YAML, and a program writes it easily.
    let json = json!({"target": "http://[::1]:80", "flows": [{"steps": [{"request": "GET /", "body": {"json": {"a": 1.5}}}]}]});
    scenario(&json.to_string());
}

#[test]
fn every_problem_is_told_with_its_place() {
    refused(
        "target: http://a:1/path\nobjective: p99 < 5ms\nprofiles: {lod: 5/s}\nflows:\n  - get /\n  - {stpes: GET /}\n",
        &[
            "bench.yaml:1:9: target: ",
            "bench.yaml:2:1: objective: there is no key `objective` here; did you mean `objectives`?",
            "bench.yaml:3:12: profiles.lod: there is no key `lod` here; did you mean `load`?",
            "did you mean `GET`?",
            "`steps` is missing",
            "did you mean `steps`?",
        ],
    );
    refused(
        "flows:\n  - steps:\n      - {request: POST /, body: {jsn: 1}, expect: 99, capture: {a: token}, think: 5}\n",
        &[
            "`jsn` here; did you mean `json`?",
            "`99` is no status",
            "no JSON Pointer",
            "has a unit",
        ],
    );
    refused(
        "auth: {bearer: hunter2}\nprofiles: {load: 0/s, soak: {duration: 1h}}\ndata: {a b: x.csv, c: {rows: []}}\n",
        &[
            "a secret must not stand in the file",
            "no load at all",
            "`rate` is missing: How many flows start",
            "`a b` is no name",
            "the list is empty",
        ],
    );
    refused("", &["it needs at least `target` and `flows`"]);
    refused("flows:\n  - {{a}}\n", &["`steps` is missing", "must stand in quotes"]);
    refused("flows: [GET /, ${NONE}]", &["a reference `${…}` must stand in quotes"]);
    refused(&"#".repeat(5_000_000), &["more than 4194304 bytes"]);
}

#[test]
fn what_contradicts_itself_is_told() {
    refused(
        "protocol: http3\ntarget: http://a:1\ntls: {cert: c.pem}\nprofiles:\n  spike: {base: 5/s, peak: 5/s}\n  \
         stress: {from: 5/s, most: 1/s, growth: 0%}\n  capacity: {precision: 0%}\n",
        &[
            "http3 needs TLS",
            "`key` is missing",
            "is no peak",
            "less than the rate of the first step",
            "never break anything",
            "between `0.1%` and `50%`",
        ],
    );
    refused(
        "flows:\n  - {name: a, steps: GET /}\n  - {name: a, steps: {request: GET /, body: {json: }}}\n",
        &["has the name `a` too", "there is no value here"],
    );
}

#[test]
fn later_problems_find_their_place() {
    let loaded = read(WHOLE).unwrap();
    let problem = loaded.problem("flows[2].steps[1].query.q", "so");
    assert_eq!(
        problem.to_string(),
        "tests/bench.yaml:47:17: flows[2].steps[1].query.q: so"
    );
    assert_eq!(loaded.base, Path::new("tests"));
    let single = read("flows:\n  steps:\n    request: GET /\n    body: {file: x}\n").unwrap();
    let place = single.problem("flows[0].steps[0].body.file", "so").place.unwrap();
    assert_eq!((place.line, place.column), (4, 12));
}

#[test]
fn the_reference_has_no_reference_that_leads_nowhere() {
    let reference = portcullis_config::bench::reference();
    for word in [
        "`flows[]`",
        "`setup[]`",
        "`profiles.spike`",
        "anything",
        "method and path",
        "`in_turn`",
    ] {
        assert!(reference.contains(word), "{word}");
    }
}

proptest! {
    #[test]
    fn no_slip_is_a_panic(at in 0..WHOLE.len(), length in 0..6usize, piece in "[{}:\\[\\]\n \"$&*a0-]{0,4}") {
        let mut text = WHOLE.to_owned();
        let end = (at + length).min(text.len());
        text.replace_range(at..end, &piece);
        if let Err(problems) = read(&text) {
            // What passed every check can be read by the types: they and the schema agree.
            prop_assert!(!problems.to_string().contains("can't be understood"), "{problems}");
        }
    }

    #[test]
    fn no_text_is_a_panic(text in prop::collection::vec(prop::sample::select(&["flows", ": ", "- ", "{", "}", "[", "]", "\n", "  ", "~", "1.5", "json", "body"][..]), 0..40)) {
        let _ = read(&text.concat());
    }
}
