//! Certificates and TLS connections of tests.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, IsCa, KeyIdMethod, KeyPair,
    KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind, NamedGroup, RootCertStore,
    SignatureScheme, StreamOwned, SupportedProtocolVersion,
};

use super::client::{Client, Connection, socket};
use super::folder::Folder;

/// A certificate that signs itself, with its files in a folder.
pub(crate) struct Identity {
    pub(crate) certificate: CertificateDer<'static>,
}

impl Identity {
    /// Makes one for these names, and writes `NAME.pem` and `NAME.key` into the folder.
    pub(crate) fn make(folder: &Folder, file: &str, names: &[&str]) -> Identity {
        Identity::make_by(&KeyPair::generate().unwrap(), folder, file, names)
    }

    /// The same, with that key.
    pub(crate) fn make_by(key: &KeyPair, folder: &Folder, file: &str, names: &[&str]) -> Identity {
        let params = CertificateParams::new(texts(names)).unwrap();
        Identity::make_of(&params, key, folder, file)
    }

    /// The same, with all that may be said of it.
    pub(crate) fn make_of(params: &CertificateParams, key: &KeyPair, folder: &Folder, file: &str) -> Identity {
        let made = params.self_signed(key).unwrap();
        folder.write(&format!("{file}.pem"), made.pem());
        folder.write(&format!("{file}.key"), key.serialize_pem());
        Identity {
            certificate: made.der().clone(),
        }
    }

    /// A visitor that trusts this certificate alone.
    pub(crate) fn visitor(&self) -> Visitor {
        Visitor::trusting(&[self])
    }

    /// A connection that trusts this certificate alone and asks for that name.
    pub(crate) fn connect(&self, address: SocketAddr, name: &str) -> io::Result<Client> {
        self.connect_with(address, name, rustls::ALL_VERSIONS)
    }

    /// The same, with these versions of TLS only.
    pub(crate) fn connect_with(
        &self,
        address: SocketAddr,
        name: &str,
        versions: &[&'static SupportedProtocolVersion],
    ) -> io::Result<Client> {
        let mut visitor = self.visitor();
        visitor.versions = versions.to_vec();
        visitor.remember().connect(address, name).map(|visit| visit.client)
    }
}

/// An authority that issues certificates to clients.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate of a client, with its key.
pub(crate) struct Issued {
    pub(crate) certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
    serial: SerialNumber,
}

impl Authority {
    /// Makes one, and writes its certificate into the folder, as `NAME.pem`.
    pub(crate) fn make(folder: &Folder, file: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, file);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        folder.write(&format!("{file}.pem"), issuer.pem());
        Authority { issuer }
    }

    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        self.issuer.der()
    }

    /// Issues a certificate to a client of that name.
    pub(crate) fn issue(&self, name: &str) -> Issued {
        let mut params = CertificateParams::new(vec![format!("{name}.test")]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let serial = SerialNumber::from(u64::from(name.bytes().map(u32::from).sum::<u32>()));
        params.serial_number = Some(serial.clone());
        let key = KeyPair::generate().unwrap();
        let made = params.signed_by(&key, &self.issuer).unwrap();
        Issued {
            certificate: made.der().clone(),
            pem: made.pem(),
            key,
            serial,
        }
    }

    /// A list of certificates that hold no more, as PEM.
    pub(crate) fn revoke(&self, revoked: &[&Issued]) -> String {
        let revoked = revoked.iter().map(|issued| RevokedCertParams {
            serial_number: issued.serial.clone(),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2090, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

impl Issued {
    /// The certificate as PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// The key as PEM.
    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }
}

/// A client of TLS, as it is to be.
pub(crate) struct Visitor {
    trusted: RootCertStore,
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
    pub(crate) provider: CryptoProvider,
    shows: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>,
}

impl Visitor {
    pub(crate) fn trusting(identities: &[&Identity]) -> Visitor {
        let mut trusted = RootCertStore::empty();
        for identity in identities {
            trusted.add(identity.certificate.clone()).unwrap();
        }
        Visitor {
            trusted,
            versions: rustls::ALL_VERSIONS.to_vec(),
            provider: rustls::crypto::aws_lc_rs::default_provider(),
            shows: None,
        }
    }

    /// It shows that certificate when it is asked for one.
    pub(crate) fn showing(mut self, issued: &Issued) -> Visitor {
        let key = PrivateKeyDer::Pkcs8(issued.key.serialize_der().into());
        self.shows = Some((issued.certificate.clone(), key));
        self
    }

    /// Made up for good: it remembers sessions from now on.
    pub(crate) fn remember(self) -> Returning {
        let provider = Arc::new(self.provider);
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(self.trusted), provider.clone());
        let seen = Arc::new(Recorder {
            verifier: verifier.build().unwrap(),
            last: Mutex::default(),
        });
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(seen.clone());
        let config = match self.shows {
            Some((certificate, key)) => builder.with_client_auth_cert(vec![certificate], key).unwrap(),
            None => builder.with_no_client_auth(),
        };
        Returning {
            config: Arc::new(config),
            seen,
        }
    }
}

/// A client of TLS that remembers its sessions.
pub(crate) struct Returning {
    config: Arc<ClientConfig>,
    seen: Arc<Recorder>,
}

/// A connection, and what its handshake came to.
pub(crate) struct Visit {
    pub(crate) client: Client,
    pub(crate) kind: HandshakeKind,
    pub(crate) group: Option<NamedGroup>,
    pub(crate) suite: CipherSuite,
    pub(crate) certificate: CertificateDer<'static>,
}

impl Returning {
    /// What its handshakes are made with.
    pub(crate) fn settings(&self) -> ClientConfig {
        (*self.config).clone()
    }

    pub(crate) fn connect(&self, address: SocketAddr, name: &str) -> io::Result<Visit> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut session = ClientConnection::new(self.config.clone(), name).unwrap();
        let mut stream = socket(address);
        while session.is_handshaking() {
            session.complete_io(&mut stream)?;
        }
        Ok(Visit {
            kind: session.handshake_kind().unwrap(),
            suite: session.negotiated_cipher_suite().unwrap().suite(),
            group: session.negotiated_key_exchange_group().map(|group| group.name()),
            certificate: session.peer_certificates().unwrap()[0].clone(),
            client: Client::over(Box::new(Secure(StreamOwned::new(session, stream)))),
        })
    }

    /// A connection, a request on it, and how the handshake was: `None` when the gate refused either.
    pub(crate) fn visit(&self, address: SocketAddr, name: &str) -> Option<HandshakeKind> {
        let mut visit = self.connect(address, name).ok()?;
        visit.client.send(format!("GET / HTTP/1.1\r\nHost: {name}\r\n\r\n"));
        let answer = visit.client.try_answer(false).ok()?;
        assert_eq!(answer.status, 200);
        Some(visit.kind)
    }

    /// The OCSP response that came with the last full handshake.
    pub(crate) fn stapled(&self) -> Vec<u8> {
        self.seen.last.lock().unwrap().clone()
    }
}

/// Verifies servers as usual, and remembers what they stapled.
#[derive(Debug)]
struct Recorder {
    verifier: Arc<WebPkiServerVerifier>,
    last: Mutex<Vec<u8>>,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.last.lock().unwrap() = ocsp_response.to_vec();
        self.verifier
            .verify_server_cert(certificate, intermediates, name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

struct Secure(StreamOwned<ClientConnection, std::net::TcpStream>);

impl Read for Secure {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Secure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Connection for Secure {
    fn end(&mut self) {
        self.0.conn.send_close_notify();
        self.0.flush().unwrap();
    }
}
