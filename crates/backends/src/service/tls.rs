use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// How the certificate of a target is verified; it is verified always.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct TlsSettings {
    /// A PEM file of authorities to trust in place of the system's.
    pub(super) ca: Option<PathBuf>,
    /// The name that the certificate must have, in place of the target's host.
    pub(super) server_name: Option<String>,
}

/// The names of protocols in the handshake (ALPN, RFC 7301).
pub(super) const HTTP1: &[u8] = b"http/1.1";
pub(super) const HTTP2: &[u8] = b"h2";

/// What speaks TLS and offers to speak `protocols` over it, the preferred one first.
pub(super) fn connector(config: &ClientConfig, protocols: &[&[u8]]) -> TlsConnector {
    let mut config = config.clone();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

impl TlsSettings {
    /// How TLS is spoken to `host`, and the name that it is asked for.
    pub(super) fn config(&self, host: &str) -> Result<(ClientConfig, ServerName<'static>), String> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned()).map_err(|_| format!("`{name}` is not a server name"))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(self.roots()?)
            .with_no_client_auth();
        Ok((config, name))
    }

    fn roots(&self) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        match &self.ca {
            Some(path) => {
                let cannot =
                    |error: &dyn std::fmt::Display| format!("can't read authorities from {}: {error}", path.display());
                for certificate in CertificateDer::pem_file_iter(path).map_err(|error| cannot(&error))? {
                    roots
                        .add(certificate.map_err(|error| cannot(&error))?)
                        .map_err(|error| cannot(&error))?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        if roots.is_empty() {
            return Err("there is no certificate authority to verify the target with: set `tls.ca`".to_owned());
        }
        Ok(roots)
    }
}
