//! gRPC's own client and server, with the gate between them.

use super::super::upstream::Upstream;
use super::{Front, Server, python, said};

/// Every check of `grpc_client.py` that the server answers.
const CHECKS: &[&str] = &[
    "unary",
    "large_messages",
    "compressed",
    "server_streams",
    "client_streams",
    "both_stream",
    "many_at_once",
    "statuses",
    "status_details",
    "deadlines",
    "cancellation",
    "health",
];

fn configuration(server: &Server) -> String {
    format!(
        "services:\n  grpc: {{targets: \"http://{}\", protocol: http2}}\n  away: {{targets: \"http://{}\", protocol: http2}}\n\
         routes:\n\
         \x20 - {{path: /gate.Away/**, to: {{service: away}}}}\n\
         \x20 - {{path: /gate.Secret/**, policies: [{{api_key: {{consumers: [{{name: someone, sha256: {}}}]}}}}], to: {{service: grpc}}}}\n\
         \x20 - {{path: /gate.Test/**, to: {{service: grpc}}}}\n\
         \x20 - {{path: /grpc.health.v1.Health/**, to: {{service: grpc}}}}\n",
        server.address(),
        Upstream::nobody(),
        // Of a key that nobody has.
        "0".repeat(64)
    )
}

#[test]
fn calls_of_every_kind_go_through() {
    let server = Server::start("grpc_server.py");
    let front = Front::start(&configuration(&server));
    said(python("grpc_client.py").arg(front.clear().to_string()).args(CHECKS));
}

#[test]
fn calls_of_every_kind_go_through_tls() {
    let server = Server::start("grpc_server.py");
    let front = Front::start(&configuration(&server));
    said(
        python("grpc_client.py")
            .arg(front.secure().to_string())
            .args(CHECKS)
            .arg(front.certificate()),
    );
}

#[test]
fn what_the_gate_refuses_is_a_status() {
    let server = Server::start("grpc_server.py");
    let front = Front::start(&configuration(&server));
    said(python("grpc_client.py").arg(front.clear().to_string()).arg("refusals"));
}
