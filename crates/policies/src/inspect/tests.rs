use std::path::PathBuf;
use std::time::Duration;

use portcullis_config::policy::inspect::Exclusion;
use portcullis_core::{Body, Status};
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::trial::{self, Trial, context, exchange, request, send};

/// A few rules in the manner of the Core Rule Set.
const RULES: &str = r#"
SecDefaultAction "phase:1,log,pass"
SecDefaultAction "phase:2,log,pass"
SecRule ARGS|REQUEST_HEADERS:User-Agent "@rx (?i)union\s+select" \
    "id:942100,phase:2,block,capture,t:none,t:urlDecodeUni,msg:'SQL',tag:'attack-sqli',\
    logdata:'Matched Data: %{TX.0} found within %{MATCHED_VAR_NAME}: %{MATCHED_VAR}',\
    setvar:'tx.score=+5'"
SecRule TX:SCORE "@ge 5" "id:949110,phase:2,deny,msg:'Score %{tx.score}'"
SecRule REQUEST_METHOD "@streq TRACE" "id:911100,phase:1,deny,msg:'Method'"
SecRule RESPONSE_BODY "@pm stacktrace" "id:950100,phase:4,deny,msg:'Leak'"
"#;

struct Trials {
    folder: tempfile::TempDir,
    kept: Kept,
    sinks: Sinks,
    runtime: Runtime,
}

impl Trials {
    fn new() -> Trials {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.conf"), RULES).unwrap();
        Trials {
            folder,
            kept: Kept::default(),
            sinks: Sinks::default(),
            runtime: Builder::new_multi_thread().worker_threads(1).build().unwrap(),
        }
    }

    fn config(&self) -> Written {
        Written {
            rules: vec![self.folder.path().join("a.conf").to_string_lossy().into_owned()],
            ..Written::default()
        }
    }

    fn make(&self, config: &Written) -> std::result::Result<Inspect, String> {
        Inspect::new(
            config,
            &Surroundings {
                base: self.folder.path(),
                kept: &self.kept,
                sinks: Some(&self.sinks),
                slow: self.runtime.handle(),
            },
        )
    }

    fn policy(&self, config: &Written) -> Arc<dyn Policy> {
        Arc::new(self.make(config).unwrap())
    }

    fn counted(&self) -> String {
        let mut out = String::new();
        self.kept.counts.render(&mut out);
        out
    }
}

fn check_refused(trial: &Trial, reason: &str) {
    let error = trial.result.as_ref().unwrap_err();
    assert_eq!(
        (error.code().name, error.policy()),
        ("request_blocked", Some("inspect"))
    );
    assert_eq!(error.status().code(), 403);
    assert_eq!(error.detail(), None, "the client is told what was found");
    assert_eq!(error.cause().unwrap().to_string(), reason);
    assert!(trial.seen.is_none());
}

fn check_passed(trial: &Trial) {
    assert_eq!(trial.status().code(), 200, "{:?}", trial.result);
}

fn posted(content_type: &str, content: &str) -> Request {
    let mut request = request("POST", "/a", &[("content-type", content_type)]);
    request.body = Body::from(content.to_owned());
    request
}

const ATTACK: &str = "/a?id=1%20union%20%20select%202";

#[test]
fn attacks_are_refused_and_others_pass() {
    let trials = Trials::new();
    let policy = trials.policy(&trials.config());
    check_refused(
        &send(&policy, request("GET", ATTACK, &[]), &[]),
        "rule 942100, rule 949110",
    );
    check_refused(&send(&policy, request("TRACE", "/", &[]), &[]), "rule 911100");
    let agent = [("user-agent", "UNION SELECT")];
    check_refused(
        &send(&policy, request("GET", "/", &agent), &[]),
        "rule 942100, rule 949110",
    );
    check_passed(&send(&policy, request("GET", "/a?id=select", &[]), &[]));
    let counted = trials.counted();
    assert!(
        counted.contains("portcullis_inspect_hits_total{family=\"942\",action=\"refused\"} 2"),
        "{counted}"
    );
}

