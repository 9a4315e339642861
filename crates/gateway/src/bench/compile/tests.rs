use std::path::Path;

use portcullis_bench::flow::{Iteration, Step};
use portcullis_bench::profile::capacity::Capacity;
use portcullis_bench::profile::closed::Closed;
use portcullis_bench::profile::smoke::Smoke;
use portcullis_bench::profile::soak::Soak;
use portcullis_bench::profile::spike::Spike;
use portcullis_bench::profile::steady::Steady;
use portcullis_bench::profile::stress::Stress;
use tempfile::TempDir;

use super::*;

/// A folder with files, of which `bench.yaml` is the one that is compiled.
fn compiled_of(files: &[(&str, &[u8])]) -> Result<Compiled, Problems> {
    let folder = TempDir::new().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let loaded = bench::load(&folder.path().join("bench.yaml"), &|_| Some("secret".to_owned()))?;
    compile(&loaded, &Overrides::default())
}

fn compiled(text: &str) -> Result<Compiled, Problems> {
    compiled_of(&[("bench.yaml", text.as_bytes())])
}

/// Checks the problems, each by its place and a part of it.
fn refused(files: &[(&str, &[u8])], expected: &[(&str, &str)]) {
    let problems = compiled_of(files)
        .err()
        .map(|problems| problems.to_string())
        .unwrap_or_default();
    let lines: Vec<_> = problems.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{problems}");
    for (line, (place, part)) in lines.iter().zip(expected) {
        let found = line.contains(&format!("bench.yaml:{place}: ")) && line.contains(part);
        assert!(found, "{line}\n  is not at {place}, or has not: {part}");
    }
}

const WHOLE: &str = "\
target: http://127.0.0.1:1
protocol: http2
headers: {X-Test: '1'}
auth: {basic: {user: me, password: '${PASSWORD}'}}
profiles: {smoke: {}, load: 5/s}
objectives: [p99 < 50ms, {orders: errors < 1%}]
data:
  user: users.csv
setup:
  - {request: POST /token, auth: false, body: {form: {a: b}}, capture: {token: /token}}
flows:
  - GET /
  - name: buy
    weight: 3
    steps:
      - {request: 'GET /carts/{{user.id}}', capture: {cart: {header: Location}}}
      - request: POST /orders?x=1
        route: orders
        headers: {Authorization: 'Bearer {{token}}', X-Test: '2'}
        body: {json: {cart: '{{cart}}'}}
        expect: {status: 201, contains: ok, json: {/user: '{{user.id}}'}}
        think: 1ms..2ms
";

/// The request of a step as HTTP/1.1 has it, or why there is none.
fn sent(step: &Step, iteration: &mut Iteration) -> Result<String, String> {
    let ready = step.request(iteration).map_err(|unfit| unfit.0)?;
    Ok(String::from_utf8(ready.request().http1.to_vec()).unwrap())
}

#[test]
fn a_file_becomes_a_plan() {
    let files: [(&str, &[u8]); 2] = [("bench.yaml", WHOLE.as_bytes()), ("users.csv", b"id,name\n7,Ada\n")];
    let compiled = compiled_of(&files).unwrap();
    let plan = &compiled.plan;
    assert_eq!(plan.routes, ["GET /", "GET /carts/{{user.id}}", "orders"]);
    assert_eq!(
        (plan.connections, plan.streams, plan.target.protocol),
        (50, 100, target::Protocol::Http2)
    );
    assert_eq!(
        plan.flows.iter().map(|flow| flow.name.as_str()).collect::<Vec<_>>(),
        ["GET /", "buy"]
    );
    assert_eq!(
        compiled.profiles.iter().map(Profile::word).collect::<Vec<_>>(),
        ["smoke", "load"]
    );
    assert_eq!(
        compiled.objectives.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["p99 < 50ms", "orders: errors < 1%"]
    );

    let setup = compiled.setup.as_ref().unwrap();
    assert_eq!(
        (setup.routes.as_slice(), setup.connections),
        (&["POST /token".to_owned()][..], 1)
    );
    let iteration = &mut Iteration::default();
    let token = sent(&setup.flows[0].steps[0], iteration).unwrap();
    assert!(
        token.starts_with("POST /token HTTP/1.1\r\nHost: 127.0.0.1:1\r\n") && !token.contains("Authorization"),
        "{token}"
    );
    let basic = sent(&plan.flows[0].steps[0], iteration).unwrap();
    assert!(
        basic.contains("\r\nX-Test: 1\r\n") && basic.contains("\r\nAuthorization: Basic bWU6c2VjcmV0\r\n"),
        "{basic}"
    );
    let steps = &plan.flows[1].steps;
    assert!(sent(&steps[0], iteration).unwrap().starts_with("GET /carts/7 "));
    // Nothing was sent, so that nothing was captured.
    assert_eq!(sent(&steps[1], iteration).unwrap_err(), "`token` was not captured");
    assert!(steps[1].expect.status(201) && !steps[1].expect.status(200));
    assert!(steps[1].wants().body.is_some() && steps[0].wants().headers);
}

