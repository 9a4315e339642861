//! Targets that are checked, and targets that are left alone for what requests met.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, Response};

use super::client::Client;
use super::folder::Folder;
use super::gate::{Gate, eventually};
use super::http2_peer::Http2Upstream;
use super::upstream::Upstream;

const OK: &str = "200 OK";
const UNAVAILABLE: &str = "503 Service Unavailable";

/// A server whose health a test decides.
struct Server {
    upstream: Upstream,
    well: Arc<AtomicBool>,
}

impl Server {
    /// One that answers checks by its health, and everything else with its name.
    fn checked(name: &'static str) -> Server {
        Server::playing(move |path, well| match (path, well) {
            ("/healthz", true) => (OK, "fine"),
            ("/healthz", false) => (UNAVAILABLE, ""),
            _ => (OK, name),
        })
    }

    /// One that answers everything by its health.
    fn serving(name: &'static str) -> Server {
        Server::playing(move |_, well| if well { (OK, name) } else { (UNAVAILABLE, name) })
    }

    fn playing(answer: impl Fn(&str, bool) -> (&'static str, &'static str) + Send + Sync + 'static) -> Server {
        let well = Arc::new(AtomicBool::new(true));
        let known = well.clone();
        let upstream = Upstream::playing(move |peer| {
            while let Some(request) = peer.request() {
                let (status, body) = answer(request.target(), known.load(Ordering::SeqCst));
                peer.answer(status, body);
            }
        });
        Server { upstream, well }
    }

    fn set(&self, well: bool) {
        self.well.store(well, Ordering::SeqCst);
    }

    fn url(&self) -> String {
        format!("http://{}", self.upstream.address())
    }

    /// How many requests for a path came in.
    fn seen(&self, path: &str) -> usize {
        let requests = self.upstream.requests();
        requests.iter().filter(|request| request.target() == path).count()
    }
}

/// A configuration with these lines below `services:`, and routes.
fn configuration(services: &str, routes: &str) -> String {
    format!("listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\nservices:\n{services}\nroutes:\n{routes}\n",)
}

/// The route that everything takes.
const TO_UP: &str = "  - {path: /**, to: {service: up}}";

fn healthy(gate: &Gate, server: &Server) -> f64 {
    let url = server.url();
    gate.metric(&format!(
        "portcullis_upstream_healthy{{service=\"up\",target=\"{url}\"}}"
    ))
}

fn ejections(gate: &Gate, server: &Server) -> f64 {
    let url = server.url();
    gate.metric(&format!(
        "portcullis_upstream_ejections_total{{service=\"up\",target=\"{url}\",reason=\"consecutive\"}}"
    ))
}

#[test]
fn a_target_whose_checks_fail_gets_no_requests_and_comes_back() {
    let (one, other) = (Server::checked("one"), Server::checked("other"));
    let services = format!(
        "  up: {{targets: ['{}', '{}'], health: {{path: /healthz, every: 20ms}}}}",
        one.url(),
        other.url()
    );
    let gate = Gate::start(&configuration(&services, TO_UP));
    let mut client = gate.connect();
    let mut both = || (0..2).map(|_| client.get("/").text()).collect::<Vec<_>>();
    eventually("requests at both", || both().contains(&"one".to_owned()));
    one.set(false);
    eventually("the failing target is found", || healthy(&gate, &one) == 0.0);
    for _ in 0..10 {
        assert_eq!(both(), ["other", "other"]);
    }
    assert_eq!(healthy(&gate, &other), 1.0);
    one.set(true);
    eventually("it gets requests again", || both().contains(&"one".to_owned()));
    let url = one.url();
    gate.await_warning(&format!(
        "service up: {url} is unhealthy: 3 checks failed, the last one: status 503"
    ));
    gate.await_log(&format!("service up: {url} is healthy again"));
    let checks = |result| {
        gate.metric(&format!(
            "portcullis_health_checks_total{{service=\"up\",target=\"{url}\",result=\"{result}\"}}"
        ))
    };
    assert!(checks("failed") >= 3.0 && checks("passed") >= 3.0);
    let check = one.upstream.requests().into_iter().find(|it| it.target() == "/healthz");
    let check = check.expect("it was checked");
    assert_eq!(check.field("user-agent"), Some("portcullis-health"));
    assert_eq!(check.field("host"), Some(one.upstream.address().to_string().as_str()));
}

