//! Certificates of a listener, and which one a client gets.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use portcullis_config::listener::{Certificate, Tls, TlsVersion};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

/// What speaks TLS on a listener. Paths are relative to `base`.
///
/// # Errors
/// Says in words for people which certificate or key can't be used.
pub(crate) fn acceptor(config: &Tls, base: &Path) -> Result<TlsAcceptor, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let certificates = Certificates::load(&config.certificates, base, &provider)?;
    let versions: &[_] = match config.min_version {
        TlsVersion::V1_2 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsVersion::V1_3 => &[&rustls::version::TLS13],
    };
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certificates));
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(server)))
}

/// The certificates of a listener, by the names that they are for.
#[derive(Debug)]
struct Certificates {
    by_name: HashMap<String, Arc<CertifiedKey>>,
    /// For clients that name no server, or one that no certificate is for.
    first: Arc<CertifiedKey>,
}

impl Certificates {
    fn load(list: &[Certificate], base: &Path, provider: &CryptoProvider) -> Result<Certificates, String> {
        let mut by_name = HashMap::new();
        let mut first = None;
        for certificate in list {
            let key = Arc::new(load_one(certificate, base, provider)?);
            for name in names_of(&key.cert[0]) {
                by_name.entry(name).or_insert_with(|| key.clone());
            }
            first.get_or_insert(key);
        }
        let first = first.ok_or("a listener with TLS needs at least one certificate")?;
        Ok(Certificates { by_name, first })
    }

    /// The certificate for a host: one for exactly that name goes before one for all names of its domain.
    fn find(&self, host: &str) -> &Arc<CertifiedKey> {
        let host = host.to_ascii_lowercase();
        let wildcard = || host.split_once('.').map(|(_, domain)| format!("*.{domain}"));
        self.by_name
            .get(&host)
            .or_else(|| wildcard().and_then(|name| self.by_name.get(&name)))
            .unwrap_or(&self.first)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(hello.server_name().map_or(&self.first, |name| self.find(name)).clone())
    }
}

fn load_one(certificate: &Certificate, base: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let path = base.join(&certificate.cert);
    let cannot = |error: &dyn std::fmt::Display| format!("can't read the certificate {}: {error}", path.display());
    let chain = CertificateDer::pem_file_iter(&path)
        .map_err(|error| cannot(&error))?
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| cannot(&error))?;
    if chain.is_empty() {
        return Err(cannot(&"there is no certificate in it"));
    }
    let key_path = base.join(&certificate.key);
    let cannot = |error: &dyn std::fmt::Display| format!("can't read the key {}: {error}", key_path.display());
    let key = PrivateKeyDer::from_pem_file(&key_path).map_err(|error| cannot(&error))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| {
        format!(
            "{} and {} are no usable pair: {error}",
            path.display(),
            key_path.display()
        )
    })
}

/// The DNS names that a certificate is for, in small letters.
fn names_of(certificate: &CertificateDer<'_>) -> Vec<String> {
    match webpki::EndEntityCert::try_from(certificate) {
        Ok(certificate) => certificate.valid_dns_names().map(str::to_ascii_lowercase).collect(),
        Err(_) => Vec::new(),
    }
}
