//! Clients that show who they are by a certificate.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::HandshakeKind;

use super::folder::Folder;
use super::gate::{Gate, eventually, refused};
use super::secure::{Authority, Identity, Returning};
use super::upstream::Upstream;

const NAME: &str = "gate.test";

/// A gate whose listeners ask for certificates in these ways, before an upstream that shows what reaches it.
fn gate(folder: Folder, upstream: &Upstream, ways: &[&str]) -> Gate {
    Gate::start_in(folder, &configuration(upstream.address(), ways))
}

fn configuration(upstream: SocketAddr, ways: &[&str]) -> String {
    let listeners: String = ways
        .iter()
        .map(|way| {
            format!(
                "  - bind: 127.0.0.1:0\n    tls:\n      certificates: [{{cert: gate.pem, key: gate.key}}]\n\
                 \x20     client_certificates: {way}\n"
            )
        })
        .collect();
    format!(
        "listeners:\n{listeners}admin: {{bind: \"127.0.0.1:0\"}}\nservices: {{up: \"http://{upstream}\"}}\n\
         routes:\n  - {{path: /**, to: {{service: up}}}}\n"
    )
}

#[test]
fn a_client_without_a_good_certificate_is_refused_where_one_is_required() {
    let upstream = Upstream::ok();
    let folder = Folder::new();
    let identity = Identity::make(&folder, "gate", &[NAME]);
    let authority = Authority::make(&folder, "ca");
    let stranger = Authority::make(&folder, "stranger").issue("ann");
    let gate = gate(folder, &upstream, &["ca.pem"]);
    let visit = |visitor: Returning| visitor.visit(gate.address(), NAME);
    assert_eq!(visit(identity.visitor().remember()), None);
    assert_eq!(visit(identity.visitor().showing(&stranger).remember()), None);
    assert_eq!(upstream.accepted(), 0);
    gate.await_log("refused 127.0.0.1:");
    // A client that has said its last word of the handshake learns of the refusal before it is counted.
    eventually("both refusals to be counted", || {
        gate.metric("portcullis_tls_handshakes_failed_total") >= 2.0
    });
    let known = authority.issue("ann");
    let kind = visit(identity.visitor().showing(&known).remember());
    // The way of key exchange that both prefer needs no second hello.
    assert_eq!(kind, Some(HandshakeKind::Full));
}

#[test]
fn a_client_may_come_without_a_certificate_where_it_is_optional_but_not_with_a_bad_one() {
    let upstream = Upstream::ok();
    let folder = Folder::new();
    let identity = Identity::make(&folder, "gate", &[NAME]);
    let authority = Authority::make(&folder, "ca");
    let stranger = Authority::make(&folder, "stranger").issue("ann");
    let gate = gate(folder, &upstream, &["{ca: ca.pem, mode: optional}"]);
    let visit = |visitor: Returning| visitor.visit(gate.address(), NAME);
    assert!(visit(identity.visitor().remember()).is_some());
    assert!(visit(identity.visitor().showing(&authority.issue("ann")).remember()).is_some());
    assert!(visit(identity.visitor().showing(&stranger).remember()).is_none());
}

#[test]
fn backends_see_the_certificate_only_where_the_file_says_so_and_never_a_clients_claim() {
    let upstream = Upstream::echo();
    let folder = Folder::new();
    let identity = Identity::make(&folder, "gate", &[NAME]);
    let ann = Authority::make(&folder, "ca").issue("ann");
    let ways = ["{ca: ca.pem, mode: optional, forward: true}", "ca.pem"];
    let gate = gate(folder, &upstream, &ways);
    let ask = |visitor: &Returning, listener: usize| {
        let mut visit = visitor.connect(gate.listener(listener), NAME).unwrap();
        let claims = [
            ("Host", NAME),
            ("Client-Cert", ":AAAA:"),
            ("client_cert", ":AAAA:"),
            ("Client-Cert-Chain", ":AAAA:"),
        ];
        assert_eq!(visit.client.ask("GET", "/", &claims, "").status, 200);
        let seen = upstream.last();
        assert!(seen.field("client-cert-chain").is_none() && seen.field("client_cert").is_none());
        seen.field("client-cert").map(str::to_owned)
    };
    let known = identity.visitor().showing(&ann).remember();
    let expected = format!(":{}:", STANDARD.encode(&ann.certificate));
    assert_eq!(ask(&known, 0), Some(expected.clone()));
    assert_eq!(ask(&known, 0), Some(expected), "a resumed session");
    assert_eq!(ask(&identity.visitor().remember(), 0), None);
    assert_eq!(ask(&known, 1), None);
}

