//! What a running gate says of a request: its route, and what each target would say to it now.

use serde_json::json;

use super::client::Client;
use super::folder::Folder;
use super::gate::{Gate, command};
use super::numbered::servers;

fn configuration(port: u16) -> String {
    format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\n\
         services:\n  shop:\n    targets:\n      - {{url: 'http://127.0.0.1:{port}', weight: 3}}\n      - 'http://127.0.0.2:{port}'\n      \
         - {{url: 'http://127.0.0.3:{port}', priority: 1}}\n\
         routes:\n  - {{path: /shop/**, to: {{service: shop}}}}\n  - {{path: /about, to: {{respond: about}}}}\n"
    )
}

#[test]
fn each_target_says_whether_it_would_get_the_request_now() {
    let (_servers, port) = servers(3);
    let gate = Gate::start(&configuration(port));
    let drain = format!("/services/shop/drain?url=http://127.0.0.2:{port}");
    let drained = Client::connect(gate.admin()).ask("POST", &drain, &[("Host", "localhost")], "");
    assert_eq!(drained.status, 200, "{drained}");
    let told = gate.ask_admin("/explain?method=GET&url=/shop/1&header=X-A:%20b").json();
    assert_eq!(told["claimed"]["route"], "/shop/**", "{told}");
    let service = &told["claimed"]["services"][0];
    assert_eq!(
        (&service["name"], &service["rules"]["balance"]),
        (&json!("shop"), &json!("round_robin"))
    );
    let targets = service["targets"].as_array().unwrap();
    let may: Vec<_> = targets.iter().map(|target| target["may"] == true).collect();
    assert_eq!(may, [true, false, false], "{told}");
    assert_eq!(targets[0]["share"], 1.0, "{told}");
    assert!(targets[1]["verdict"].as_str().unwrap().contains("draining"), "{told}");
    assert!(
        targets[2]["verdict"].as_str().unwrap().contains("another priority"),
        "{told}"
    );
    let nowhere = gate.ask_admin("/explain?url=/nowhere").json();
    assert_eq!(nowhere["refused"]["code"], "route_not_found");
    gate.ask_admin("/explain").assert_problem(400, "bad_query");
    gate.ask_admin("/explain?url=/%25zz").assert_problem(400, "bad_query");
}

#[test]
fn the_command_asks_a_running_gate() {
    let (_servers, port) = servers(3);
    let gate = Gate::start(&configuration(port));
    let live = format!("http://{}", gate.admin());
    let run = |arguments: &[&str]| {
        let output = command(gate.folder.path(), arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (said, output.status.code())
    };
    let (said, code) = run(&["explain", "GET", "/shop/1", "--live", &live]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("service   shop\n"), "{said}");
    assert!(
        said.contains(&format!("http://127.0.0.1:{port} may get it: 75 % of such requests")),
        "{said}"
    );
    let (said, code) = run(&["explain", "GET", "/shop/1", "--live", &live, "--format", "json"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("\"verdict\""), "{said}");
    let (said, code) = run(&["explain", "GET", "/nowhere", "--live", &live]);
    assert_eq!(code, Some(1), "{said}");
    let (said, code) = run(&["explain", "GET", "/shop/1", "--live"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the system chooses the port of `admin`"), "{said}");
    let (said, _) = run(&["explain", "GET", "/shop/1", "--live", "http://127.0.0.1:1"]);
    assert!(said.contains("the gate at 127.0.0.1:1 can't be asked"), "{said}");
}

#[test]
fn without_a_running_gate_it_tells_the_rules() {
    let folder = Folder::new();
    folder.write("portcullis.yaml", configuration(9000));
    let output = command(folder.path(), &["explain", "GET", "/shop/1"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("    targets 3 are listed, of the priorities 0, 1\n"),
        "{said}"
    );
    assert!(said.contains("    balance round_robin\n"), "{said}");
    assert!(
        said.contains("    retry   up to 2 times, on connect, reset, timeout"),
        "{said}"
    );
}
