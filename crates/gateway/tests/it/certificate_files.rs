//! Which certificate a client gets, and files that change while the gate runs.

use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, date_time_ymd};
use rustls::SignatureScheme;
use rustls::pki_types::CertificateDer;

use super::folder::Folder;
use super::gate::{Gate, command, eventually};
use super::secure::{Identity, Visitor};

/// A configuration with these certificates, and more lines about TLS.
fn configuration(files: &[&str], more: &str) -> String {
    let list: String = files
        .iter()
        .map(|file| format!("        - {{cert: {file}.pem, key: {file}.key}}\n"))
        .collect();
    format!(
        "listeners:\n  - bind: 127.0.0.1:0\n    tls:\n      certificates:\n{list}{more}\
         admin: {{bind: \"127.0.0.1:0\"}}\nroutes:\n  - {{path: /**, to: {{respond: hello}}}}\n"
    )
}

fn seen(visitor: Visitor, gate: &Gate, name: &str) -> Option<CertificateDer<'static>> {
    let visit = visitor.remember().connect(gate.address(), name).ok()?;
    Some(visit.certificate)
}

#[test]
fn new_files_are_taken_without_a_signal() {
    let folder = Folder::new();
    let first = Identity::make(&folder, "a", &["a.test"]);
    let other = Identity::make(&folder, "b", &["b.test"]);
    let gate = Gate::start_in(folder, &configuration(&["a", "b"], ""));
    let mut before = first.connect(gate.address(), "a.test").unwrap();
    let renewed = Identity::make(&gate.folder, "a", &["a.test", "c.test"]);
    eventually("the new certificate", || {
        renewed.connect(gate.address(), "c.test").is_ok()
    });
    assert!(first.connect(gate.address(), "a.test").is_err());
    assert!(other.connect(gate.address(), "b.test").is_ok());
    // Who came by the old one stays.
    assert_eq!(before.ask("GET", "/", &[("Host", "a.test")], "").text(), "hello");
    assert_eq!(gate.metric("portcullis_config_reloads_total"), 0.0);
}

#[test]
fn what_cant_be_used_leaves_the_old_certificate_in_force_and_is_told_once() {
    let folder = Folder::new();
    let first = Identity::make(&folder, "a", &["a.test"]);
    let gate = Gate::start_in(folder, &configuration(&["a"], ""));
    gate.folder.write("a.pem", "no certificate");
    gate.await_log("can't read the certificate");
    // It takes the next change, so it looked at the first one, and said nothing more about it.
    let renewed = Identity::make(&gate.folder, "b", &["a.test"]);
    assert!(first.connect(gate.address(), "a.test").is_ok());
    gate.folder.write("a.pem", gate.folder.read("b.pem"));
    gate.await_log("are no usable pair");
    assert!(first.connect(gate.address(), "a.test").is_ok());
    gate.folder.write("a.key", gate.folder.read("b.key"));
    eventually("the new pair", || renewed.connect(gate.address(), "a.test").is_ok());
    assert_eq!(gate.log().matches("can't read the certificate").count(), 1);
    assert_eq!(gate.log().matches("are no usable pair").count(), 1);
}

#[test]
fn an_exact_name_goes_before_a_wildcard_and_case_is_nothing() {
    let folder = Folder::new();
    let wild = Identity::make(&folder, "wild", &["*.a.test"]);
    let exact = Identity::make(&folder, "exact", &["x.a.test"]);
    let gate = Gate::start_in(folder, &configuration(&["wild", "exact"], ""));
    for (name, identity) in [("x.a.test", &exact), ("X.A.test", &exact), ("y.a.test", &wild)] {
        assert!(identity.connect(gate.address(), name).is_ok(), "{name}");
    }
    // A wildcard stands for one label: the first certificate comes, which is not for this name.
    assert!(wild.connect(gate.address(), "z.y.a.test").is_err());
}

#[test]
fn a_name_that_no_certificate_is_for_gets_the_first_one_or_nothing() {
    let folder = Folder::new();
    let first = Identity::make(&folder, "a", &["a.test", "127.0.0.1"]);
    let gate = Gate::start_in(folder, &configuration(&["a"], ""));
    // An address is no server name, so that none is sent.
    assert!(first.connect(gate.address(), "127.0.0.1").is_ok());
    gate.rewrite(&configuration(&["a"], "      strict_sni: true\n"));
    gate.signal("HUP");
    eventually("the refusal", || first.connect(gate.address(), "127.0.0.1").is_err());
    let failure = first.connect(gate.address(), "b.test").err().unwrap().to_string();
    assert!(
        failure.contains("AccessDenied") || failure.contains("UnrecognisedName"),
        "{failure}"
    );
    assert!(first.connect(gate.address(), "a.test").is_ok());
}

#[test]
fn the_kinds_of_signatures_that_a_client_knows_choose_between_certificates_of_a_name() {
    let folder = Folder::new();
    let edwards = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let edwards = Identity::make_by(&edwards, &folder, "edwards", &["a.test"]);
    let ecdsa = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let ecdsa = Identity::make_by(&ecdsa, &folder, "ecdsa", &["a.test"]);
    let gate = Gate::start_in(folder, &configuration(&["edwards", "ecdsa"], ""));
    let both = Visitor::trusting(&[&edwards, &ecdsa]);
    assert_eq!(seen(both, &gate, "a.test"), Some(edwards.certificate.clone()));
    let mut old = Visitor::trusting(&[&edwards, &ecdsa]);
    let known = &mut old.provider.signature_verification_algorithms;
    let mapping = known
        .mapping
        .iter()
        .filter(|(scheme, _)| *scheme != SignatureScheme::ED25519);
    known.mapping = mapping.copied().collect::<Vec<_>>().leak();
    assert_eq!(seen(old, &gate, "a.test"), Some(ecdsa.certificate));
}

