//! Certificates and TLS connections of tests.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

use super::client::{Client, Connection, socket};
use super::folder::Folder;

/// A certificate that signs itself, with its files in a folder.
pub(crate) struct Identity {
    certificate: CertificateDer<'static>,
}

impl Identity {
    /// Makes one for these names, and writes `NAME.pem` and `NAME.key` into the folder.
    pub(crate) fn make(folder: &Folder, file: &str, names: &[&str]) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        folder.write(&format!("{file}.pem"), made.cert.pem());
        folder.write(&format!("{file}.key"), made.signing_key.serialize_pem());
        Identity {
            certificate: made.cert.der().clone(),
        }
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
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = socket(address);
        while session.is_handshaking() {
            session.complete_io(&mut stream)?;
        }
        Ok(Client::over(Box::new(Secure(StreamOwned::new(session, stream)))))
    }
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
