//! HTTP/1.1 over TLS.

use super::*;
use crate::stand_in::Settings;
use crate::target::Tls;
use crate::tls::Versions;

/// A server with a certificate for `localhost` that is good or not, and the certificate.
fn secured(year: i32) -> (StandIn, Vec<u8>) {
    secured_as(year, rcgen::IsCa::NoCa)
}

fn secured_as(year: i32, what: rcgen::IsCa) -> (StandIn, Vec<u8>) {
    let mut made = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    made.is_ca = what;
    made.not_after = rcgen::date_time_ymd(year, 1, 1);
    made.distinguished_name
        .push(rcgen::DnType::CommonName, format!("until {year}"));
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = made.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    let settings = Settings {
        tls: Some(Arc::new(config)),
        ..Settings::default()
    };
    let server = StandIn::start_with(Behaviour::default(), settings).unwrap();
    (server, certificate.pem().into_bytes())
}

/// A plan that trusts these authorities, for a server of this name.
fn secure(address: SocketAddr, name: &'static str, settings: &crate::tls::Settings) -> Plan {
    let mut plan = plan(address, 1);
    plan.target.tls = Some(Tls {
        name: name.try_into().unwrap(),
        config: Arc::new(crate::tls::config(settings).unwrap()),
    });
    plan
}

#[test]
fn requests_go_by_tls() {
    let (server, certificate) = secured(2100);
    for versions in [Versions::Any, Versions::Tls12, Versions::Tls13] {
        let settings = crate::tls::Settings {
            authorities: Some(certificate.clone()),
            versions,
            ..crate::tls::Settings::default()
        };
        let plan = secure(server.address(), "localhost", &settings);
        let (measured, total) = run(plan, &[phase(200, rate(100.0))]);
        assert_eq!(
            (total.ended, total.failed()),
            (20, 0),
            "{versions:?} {:?}",
            total.failures
        );
        // Tickets that come after the handshake are no reason to connect again.
        assert_eq!(measured.generator.connected, 4, "{versions:?}");
    }
}

#[test]
fn what_is_wrong_with_a_certificate_is_said() {
    let (server, certificate) = secured(2100);
    let (expired, old_certificate) = secured(2001);
    let (signing, authority) = secured_as(2101, rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    for (server, authorities, name, why) in [
        (&server, &certificate, "elsewhere", "wrong name"),
        (&server, &old_certificate, "localhost", "unknown issuer"),
        (&expired, &old_certificate, "localhost", "certificate expired"),
        (
            &signing,
            &authority,
            "localhost",
            "an authority's certificate in the place of a server's",
        ),
    ] {
        let settings = crate::tls::Settings {
            authorities: Some(authorities.clone()),
            ..crate::tls::Settings::default()
        };
        let plan = secure(server.address(), name, &settings);
        let (_, total) = run(plan, &[phase(100, rate(100.0))]);
        let failures: Vec<_> = total.failures.iter().collect();
        let causes = [(why.to_owned(), 10)].into();
        assert_eq!(failures, [(&Failure::Tls, &causes)], "{why}");
    }
}

#[test]
fn who_does_not_speak_tls_is_told_from_who_is_not_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.write_all(b"220 mail.example\r\n").unwrap();
            kept.push(stream);
        }
    });
    let settings = crate::tls::Settings {
        unverified: true,
        ..crate::tls::Settings::default()
    };
    let (_, total) = run(secure(address, "localhost", &settings), &[phase(100, rate(50.0))]);
    let causes = [("the server does not speak TLS".to_owned(), 5)].into();
    assert_eq!(total.failures.iter().collect::<Vec<_>>(), [(&Failure::Tls, &causes)]);
}
