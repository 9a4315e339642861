//! Certificates of clients: who may come, and who it is that came.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_config::listener::{ClientCertificateMode, ClientCertificates};
use portcullis_core::ClientCertificate;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{CertificateError, RootCertStore};
use sha2::{Digest, Sha256};

use super::identity;

/// The files that say which clients may come.
#[derive(Debug)]
pub(super) struct ClientFiles {
    ca: PathBuf,
    crl: Option<PathBuf>,
    required: bool,
}

/// Decides which clients may come.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
    required: bool,
    /// Stands for the authorities, the revoked certificates and the mode.
    pub(super) digest: [u8; 32],
}

impl ClientFiles {
    /// The files that are written, below `base`.
    pub(super) fn new(written: &ClientCertificates, base: &Path) -> ClientFiles {
        ClientFiles {
            ca: base.join(&written.ca),
            crl: written.crl.as_ref().map(|path| base.join(path)),
            required: written.mode == ClientCertificateMode::Required,
        }
    }

    /// Where they are.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        [&self.ca].into_iter().chain(&self.crl).cloned().collect()
    }

    /// What they are called in the log.
    pub(super) fn shown(&self) -> String {
        self.ca.display().to_string()
    }

    /// Reads them.
    ///
    /// # Errors
    /// Says in words for people which file can't be used.
    pub(super) fn load(&self, provider: &Arc<CryptoProvider>) -> Result<Clients, String> {
        let ca = self.ca.display();
        let cannot =
            |error: &dyn std::fmt::Display| format!("can't read the authorities of clients from {ca}: {error}");
        let pem = std::fs::read(&self.ca).map_err(|error| cannot(&error))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| cannot(&error))?;
            roots.add(certificate).map_err(|error| cannot(&error))?;
        }
        if roots.is_empty() {
            return Err(cannot(&"there is no certificate in it"));
        }
        let mut digest = Sha256::new();
        digest.update([u8::from(self.required)]);
        digest.update(Sha256::digest(&pem));
        let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        if let Some(path) = &self.crl {
            let (lists, of) = read_lists(path)?;
            digest.update(of);
            // A revoked certificate must not get in because a list was not renewed in time.
            verifier = verifier.with_crls(lists).enforce_revocation_expiration();
        }
        if !self.required {
            verifier = verifier.allow_unauthenticated();
        }
        Ok(Clients {
            verifier: verifier.build().map_err(|error| cannot(&error))?,
            required: self.required,
            digest: digest.finalize().into(),
        })
    }
}

fn read_lists(path: &Path) -> Result<(Vec<CertificateRevocationListDer<'static>>, [u8; 32]), String> {
    let cannot =
        |error: &dyn std::fmt::Display| format!("can't read revoked certificates from {}: {error}", path.display());
    let pem = std::fs::read(path).map_err(|error| cannot(&error))?;
    let lists = CertificateRevocationListDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| cannot(&error))?;
    if lists.is_empty() {
        return Err(cannot(&"there is no list in it"));
    }
    Ok((lists, Sha256::digest(&pem).into()))
}

impl Clients {
    /// Who a client is that completed a handshake: nobody known, where it may come without a certificate and did.
    /// A session that was resumed brings the certificate of an earlier handshake, which may have expired since, so it
    /// is verified anew.
    ///
    /// # Errors
    /// Why the client must not be served.
    pub(super) fn identify(
        &self,
        shown: Option<&[CertificateDer<'_>]>,
        resumed: bool,
    ) -> Result<Option<ClientCertificate>, rustls::Error> {
        let Some([certificate, intermediates @ ..]) = shown else {
            return if self.required {
                Err(rustls::Error::NoCertificatesPresented)
            } else {
                Ok(None)
            };
        };
        if resumed {
            self.verifier
                .verify_client_cert(certificate, intermediates, UnixTime::now())?;
        }
        identity::read(certificate)
            .map(Some)
            .map_err(|_| rustls::Error::InvalidCertificate(CertificateError::BadEncoding))
    }
}
