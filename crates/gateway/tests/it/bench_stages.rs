//! The stages of a test, from the files of a gate to a comparison.

use std::fmt::Write as _;
use std::path::Path;

use portcullis_bench::stand_in::{Behaviour, StandIn};
use serde_json::Value;

use super::folder::Folder;
use super::gate::{Gate, command};

/// What a command of `bench` wrote, to either side, and how it ended.
fn bench(folder: &Folder, arguments: &[&str]) -> (String, String, Option<i32>) {
    let output = command(folder.path(), &[&["bench"], arguments].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

/// The same, where it must go well.
fn good(folder: &Folder, arguments: &[&str]) -> String {
    let (out, error, code) = bench(folder, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {out}{error}");
    out
}

const ROUTES: &str = "listeners: ['127.0.0.1:0']
policies: {keys: {api_key: {consumers: [{name: a, key: 'file:key'}]}}}
routes:
  - {path: /plain, to: {respond: hello}, objectives: 'p99 < 10s'}
  - {path: '/items/{id}', to: {respond: an item}}
  - {path: /gone, to: {respond: {status: 410}}}
  - {path: /secret, policies: keys, to: {respond: hidden}, objectives: 'p50 < 1s'}
  - {path: /change, method: POST, to: {respond: done}}
  - {host: other.test, path: /hosted, headers: {x-version: '2'}, to: {respond: hosted}}
";

fn gate() -> Gate {
    let folder = Folder::new();
    folder.write("key", "k");
    Gate::start_in(folder, ROUTES)
}

#[test]
fn a_gate_is_loaded_from_its_own_file() {
    let gate = gate();
    let target = format!("http://{}", gate.address());
    let folder = &gate.folder;
    let out = good(folder, &["build", "--target", &target]);
    assert!(out.contains("4 requests; 2 left out"), "{out}");
    let file = folder.read("bench/bench.yaml");
    for part in [
        "GET /plain",
        "GET /items/1",
        "p99 < 10s",
        "/secret: it is guarded by `api_key`",
        "/change: ",
    ] {
        assert!(file.contains(part), "{part}: {file}");
    }
    let ready = good(folder, &["setup"]);
    assert_eq!(ready.matches("ok ").count(), 5, "{ready}");
    let (out, error, code) = bench(folder, &["run", "--profile", "smoke", "-q", "--format", "json"]);
    assert_eq!(code, Some(0), "{error}");
    let report: Value = serde_json::from_str(&out).unwrap();
    let routes = report["measured"]["phases"][0]["routes"].as_object().unwrap();
    assert!(routes.contains_key("other.test/hosted"), "{routes:?}");
    assert_eq!(std::fs::read_dir(folder.path().join("bench/runs")).unwrap().count(), 1);
    let (_, error, code) = bench(folder, &["build", "--target", &target]);
    assert_eq!((code, error.lines().count()), (Some(1), 1), "{error}");
    assert!(error.contains("--force"), "{error}");
}

#[test]
fn a_gate_that_does_not_run_is_told() {
    let folder = Folder::new();
    folder.write("key", "k");
    folder.write("portcullis.yaml", ROUTES.replace(":0'", ":9'"));
    let (_, error, code) = bench(&folder, &["build"]);
    assert_eq!((code, error.lines().count()), (Some(1), 1), "{error}");
    let out = good(&folder, &["build", "--no-dry-run", "-o", "-"]);
    assert!(out.contains("target: \"http://127.0.0.1:9\""), "{out}");
    assert!(good(&folder, &["metrics"]).contains("\"/plain\": \"p99 < 10s\""));
}

const DESCRIPTION: &str = "openapi: 3.1.0
info: {title: t, version: '1'}
paths:
  /things/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer, minimum: 3}}]
    get:
      responses:
        '200': {description: it, content: {application/json: {schema: {type: object, required: [name]}}}}
  /broken:
    get:
      responses:
        '200': {description: it, content: {application/json: {schema: {type: object, required: [size]}}}}
  /orders:
    post:
      requestBody: {required: true, content: {application/json: {schema: {type: object, required: [n], properties: {n: {type: integer}}}}}}
      responses: {'201': {description: made}}
";

