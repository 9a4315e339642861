//! Addresses that are kept out.

use super::client::{Answer, Client};
use super::folder::Folder;
use super::gate::{Gate, eventually, portcullis};

const LOCAL: (&str, &str) = ("Host", "localhost");

/// A gate behind which everything but `/` wants a key. Who is a client, a proxy on the loopback says, unless it isn't trusted.
fn configuration(more: &str, trusted: bool) -> String {
    let proxies = if trusted { "127.0.0.0/8" } else { "192.0.2.0/32" };
    format!(
        "listeners: [{{bind: '127.0.0.1:0', trusted_proxies: ['{proxies}']}}]\nadmin: {{bind: '127.0.0.1:0'}}\n{more}\n\
         policies: {{staff: {{api_key: {{consumers: [{{name: a, sha256: '{}'}}]}}}}}}\n\
         routes:\n  - {{path: /, to: {{respond: welcome}}}}\n  - {{path: /staff, policies: staff, to: {{respond: in}}}}\n",
        "0".repeat(64)
    )
}

fn operate(gate: &Gate, method: &str, target: &str) -> Answer {
    Client::connect(gate.admin()).ask(method, target, &[LOCAL], "")
}

fn ask_as(gate: &Gate, client: &str, target: &str) -> Answer {
    gate.connect()
        .ask("GET", target, &[LOCAL, ("X-Forwarded-For", client)], "")
}

#[test]
fn whoever_guesses_keys_is_kept_out_and_nobody_else_is() {
    let gate = Gate::start(&configuration("bans: {after: 5/1h, answer: refuse}", true));
    for _ in 0..5 {
        ask_as(&gate, "198.51.100.7", "/staff").assert_problem(401, "unauthenticated");
    }
    assert_eq!(ask_as(&gate, "198.51.100.7", "/").status, 200);
    ask_as(&gate, "198.51.100.7", "/staff").assert_problem(401, "unauthenticated");
    eventually("the sixth offence bans", || {
        ask_as(&gate, "198.51.100.7", "/").status == 403
    });
    ask_as(&gate, "198.51.100.7", "/").assert_problem(403, "banned");
    assert_eq!(ask_as(&gate, "198.51.100.8", "/").status, 200);
    let told = operate(&gate, "GET", "/bans").json();
    assert_eq!(
        (told[0]["network"].as_str(), told[0]["reason"].as_str()),
        (Some("198.51.100.7/32"), Some("offences"))
    );
    assert!(gate.metric("portcullis_bans") >= 1.0 && gate.metric("portcullis_requests_banned_total") >= 1.0);
    assert_eq!(operate(&gate, "DELETE", "/bans?network=198.51.100.7").status, 200);
    assert_eq!(ask_as(&gate, "198.51.100.7", "/").status, 200);
}

#[test]
fn guesses_that_call_themselves_grpc_count_as_well() {
    let gate = Gate::start(&configuration("bans: {after: 1/1h, answer: refuse}", true));
    let fields = [
        LOCAL,
        ("X-Forwarded-For", "198.51.100.7"),
        ("Content-Type", "application/grpc"),
    ];
    for _ in 0..2 {
        let refused = gate.connect().ask("GET", "/staff", &fields, "");
        assert_eq!((refused.status, refused.field("grpc-status")), (200, Some("16")));
    }
    eventually("the second offence bans", || {
        ask_as(&gate, "198.51.100.7", "/").status == 403
    });
}

#[test]
fn a_ban_closes_connections_before_anything_is_read() {
    let gate = Gate::start(&configuration("", false));
    let mut open = gate.connect();
    assert_eq!(open.get("/").status, 200);
    let banned = operate(&gate, "POST", "/bans?network=127.0.0.0/8&for=1h&reason=a%20test");
    assert_eq!(banned.status, 200, "{banned}");
    gate.connect().assert_closed();
    open.get("/").assert_problem(403, "banned");
    assert!(gate.metric("portcullis_connections_banned_total") >= 1.0);
    assert_eq!(operate(&gate, "DELETE", "/bans?network=0.0.0.0/0").status, 200);
    assert_eq!(gate.get("/").status, 200);
    for wrong in ["/bans", "/bans?network=x", "/bans?network=127.0.0.1&for=soon"] {
        assert_eq!(operate(&gate, "POST", wrong).status, 400, "{wrong}");
    }
    assert_eq!(operate(&gate, "DELETE", "/bans?network=192.0.2.1").status, 404);
    assert_eq!(operate(&gate, "PUT", "/bans").status, 405);
}

#[test]
fn a_tarpit_holds_whoever_is_banned() {
    let gate = Gate::start(&configuration("bans: {answer: tarpit, tarpit: 1s}", false));
    assert_eq!(operate(&gate, "POST", "/bans?network=127.0.0.1").status, 200);
    let begun = std::time::Instant::now();
    gate.get("/").assert_problem(403, "banned");
    assert!(begun.elapsed() >= std::time::Duration::from_secs(1));
}

#[test]
fn bans_outlive_a_restart() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("kept")).unwrap();
    let configuration = configuration("state: kept\nbans: {answer: refuse}", false);
    let gate = Gate::start_in(folder, &configuration);
    assert_eq!(operate(&gate, "POST", "/bans?network=127.0.0.1&for=1h").status, 200);
    // Written beside its place first, and in force once it is there.
    let kept = gate.folder.path().join("kept/portcullis.state.json");
    eventually("the decision is written", || {
        std::fs::read_to_string(&kept).is_ok_and(|text| text.contains("127.0.0.1/32"))
    });
    let folder = gate.kill();
    let mut command = portcullis();
    command.arg("run").arg(folder.path().join("portcullis.yaml"));
    let again = Gate::spawn(folder, command);
    again.get("/").assert_problem(403, "banned");
}

#[test]
fn a_client_has_so_many_connections_at_a_time() {
    let listener = "listeners: [{bind: '127.0.0.1:0', limits: {connections_per_client: 2}}]";
    let gate = Gate::start(&format!(
        "{listener}\nadmin: {{bind: '127.0.0.1:0'}}\nroutes:\n  - {{path: /, to: {{respond: a}}}}\n"
    ));
    let (mut first, mut second) = (gate.connect(), gate.connect());
    assert_eq!((first.get("/").status, second.get("/").status), (200, 200));
    gate.connect().assert_closed();
    drop(first);
    eventually("a connection that ended makes room", || {
        let mut client = gate.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.try_answer(false).is_ok_and(|answer| answer.status == 200)
    });
}