#[test]
fn every_problem_is_told_with_its_place() {
    let text = "\
target: https://127.0.0.1:1
tls: {ca: none.pem}
objectives:
  - p99 < 50 apples
  - {cards: p99 < 5ms}
headers: {X-Test: '{{nobody}}'}
data: {user: users.csv, none: none.csv, odd: odd.txt, tenant: {rows: [{id: 1}]}}
flows:
  - GET /{{tenant.nam}}/{{user.name}}
  - steps:
      - {request: GET /a b, capture: {uuid: /a, word: {matches: (}}}
      - {request: GET /, query: {q: '{{word}} {{wort}}'}, body: {file: none.bin}}
      - {request: GET /, expect: {matches: '(?=a)', json: {/a: '{{x}}'}}, body: {json: {a: ['{{y}}']}}}
";
    let files: [(&str, &[u8]); 3] = [
        ("bench.yaml", text.as_bytes()),
        ("users.csv", b"id,name\n7,Ada\n8\n"),
        ("odd.txt", b"a\n1\n"),
    ];
    refused(
        &files,
        &[
            ("1:1", "how much load"),
            ("2:7", "the file `none.pem` can't be read"),
            ("4:5", "50 apples"),
            (
                "5:6",
                "no step is counted as `cards`; there is `GET /{{tenant.nam}}/{{user.name}}`, `GET /a b`, `GET /`",
            ),
            ("6:11", "no `nobody`"),
            ("7:8", "`users.csv`: line 3: there are 1 values"),
            ("7:25", "the file `none.csv` can't be read"),
            ("7:41", "the ending of `odd.txt` doesn't tell"),
            ("9:5", "the data `tenant` has no column `nam`; it has `id`"),
            ("11:10", "`/a b` is no path"),
            ("11:39", "`{{uuid}}` means something else already"),
            ("11:49", "`(` is no pattern"),
            ("12:34", "no `wort` here; there is `word`, `tenant.id`"),
            ("12:66", "`none.bin` can't be read"),
            ("13:35", "`(?=a)` is no pattern"),
            ("13:60", "no `x` here"),
            ("13:75", "/a/0: there is no `y`"),
        ],
    );
}

#[test]
fn a_file_must_say_who_is_asked_for_what_and_how_much() {
    refused(
        &[("bench.yaml", b"name: x\n")],
        &[
            ("1:1", "`target` is missing"),
            ("1:1", "nothing to ask for"),
            ("1:1", "how much load"),
        ],
    );
    let other = Overrides {
        target: Some("http://127.0.0.1:2".to_owned()),
    };
    let loaded = bench::parse(
        "{flows: GET /, profiles: {smoke: {}}}",
        Path::new("x.yaml"),
        &|_| None,
        &|_| Err(std::io::ErrorKind::NotFound.into()),
    );
    assert_eq!(
        compile(&loaded.unwrap(), &other).unwrap().plan.target.name,
        "http://127.0.0.1:2"
    );
}

#[test]
fn what_the_file_says_by_default_is_what_profiles_do_by_default() {
    let text = "{target: 'http://127.0.0.1:1', flows: GET /, profiles: {smoke: {}, load: 5/s, stress: 5/s, \
                spike: {base: 5/s, peak: 9/s}, soak: 5/s, capacity: {}, closed: 5}}";
    let found = format!("{:?}", compiled(text).unwrap().profiles);
    let expected = [
        Profile::Smoke(Smoke::default()),
        Profile::Load(Steady::at(5.0)),
        Profile::Stress(Stress::from(5.0)),
        Profile::Spike(Spike::of(5.0, 9.0)),
        Profile::Soak(Soak::at(5.0)),
        Profile::Capacity(Capacity::default()),
        Profile::Closed(Closed::of(5)),
    ];
    assert_eq!(found, format!("{expected:?}"));
}

/// Routes of a gate's file have objectives too, whose form is checked where nothing of the load tester is known.
#[test]
fn objectives_of_routes_are_objectives() {
    for text in [
        "p99 < 50ms",
        "p99.999 <= 1.5s",
        "p50 < 250us",
        "p0.1 < 1s",
        "mean ≤ 2 ms",
        "max < 10m",
        "max < 11m",
        "errors < 0.1%",
        "errors < 1",
        "errors < 100.5%",
        "rate >= 4k/s",
        "rate > 400",
        "status 5xx < 0.01%",
        "status 503 < 10",
        "status 999 < 10",
        "failures.timeout <= 0",
        "failures.never <= 0",
        "p100 < 5ms",
        "p0 < 5ms",
        "p099 < 5ms",
        "p99.9999 < 5ms",
        "p99 < 5",
        "p99 < .5ms",
        "p99 < 1e3ms",
        "p99 = 5ms",
        "p99 > 5ms",
        "p99 << 5ms",
        "p99",
        "",
    ] {
        let gate = format!(
            "{{listeners: [{{bind: '127.0.0.1:0'}}], routes: [{{path: /, objectives: {}, to: {{respond: a}}}}]}}",
            serde_json::Value::from(text)
        );
        let none = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        let gate = portcullis_config::parse(&gate, Path::new("gate.yaml"), &|_| None, &none);
        assert_eq!(gate.is_ok(), text.parse::<Objective>().is_ok(), "{text}: {gate:?}");
    }
}

#[test]
fn a_token_that_all_requests_have_is_fetched_without_it() {
    let text = "\
target: http://127.0.0.1:1
profiles: {smoke: {}}
headers: {Authorization: 'Bearer {{token}}', X-Test: '1'}
setup:
  - {request: POST /token, capture: {token: /token}}
  - POST /session
flows: GET /
";
    let compiled = compiled(text).unwrap();
    let iteration = &mut Iteration::default();
    let steps = &compiled.setup.as_ref().unwrap().flows[0].steps;
    let first = sent(&steps[0], iteration).unwrap();
    assert!(
        first.contains("X-Test: 1") && !first.contains("Authorization"),
        "{first}"
    );
    assert_eq!(sent(&steps[1], iteration).unwrap_err(), "`token` was not captured");
    assert_eq!(
        sent(&compiled.plan.flows[0].steps[0], iteration).unwrap_err(),
        "`token` was not captured"
    );
    let wrong = text.replace("{{token}}", "{{tokn}}");
    refused(
        &[("bench.yaml", wrong.as_bytes())],
        &[("3:11", "no `tokn` here; there is `token`")],
    );
}

#[test]
fn a_log_is_replayed_with_flows_of_its_own() {
    let line = |second: u32, request: &str| {
        format!("127.0.0.1 - - [10/Oct/2025:13:55:{second:02} +0000] \"{request} HTTP/1.1\" 200 5\n")
    };
    let log = [
        line(1, "GET /items/7?a=b"),
        line(2, "POST /items"),
        line(3, "GET /"),
        line(5, "GET /items/7?a=b"),
        line(5, "GET /{{user.id}}"),
        "no line\n".to_owned(),
    ];
    let text =
        b"{target: 'http://127.0.0.1:1', flows: GET /x, profiles: {smoke: {}, replay: {log: access.log, speed: 2x}}}";
    let compiled = compiled_of(&[("bench.yaml", text), ("access.log", log.concat().as_bytes())]).unwrap();
    let [Profile::Smoke(_), replay @ Profile::Replay(_)] = compiled.profiles.as_slice() else {
        panic!("{:?}", compiled.profiles)
    };
    assert_eq!(compiled.plan.flows[0].name, "GET /x");
    let plan = compiled.plan_of(replay);
    assert_eq!(plan.routes, ["GET /items/**", "GET /"]);
    let Profile::Replay(replay) = replay else {
        unreachable!()
    };
    let arrivals: Vec<_> = replay
        .arrivals
        .iter()
        .map(|planned| (planned.after.as_millis(), planned.flow))
        .collect();
    assert_eq!(arrivals, [(0, 0), (1000, 1), (2000, 0)]);
    assert_eq!(compiled.remarks.len(), 3, "{:?}", compiled.remarks);

    let alone = b"{target: 'http://127.0.0.1:1', profiles: {replay: access.log}}";
    let alone = compiled_of(&[("bench.yaml", alone), ("access.log", log.concat().as_bytes())]).unwrap();
    assert_eq!(alone.plan.flows.len(), 2);
    refused(
        &[("bench.yaml", alone_without_log().as_bytes())],
        &[("3:3", "the log `access.log` can't be read")],
    );
}

#[test]
fn too_many_names_are_one_problem() {
    let flows: String = (0..3_000).map(|number| format!("- GET /{number}\n")).collect();
    let text = format!("target: http://127.0.0.1:1\nprofiles: {{smoke: {{}}}}\nflows:\n{flows}");
    refused(
        &[("bench.yaml", text.as_bytes())],
        &[("2004:3", "under more than 2000 names")],
    );
}

fn alone_without_log() -> String {
    "target: http://127.0.0.1:1\nprofiles:\n  replay: access.log\n".to_owned()
}

#[test]
fn files_have_limits() {
    let text = b"{target: 'http://127.0.0.1:1', profiles: {smoke: {}}, flows: {steps: {request: POST /, body: {file: large}}}}";
    let large = vec![b'a'; 16 * 1024 * 1024 + 1];
    refused(
        &[("bench.yaml", text), ("large", &large)],
        &[("1:95", "more than 16777216 bytes")],
    );
    let steps = "\n      - {request: GET /, route: r}".repeat(100);
    let long = format!("target: http://127.0.0.1:1\nprofiles: {{smoke: {{}}}}\nflows:\n  - steps:{steps}\n");
    assert_eq!(compiled(&long).unwrap().plan.routes, ["r"]);
}