#[test]
fn an_ocsp_response_is_stapled_while_it_is_good() {
    let folder = Folder::new();
    let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
    params.serial_number = Some(rcgen::SerialNumber::from(0x99_u64));
    let identity = Identity::make_of(&params, &KeyPair::generate().unwrap(), &folder, "a");
    folder.write("a.der", "no response");
    let configuration = configuration(&["a"], "").replace("key: a.key", "key: a.key, ocsp: a.der");
    let gate = Gate::start_in(folder, &configuration);
    gate.await_log("a.der is left out: it is no OCSP response");
    let visitor = identity.visitor().remember();
    assert!(visitor.connect(gate.address(), "a.test").is_ok());
    assert_eq!(visitor.stapled(), b"");
    let good = ocsp_response(0x99, "20990101000000Z");
    gate.folder.write("a.der", &good);
    eventually("the response", || {
        let visitor = identity.visitor().remember();
        visitor.connect(gate.address(), "a.test").is_ok() && visitor.stapled() == good
    });
}

#[test]
fn a_response_is_left_out_when_it_is_out_of_date() {
    let folder = Folder::new();
    let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
    params.serial_number = Some(rcgen::SerialNumber::from(0x99_u64));
    let identity = Identity::make_of(&params, &KeyPair::generate().unwrap(), &folder, "a");
    let soon = SystemTime::now() + Duration::from_secs(4);
    folder.write("a.der", ocsp_response(0x99, &generalized(soon)));
    let configuration = configuration(&["a"], "").replace("key: a.key", "key: a.key, ocsp: a.der");
    let gate = Gate::start_in(folder, &configuration);
    gate.await_log("out of date");
    eventually("a handshake without the response", || {
        let visitor = identity.visitor().remember();
        visitor.connect(gate.address(), "a.test").is_ok() && visitor.stapled().is_empty()
    });
}

#[test]
fn what_is_odd_about_a_chain_is_told_by_a_check() {
    let folder = Folder::new();
    let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
    params.not_after = date_time_ymd(2020, 1, 1);
    Identity::make_of(&params, &KeyPair::generate().unwrap(), &folder, "old");
    params.not_after = date_time_ymd(1970, 1, 1) + since_1970(SystemTime::now()) + Duration::from_secs(3600);
    Identity::make_of(&params, &KeyPair::generate().unwrap(), &folder, "soon");
    Identity::make(&folder, "a", &["a.test"]);
    folder.write("chain.pem", folder.read("a.pem") + &folder.read("old.pem"));
    folder.write("chain.key", folder.read("a.key"));
    folder.write("portcullis.yaml", configuration(&["old", "chain", "soon"], ""));
    let output = command(folder.path(), &["check", "portcullis.yaml"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("old.pem expired on 2020-01-01"), "{said}");
    assert!(said.contains("chain.pem: certificate 2 expired"), "{said}");
    assert!(said.contains("soon.pem expires on"), "{said}");
}

#[test]
fn the_end_of_the_first_certificate_to_expire_is_a_metric() {
    let folder = Folder::new();
    let mut params = CertificateParams::new(vec!["b.test".to_owned()]).unwrap();
    params.not_after = date_time_ymd(2070, 1, 1);
    Identity::make_of(&params, &KeyPair::generate().unwrap(), &folder, "b");
    Identity::make(&folder, "a", &["a.test"]);
    let gate = Gate::start_in(folder, &configuration(&["a", "b"], ""));
    let series = "portcullis_certificate_expiry_seconds{listener=\"127.0.0.1:0\"}";
    assert_eq!(gate.metric(series), 3_155_760_000.0);
}

/// What an authority says of the certificate of that serial number until that time, as DER.
fn ocsp_response(serial: u8, next_update: &str) -> Vec<u8> {
    let tlv = |tag: u8, parts: &[&[u8]]| {
        let content = parts.concat();
        let length = u8::try_from(content.len()).unwrap();
        let head = if length < 0x80 {
            vec![tag, length]
        } else {
            vec![tag, 0x81, length]
        };
        [head, content].concat()
    };
    let algorithm = tlv(0x30, &[&tlv(0x06, &[&[0x2b, 0x0e, 0x03, 0x02, 0x1a]])]);
    let hash = tlv(0x04, &[&[7; 20]]);
    // A serial number above 127 has a zero before it, to be no negative one.
    let id = tlv(0x30, &[&algorithm, &hash, &hash, &tlv(0x02, &[&[0, serial]])]);
    let time = |text: &str| tlv(0x18, &[text.as_bytes()]);
    let (before, until) = (time("20200101000000Z"), tlv(0xa0, &[&time(next_update)]));
    let single = tlv(0x30, &[&id, &[0x80, 0], &before, &until]);
    let data = tlv(0x30, &[&tlv(0xa2, &[&hash]), &before, &tlv(0x30, &[&single])]);
    let basic = tlv(0x30, &[&data, &algorithm, &[0x03, 2, 0, 1]]);
    let oid = tlv(0x06, &[&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01]]);
    let typed = tlv(0x30, &[&oid, &tlv(0x04, &[&basic])]);
    tlv(0x30, &[&[0x0a, 1, 0], &tlv(0xa0, &[&typed])])
}

/// How long 1970 was ago then.
fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

/// A time as ASN.1 writes it.
fn generalized(time: SystemTime) -> String {
    let time = date_time_ymd(1970, 1, 1) + since_1970(time);
    format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}Z",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}
