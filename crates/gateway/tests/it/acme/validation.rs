//! How an authority sees that a name leads to the gate: by a request, or by a handshake.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use sha2::{Digest, Sha256};
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::it::client::{Client, socket};

/// `id-pe-acmeIdentifier` (RFC 8737, section 6.1).
const ACME_IDENTIFIER: &str = "1.3.6.1.5.5.7.1.31";

/// Asks for the answer by HTTP (RFC 8555, section 8.3).
pub(super) fn by_request(address: SocketAddr, domain: &str, token: &str, expected: &str) -> Result<(), String> {
    let target = format!("/.well-known/acme-challenge/{token}");
    let answer = Client::connect(address).ask("GET", &target, &[("Host", domain)], "");
    if answer.status == 200 && answer.text() == expected {
        return Ok(());
    }
    Err(format!("{domain} answers {answer}"))
}

/// Looks for the answer in a handshake (RFC 8737, section 3).
pub(super) fn by_handshake(address: SocketAddr, domain: &str, expected: &str) -> Result<(), String> {
    let (certificate, protocol) =
        shown_to(address, domain, &[b"acme-tls/1"]).map_err(|error| format!("{domain}: {error}"))?;
    if protocol.as_deref() != Some(b"acme-tls/1") {
        return Err(format!("{domain} agrees on {protocol:?}"));
    }
    let certificate = Certificate::from_der(&certificate).map_err(|error| error.to_string())?;
    let body = certificate.tbs_certificate();
    let (_, names) = body.get_extension::<SubjectAltName>().unwrap().ok_or("no names")?;
    let ours = |name: &GeneralName| matches!(name, GeneralName::DnsName(name) if name.as_str() == domain);
    if names.0.len() != 1 || !ours(&names.0[0]) {
        return Err(format!("{domain} shows a certificate for {names:?}"));
    }
    let extensions = body.extensions().ok_or("no extensions")?;
    let proof = extensions
        .iter()
        .find(|found| found.extn_id.to_string() == ACME_IDENTIFIER);
    let proof = proof.ok_or("no acmeIdentifier")?;
    let mut hash = vec![4, 32];
    hash.extend_from_slice(&Sha256::digest(expected));
    if proof.critical && proof.extn_value.as_bytes() == hash {
        return Ok(());
    }
    Err(format!("{domain} shows another proof: {:?}", proof.to_der()))
}

/// What a server shows to a client that asks for a name and offers these protocols: its certificate, whoever signed it,
/// and the protocol that was agreed on.
pub(super) fn shown_to(
    address: SocketAddr,
    name: &str,
    protocols: &[&[u8]],
) -> io::Result<(CertificateDer<'static>, Option<Vec<u8>>)> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let anybody = Arc::new(Anybody(provider.clone(), Mutex::default()));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(anybody.clone())
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = socket(address);
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    let shown = anybody.1.lock().unwrap().take().expect("a server shows a certificate");
    Ok((shown, session.alpn_protocol().map(<[u8]>::to_vec)))
}

/// Takes any certificate, and remembers it; the handshake must be signed by its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>, Mutex<Option<CertificateDer<'static>>>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.1.lock().unwrap() = Some(certificate.clone().into_owned());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 is spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        // By the key alone: the usual check knows no certificate with the critical extension of a proof.
        let certificate = Certificate::from_der(certificate).unwrap();
        let key = certificate
            .tbs_certificate()
            .subject_public_key_info()
            .to_der()
            .unwrap();
        let key = SubjectPublicKeyInfoDer::from(key);
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
