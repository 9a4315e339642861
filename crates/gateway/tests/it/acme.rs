//! Certificates by ACME: ordered, proven, served, renewed and shared; and what happens when there is none.

mod authority;
mod jws;
mod validation;
mod wire;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use serde_json::json;

use self::authority::{Authority, BOUND, Manner};
use super::client::{Client, socket};
use super::folder::Folder;
use super::gate::{Gate, eventually, portcullis};

/// A gate that answers on a listener by TLS and on one in clear text, with more lines for `acme`.
fn configuration(authority: &Authority, more: &str) -> String {
    format!(
        "listeners:\n  - bind: 127.0.0.1:0\n    tls:\n      acme:\n        domains: [shop.test, www.shop.test]\n\
         \x20       accept_terms: true\n        directory: {}\n        ca: ca.pem\n{more}\
         \x20 - {{bind: \"127.0.0.1:0\", redirect_to_https: 443}}\nadmin: 127.0.0.1:0\n\
         routes:\n  - {{path: /**, to: {{respond: hello}}}}\n",
        authority.directory()
    )
}

/// The certificate that a client gets which trusts an authority, or why there is none.
fn served(address: SocketAddr, name: &str, root: CertificateDer<'static>) -> Result<CertificateDer<'static>, String> {
    let mut roots = RootCertStore::empty();
    roots.add(root).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = socket(address);
    while session.is_handshaking() {
        session.complete_io(&mut stream).map_err(|error| error.to_string())?;
    }
    Ok(session.peer_certificates().unwrap()[0].clone().into_owned())
}

fn await_certificate(gate: &Gate, authority: &Authority) -> CertificateDer<'static> {
    let mut certificate = None;
    eventually("the certificate", || {
        certificate = served(gate.address(), "shop.test", authority.root()).ok();
        certificate.is_some()
    });
    certificate.unwrap()
}

fn expiry(gate: &Gate) -> f64 {
    gate.metric("portcullis_acme_certificate_expiry_seconds{domain=\"shop.test\"}")
}

/// The files in a folder of the storage, but for those that are being written.
fn kept(folder: &Folder, shelf: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path().join("acme").join(shelf)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| !name.ends_with(".draft")).collect();
    names.sort();
    names
}

#[test]
fn a_certificate_is_proven_by_handshakes_and_served() {
    let folder = Folder::new();
    let authority = Authority::start(&folder, Manner::default());
    let gate = Gate::start_in(folder, &configuration(&authority, "        contact: ops@shop.test\n"));
    // Until there is one, whoever comes gets an alert, and operators see it.
    let why = served(gate.address(), "shop.test", authority.root()).unwrap_err();
    assert!(why.contains("alert"), "{why}");
    assert!(expiry(&gate).abs() < 0.5);
    assert_eq!(gate.ask_admin("/readyz").status, 200);
    let elsewhere = validation::shown_to(gate.address(), "other.test", &[b"acme-tls/1"]);
    assert!(elsewhere.is_err(), "a proof for a name that nobody asked for");

    authority.names_lead_to(&[gate.address()]);
    let certificate = await_certificate(&gate, &authority);
    assert_eq!(
        served(gate.address(), "www.shop.test", authority.root()),
        Ok(certificate)
    );
    assert!(served(gate.address(), "other.test", authority.root()).is_err());
    eventually("the number", || expiry(&gate) > 1e9);
    let ordered = authority.orders();
    let names = [
        json!({"type": "dns", "value": "shop.test"}),
        json!({"type": "dns", "value": "www.shop.test"}),
    ];
    assert_eq!(ordered, [json!({"identifiers": names})]);
    assert_eq!(authority.accounts()[0]["contact"], json!(["mailto:ops@shop.test"]));

    // Nobody else may read the keys, and answers that nobody asks for any more are gone.
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let storage = gate.folder.path().join("acme");
    assert_eq!(mode(&storage), 0o700);
    for shelf in ["accounts", "certificates"] {
        for file in kept(&gate.folder, shelf) {
            assert_eq!(mode(&storage.join(shelf).join(&file)), 0o600, "{file}");
        }
    }
    eventually("the end of the questions", || {
        kept(&gate.folder, "challenges").is_empty()
    });
}

