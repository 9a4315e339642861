//! Services that are reached by TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};

use super::folder::Folder;
use super::gate::{Gate, eventually, refused};
use super::secure::{Authority, Issued};

const NAME: &str = "upstream.test";

/// A server that speaks TLS, answers one request on each connection, and tells how each handshake was.
struct SecureUpstream {
    address: SocketAddr,
    handshakes: Arc<Mutex<Vec<Seen>>>,
}

/// How a handshake was, and what the gate showed of itself.
type Seen = (HandshakeKind, Option<CertificateDer<'static>>);

impl SecureUpstream {
    /// Writes `upstream.pem`, the authority to trust, into the folder.
    fn start(
        folder: &Folder,
        asks_for: Option<&Authority>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> SecureUpstream {
        let made = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).unwrap();
        folder.write("upstream.pem", made.cert.pem());
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions)
            .unwrap();
        let builder = match asks_for {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.certificate().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let config = Arc::new(builder.with_single_cert(vec![made.cert.der().clone()], key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let handshakes = Arc::<Mutex<Vec<_>>>::default();
        let seen = handshakes.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let session = ServerConnection::new(config.clone()).unwrap();
                let seen = seen.clone();
                std::thread::spawn(move || {
                    if let Some(stream) = answer_once(StreamOwned::new(session, stream)) {
                        let shown = stream
                            .conn
                            .peer_certificates()
                            .map(|chain| chain[0].clone().into_owned());
                        seen.lock()
                            .unwrap()
                            .push((stream.conn.handshake_kind().unwrap(), shown));
                    }
                });
            }
        });
        SecureUpstream { address, handshakes }
    }

    fn last(&self) -> Seen {
        self.handshakes.lock().unwrap().last().unwrap().clone()
    }

    fn configuration(&self, tls: &str) -> String {
        format!(
            "listeners: [127.0.0.1:0]\nadmin: {{bind: \"127.0.0.1:0\"}}\nservices:\n\
             \x20 up: {{targets: [\"https://{}\"], tls: {{{tls}}}}}\nroutes:\n  - {{path: /**, to: {{service: up}}}}\n",
            self.address
        )
    }
}

/// Reads one head and answers; a handshake that fails ends it.
fn answer_once(
    mut stream: StreamOwned<ServerConnection, TcpStream>,
) -> Option<StreamOwned<ServerConnection, TcpStream>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nsafe");
    stream.conn.send_close_notify();
    let _ = stream.flush();
    Some(stream)
}

fn write(folder: &Folder, issued: &Issued) {
    folder.write("gate.pem", issued.pem());
    folder.write("gate.key", issued.key_pem());
}

#[test]
fn targets_are_verified_always() {
    let folder = Folder::new();
    let upstream = SecureUpstream::start(&folder, None, rustls::ALL_VERSIONS);
    let gate = Gate::start_in(
        folder,
        &format!(
            "listeners: [127.0.0.1:0]\nservices:\n\
             \x20 trusted: {{targets: [\"https://{0}\"], tls: {{ca: upstream.pem, server_name: {NAME}}}}}\n\
             \x20 unknown: {{targets: [\"https://{0}\"], tls: {{server_name: {NAME}}}}}\n\
             \x20 misnamed: {{targets: [\"https://{0}\"], tls: {{ca: upstream.pem, server_name: other.test}}}}\n\
             routes:\n  - {{path: /trusted, to: {{service: trusted}}}}\n  - {{path: /unknown, to: {{service: unknown}}}}\n\
             \x20 - {{path: /misnamed, to: {{service: misnamed}}}}\n",
            upstream.address
        ),
    );
    assert_eq!(gate.get("/trusted").text(), "safe");
    gate.get("/unknown").assert_problem(502, "upstream_tls");
    gate.get("/misnamed").assert_problem(502, "upstream_tls");
}

#[test]
fn the_gate_shows_its_certificate_and_a_reload_takes_a_new_one() {
    let folder = Folder::new();
    let authority = Authority::make(&folder, "ca");
    let upstream = SecureUpstream::start(&folder, Some(&authority), rustls::ALL_VERSIONS);
    let first = authority.issue("gate");
    write(&folder, &first);
    let nothing = format!("ca: upstream.pem, server_name: {NAME}");
    let showing = format!("{nothing}, cert: gate.pem, key: gate.key");
    let gate = Gate::start_in(folder, &upstream.configuration(&showing));
    assert_eq!(gate.get("/").text(), "safe");
    assert_eq!(upstream.last().1.as_ref(), Some(&first.certificate));
    let second = authority.issue("other");
    write(&gate.folder, &second);
    gate.signal("HUP");
    eventually("the new certificate", || {
        gate.get("/").status == 200 && upstream.last().1.as_ref() == Some(&second.certificate)
    });
    gate.rewrite(&upstream.configuration(&nothing));
    gate.signal("HUP");
    eventually("the refusal", || gate.get("/").status == 502);
}

#[test]
fn sessions_with_targets_are_resumed() {
    let folder = Folder::new();
    let upstream = SecureUpstream::start(&folder, None, rustls::ALL_VERSIONS);
    let gate = Gate::start_in(
        folder,
        &upstream.configuration(&format!("ca: upstream.pem, server_name: {NAME}")),
    );
    assert_eq!(gate.get("/").text(), "safe");
    eventually("a resumed session", || {
        gate.get("/").status == 200 && upstream.last().0 == HandshakeKind::Resumed
    });
}

#[test]
fn a_target_that_speaks_old_tls_only_is_refused_where_the_file_says_so() {
    let folder = Folder::new();
    let upstream = SecureUpstream::start(&folder, None, &[&rustls::version::TLS12]);
    let tls = format!("ca: upstream.pem, server_name: {NAME}");
    let gate = Gate::start_in(folder, &upstream.configuration(&tls));
    assert_eq!(gate.get("/").status, 200);
    gate.rewrite(&upstream.configuration(&format!("{tls}, min_version: \"1.3\"")));
    gate.signal("HUP");
    eventually("the refusal", || gate.get("/").status == 502);
}

#[test]
fn what_cant_be_shown_is_named_at_start() {
    let folder = Folder::new();
    let authority = Authority::make(&folder, "ca");
    let upstream = SecureUpstream::start(&folder, None, rustls::ALL_VERSIONS);
    write(&folder, &authority.issue("gate"));
    folder.write("other.key", authority.issue("other").key_pem());
    for (tls, named) in [
        ("cert: gate.pem, key: missing.key", "missing.key"),
        ("cert: gate.key, key: gate.key", "gate.key"),
        ("cert: gate.pem, key: other.key", "no usable pair"),
    ] {
        let (said, code) = refused(&folder, &upstream.configuration(&format!("ca: upstream.pem, {tls}")));
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(named), "{said}");
    }
}
