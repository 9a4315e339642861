//! TLS sessions: resumed over workers and reloads, and the keys that they begin with.

use rustls::{CipherSuite, HandshakeKind, NamedGroup};

use super::folder::Folder;
use super::gate::{Gate, eventually};
use super::secure::Identity;

const CONFIGURATION: &str = "listeners:\n  - bind: 127.0.0.1:0\n    tls: {certificates: [{cert: a.pem, key: a.key}]}\n\
     admin: {bind: \"127.0.0.1:0\"}\nroutes:\n  - {path: /**, to: {respond: hello}}\n";

#[test]
fn a_session_is_resumed_on_any_worker_and_after_a_reload() {
    for version in rustls::ALL_VERSIONS {
        let folder = Folder::new();
        let mut visitor = Identity::make(&folder, "a", &["a.test"]).visitor();
        visitor.versions = vec![*version];
        let visitor = visitor.remember();
        let gate = Gate::start_in(folder, CONFIGURATION);
        assert_eq!(visitor.visit(gate.address(), "a.test"), Some(HandshakeKind::Full));
        // The system spreads connections over both workers.
        for _ in 0..10 {
            assert_eq!(visitor.visit(gate.address(), "a.test"), Some(HandshakeKind::Resumed));
        }
        gate.signal("HUP");
        eventually("the reload", || gate.metric("portcullis_config_reloads_total") >= 1.0);
        for _ in 0..10 {
            assert_eq!(visitor.visit(gate.address(), "a.test"), Some(HandshakeKind::Resumed));
        }
    }
}

#[test]
fn a_renewed_certificate_leaves_sessions_alone() {
    let folder = Folder::new();
    let visitor = Identity::make(&folder, "a", &["a.test"]).visitor().remember();
    let gate = Gate::start_in(folder, CONFIGURATION);
    assert_eq!(visitor.visit(gate.address(), "a.test"), Some(HandshakeKind::Full));
    let renewed = Identity::make(&gate.folder, "a", &["a.test"]);
    eventually("the new certificate", || {
        renewed.connect(gate.address(), "a.test").is_ok()
    });
    assert_eq!(visitor.visit(gate.address(), "a.test"), Some(HandshakeKind::Resumed));
}

#[test]
fn keys_are_exchanged_in_a_way_that_quantum_computers_dont_break() {
    let folder = Folder::new();
    let visitor = Identity::make(&folder, "a", &["a.test"]).visitor();
    let gate = Gate::start_in(folder, CONFIGURATION);
    let visit = visitor.remember().connect(gate.address(), "a.test").unwrap();
    assert_eq!(visit.group, Some(NamedGroup::X25519MLKEM768));
    assert_eq!(visit.kind, HandshakeKind::Full, "no second hello is needed");
}

#[test]
fn the_gate_chooses_the_cipher() {
    let folder = Folder::new();
    let identity = Identity::make(&folder, "a", &["a.test"]);
    let gate = Gate::start_in(folder, CONFIGURATION);
    for (version, suite) in [
        (&rustls::version::TLS13, CipherSuite::TLS13_AES_256_GCM_SHA384),
        (
            &rustls::version::TLS12,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        ),
    ] {
        let mut visitor = identity.visitor();
        visitor.versions = vec![version];
        visitor.provider.cipher_suites.reverse();
        let visit = visitor.remember().connect(gate.address(), "a.test").unwrap();
        assert_eq!(visit.suite, suite);
    }
}

#[test]
fn a_client_that_knows_older_ways_of_key_exchange_is_served() {
    let folder = Folder::new();
    let identity = Identity::make(&folder, "a", &["a.test"]);
    let gate = Gate::start_in(folder, CONFIGURATION);
    for group in [NamedGroup::X25519, NamedGroup::secp256r1, NamedGroup::secp384r1] {
        let mut visitor = identity.visitor();
        visitor.provider.kx_groups.retain(|known| known.name() == group);
        let visit = visitor.remember().connect(gate.address(), "a.test").unwrap();
        assert_eq!(visit.group, Some(group));
    }
}