#[test]
fn a_certificate_is_proven_by_requests_before_all_guards_and_redirections() {
    let folder = Folder::new();
    let manner = Manner {
        binds: true,
        ..Manner::default()
    };
    let authority = Authority::start(&folder, manner);
    folder.write("bound", base64_url(BOUND.1));
    let more = format!(
        "        challenge: http\n        external_account: {{key_id: {}, key: \"file:bound\"}}\n",
        BOUND.0
    );
    let guarded = "everywhere: [guard]\npolicies: {guard: {api_key: {consumers: [{name: a, key: \"file:bound\"}]}}}\n";
    let configuration = configuration(&authority, &more) + guarded;
    let gate = Gate::start_in(folder, &configuration);
    authority.names_lead_to(&[gate.listener(1)]);
    await_certificate(&gate, &authority);
    // When nobody asks any more, the path is like any other.
    eventually("the end of the question", || {
        let asked = "/.well-known/acme-challenge/token_of-0-0";
        Client::connect(gate.listener(1)).get(asked).status == 401
    });
    assert_eq!(
        gate.metric("portcullis_acme_certificates_issued_total{domain=\"shop.test\"}"),
        1.0
    );
}

#[test]
fn a_certificate_is_renewed_without_a_gap_and_lives_through_reloads() {
    let folder = Folder::new();
    let manner = Manner {
        lifetime: Duration::from_secs(18),
        ..Manner::default()
    };
    let authority = Authority::start(&folder, manner);
    let text = configuration(&authority, "        renew_before: 12s\n");
    let gate = Gate::start_in(folder, &text);
    authority.names_lead_to(&[gate.address()]);
    let first = await_certificate(&gate, &authority);
    gate.rewrite(&text.replace("hello", "hi"));
    gate.signal("HUP");
    gate.await_log("was reloaded");
    assert_eq!(served(gate.address(), "shop.test", authority.root()), Ok(first.clone()));
    eventually("the next certificate", || {
        served(gate.address(), "shop.test", authority.root()).unwrap() != first
    });
    assert_eq!(authority.orders().len(), 2);
    assert_eq!(authority.accounts().len(), 1);

    // When the file asks for it no more, nobody looks after it.
    gate.rewrite("listeners: [127.0.0.1:0]\nadmin: 127.0.0.1:0\nroutes: [{path: /, to: {respond: hello}}]\n");
    gate.signal("HUP");
    eventually("the end of the task", || {
        !gate.ask_admin("/metrics").text().contains("{domain=\"shop.test\"}")
    });
}

#[test]
fn gates_that_share_a_folder_share_one_order_and_all_answer() {
    let folder = Folder::new();
    let authority = Authority::start(&folder, Manner::default());
    let shared = folder.path().join("shared");
    let text = configuration(&authority, &format!("        storage: {}\n", shared.display()));
    let gates = [gate_beside(&folder, &text), gate_beside(&folder, &text)];
    authority.names_lead_to(&[gates[0].address(), gates[1].address()]);
    let first = await_certificate(&gates[0], &authority);
    assert_eq!(await_certificate(&gates[1], &authority), first);
    assert_eq!((authority.orders().len(), authority.accounts().len()), (1, 1));

    // One that comes later takes what is there, before it listens.
    let third = gate_beside(&folder, &text);
    assert_eq!(served(third.address(), "shop.test", authority.root()), Ok(first));
    assert_eq!(authority.orders().len(), 1);
}

/// A gate with a folder of its own, and the authority's certificate from another one.
fn gate_beside(folder: &Folder, text: &str) -> Gate {
    let own = Folder::new();
    own.write("ca.pem", folder.read("ca.pem"));
    Gate::start_in(own, text)
}