#[test]
fn a_revoked_certificate_is_refused() {
    let upstream = Upstream::ok();
    let folder = Folder::new();
    let identity = Identity::make(&folder, "gate", &[NAME]);
    let authority = Authority::make(&folder, "ca");
    let (ann, bob) = (authority.issue("ann"), authority.issue("bob"));
    folder.write("crl.pem", authority.revoke(&[&bob]));
    let gate = gate(folder, &upstream, &["{ca: ca.pem, crl: crl.pem}"]);
    let ann = identity.visitor().showing(&ann).remember();
    let visit = |visitor: &Returning| visitor.visit(gate.address(), NAME);
    assert!(visit(&ann).is_some());
    assert!(visit(&identity.visitor().showing(&bob).remember()).is_none());
    // A ticket of before doesn't outlive the certificate.
    assert_eq!(visit(&ann), Some(HandshakeKind::Resumed));
    gate.folder
        .write("crl.pem", authority.revoke(&[&authority.issue("ann"), &bob]));
    eventually("the new list", || visit(&ann).is_none());
}

#[test]
fn a_ticket_doesnt_outlive_the_authority_that_it_was_verified_by() {
    let upstream = Upstream::ok();
    let folder = Folder::new();
    let identity = Identity::make(&folder, "gate", &[NAME]);
    let ann = Authority::make(&folder, "ca").issue("ann");
    let gate = gate(folder, &upstream, &["ca.pem", "{ca: ca.pem, mode: optional}"]);
    let visit = |visitor: &Returning| visitor.visit(gate.address(), NAME);
    let known = identity.visitor().showing(&ann).remember();
    assert_eq!(visit(&known), Some(HandshakeKind::Full));
    assert_eq!(visit(&known), Some(HandshakeKind::Resumed));
    // Nor does a ticket that was given where none is required open the door where one is.
    let nobody = identity.visitor().remember();
    assert!(nobody.visit(gate.listener(1), NAME).is_some());
    assert_eq!(visit(&nobody), None);
    Authority::make(&gate.folder, "ca");
    gate.signal("HUP");
    eventually("the new authority", || visit(&known).is_none());
}

#[test]
fn a_ticket_of_an_optional_time_is_of_no_use_when_a_certificate_is_required() {
    let upstream = Upstream::ok();
    let folder = Folder::new();
    let identity = Identity::make(&folder, "gate", &[NAME]);
    Authority::make(&folder, "ca");
    let gate = gate(folder, &upstream, &["{ca: ca.pem, mode: optional}"]);
    let nobody = identity.visitor().remember();
    assert_eq!(nobody.visit(gate.address(), NAME), Some(HandshakeKind::Full));
    assert_eq!(nobody.visit(gate.address(), NAME), Some(HandshakeKind::Resumed));
    gate.rewrite(&configuration(upstream.address(), &["ca.pem"]));
    gate.signal("HUP");
    eventually("the refusal", || nobody.visit(gate.address(), NAME).is_none());
}

#[test]
fn files_of_authorities_that_cant_be_used_are_named_at_start() {
    let folder = Folder::new();
    Identity::make(&folder, "gate", &[NAME]);
    Authority::make(&folder, "ca");
    folder.write("empty.pem", "");
    for (way, named) in [
        ("missing.pem", "missing.pem"),
        ("empty.pem", "empty.pem"),
        ("gate.key", "gate.key"),
        ("{ca: ca.pem, crl: missing.crl}", "missing.crl"),
        ("{ca: ca.pem, crl: empty.pem}", "empty.pem"),
    ] {
        let (said, code) = refused(&folder, &configuration(([127, 0, 0, 1], 1).into(), &[way]));
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(named), "{said}");
    }
}