#[test]
fn a_target_is_checked_once_however_many_routes_and_reloads_there_are() {
    let (one, other) = (Server::checked("one"), Server::checked("other"));
    one.set(false);
    let services = |path: &str| {
        format!(
            "  up: {{targets: ['{0}', '{1}'], health: {{path: {path}, every: 1h}}}}\n\
             \x20 too: {{targets: ['{0}', '{1}'], health: {{path: /healthz, every: 1h}}}}",
            one.url(),
            other.url()
        )
    };
    let routes = "  - {path: /a/**, to: {service: up}}\n  - {path: /b/**, to: {service: up, strip: /b}}\n\
                  \x20 - {path: /c/**, to: {service: too}}\n  - {path: /d/**, to: {service: too}}";
    let gate = Gate::start(&configuration(&services("/healthz"), routes));
    gate.await_warning(&format!(
        "service up: {} is unhealthy: a check failed: status 503",
        one.url()
    ));
    gate.await_warning(&format!("service too: {} is unhealthy", one.url()));
    eventually("the other one is checked", || other.seen("/healthz") == 2);
    let reload = |services: &str| {
        gate.rewrite(&configuration(services, routes));
        let answer = Client::connect(gate.admin()).ask("POST", "/reload", &[("Host", "localhost")], "");
        assert_eq!(answer.status, 200, "{answer}");
    };
    for path in ["/a/", "/b/", "/c/", "/d/"] {
        reload(&services("/healthz"));
        // What was found holds on: nobody is asked anew, and the failing target gets nothing.
        for _ in 0..4 {
            assert_eq!(gate.get(path).text(), "other");
        }
        assert_eq!(healthy(&gate, &one), 0.0);
    }
    // Other checks begin at once; those of the other service go on as they were.
    reload(&services("/ready"));
    eventually("the new checks", || {
        one.seen("/ready") == 1 && other.seen("/ready") == 1
    });
    assert_eq!((one.seen("/healthz"), other.seen("/healthz")), (2, 2));
    // Without checks nothing speaks against it any more.
    reload(&format!(
        "  up: ['{}', '{}']\n  too: ['{}']",
        one.url(),
        other.url(),
        other.url()
    ));
    eventually("nothing is known against it", || healthy(&gate, &one) == 1.0);
    eventually("it gets requests again", || gate.get("/a/").text() == "one");
}

#[test]
fn what_passes_is_what_the_file_says() {
    let server = Server::playing(|path, _| match path {
        "/teapot" => ("418 I'm a teapot", "short and stout"),
        "/moved" => ("302 Found", ""),
        _ => (OK, "all is well"),
    });
    let url = server.url();
    let case = |name: &str, health: &str| format!("  {name}: {{targets: '{url}', health: {{every: 1h, {health}}}}}\n");
    let services = [
        case("status", "path: /teapot, status: [200, 410-419]"),
        case("text", "path: '/?deep', body: is well, method: POST, host: health.test"),
        case("head", "method: HEAD"),
        case("tcp", "kind: tcp"),
        case("bad_status", "path: /teapot"),
        case("bad_text", "body: is not"),
        case("moved", "path: /moved"),
        format!(
            "  slow: {{targets: 'http://{}', health: {{every: 1h, timeout: 50ms}}}}\n",
            silent()
        ),
        format!(
            "  nobody: {{targets: 'http://{}', health: {{every: 1h, kind: tcp}}}}\n",
            Upstream::nobody()
        ),
        format!(
            "  port: {{targets: '{url}', health: {{every: 1h, kind: tcp, port: {}}}}}",
            Upstream::nobody().port()
        ),
    ]
    .concat();
    let gate = Gate::start(&configuration(&services, "  - {path: /**, to: {service: text}}"));
    for (service, why) in [
        ("bad_status", "status 418"),
        ("bad_text", "status 200, and the expected text is not in the response"),
        ("moved", "status 302"),
        ("slow", "timeout after 50ms"),
        ("nobody", "refused"),
        ("port", "refused"),
    ] {
        eventually(service, || {
            let log = gate.log();
            let line = log.lines().find(|line| line.contains(&format!("service {service}: ")));
            line.is_some_and(|line| line.contains("is unhealthy: a check failed: ") && line.contains(why))
        });
    }
    for service in ["status", "text", "head", "tcp"] {
        let passed =
            format!("portcullis_health_checks_total{{service=\"{service}\",target=\"{url}\",result=\"passed\"}}");
        eventually(service, || gate.metric(&passed) == 1.0);
    }
    let asked = server
        .upstream
        .requests()
        .into_iter()
        .find(|it| it.target() == "/?deep");
    let asked = asked.expect("it was checked");
    assert_eq!(
        (asked.line.as_str(), asked.field("host")),
        ("POST /?deep HTTP/1.1", Some("health.test"))
    );
}