#[test]
fn bodies_are_read_and_handed_on() {
    let trials = Trials::new();
    let policy = trials.policy(&trials.config());
    let json = "{\"a\": [{\"b\": \"x union select y\"}]}";
    check_refused(
        &send(&policy, posted("application/json", json), &[]),
        "rule 942100, rule 949110",
    );
    let form = "x=1&y=union+select";
    check_refused(
        &send(&policy, posted("application/x-www-form-urlencoded", form), &[]),
        "rule 942100, rule 949110",
    );
    let honest = "{\"a\": \"union\"}";
    let trial = exchange(
        &policy,
        posted("application/json; charset=utf-8", honest),
        Response::new(Status::OK),
    );
    let seen = trial::now(trial.seen.unwrap().body.read_to_end(1_000)).unwrap();
    assert_eq!(seen, honest);
}

#[test]
fn what_is_not_what_its_type_says_is_refused() {
    let trials = Trials::new();
    let policy = trials.policy(&trials.config());
    for (content_type, content) in [
        ("application/json", "{\"a\": 1"),
        ("application/json", "{} {}"),
        ("application/xml", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"),
        ("application/xml", "<a>"),
        ("multipart/form-data", "--x\r\n"),
        (
            "multipart/form-data; boundary=x",
            "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb",
        ),
    ] {
        check_refused(&send(&policy, posted(content_type, content), &[]), "rule 9900001");
    }
    for (content_type, content) in [
        ("application/json", ""),
        ("application/xml", "<a b=\"c\">d</a>"),
        (
            "multipart/form-data; boundary=x",
            "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n",
        ),
        ("application/octet-stream", "\0\u{1}"),
    ] {
        check_passed(&send(&policy, posted(content_type, content), &[]));
    }
}

#[test]
fn large_bodies_are_refused_or_looked_at_in_part() {
    let trials = Trials::new();
    let mut config = trials.config();
    config.body = portcullis_config::units::ByteSize(20);
    let long = "a=1&b=union+select&c=2345678";
    let form = "application/x-www-form-urlencoded";
    let trial = send(&trials.policy(&config), posted(form, long), &[]);
    assert_eq!(trial.result.unwrap_err().code().name, "content_too_large");
    config.larger_body = LargerBody::FirstPart;
    let policy = trials.policy(&config);
    check_refused(&send(&policy, posted(form, long), &[]), "rule 942100, rule 949110");
    let json = "{\"a\": 1, \"b\": \"honest and longer than what is looked at\"}";
    check_passed(&send(&policy, posted("application/json", json), &[]));
    let behind = "a=123456789012345678901234567890&b=union+select";
    let trial = exchange(&policy, posted(form, behind), Response::new(Status::OK));
    let seen = trial::now(trial.seen.unwrap().body.read_to_end(1_000)).unwrap();
    assert_eq!(seen, behind);
}

#[test]
fn what_is_encoded_is_refused_or_let_pass() {
    let trials = Trials::new();
    for own in [false, true] {
        let mut config = if own { Written::default() } else { trials.config() };
        let encoded = || {
            let mut request = posted("application/json", "\u{1f}\u{8b}");
            request.headers.append(Known::ContentEncoding, "gzip");
            request
        };
        check_refused(&send(&trials.policy(&config), encoded(), &[]), "the content is encoded");
        config.on_failure = OnFailure::Admit;
        check_passed(&send(&trials.policy(&config), encoded(), &[]));
        let mut plain = posted("application/json", "{}");
        plain.headers.append(Known::ContentEncoding, "identity");
        check_passed(&send(&trials.policy(&Written::default()), plain, &[]));
    }
}

#[test]
fn what_takes_long_is_judged_elsewhere() {
    let trials = Trials::new();
    let policy = trials.policy(&trials.config());
    for (end, refused) in [("&b=union+select", true), ("", false)] {
        let form = format!("a={}{end}", "x".repeat(SMALL + 1));
        let outcome = trials.runtime.block_on(async {
            let policies = [Arc::clone(&policy)];
            let mut cx = context();
            let request = posted("application/x-www-form-urlencoded", &form);
            Next::new(&policies, &Honest).run(&mut cx, request).await
        });
        assert_eq!(outcome.is_err(), refused, "{outcome:?}");
    }
}

/// A backend that answers.
struct Honest;

impl portcullis_core::Backend for Honest {
    fn call<'a>(&'a self, _cx: &'a mut Ctx, _request: Request) -> Reply<'a> {
        Response::new(Status::OK).into()
    }
}

#[test]
fn a_report_lets_pass_and_counts() {
    let trials = Trials::new();
    let mut config = trials.config();
    config.mode = Mode::Report;
    let policy = trials.policy(&config);
    check_passed(&send(&policy, request("GET", ATTACK, &[]), &[]));
    let counted = trials.counted();
    assert!(counted.contains("{family=\"949\",action=\"reported\"} 1"), "{counted}");
}

#[test]
fn exclusions_reach_as_far_as_they_say() {
    let trials = Trials::new();
    let exclusion = |rule, tag: Option<&str>, target: Option<&str>, path: Option<&str>| Exclusion {
        rule,
        tag: tag.map(str::to_owned),
        target: target.map(str::to_owned),
        path: path.map(str::to_owned),
    };
    for (excluded, passes) in [
        (exclusion(Some(942_100), None, None, None), true),
        (exclusion(None, Some("attack-sqli"), None, None), true),
        (exclusion(None, Some("attack"), None, None), false),
        (exclusion(None, None, Some("ARGS:id"), None), true),
        (exclusion(None, None, Some("ARGS:other"), None), false),
        (exclusion(Some(942_100), None, Some("ARGS:id"), Some("/a")), true),
        (exclusion(None, Some("attack-sqli"), None, Some("/a/")), true),
        (exclusion(Some(942_100), None, None, Some("/a/b")), false),
        (exclusion(None, None, None, Some("/")), true),
    ] {
        let mut config = trials.config();
        config.exclude = vec![excluded.clone()];
        let trial = send(&trials.policy(&config), request("GET", ATTACK, &[]), &[]);
        assert_eq!(trial.result.is_ok(), passes, "{excluded:?}");
    }
}

#[test]
fn rules_of_the_gates_own_need_no_files() {
    let trials = Trials::new();
    let mut config = Written::default();
    let policy = trials.policy(&config);
    let attack = "/a?id=1%27%20or%20%271%27=%271";
    check_refused(&send(&policy, request("GET", attack, &[]), &[]), "sql");
    check_refused(
        &send(
            &policy,
            posted("application/json", "{\"a\": \"<script>alert(1)</script>\"}"),
            &[],
        ),
        "script",
    );
    check_passed(&send(&policy, request("GET", "/a?q=it's+fine", &[]), &[]));
    config.exclude = vec![Exclusion {
        path: Some("/a".to_owned()),
        ..Exclusion::default()
    }];
    check_passed(&send(&trials.policy(&config), request("GET", attack, &[]), &[]));
    config.exclude[0].rule = Some(1);
    assert!(trials.make(&config).is_err());
    config = Written {
        rules: vec!["embedded".to_owned(), "a.conf".to_owned()],
        ..Written::default()
    };
    assert!(trials.make(&config).is_err());
}

#[test]
fn responses_are_looked_at_where_that_is_asked_for() {
    let trials = Trials::new();
    let mut config = trials.config();
    let leaking = || {
        let mut response = Response::new(Status::OK);
        response.headers.append("content-type", "text/html");
        response.body = Body::from("a stacktrace of b");
        response
    };
    let fields = [("accept-encoding", "gzip")];
    let trial = exchange(&trials.policy(&config), request("GET", "/", &fields), leaking());
    assert!(trial.result.is_ok());
    config.responses = true;
    std::fs::write(
        trials.folder.path().join("a.conf"),
        format!("SecResponseBodyAccess On\n{RULES}"),
    )
    .unwrap();
    let policy = trials.policy(&config);
    let run = |response| {
        trials.runtime.block_on(async {
            let policies = [Arc::clone(&policy)];
            let backend = Given(std::sync::Mutex::new(Some(response)));
            Next::new(&policies, &backend)
                .run(&mut context(), request("GET", "/", &fields))
                .await
        })
    };
    assert_eq!(
        run(text("text/html", "a stacktrace of b")).unwrap_err().code().name,
        "request_blocked"
    );
    assert!(run(text("image/png", "a stacktrace of b")).is_ok());
    let passed = run(text("text/html", "honest")).unwrap();
    assert_eq!(trial::now(passed.body.read_to_end(100)).unwrap(), "honest");
}

/// An answer by its type and content.
type Answer = (&'static str, &'static str);

fn text(content_type: &'static str, content: &'static str) -> Answer {
    (content_type, content)
}

struct Given(std::sync::Mutex<Option<Answer>>);

impl portcullis_core::Backend for Given {
    fn call<'a>(&'a self, _cx: &'a mut Ctx, request: Request) -> Reply<'a> {
        assert!(!request.headers.contains(Known::AcceptEncoding));
        let (content_type, content) = self.0.lock().unwrap().take().unwrap();
        let mut response = Response::new(Status::OK);
        response.headers.append("content-type", content_type);
        response.body = Body::from(content);
        response.into()
    }
}

#[test]
fn the_audit_log_tells_of_hits_and_no_secrets() {
    let trials = Trials::new();
    let mut config = trials.config();
    config.audit_log = Some(PathBuf::from("audit.log"));
    let policy = trials.policy(&config);
    send(&policy, request("GET", "/a?password=hunter2+union+select", &[]), &[]);
    send(&policy, request("GET", "/a?honest=1", &[]), &[]);
    assert!(trials.sinks.close(Duration::from_secs(10)));
    let log = std::fs::read_to_string(trials.folder.path().join("audit.log")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 1, "{log}");
    let line: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(line["action"], "refused");
    assert_eq!(line["request_id"], "id-1");
    assert_eq!(line["path"], "/a");
    assert_eq!(line["hits"][0]["rule"], 942_100);
    assert_eq!(line["hits"][0]["variables"][0], "ARGS:password");
    assert_eq!(line["hits"][0]["data"], "***");
    assert_eq!(line["hits"][1]["message"], "Score 5");
    assert!(!log.contains("hunter2"));
}

#[test]
fn what_cannot_be_run_stops_the_start() {
    let trials = Trials::new();
    let mut config = trials.config();
    for (rules, problem) in [
        ("SecNothing", "the directive SecNothing is unknown"),
        ("SecRule ARGS \"@rx (\" \"id:1\"", "unclosed group"),
        ("SecRule ARGS \"@inspectFile x\" \"id:1\"", "@inspectFile"),
        ("Include missing.conf", "missing.conf"),
        ("SecAction id:1,pass\nSecAction id:1,pass", "stands at"),
    ] {
        std::fs::write(trials.folder.path().join("a.conf"), rules).unwrap();
        let error = trials.make(&config).err().unwrap();
        assert!(error.contains(problem) && error.contains("a.conf:"), "{error}");
    }
    config.rules = vec!["nowhere.conf".to_owned()];
    assert!(trials.make(&config).err().unwrap().contains("nowhere.conf"));
    config.rules = vec![".".to_owned()];
    std::fs::remove_file(trials.folder.path().join("a.conf")).unwrap();
    assert!(trials.make(&config).is_err(), "an empty folder guards nothing");
}

#[test]
fn what_has_no_meaning_here_is_told_once() {
    let trials = Trials::new();
    let rules = format!("{RULES}SecAuditEngine On\nSecAction id:1,initcol:ip=a\nSecAction id:2,initcol:ip=b");
    std::fs::write(trials.folder.path().join("a.conf"), rules).unwrap();
    let warnings = trials.make(&trials.config()).unwrap().warnings();
    assert_eq!(warnings.len(), 2);
    assert!(
        warnings[1].contains("initcol") && warnings[1].ends_with("the same at 1 places more"),
        "{warnings:?}"
    );
}

#[test]
fn too_much_work_is_refused() {
    let trials = Trials::new();
    let policy = trials.policy(&trials.config());
    let many = "a&".repeat(2_000);
    check_refused(
        &send(&policy, request("GET", &format!("/?{many}"), &[]), &[]),
        "the request has more arguments than rules may look at",
    );
    let mut config = trials.config();
    config.on_failure = OnFailure::Admit;
    let policy = trials.policy(&config);
    check_passed(&send(&policy, request("GET", &format!("/?{many}"), &[]), &[]));
}
