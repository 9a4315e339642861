//! TLS with the targets of a service: whom the gate trusts, and what it shows of itself.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use portcullis_config::listener::TlsVersion;
use portcullis_config::service::ServiceTls;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsConnector;

/// How the certificate of a target is verified, which is always, and what the gate shows of itself. Two that are equal
/// have files of the same content: what a reload finds changed makes new connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct TlsSettings {
    /// A PEM file of authorities to trust in place of the system's.
    ca: Option<PathBuf>,
    /// The name that the certificate must have, in place of the target's host.
    server_name: Option<String>,
    /// The PEM files of our own certificate and its key.
    identity: Option<(PathBuf, PathBuf)>,
    /// Whether TLS 1.2 is too old.
    only_1_3: bool,
    /// Stands for the content of the files.
    digest: [u8; 32],
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
    /// What is written of a service. Paths are relative to `base`.
    ///
    /// # Errors
    /// Says in words for people what can't be used.
    pub(super) fn new(written: &ServiceTls, base: &Path) -> Result<TlsSettings, String> {
        let ca = written.ca.as_ref().map(|path| base.join(path));
        let identity = match (&written.cert, &written.key) {
            (Some(cert), Some(key)) => Some((base.join(cert), base.join(key))),
            (None, None) => None,
            _ => return Err("a certificate and its key are of use together only".to_owned()),
        };
        let mut digest = Sha256::new();
        let files = ca.iter().chain(identity.iter().flat_map(|(cert, key)| [cert, key]));
        for path in files {
            let content = std::fs::read(path).map_err(|error| format!("can't read {}: {error}", path.display()))?;
            digest.update(Sha256::digest(content));
        }
        Ok(TlsSettings {
            ca,
            server_name: written.server_name.clone(),
            identity,
            only_1_3: written.min_version == TlsVersion::V1_3,
            digest: digest.finalize().into(),
        })
    }

    /// How TLS is spoken to `host`, and the name that it is asked for. Sessions are resumed: connectors that are made of
    /// it share what they remember, over all workers.
    ///
    /// # Errors
    /// Says in words for people what can't be used.
    pub(super) fn config(&self, host: &str) -> Result<(ClientConfig, ServerName<'static>), String> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned()).map_err(|_| format!("`{name}` is not a server name"))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions: &[_] = if self.only_1_3 {
            &[&rustls::version::TLS13]
        } else {
            &[&rustls::version::TLS13, &rustls::version::TLS12]
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(|error| error.to_string())?
            .with_root_certificates(self.roots()?);
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => {
                let cannot =
                    |path: &Path, error: &dyn std::fmt::Display| format!("can't read {}: {error}", path.display());
                let chain = read_certificates(cert).map_err(|error| cannot(cert, &error))?;
                let private = PrivateKeyDer::from_pem_file(key).map_err(|error| cannot(key, &error))?;
                builder
                    .with_client_auth_cert(chain, private)
                    .map_err(|error| format!("{} and {} are no usable pair: {error}", cert.display(), key.display()))?
            }
        };
        Ok((config, name))
    }

    fn roots(&self) -> Result<Arc<RootCertStore>, String> {
        let Some(path) = &self.ca else { return system_roots() };
        let cannot = |error: &dyn std::fmt::Display| format!("can't read authorities from {}: {error}", path.display());
        let mut roots = RootCertStore::empty();
        for certificate in read_certificates(path).map_err(|error| cannot(&error))? {
            roots.add(certificate).map_err(|error| cannot(&error))?;
        }
        Ok(Arc::new(roots))
    }
}

/// The certificates of a PEM file: one at the least.
fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| error.to_string())?;
    if certificates.is_empty() {
        return Err("there is no certificate in it".to_owned());
    }
    Ok(certificates)
}

/// The authorities that the system trusts: about a hundred, so that all targets share them.
fn system_roots() -> Result<Arc<RootCertStore>, String> {
    static SHARED: Mutex<Weak<RootCertStore>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(roots) = shared.upgrade() {
        return Ok(roots);
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err("there is no certificate authority to verify the target with: set `tls.ca`".to_owned());
    }
    let roots = Arc::new(roots);
    *shared = Arc::downgrade(&roots);
    Ok(roots)
}
