//! How TLS is agreed on with a target: whom to trust, and as whom to come.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion};

/// What a person says about TLS. The default trusts whom this machine trusts.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Certificates (PEM) of the only authorities that are trusted; without them, those of this machine.
    pub authorities: Option<Vec<u8>>,
    /// Takes any certificate.
    pub unverified: bool,
    /// Who the client is.
    pub identity: Option<Identity>,
    /// The name that the certificate must have and that the server is asked for, where it isn't the host.
    pub server_name: Option<String>,
    /// Which versions are offered.
    pub versions: Versions,
}

/// A client's certificate and its key.
#[derive(Clone)]
pub struct Identity {
    /// The certificate and those that lead to its authority (PEM).
    pub chain: Vec<u8>,
    /// The private key (PEM).
    pub key: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(..)")
    }
}

/// Versions of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// 1.3 and 1.2.
    #[default]
    Any,
    /// 1.2 alone (RFC 5246).
    Tls12,
    /// 1.3 alone (RFC 8446), as QUIC has it.
    Tls13,
}

/// The settings of a client, but for the protocol that is spoken within. Sessions are not resumed: each connection of a load stands for
/// another client, and costs the server what that costs.
///
/// # Errors
/// With what is wrong about the certificates or the key.
pub fn config(settings: &Settings) -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions(settings.versions))
        .map_err(|error| error.to_string())?;
    let builder = if settings.unverified {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unverified(provider)))
    } else {
        builder.with_root_certificates(roots(settings.authorities.as_deref())?)
    };
    let mut config = match &settings.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = certificates(&identity.chain, "the client's certificate")?;
            let key = PrivateKeyDer::from_pem_slice(&identity.key)
                .map_err(|_| "the client's key is no PEM key".to_owned())?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("the client's certificate and key are no good: {error}"))?
        }
    };
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The name that a certificate must have.
///
/// # Errors
/// When it is neither a name nor an address.
pub fn name(settings: &Settings, host: &str) -> Result<ServerName<'static>, String> {
    let name = settings.server_name.as_deref().unwrap_or(host);
    ServerName::try_from(name.to_owned()).map_err(|_| format!("`{name}` is no name that a certificate can have"))
}

static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// The newer one first.
fn versions(versions: Versions) -> &'static [&'static SupportedProtocolVersion] {
    match versions {
        Versions::Any => &BOTH,
        Versions::Tls12 => &BOTH[1..],
        Versions::Tls13 => &BOTH[..1],
    }
}

fn roots(authorities: Option<&[u8]>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match authorities {
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err("this machine trusts no authorities; name a file with those to trust".to_owned());
            }
        }
        Some(pem) => {
            for certificate in certificates(pem, "the file of authorities")? {
                roots
                    .add(certificate)
                    .map_err(|error| format!("an authority's certificate is no good: {error}"))?;
            }
        }
    }
    Ok(roots)
}

/// At least one certificate.
fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(read) if !read.is_empty() => Ok(read),
        Ok(_) => Err(format!("{what} has no PEM certificate")),
        Err(error) => Err(format!("{what} is no good: {}", io::Error::other(error))),
    }
}

/// Takes any certificate, but holds the server to it: who doesn't have its key isn't spoken to, and the work is that of a client who looks.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
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
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_good_is_told() {
        let refused = |settings: Settings| config(&settings).unwrap_err();
        let authorities = Some(b"nothing".to_vec());
        assert_eq!(
            refused(Settings {
                authorities,
                ..Settings::default()
            }),
            "the file of authorities has no PEM certificate"
        );
        let made = rcgen::generate_simple_self_signed(vec!["a.test".to_owned()]).unwrap();
        let chain = made.cert.pem().into_bytes();
        let identity = |key: Vec<u8>| Settings {
            authorities: Some(chain.clone()),
            identity: Some(Identity {
                chain: chain.clone(),
                key,
            }),
            ..Settings::default()
        };
        assert_eq!(refused(identity(Vec::new())), "the client's key is no PEM key");
        let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
        assert!(refused(identity(other.into_bytes())).starts_with("the client's certificate and key are no good"));
        assert!(config(&identity(made.signing_key.serialize_pem().into_bytes())).is_ok());
    }

    #[test]
    fn a_key_is_not_printed() {
        let key = b"secret".to_vec();
        let text = format!("{:?}", Identity { chain: Vec::new(), key });
        assert_eq!(text, "Identity(..)");
    }

    #[test]
    fn a_name_is_that_of_the_host_or_another() {
        let told = |server_name: Option<&str>, host| {
            let server_name = server_name.map(str::to_owned);
            name(
                &Settings {
                    server_name,
                    ..Settings::default()
                },
                host,
            )
            .map(|name| name.to_str().into_owned())
        };
        assert_eq!(told(None, "a.test").unwrap(), "a.test");
        assert_eq!(told(None, "::1").unwrap(), "::1");
        assert_eq!(told(Some("b.test"), "a.test").unwrap(), "b.test");
        assert!(told(Some("no name"), "a.test").is_err());
    }
}