#[test]
fn an_api_is_loaded_from_its_description() {
    let gate = Gate::start(
        "listeners: ['127.0.0.1:0']
routes:
  - {path: '/things/{id}', to: {respond: {body: '{\"name\": 1}', content_type: application/json}}}
  - {path: /broken, to: {respond: {body: '{\"name\": 1}', content_type: application/json}}}
  - {path: /orders, method: POST, to: {respond: {status: 201, body: ''}}}
",
    );
    let folder = &gate.folder;
    folder.write("api/api.yaml", DESCRIPTION);
    let target = format!("http://{}", gate.address());
    let arguments = ["build", "--openapi", "api/api.yaml", "--target", &target, "--writes"];
    let out = good(folder, &arguments);
    assert!(out.contains("2 requests; 1 left out"), "{out}");
    let file = folder.read("bench/bench.yaml");
    assert!(
        file.contains("GET /things/3") && file.contains("POST /orders"),
        "{file}"
    );
    assert!(file.contains("GET /broken: its content breaks its schema"), "{file}");
    good(folder, &["run", "-p", "smoke", "-q"]);
}

#[test]
fn rows_that_are_there_are_asked_for() {
    let folder = Folder::new();
    let database = rusqlite::Connection::open(folder.path().join("shop.db")).unwrap();
    database
        .execute_batch(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO orders VALUES (7, 'a'), (9, 'b')",
        )
        .unwrap();
    drop(database);
    let gate = Gate::start_in(
        folder,
        "listeners: ['127.0.0.1:0']
databases: {shop: 'sqlite:shop.db'}
routes:
  - {path: '/one/**', to: {table: shop.orders}}
  - {path: '/v1/**', to: {tables: {database: shop, tables: '*'}}}
",
    );
    let folder = &gate.folder;
    good(folder, &["build", "--target", &format!("http://{}", gate.address())]);
    let file = folder.read("bench/bench.yaml");
    for part in [
        "GET /one\"",
        "GET /one/{{one.id}}",
        "GET /v1/orders\"",
        "GET /v1/orders/{{v1_orders.id}}",
    ] {
        assert!(file.contains(part), "{part}: {file}");
    }
    good(folder, &["run", "-p", "smoke", "-q"]);
}

#[test]
fn baselines_can_be_in_the_store_of_a_gate() {
    let server = StandIn::start(Behaviour::default()).unwrap();
    let folder = Folder::new();
    folder.write(
        "gate.yaml",
        "listeners: ['127.0.0.1:0']\nstores: {durable: 'sqlite:store.db'}\nroutes: [{path: /, to: {respond: a}}]\n",
    );
    let url = format!("http://{}/", server.address());
    bench(&folder, &[&url, "-p", "smoke", "-q", "-o", "a.json"]);
    good(
        &folder,
        &["baseline", "save", "main", "a.json", "--store-of", "gate.yaml"],
    );
    let listed = good(&folder, &["baseline", "list", "--store-of", "gate.yaml"]);
    assert_eq!(listed, "main: 1 runs\n");
    assert!(folder.path().join("store.db").is_file());
    let (_, error, code) = bench(&folder, &["compare", "main", "a.json", "--store-of", "gate.yaml"]);
    assert_eq!(code, Some(4), "{error}");
}

#[test]
fn a_log_is_planned_by_and_played_again() {
    let server = StandIn::start(Behaviour::default()).unwrap();
    let folder = Folder::new();
    let mut log = String::new();
    for at in 0..40 {
        let (second, path) = (at / 20, if at % 4 == 0 { "/rare" } else { "/often" });
        writeln!(
            log,
            "192.0.2.1 - - [10/Oct/2000:13:55:{:02} -0700] \"GET {path}?n={} HTTP/1.1\" 200 5",
            36 + second,
            at % 2
        )
        .unwrap();
    }
    log.push_str("no line\n");
    folder.write("access.log", &log);
    let plan = good(&folder, &["plan", "--log", "access.log"]);
    assert!(plan.contains("20 in the busiest second"), "{plan}");
    let target = format!("http://{}", server.address());
    good(
        &folder,
        &["build", "--log", "access.log", "--target", &target, "--no-dry-run"],
    );
    let file = folder.read("bench/bench.yaml");
    assert!(file.contains("weight: 20") && file.contains("line 41"), "{file}");
    let (out, error, code) = bench(&folder, &["run", "-p", "replay", "-q", "--format", "json"]);
    assert!(matches!(code, Some(0 | 3 | 4)), "{error}");
    let report: Value = serde_json::from_str(&out).unwrap();
    let due: u64 = report["measured"]["phases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|phase| phase["due"].as_u64().unwrap())
        .sum();
    assert_eq!(due, 40, "{out}");
}

#[test]
fn a_wrong_scenario_is_told_with_its_places() {
    let folder = Folder::new();
    folder.write(
        "bench/bench.yaml",
        "target: http://127.0.0.1:1\nprofiles: {laod: 5/s}\nflows:\n  - GET no-path\n",
    );
    let (_, error, code) = bench(&folder, &["run"]);
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("bench.yaml:2:12") && error.contains("load"), "{error}");
    assert!(error.contains("bench.yaml:4"), "{error}");
}

