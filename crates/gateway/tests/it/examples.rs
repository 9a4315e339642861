//! Every configuration that we ship starts, and answers what it promises.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use super::client::{Answer, Client};
use super::folder::Folder;
use super::gate::{Gate, portcullis};
use super::http2_peer::Http2Upstream;
use super::secure::Identity;
use super::upstream::Upstream;

/// The example `hiring` with a fresh database and on ports of its own.
pub(crate) struct Hiring {
    ports: [SocketAddr; 3],
    data: PathBuf,
}

impl Hiring {
    pub(crate) fn new(data: &Path) -> Hiring {
        Hiring {
            ports: free_ports(),
            data: data.join("data"),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.ports[0]
    }

    pub(crate) fn calendar(&self) -> SocketAddr {
        self.ports[1]
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.ports[2]
    }

    /// Starts it. Started again it goes on with the same data on the same ports.
    pub(crate) fn start(&self) -> Gate {
        let mut command = portcullis();
        command
            .arg("run")
            .arg(repository().join("examples/hiring/portcullis.yaml"))
            .env("PORT", self.ports[0].port().to_string())
            .env("CALENDAR_PORT", self.ports[1].port().to_string())
            .env("ADMIN_PORT", self.ports[2].port().to_string())
            .env("DATA", &self.data);
        Gate::spawn(Folder::new(), command)
    }
}

/// The root of the checkout.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Addresses for a gate that is told its ports by number, each given once.
pub(crate) fn free_ports<const COUNT: usize>() -> [SocketAddr; COUNT] {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    // Below those that the kernel gives to port 0 and to clients (32768 and up): such a port could be that of another test
    // before the gate listens, or while it is away to be started again. Other runs of these tests begin elsewhere.
    let (lowest, count) = (20_000, 12_000);
    let first = std::process::id().wrapping_mul(64);
    let next = || loop {
        let number = first.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(lowest + number % count).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let probe = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        // As the gate does, and without listening: a process that is just being started may hold this socket for a moment.
        probe.set_reuse_address(true).unwrap();
        if probe.bind(&address.into()).is_ok() {
            return address;
        }
    };
    std::array::from_fn(|_| next())
}

#[test]
fn each_example_has_a_test_here() {
    let shipped: BTreeSet<PathBuf> = ["examples", "conformance/peers"]
        .iter()
        .flat_map(|folder| configurations(&repository().join(folder)))
        .map(|path| path.strip_prefix(repository()).unwrap().to_owned())
        .collect();
    let tested: BTreeSet<PathBuf> = [
        "examples/hiring/bench.yaml",
        "examples/hiring/portcullis.yaml",
        "conformance/peers/bare.yaml",
        "conformance/peers/guarded.yaml",
        "conformance/peers/http2.yaml",
    ]
    .iter()
    .map(PathBuf::from)
    .collect();
    assert_eq!(shipped, tested);
}

fn configurations(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(configurations(&path));
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
    found
}

#[test]
fn the_example_hiring_serves_its_page_its_tables_and_its_calendar() {
    let folder = Folder::new();
    let hiring = Hiring::new(folder.path());
    let gate = hiring.start();
    assert_eq!(gate.address(), hiring.address());
    let mut client = gate.connect();
    let home = client.get("/");
    assert_eq!((home.status, home.field("location")), (302, Some("/app/")));
    let page = client.get("/app/");
    assert!(page.text().contains("<title>Interviews</title>"), "{page}");
    assert!(page.field("content-security-policy").is_some());
    assert_eq!(
        client.get("/app/app.js").field("content-type"),
        Some("text/javascript; charset=utf-8")
    );
    let senior = client
        .get("/questions?level=eq.3&select=id,level,question,answer&limit=1000")
        .json();
    assert!(
        senior.as_array().unwrap().len() >= 25,
        "{} questions",
        senior.as_array().unwrap().len()
    );
    let topics = client.get("/topics?limit=1000").json().as_array().unwrap().len();
    assert!(topics >= 25, "{topics} topics");
    let slots = client.get("/calendar/slots?limit=3").json();
    assert_eq!(slots.as_array().unwrap().len(), 3);
    client.get("/payroll").assert_problem(401, "unauthenticated");
    let payroll = client.ask("GET", "/payroll", &[("X-Api-Key", "try-me")], "");
    assert_eq!(payroll.status, 200, "{payroll}");
    assert_eq!(Client::connect(hiring.admin()).get("/readyz").status, 200);
    assert_eq!(Client::connect(hiring.calendar()).get("/slots?limit=1").status, 200);
}

/// A request of somebody who has a key.
fn send(client: &mut Client, key: &str, method: &str, target: &str, body: &Value) -> Answer {
    let fields = [("X-Api-Key", key), ("Content-Type", "application/json")];
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    client.ask(method, target, &fields, body)
}

#[test]
fn the_example_hiring_shows_interviewers_what_is_theirs_and_recruiters_all() {
    let folder = Folder::new();
    let hiring = Hiring::new(folder.path());
    let gate = hiring.start();
    let mut client = gate.connect();
    let mut ask = |key: &str, method: &str, target: &str, body: Value| send(&mut client, key, method, target, &body);
    let of_ruth = json!({"candidate_id": 2, "interviewer": "Ruth"});
    let made = ask("i-am-ruth", "POST", "/v1/interviews", of_ruth.clone());
    assert_eq!(made.field("location"), Some("/v1/interviews/2"), "{made}");
    let line = |question: i64| json!({"interview_id": 2, "question_id": question, "position": question});
    assert_eq!(ask("i-am-ruth", "POST", "/v1/scores", line(3)).status, 201);

    for (key, interviews, lines) in [("i-am-ruth", 2, 5), ("i-am-barbara", 1, 4)] {
        for (target, expected) in [
            ("/v1/interviews", interviews),
            ("/interviews", interviews),
            ("/interview-summaries", interviews),
            ("/v1/scores", lines),
            ("/v1/questions?select=id,scores!inner(id)", lines),
        ] {
            let rows = ask(key, "GET", target, Value::Null).json();
            assert_eq!(rows.as_array().unwrap().len(), expected, "{target} for {key}: {rows}");
        }
    }
    let barbara = "i-am-barbara";
    assert_eq!(ask(barbara, "GET", "/v1/interviews/2", Value::Null).status, 404);
    assert_eq!(ask(barbara, "POST", "/v1/interviews", of_ruth).status, 403);
    assert_eq!(ask(barbara, "POST", "/v1/scores", line(4)).status, 403);
    // To say that it is one's own makes it no more so.
    let claimed = json!({"interview_id": 2, "question_id": 2, "position": 2, "interviewer": "Barbara"});
    ask(barbara, "POST", "/v1/scores", claimed).assert_problem(422, "invalid_content");
    let own = json!({"interview_id": 1, "question_id": 2, "position": 9, "interviewer": "Barbara"});
    assert_eq!(ask(barbara, "POST", "/v1/scores", own).status, 201);
    assert_eq!(ask("i-am-nobody", "GET", "/v1/interviews", Value::Null).status, 401);
    assert_eq!(
        gate.get("/v1/scores?interview_id=eq.2").json()[0]["interviewer"],
        "Ruth"
    );
}

#[test]
fn the_example_hiring_finishes_an_interview_wholly_or_not_at_all() {
    let folder = Folder::new();
    let hiring = Hiring::new(folder.path());
    let gate = hiring.start();
    let mut client = gate.connect();
    let tag = client
        .get("/v1/interviews/1?select=id")
        .field("etag")
        .unwrap()
        .to_owned();
    let finish = |tag: &str, question: i64, score: i64| {
        let line = json!({"interview_id": 1, "interviewer": "Barbara", "question_id": question, "position": question + 7, "score": score});
        let body = json!({"ops": [
            {"insert": "scores", "values": line},
            {"patch": "interviews/1", "if_match": tag, "values": {"conclusion": "Hire."}, "select": "conclusion"},
            {"get": "scores?select=score&interview_id=eq.1&order=position.desc&limit=1"},
        ]});
        send(&mut gate.connect(), "i-am-barbara", "POST", "/v1/$tx", &body)
    };
    // No score is 9, and no version was that one.
    finish(&tag, 2, 9).assert_problem(422, "invalid_content");
    finish("\"another\"", 2, 3).assert_problem(412, "precondition_failed");
    assert_eq!(
        client.get("/v1/scores?position=eq.9").json(),
        json!([]),
        "half of it happened"
    );
    let done = finish(&tag, 2, 3).json();
    assert_eq!(done["results"][0]["status"], 201, "{done}");
    assert_eq!(done["results"][1]["body"], json!({"conclusion": "Hire."}));
    assert_eq!(done["results"][2]["body"], json!([{"score": 3}]));
    finish(&tag, 3, 3).assert_problem(412, "precondition_failed");
    let alone = json!({"conclusion": "No."});
    let missing = send(&mut client, "i-am-barbara", "PATCH", "/v1/interviews/1", &alone);
    assert_eq!(missing.status, 428, "{missing}");
}

#[test]
fn the_example_hiring_joins_unites_and_sums_up() {
    let folder = Folder::new();
    let hiring = Hiring::new(folder.path());
    let gate = hiring.start();
    let card = gate.get("/v1/interviews/1?select=candidates(name),scores(score,questions(topics(name)))&scores.order=position&scores.limit=1");
    let expected = json!({
        "candidates": {"name": "Grace Example"},
        "scores": [{"score": 4, "questions": {"topics": {"name": "REST"}}}],
    });
    assert_eq!(card.json(), expected);
    let found = gate.get("/v1/found-questions?union=found-candidates&select=$resource,id&text=ilike.*linus*");
    assert_eq!(found.json(), json!([{"$resource": "found-candidates", "id": 2}]));
    let average = gate.get("/v1/scores?select=interview_id,score.avg(),count()&having=(count.gt.3)");
    assert_eq!(average.json(), json!([{"interview_id": 1, "avg": 3.0, "count": 4}]));
    let unasked = gate.get("/v1/rpc/unasked?level=1").json();
    assert_eq!(unasked.as_array().unwrap().len(), 31, "{unasked}");
    let described = gate.get("/v1/openapi.json").json();
    assert_eq!(described["paths"]["/topics"]["post"], Value::Null);
    assert!(described["paths"]["/candidates"]["post"].is_object());
}

#[test]
fn the_example_hiring_keeps_what_it_was_told() {
    let folder = Folder::new();
    let hiring = Hiring::new(folder.path());
    let gate = hiring.start();
    let body = json!({"name": "Ada", "email": "ada@example.com"}).to_string();
    let made = gate
        .connect()
        .ask("POST", "/candidates", &[("Content-Type", "application/json")], body);
    assert_eq!(made.status, 201, "{made}");
    let place = made.field("location").unwrap().to_owned();
    drop(gate);
    let gate = hiring.start();
    assert_eq!(gate.get(&place).json()["name"], "Ada");
}

#[test]
fn the_load_test_of_the_example_hiring_passes_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let hiring = Hiring::new(folder.path());
    let gate = hiring.start();
    let candidates = || gate.get("/candidates?select=id").json();
    let before = candidates();
    let output = portcullis()
        .args(["bench", "run"])
        .arg(repository().join("examples/hiring/bench.yaml"))
        .args(["--profile", "smoke", "--quiet", "--format", "json", "--folder"])
        .arg(folder.path().join("bench"))
        .env("CALENDAR_PORT", hiring.calendar().port().to_string())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["verdict"], "pass");
    let routes = &report["measured"]["phases"][0]["routes"];
    for (route, requests) in [
        ("page", 6),
        ("questions", 3),
        ("invite", 3),
        ("read back", 3),
        ("dismiss", 3),
    ] {
        assert_eq!(routes[route]["ended"], requests, "{route}: {routes}");
    }
    assert_eq!(candidates(), before);
}