#[test]
fn what_failed_is_said_and_not_tried_again_at_once_even_after_a_restart() {
    let folder = Folder::new();
    let authority = Authority::start(&folder, Manner::default());
    let text = configuration(&authority, "");
    let gate = Gate::start_in(folder, &text);
    // The listener in clear text knows nothing of handshakes.
    authority.names_lead_to(&[gate.listener(1)]);
    gate.await_log("no new certificate for shop.test, www.shop.test: shop.test: the authority says");
    gate.await_log("The next try is in ");
    let failed = "portcullis_acme_orders_failed_total{domain=\"shop.test\"}";
    assert_eq!(gate.metric(failed), 1.0);
    assert!(served(gate.address(), "shop.test", authority.root()).is_err());
    eventually("the end of the turn", || {
        let turns = kept(&gate.folder, "turns");
        turns
            .iter()
            .any(|turn| gate.folder.read(&format!("acme/turns/{turn}")) == "given back\n")
    });

    let folder = gate.kill();
    let gate = Gate::start_in(folder, &text);
    gate.await_log("no order for shop.test, www.shop.test before");
    assert_eq!(authority.orders().len(), 1);

    // Whoever has mended it need not wait.
    authority.names_lead_to(&[gate.address()]);
    for file in kept(&gate.folder, "certificates") {
        assert!(file.ends_with(".failed.json"), "{file}");
        std::fs::remove_file(gate.folder.path().join("acme/certificates").join(file)).unwrap();
    }
    await_certificate(&gate, &authority);
    assert_eq!(authority.orders().len(), 2);
}

#[test]
fn an_authority_that_wants_to_be_left_alone_is() {
    let folder = Folder::new();
    let manner = Manner {
        overrun: Some(40_000),
        ..Manner::default()
    };
    let authority = Authority::start(&folder, manner);
    let gate = Gate::start_in(folder, &configuration(&authority, ""));
    gate.await_log("can't order: the authority says `too many orders of late` (rateLimited). The next try is in 39");
}

#[test]
fn a_certificate_is_renewed_when_the_authority_advises_it() {
    let folder = Folder::new();
    let manner = Manner {
        backdated: Duration::from_secs(2 * 86_400),
        advises: Some(0),
        ..Manner::default()
    };
    let authority = Authority::start(&folder, manner);
    let gate = Gate::start_in(folder, &configuration(&authority, ""));
    authority.names_lead_to(&[gate.address()]);
    let first = await_certificate(&gate, &authority);
    eventually("the next certificate", || {
        served(gate.address(), "shop.test", authority.root()).unwrap() != first
    });
    let orders = authority.orders();
    assert_eq!(orders.len(), 2);
    assert!(orders[0]["replaces"].is_null());
    assert!(
        orders[1]["replaces"].as_str().unwrap().ends_with(".AQ"),
        "{}",
        orders[1]
    );
}

#[test]
fn files_go_before_for_the_names_that_they_are_for() {
    let folder = Folder::new();
    let authority = Authority::start(&folder, Manner::default());
    let own = super::secure::Identity::make(&folder, "own", &["shop.test"]);
    let text = configuration(&authority, "").replace(
        "    tls:\n",
        "    tls:\n      certificates: [{cert: own.pem, key: own.key}]\n",
    );
    let gate = Gate::start_in(folder, &text);
    authority.names_lead_to(&[gate.address()]);
    assert!(own.connect(gate.address(), "shop.test").is_ok());
    eventually("the certificate", || {
        served(gate.address(), "www.shop.test", authority.root()).is_ok()
    });
    assert!(own.connect(gate.address(), "shop.test").is_ok());
}

#[test]
fn a_check_asks_nobody_and_creates_nothing() {
    let folder = Folder::new();
    let authority = Authority::start(&folder, Manner::default());
    let text = configuration(&authority, "");
    let check = |text: &str| {
        folder.write("portcullis.yaml", text);
        let output = check_command(&folder).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(check(&text), (true, String::new()));
    assert!(!folder.path().join("acme").exists() && authority.accounts().is_empty());
    let (fine, said) = check(&text.replace("ca.pem", "missing.pem"));
    assert!(
        !fine && said.contains("listeners[0].tls.acme") && said.contains("missing.pem"),
        "{said}"
    );
}

fn check_command(folder: &Folder) -> Command {
    let mut command = portcullis();
    command.arg("check").arg(folder.path().join("portcullis.yaml"));
    command
}

fn base64_url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
