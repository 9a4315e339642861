//! Those whom a certificate names.

use super::folder::Folder;
use super::gate::Gate;
use super::secure::{Authority, Identity, Returning};
use super::upstream::Upstream;

const NAME: &str = "gate.test";

#[test]
fn the_backend_learns_from_the_gate_alone_whose_certificate_it_is() {
    let upstream = Upstream::ok();
    let folder = Folder::new();
    let identity = Identity::make(&folder, "gate", &[NAME]);
    let authority = Authority::make(&folder, "ca");
    let gate = Gate::start_in(
        folder,
        &format!(
            "listeners:\n  - bind: 127.0.0.1:0\n    tls:\n      certificates: [{{cert: gate.pem, key: gate.key}}]\n\
             \x20     client_certificates: {{ca: ca.pem, mode: optional}}\n\
             services: {{up: 'http://{}'}}\npolicies:\n  guard:\n    \
             mtls: {{consumers: [{{name: payroll, dns: ANN.test, scopes: [pay]}}]}}\n\
             routes:\n  - {{path: /**, policies: [guard], to: {{service: up}}}}\n",
            upstream.address()
        ),
    );
    let ask = |visitor: &Returning| {
        let mut visit = visitor.connect(gate.address(), NAME).unwrap();
        let claims = [("Host", NAME), ("X-Consumer", "root"), ("X_Consumer", "root")];
        visit.client.ask("GET", "/", &claims, "")
    };
    let ann = identity.visitor().showing(&authority.issue("ann")).remember();
    // A resumed session is the same person's.
    for _ in 0..2 {
        assert_eq!(ask(&ann).status, 200);
        let seen = upstream.last();
        assert_eq!(seen.fields("x-consumer").collect::<Vec<_>>(), ["payroll"]);
        assert_eq!(seen.field("x-consumer-scopes"), Some("pay"));
        assert_eq!(seen.field("x_consumer"), None);
    }
    let bob = identity.visitor().showing(&authority.issue("bob")).remember();
    ask(&bob).assert_problem(401, "unauthenticated");
    ask(&identity.visitor().remember()).assert_problem(401, "unauthenticated");
    assert_eq!(upstream.requests().len(), 2);
}