/// The address of a server that accepts and says nothing.
fn silent() -> SocketAddr {
    Upstream::playing(|peer| drop(peer.rest())).address()
}

#[test]
fn checks_take_the_way_of_requests() {
    let folder = Folder::new();
    let secure = Http2Upstream::secure(&folder, &["h2", "http/1.1"]);
    let proxied = Upstream::playing(|peer| {
        let header = peer.take(15);
        assert_eq!(header.as_deref(), Some(&b"PROXY UNKNOWN\r\n"[..]));
        peer.request();
        peer.answer(OK, "");
    });
    let case = |name: &str, protocol: &str, host: &str, health: &str| {
        format!(
            "  {name}: {{targets: 'https://{}', protocol: {protocol}, tls: {{ca: upstream.pem, server_name: {host}}}, \
             health: {{every: 1h, {health}}}}}\n",
            secure.address()
        )
    };
    let services = [
        case("chosen", "auto", "upstream.test", "body: http2"),
        case("newer", "http2", "upstream.test", "body: http2"),
        case("older", "http1", "upstream.test", "body: http1"),
        case("tcp", "http1", "upstream.test", "kind: tcp"),
        case("other", "http1", "other.test", "kind: tcp"),
        format!(
            "  proxied: {{targets: 'http://{}', proxy_protocol: v1, health: {{every: 1h}}}}",
            proxied.address()
        ),
    ]
    .concat();
    let gate = Gate::start_in(folder, &configuration(&services, "  - {path: /**, to: {service: tcp}}"));
    gate.await_warning("service other: ");
    gate.await_warning("is unhealthy: a check failed: invalid peer certificate");
    for (service, url) in ["chosen", "newer", "older", "tcp"]
        .map(|service| (service, format!("https://{}", secure.address())))
        .into_iter()
        .chain([("proxied", format!("http://{}", proxied.address()))])
    {
        let passed =
            format!("portcullis_health_checks_total{{service=\"{service}\",target=\"{url}\",result=\"passed\"}}");
        eventually(service, || gate.metric(&passed) == 1.0);
    }
}

#[test]
fn grpc_servers_say_whether_they_serve() {
    let server = Http2Upstream::answering(|mut call| async move {
        let (asked, _) = call.all().await;
        assert_eq!(call.head.uri.path(), "/grpc.health.v1.Health/Check");
        assert_eq!(call.head.headers["content-type"], "application/grpc");
        assert_eq!(call.head.headers["te"], "trailers");
        let mut head = Response::new(());
        head.headers_mut()
            .insert("content-type", "application/grpc".parse().unwrap());
        let status = match &asked[..] {
            [0, 0, 0, 0, 0] => 1,
            [0, 0, 0, 0, 6, 10, 4, b's', b'i', b'c', b'k'] => 2,
            _ => {
                head.headers_mut().insert("grpc-status", "5".parse().unwrap());
                head.headers_mut()
                    .insert("grpc-message", "unknown service".parse().unwrap());
                drop(call.answer.send_response(head, true));
                return;
            }
        };
        let mut stream = call.begin(head);
        stream.send_data(vec![0, 0, 0, 0, 2, 8, status].into(), false).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        stream.send_trailers(trailers).unwrap();
    });
    let url = format!("http://{}", server.address());
    let case = |name: &str, more: &str| {
        format!("  {name}: {{targets: '{url}', protocol: http2, health: {{kind: grpc, every: 1h{more}}}}}\n")
    };
    let services = [
        case("whole", ""),
        case("sick", ", grpc_service: sick"),
        case("unheard", ", grpc_service: other"),
        format!(
            "  plain: {{targets: '{}', protocol: http2, health: {{kind: grpc, every: 1h}}}}",
            Server::serving("x").url()
        ),
    ]
    .concat();
    let gate = Gate::start(&configuration(&services, "  - {path: /**, to: {service: whole}}"));
    gate.await_warning("service sick: ");
    gate.await_warning("is unhealthy: a check failed: its status is NOT_SERVING");
    gate.await_warning("is unhealthy: a check failed: grpc-status 5 unknown service");
    gate.await_warning("service plain: ");
    let passed = format!("portcullis_health_checks_total{{service=\"whole\",target=\"{url}\",result=\"passed\"}}");
    eventually("the whole server serves", || gate.metric(&passed) == 1.0);
}