#[test]
fn what_changed_for_good_is_told_of_a_baseline() {
    let server = StandIn::start(Behaviour::default()).unwrap();
    let folder = Folder::new();
    let url = format!("http://{}/", server.address());
    bench(
        &folder,
        &[&url, "--users", "1", "--for", "100ms", "-q", "-o", "run.json"],
    );
    let mut run: Value = serde_json::from_str(&folder.read("run.json")).unwrap();
    run["verdict"] = "pass".into();
    run["invalid"] = Value::Array(Vec::new());
    for day in 0..16_u64 {
        run["began"] = (1_700_000_000_000 + day * 86_400_000).into();
        let capacity = if day < 8 { 1_000 } else { 900 } + day % 2;
        run["found"]["capacity"] = capacity.into();
        folder.write("runs/run.json", run.to_string());
        good(&folder, &["baseline", "save", "main", "runs/run.json"]);
    }
    let list = good(&folder, &["baseline", "list"]);
    assert!(
        list.starts_with("main: 16 runs\n  2023-11-22 22:13 UTC: capacity got worse for good: from "),
        "{list}"
    );
    assert_eq!(list.lines().count(), 2, "{list}");
    // A run that was made in another way has no history yet.
    run["profile"] = "load".into();
    folder.write("runs/run.json", run.to_string());
    good(&folder, &["baseline", "save", "main", "runs/run.json"]);
    assert_eq!(good(&folder, &["baseline", "list"]), "main: 17 runs\n");
}

#[test]
fn few_runs_prove_nothing_and_say_so() {
    let server = StandIn::start(Behaviour::default()).unwrap();
    let folder = Folder::new();
    let url = format!("http://{}/", server.address());
    for name in ["a.json", "b.json"] {
        bench(&folder, &[&url, "--users", "1", "--for", "100ms", "-q", "-o", name]);
        assert!(Path::new(&folder.path().join(name)).is_file());
    }
    let (out, error, code) = bench(&folder, &["compare", "a.json", "b.json", "--format", "markdown"]);
    assert_eq!(code, Some(4), "{out}{error}");
    assert!(out.contains("nconclusive"), "{out}");
    good(&folder, &["baseline", "save", "main", "a.json"]);
    assert_eq!(good(&folder, &["baseline", "list"]), "main: 1 runs\n");
    let (_, _, code) = bench(&folder, &["compare", "main", "b.json"]);
    assert_eq!(code, Some(4));
    let (_, error, code) = bench(&folder, &["compare", "mian", "b.json"]);
    assert_eq!((code, error.lines().count()), (Some(1), 1), "{error}");
}

#[test]
fn unlike_machines_are_refused() {
    let server = StandIn::start(Behaviour::default()).unwrap();
    let folder = Folder::new();
    let described = good(&folder, &["env"]);
    assert!(described.contains("requests a second at the most"), "{described}");
    folder.write(
        "bench/bench.yaml",
        format!(
            "target: http://{}\nprofiles: {{smoke: 1}}\nflows: [GET /]\n",
            server.address()
        ),
    );
    good(&folder, &["run", "-q"]);
    let mut file: Value = serde_json::from_str(&folder.read("bench/environment.json")).unwrap();
    let name = file["fingerprint"].as_object().unwrap().keys().next().unwrap().clone();
    file["fingerprint"][&name] = "another".into();
    folder.write("bench/environment.json", file.to_string());
    let (_, error, code) = bench(&folder, &["run", "-q"]);
    assert_eq!((code, error.lines().count()), (Some(1), 1), "{error}");
    good(&folder, &["run", "-q", "--force"]);
}

#[test]
fn all_stages_are_one_command() {
    let gate = gate();
    let target = format!("http://{}", gate.address());
    let (out, error, code) = bench(&gate.folder, &["all", "--target", &target, "-q", "--format", "json"]);
    assert_eq!(code, Some(0), "{error}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["verdict"], "pass", "{out}");
    assert!(gate.folder.path().join("bench/environment.json").is_file());
}
