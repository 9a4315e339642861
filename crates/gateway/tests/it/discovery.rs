//! Targets that are found while the gate runs: by names, by SRV records, by a file.

use super::folder::Folder;
use super::gate::{Gate, eventually};
use super::name_server::{NameServer, Record};
use super::numbered::{Load, servers};

/// A configuration with one service, and the server of DNS to ask.
fn configuration(names: &NameServer, service: &str) -> String {
    format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\ndns: {}\n\
         services: {{shop: {service}}}\nroutes: [{{path: /**, to: {{service: shop}}}}]\n",
        names.address()
    )
}

#[test]
fn traffic_follows_the_addresses_of_a_name_and_outlives_its_server() {
    let names = NameServer::new();
    let (_servers, port) = servers(3);
    names.set_addresses("shop.test", &["127.0.0.1", "127.0.0.2"]);
    let gate = Gate::start(&configuration(&names, &format!("http://shop.test:{port}")));
    // The first request waits for the first answer.
    assert_eq!(gate.get("/").status, 200);
    let load = Load::on(gate.address(), 4);
    load.await_answers_of(&["1", "2"]);
    names.set_addresses("shop.test", &["127.0.0.3"]);
    load.await_answers_of(&["3"]);
    names.set_silent(true);
    gate.await_warning("service shop: the name `shop.test` doesn't resolve");
    assert!(gate.metric("portcullis_discovery_failures_total{service=\"shop\"}") >= 1.0);
    load.await_answers_of(&["3"]);
    names.set_silent(false);
    names.set_addresses("shop.test", &["127.0.0.1"]);
    load.await_answers_of(&["1"]);
    gate.await_log("service shop: the name `shop.test` resolves again");
    load.end();
    assert_eq!(
        gate.metric("portcullis_service_targets{service=\"shop\",state=\"good\"}"),
        1.0
    );
}

#[test]
fn a_name_that_never_resolved_is_no_reason_not_to_start() {
    let names = NameServer::new();
    let (_servers, port) = servers(1);
    let gate = Gate::start(&configuration(&names, &format!("http://late.test:{port}")));
    gate.get("/").assert_problem(502, "upstream_dns");
    names.set_addresses("late.test", &["127.0.0.1"]);
    eventually("the name to resolve", || gate.get("/").status == 200);
}

#[test]
fn nobody_is_asked_by_a_check() {
    let names = NameServer::new();
    let folder = Folder::new();
    folder.write("portcullis.yaml", configuration(&names, "http://shop.test"));
    let checked = super::gate::command(folder.path(), &["check"]);
    assert!(checked.status.success(), "{checked:?}");
    assert_eq!(names.asked(), 0);
}

#[test]
fn a_check_warns_of_a_file_of_targets_that_cannot_be_used() {
    let names = NameServer::new();
    let folder = Folder::new();
    folder.write("targets.yaml", "- {url: 'http://127.0.0.2', wieght: 2}\n");
    folder.write(
        "portcullis.yaml",
        configuration(&names, "{discover: {file: targets.yaml}}"),
    );
    let checked = super::gate::command(folder.path(), &["check"]);
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
    assert!(
        said.contains("warning: ") && said.contains("targets.yaml:1:29: [0].wieght"),
        "{said}"
    );
}

#[test]
fn srv_records_name_targets_in_the_order_of_their_priorities() {
    let names = NameServer::new();
    let (_servers, port) = servers(2);
    let service = |priority: u16, host: &'static str| Record::Service {
        priority,
        weight: 10,
        port,
        host,
    };
    names.set_addresses("one.shop.test", &["127.0.0.1"]);
    names.set_addresses("two.shop.test", &["127.0.0.2"]);
    let both = vec![service(10, "one.shop.test"), service(20, "two.shop.test")];
    names.set("_http._tcp.shop.test", both);
    let gate = Gate::start(&configuration(&names, "{discover: {srv: _http._tcp.shop.test}}"));
    let load = Load::on(gate.address(), 2);
    load.await_answers_of(&["1"]);
    names.set("_http._tcp.shop.test", vec![service(20, "two.shop.test")]);
    load.await_answers_of(&["2"]);
    load.end();
    let told = gate.ask_admin("/services/shop").json();
    assert_eq!(told["targets"][0]["url"], format!("http://two.shop.test:{port}"));
    assert_eq!(told["targets"][0]["address"], format!("127.0.0.2:{port}"));
    assert_eq!(told["targets"][0]["source"], "srv");
}

#[test]
fn traffic_follows_a_file_and_a_bad_one_changes_nothing() {
    let names = NameServer::new();
    let (_servers, port) = servers(2);
    let folder = Folder::new();
    folder.write("targets.yaml", format!("- http://127.0.0.1:{port}\n"));
    let gate = Gate::start_in(folder, &configuration(&names, "{discover: {file: targets.yaml}}"));
    assert_eq!(gate.get("/").text(), "1");
    let load = Load::on(gate.address(), 4);
    gate.folder
        .write("targets.yaml", "- {url: 'http://127.0.0.2', wieght: 2}\n");
    gate.await_warning("targets.yaml:1:29: [0].wieght: there is no key `wieght` here; did you mean `weight`?");
    load.await_answers_of(&["1"]);
    let json = format!("{{\"targets\": [{{\"url\": \"http://127.0.0.2:{port}\", \"weight\": 2}}]}}");
    gate.folder.write("targets.yaml", json);
    load.await_answers_of(&["2"]);
    std::fs::remove_file(gate.folder.path().join("targets.yaml")).unwrap();
    gate.await_warning("the file can't be read");
    load.await_answers_of(&["2"]);
    load.end();
}