#[test]
fn a_target_that_fails_requests_is_ejected_and_returns() {
    let (one, other) = (Server::serving("one"), Server::serving("other"));
    one.set(false);
    let services = format!(
        "  up: {{targets: ['{}', '{}'], outlier: {{consecutive: 3, eject: 500ms}}}}",
        one.url(),
        other.url()
    );
    let gate = Gate::start(&configuration(&services, TO_UP));
    let mut client = gate.connect();
    eventually("the ejection", || {
        client.get("/");
        ejections(&gate, &one) == 1.0
    });
    assert_eq!(healthy(&gate, &one), 0.0);
    let before = one.seen("/");
    for _ in 0..10 {
        assert_eq!(client.get("/").text(), "other");
    }
    assert_eq!(one.seen("/"), before);
    one.set(true);
    eventually("its return", || client.get("/").text() == "one");
    let url = one.url();
    gate.await_warning(&format!(
        "service up: {url} is ejected for 500ms: 3 requests failed in a row"
    ));
    gate.await_log(&format!("service up: {url} is ejected no longer"));
    assert_eq!(healthy(&gate, &one), 1.0);
}

#[test]
fn no_more_than_the_share_is_ejected_and_the_last_one_is_tried() {
    let (one, other, alone) = (
        Server::serving("one"),
        Server::serving("other"),
        Server::serving("alone"),
    );
    for server in [&one, &other, &alone] {
        server.set(false);
    }
    let services = format!(
        "  up: {{targets: ['{}', '{}'], outlier: {{consecutive: 2, interval: 20ms}}}}\n  alone: '{}'",
        one.url(),
        other.url(),
        alone.url()
    );
    let routes = format!("  - {{path: /alone, to: {{service: alone}}}}\n{TO_UP}");
    let gate = Gate::start(&configuration(&services, &routes));
    let mut client = gate.connect();
    let out = || ejections(&gate, &one) + ejections(&gate, &other);
    eventually("an ejection", || {
        client.get("/");
        out() > 0.0
    });
    let before = one.seen("/") + other.seen("/");
    for _ in 0..20 {
        assert_eq!(client.get("/").status, 503);
        assert_eq!(client.get("/alone").status, 503);
    }
    assert_eq!(one.seen("/") + other.seen("/"), before + 20, "all were tried");
    assert_eq!(alone.seen("/alone"), 20);
    assert_eq!(out(), 1.0);
    assert_eq!(healthy(&gate, &one) + healthy(&gate, &other), 1.0);
}

#[test]
fn where_all_checks_fail_the_checks_are_not_believed() {
    let (one, other) = (Server::checked("one"), Server::checked("other"));
    one.set(false);
    other.set(false);
    let services = format!(
        "  up: {{targets: ['{}', '{}'], health: {{path: /healthz, every: 1h}}}}",
        one.url(),
        other.url()
    );
    let gate = Gate::start(&configuration(&services, TO_UP));
    eventually("both fail", || healthy(&gate, &one) + healthy(&gate, &other) == 0.0);
    let mut client = gate.connect();
    let answers: Vec<String> = (0..10).map(|_| client.get("/").text()).collect();
    assert!(answers.iter().any(|text| text == "one") && answers.iter().any(|text| text == "other"));
}
