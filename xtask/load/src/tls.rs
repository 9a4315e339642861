//! TLS 1.3 as the clients of a load speak it.

use std::str::FromStr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};

/// Which ways of key exchange a client offers.
#[derive(Clone, Copy)]
pub(crate) enum Groups {
    /// As rustls does: X25519MLKEM768 before others.
    Default,
    /// X25519 alone.
    Classical,
}

impl FromStr for Groups {
    type Err = ();

    fn from_str(word: &str) -> Result<Groups, ()> {
        match word {
            "default" => Ok(Groups::Default),
            "classical" => Ok(Groups::Classical),
            _ => Err(()),
        }
    }
}

/// Settings with a memory of sessions of their own.
///
/// # Errors
/// When there is no TLS 1.3.
pub(crate) fn config(groups: Groups, protocols: &[&str]) -> Result<ClientConfig, String> {
    let mut provider = aws_lc_rs::default_provider();
    if let Groups::Classical = groups {
        provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
    }
    let provider = Arc::new(provider);
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(config)
}

/// The name that clients ask for.
pub(crate) fn name() -> ServerName<'static> {
    ServerName::try_from("gate.test").expect("it is a name")
}

/// Takes any certificate and any signature. That a certificate is verified rightly is not what a load is for, and a client
/// that spends less keeps the proxy busier.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