#[test]
fn the_bare_and_the_guarded_proxy_forward() {
    for file in ["bare.yaml", "guarded.yaml"] {
        let upstream = Upstream::echo();
        let folder = Folder::new();
        let identity = Identity::make(&folder, "site", &["localhost"]);
        let [plain, tls] = free_ports();
        let mut command = portcullis();
        command
            .arg("run")
            .arg(repository().join("conformance/peers").join(file))
            .env("PORT", plain.port().to_string())
            .env("TLS_PORT", tls.port().to_string())
            .env("UP_PORT", upstream.address().port().to_string())
            .env("CERT", folder.path().join("site.pem"))
            .env("KEY", folder.path().join("site.key"));
        let _gate = Gate::spawn(Folder::new(), command);
        Client::connect(plain).ask("GET", "/1k", &[("X-Forwarded-For", "9.9.9.9")], "");
        let chain: Vec<String> = upstream.last().fields("x-forwarded-for").map(str::to_owned).collect();
        assert_eq!(chain.join(", "), "9.9.9.9, 127.0.0.1", "{file}");
        let mut secure = identity.connect(tls, "localhost").unwrap();
        assert_eq!(
            secure.ask("GET", "/1k", &[("Host", "localhost")], "").status,
            200,
            "{file}"
        );
    }
}

#[test]
fn the_examples_pass_the_check() {
    let output = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .arg("check")
        .arg(repository().join("examples/hiring/portcullis.yaml"))
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn the_bare_proxy_before_http2_forwards() {
    let upstream = Http2Upstream::answering(|mut call| async move { call.whole("ok") });
    let [plain] = free_ports();
    let mut command = portcullis();
    command
        .arg("run")
        .arg(repository().join("conformance/peers/http2.yaml"))
        .env("PORT", plain.port().to_string())
        .env("UP_PORT", upstream.address().port().to_string());
    let _gate = Gate::spawn(Folder::new(), command);
    let answer = Client::connect(plain).get("/1k");
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
}
