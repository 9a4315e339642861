//! The handshake with a client.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use portcullis_core::ClientCertificate;
use rustls::HandshakeKind;
use rustls::server::Acceptor;
use tokio::time::error::Elapsed;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use super::certificates::is_challenge;
use super::{InForce, ListenerTls};
use crate::listener::Socket;

/// A connection whose handshake is complete.
pub(crate) struct Secured {
    pub(crate) stream: Box<TlsStream<Socket>>,
    /// The host that the client named, in small letters.
    pub(crate) server_name: Option<Box<str>>,
    /// Who the client is, if it showed that.
    pub(crate) client: Option<Box<ClientCertificate>>,
}

/// How a handshake ended without a connection to serve.
pub(crate) enum Unserved {
    /// An authority saw that a host is ours, and wants no more (RFC 8737 §3).
    Proved,
    /// The client took too long, or went away.
    Gone,
    /// The client was refused.
    Refused(rustls::Error),
}

/// A handshake under way, boxed: its state is large, and gone when the connection is idle.
pub(crate) type Handshake = Pin<Box<dyn Future<Output = Result<Secured, Unserved>>>>;

/// Does the handshake, if the client does its part in time.
pub(crate) fn handshake(tls: &ListenerTls, socket: Socket, patience: Duration) -> Handshake {
    let in_force = tls.in_force();
    Box::pin(async move {
        let secured = tokio::time::timeout(patience, secure(&in_force, socket));
        secured.await.unwrap_or_else(|_: Elapsed| Err(Unserved::Gone))
    })
}

async fn secure(in_force: &InForce, socket: Socket) -> Result<Secured, Unserved> {
    let stream = match &in_force.challenges {
        None => TlsAcceptor::from(in_force.server.clone()).accept(socket).await?,
        Some(challenges) => {
            let start = LazyConfigAcceptor::new(Acceptor::default(), socket).await?;
            if is_challenge(&start.client_hello()) {
                start.into_stream(challenges.clone()).await?;
                return Err(Unserved::Proved);
            }
            start.into_stream(in_force.server.clone()).await?
        }
    };
    let stream = Box::new(stream);
    let session = stream.get_ref().1;
    let client = match &in_force.clients {
        None => None,
        Some(clients) => {
            let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
            clients
                .identify(session.peer_certificates(), resumed)
                .map_err(Unserved::Refused)?
                .map(Box::new)
        }
    };
    Ok(Secured {
        server_name: session.server_name().map(Box::from),
        client,
        stream,
    })
}

impl From<io::Error> for Unserved {
    fn from(error: io::Error) -> Self {
        match error.downcast::<rustls::Error>() {
            Ok(error) => Unserved::Refused(error),
            Err(_) => Unserved::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use rustls::sign::CertifiedKey;
    use rustls::{ClientConfig, RootCertStore};
    use tokio::net::UnixStream;
    use tokio_rustls::TlsConnector;

    use super::super::{Issued, Surroundings, Tickets};
    use super::*;
    use crate::snapshot::ListenerKey;

    /// An authority that has issued a certificate for `a.test`, and asks whether `b.test` is ours.
    #[derive(Debug)]
    struct Authority {
        key: Arc<CertifiedKey>,
        certificate: CertificateDer<'static>,
    }

    impl Authority {
        fn new() -> Arc<Authority> {
            let names = vec!["a.test".to_owned(), "b.test".to_owned()];
            let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
            let provider = rustls::crypto::aws_lc_rs::default_provider();
            let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
            let key = CertifiedKey::from_der(vec![made.cert.der().clone()], key, &provider).expect("a pair");
            Arc::new(Authority {
                key: Arc::new(key),
                certificate: made.cert.der().clone(),
            })
        }
    }

    impl Issued for Authority {
        fn certificate_for(&self, server_name: &str) -> Option<Arc<CertifiedKey>> {
            (server_name == "a.test").then(|| self.key.clone())
        }

        fn challenge_for(&self, server_name: &str) -> Option<Arc<CertifiedKey>> {
            (server_name == "b.test").then(|| self.key.clone())
        }
    }

    /// How a handshake ends for both sides: what was agreed on for the client, if it succeeded.
    fn shake(name: &'static str, offered: &[&[u8]]) -> (Option<Option<Vec<u8>>>, Result<Secured, Unserved>) {
        let authority = Authority::new();
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate.clone()).expect("a certificate");
        let around = Surroundings {
            base: Path::new("."),
            key: ListenerKey {
                bind: crate::snapshot::Bind::Tcp(([127, 0, 0, 1], 443).into()),
                nth: 0,
            },
            tickets: Arc::new(Tickets::default()),
            protocols: vec![b"http/1.1".to_vec()],
            issued: Some(authority),
        };
        let config = serde_json::from_str(r#"{"certificates": []}"#).expect("a configuration");
        let tls = ListenerTls::load(&config, around, &mut |odd| panic!("{odd}")).expect("it needs no files");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let (ours, theirs) = UnixStream::pair().expect("two sockets");
            let name = ServerName::try_from(name).expect("a name");
            let connector = TlsConnector::from(Arc::new(config));
            let patience = Duration::from_secs(20);
            let (client, served) = tokio::join!(
                connector.connect(name, theirs),
                handshake(&tls, Socket::Unix(ours), patience)
            );
            let agreed = client
                .ok()
                .map(|stream| stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec));
            (agreed, served)
        })
    }

    #[test]
    fn an_authority_sees_a_host_proved_and_is_served_nothing() {
        let (agreed, served) = shake("b.test", &[b"acme-tls/1"]);
        assert_eq!(agreed, Some(Some(b"acme-tls/1".to_vec())));
        assert!(matches!(served, Err(Unserved::Proved)));
    }

    #[test]
    fn nothing_is_proved_of_another_host_or_to_who_offers_more() {
        let (agreed, served) = shake("a.test", &[b"acme-tls/1"]);
        assert!(agreed.is_none() && matches!(served, Err(Unserved::Refused(_))));
        let (agreed, served) = shake("b.test", &[b"acme-tls/1", b"http/1.1"]);
        assert!(agreed.is_none() && matches!(served, Err(Unserved::Refused(_))));
    }

    #[test]
    fn a_certificate_that_was_issued_serves_its_host() {
        let (agreed, served) = shake("a.test", &[b"http/1.1"]);
        assert_eq!(agreed, Some(Some(b"http/1.1".to_vec())));
        let served = served.ok().expect("it is served");
        assert_eq!(served.server_name.as_deref(), Some("a.test"));
        let (agreed, _) = shake("a.test", &[]);
        assert_eq!(agreed, Some(None), "who offers nothing is served too");
    }
}
