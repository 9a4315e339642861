//! Servers for the tests, on real sockets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A server that a test asks. It serves until the process ends.
pub(crate) struct Server {
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
}

/// One that answers.
pub(crate) struct Serving {
    origin: String,
}

impl Serving {
    pub(crate) fn url(&self, target: &str) -> String {
        format!("{}{target}", self.origin)
    }
}

static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("no name is a wrong one");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("there is randomness");
        let pem = params.self_signed(&key).expect("the key signs").pem();
        Authority {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// For `localhost`.
    fn server_config(&self) -> Arc<ServerConfig> {
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("it is a name");
        let key = KeyPair::generate().expect("there is randomness");
        let certificate = params.signed_by(&key, &self.issuer).expect("the authority signs");
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("there are versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("the key fits");
        Arc::new(config)
    }
}

impl Server {
    fn new(tls: Option<Arc<ServerConfig>>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        Server { listener, tls }
    }

    pub(crate) fn clear() -> Server {
        Server::new(None)
    }

    /// By the authority that the tests know.
    pub(crate) fn tls() -> Server {
        Server::new(Some(AUTHORITY.server_config()))
    }

    pub(crate) fn tls_of_another_authority() -> Server {
        Server::new(Some(Authority::new().server_config()))
    }

    /// The certificate by which servers are verified, as PEM.
    pub(crate) fn authority() -> &'static str {
        &AUTHORITY.pem
    }

    /// Answers each request with what is made of it, as it stands, and ends the connection.
    pub(crate) fn answers(self, answer: impl Fn(&str) -> String + Send + 'static) -> Serving {
        self.serves(answer, Duration::ZERO)
    }

    /// As [`Server::answers`], but leaves the connection open.
    pub(crate) fn answers_and_stays(self, answer: impl Fn(&str) -> String + Send + 'static) -> Serving {
        self.serves(answer, Duration::from_secs(60))
    }

    /// Takes connections and says nothing, not even in TLS.
    pub(crate) fn answers_nothing(self) -> Serving {
        let origin = self.origin();
        std::thread::spawn(move || {
            let _open: Vec<_> = self.listener.incoming().collect();
        });
        Serving { origin }
    }

    fn serves(self, answer: impl Fn(&str) -> String + Send + 'static, stays: Duration) -> Serving {
        let origin = self.origin();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = self.listener.accept() {
                serve(stream, self.tls.clone(), &answer, stays);
            }
        });
        Serving { origin }
    }

    fn origin(&self) -> String {
        let port = self.listener.local_addr().expect("it is bound").port();
        match self.tls {
            Some(_) => format!("https://localhost:{port}"),
            None => format!("http://127.0.0.1:{port}"),
        }
    }
}

fn serve(stream: TcpStream, tls: Option<Arc<ServerConfig>>, answer: &dyn Fn(&str) -> String, stays: Duration) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let closing = stream.try_clone();
    match tls {
        None => speak(stream, answer),
        Some(config) => {
            let connection = ServerConnection::new(config).expect("the configuration is good");
            speak(StreamOwned::new(connection, stream), answer);
        }
    }
    // Whoever reads on finds out when the client gives up.
    if !stays.is_zero()
        && let Ok(mut stream) = closing
    {
        let _ = stream.set_read_timeout(Some(stays));
        let _ = stream.read(&mut [0]);
    }
}

fn speak(mut stream: impl Read + Write, answer: &dyn Fn(&str) -> String) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while !is_whole(&request) {
        match stream.read(&mut piece) {
            Ok(count) if count > 0 => request.extend_from_slice(&piece[..count]),
            _ => return,
        }
    }
    let answer = answer(&String::from_utf8_lossy(&request));
    let _ = stream.write_all(answer.as_bytes());
    let _ = stream.flush();
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    body.len() >= length.map_or(0, |length| length.parse().expect("it is a number"))
}
