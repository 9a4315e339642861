//! One place turns failures into answers: a problem document, a page for browsers, and what Proxy-Status says.

use super::gate::Gate;
use super::upstream::Upstream;

#[test]
fn a_failure_is_a_problem_document() {
    let gate = Gate::before(Upstream::nobody());
    let answer = gate.get("/");
    answer.assert_problem(502, "upstream_refused");
    let problem = answer.json();
    assert_eq!(problem["title"], "The service can't be reached");
    let name = answer.field("x-request-id").unwrap();
    assert_eq!(problem["instance"], format!("urn:portcullis:request:{name}"));
    assert!(
        answer
            .field("cache-control")
            .is_none_or(|value| value.contains("no-store"))
    );
}

#[test]
fn a_browser_gets_a_page() {
    let gate = Gate::before(Upstream::nobody());
    let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let answer = gate.connect().ask("GET", "/", &[("Accept", accept)], "");
    assert_eq!(answer.status, 502);
    assert!(
        answer.field("content-type").unwrap().starts_with("text/html"),
        "{answer}"
    );
    assert!(answer.text().contains("The service can&#39;t be reached") || answer.text().contains("can't be reached"));
}

#[test]
fn a_page_cant_be_made_to_run_what_the_client_sent() {
    let gate = Gate::start("listeners: [127.0.0.1:0]\nroutes:\n  - {path: /a, to: {respond: x}}\n");
    let answer = gate.connect().ask(
        "GET",
        "/%3Cscript%3Ealert(1)%3C/script%3E?<b>",
        &[("Accept", "text/html")],
        "",
    );
    assert_eq!(answer.status, 404);
    assert!(
        !answer.text().contains("<script>") && !answer.text().contains("<b>"),
        "{answer}"
    );
}

#[test]
fn proxy_status_is_for_what_failed_behind_the_gate() {
    let gate = Gate::start(&format!(
        "listeners: [127.0.0.1:0]\nservices: {{up: 'http://{}'}}\nroutes:\n  - {{path: /a, to: {{service: up}}}}\n",
        Upstream::nobody()
    ));
    let failed = gate.get("/a");
    assert!(
        failed
            .field("proxy-status")
            .unwrap()
            .contains("error=connection_refused"),
        "{failed}"
    );
    assert_eq!(
        gate.get("/b").field("proxy-status"),
        None,
        "the client asked for what isn't there"
    );
}

#[test]
fn answers_that_arent_ours_have_no_proxy_status_error() {
    let upstream = Upstream::answering("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops");
    let gate = Gate::before(upstream.address());
    let answer = gate.get("/");
    assert_eq!((answer.status, answer.text().as_str()), (500, "oops"));
    assert!(!answer.fields("proxy-status").any(|value| value.contains("error=")));
}
