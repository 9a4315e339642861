//! A request as expressions see it. Nothing is looked up before an expression asks for it.

mod maps;

use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use portcullis_cel::{Environment, List, Map, Record, RecordType, Type, Value, Variables};
use portcullis_core::{ClientCertificate, Consumer, Ctx, Request};

use maps::{Fields, Params, Query};

/// The places of the variables, in the order in which [`environment`] has them.
const REQUEST: usize = 0;
const CLIENT: usize = 1;
pub(super) const CONSUMER: usize = 2;
pub(super) const CLAIMS: usize = 3;
const PARAMS: usize = 4;
const ROUTE: usize = 5;
const TIME: usize = 6;
const TLS: usize = 7;

/// The variables that an expression may use.
pub(super) fn environment() -> Environment {
    let texts = || Type::list(Type::String);
    let request = record(
        "request",
        vec![
            ("method", Type::String),
            ("path", Type::String),
            ("query", Type::map(texts())),
            ("headers", Type::map(Type::String)),
            ("host", Type::String),
            ("scheme", Type::String),
            ("size", Type::Dyn),
            ("id", Type::String),
            ("version", Type::String),
        ],
    );
    let client = record(
        "client",
        vec![("address", Type::String), ("peer", Type::String), ("port", Type::Int)],
    );
    let consumer = record(
        "consumer",
        vec![
            ("name", Type::String),
            ("by", Type::String),
            ("scopes", texts()),
            ("roles", texts()),
        ],
    );
    let certificate = record(
        "tls.client",
        vec![
            ("subject", Type::String),
            ("dns_names", texts()),
            ("uris", texts()),
            ("mail_addresses", texts()),
            ("fingerprint", Type::String),
        ],
    );
    let tls = record("tls", vec![("server_name", Type::String), ("client", certificate)]);
    Environment::new()
        .with("request", request)
        .with("client", client)
        .with("consumer", consumer)
        .with("claims", Type::map(Type::Dyn))
        .with("params", Type::map(Type::String))
        .with("route", Type::String)
        .with("time", Type::Timestamp)
        .with("tls", tls)
}

fn record(name: &'static str, fields: Vec<(&'static str, Type)>) -> Type {
    Type::Record(Arc::new(RecordType { name, fields }))
}

/// The claims of nobody.
static NOTHING: LazyLock<serde_json::Map<String, serde_json::Value>> = LazyLock::new(serde_json::Map::new);

/// A request and what is known of it.
pub(super) struct View<'r> {
    cx: &'r Ctx,
    request: RequestView<'r>,
    client: ClientView<'r>,
    consumer: Option<ConsumerView<'r>>,
    params: Params<'r>,
    tls: TlsView<'r>,
}

struct RequestView<'r> {
    cx: &'r Ctx,
    request: &'r Request,
    query: Query<'r>,
    fields: Fields<'r>,
}

struct ClientView<'r>(&'r Ctx);

struct ConsumerView<'r>(&'r Consumer);

struct TlsView<'r> {
    server_name: &'r str,
    client: Option<CertificateView<'r>>,
}

struct CertificateView<'r>(&'r ClientCertificate);

impl<'r> View<'r> {
    pub(super) fn new(cx: &'r Ctx, request: &'r Request) -> View<'r> {
        View {
            cx,
            request: RequestView {
                cx,
                request,
                query: Query(request.target.query().unwrap_or_default()),
                fields: Fields(&request.headers),
            },
            client: ClientView(cx),
            consumer: cx.consumer.as_deref().map(ConsumerView),
            params: Params(&cx.params),
            tls: TlsView {
                server_name: cx.connection.tls_server_name.as_deref().unwrap_or_default(),
                client: cx.connection.client_certificate.as_deref().map(CertificateView),
            },
        }
    }
}

impl Variables for View<'_> {
    fn get(&self, place: usize) -> Value<'_> {
        match place {
            REQUEST => Value::Record(&self.request),
            CLIENT => Value::Record(&self.client),
            CONSUMER => self
                .consumer
                .as_ref()
                .map_or(Value::Null, |consumer| Value::Record(consumer)),
            CLAIMS => Value::Map(Map::Host(match &self.consumer {
                Some(ConsumerView(consumer)) => &consumer.claims,
                None => &*NOTHING,
            })),
            PARAMS => Value::Map(Map::Host(&self.params)),
            ROUTE => Value::text(self.cx.route.map_or("", |route| route.name)),
            TIME => Value::Timestamp(self.cx.received.into()),
            TLS if self.cx.connection.tls => Value::Record(&self.tls),
            _ => Value::Null,
        }
    }
}

impl Record for RequestView<'_> {
    fn field(&self, place: usize) -> Value<'_> {
        let request = self.request;
        match place {
            0 => Value::text(request.method.as_str()),
            1 => Value::text(request.target.path()),
            2 => Value::Map(Map::Host(&self.query)),
            3 => Value::Map(Map::Host(&self.fields)),
            4 => {
                let host = request.host();
                // A host is the same however it is written (RFC 9110 §4.2.3).
                if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
                    host.to_ascii_lowercase().into()
                } else {
                    Value::text(host)
                }
            }
            5 => Value::text(self.cx.scheme.as_str()),
            6 => match request.body.remaining().map(i64::try_from) {
                Some(Ok(size)) => Value::Int(size),
                _ => Value::Null,
            },
            7 => Value::text(self.cx.request_id.as_str()),
            8 => Value::text(request.version.as_str()),
            _ => Value::Null,
        }
    }
}

impl Record for ClientView<'_> {
    fn field(&self, place: usize) -> Value<'_> {
        let ClientView(cx) = self;
        let connection = &cx.connection;
        match place {
            0 if cx.client == connection.peer.ip() => Value::text(&connection.peer_ip),
            0 => cx.client.to_string().into(),
            1 => Value::text(&connection.peer_ip),
            2 => Value::Int(connection.peer.port().into()),
            _ => Value::Null,
        }
    }
}

impl Record for ConsumerView<'_> {
    fn field(&self, place: usize) -> Value<'_> {
        let ConsumerView(consumer) = self;
        match place {
            0 => Value::text(&consumer.name),
            1 => Value::text(consumer.by),
            2 => Value::List(List::Host(&consumer.scopes)),
            3 => Value::List(List::Host(&consumer.roles)),
            _ => Value::Null,
        }
    }
}

impl Record for TlsView<'_> {
    fn field(&self, place: usize) -> Value<'_> {
        match place {
            0 => Value::text(self.server_name),
            1 => self.client.as_ref().map_or(Value::Null, |client| Value::Record(client)),
            _ => Value::Null,
        }
    }
}

impl Record for CertificateView<'_> {
    fn field(&self, place: usize) -> Value<'_> {
        let CertificateView(certificate) = self;
        match place {
            0 => Value::text(&certificate.subject),
            1 => Value::List(List::Host(&certificate.dns_names)),
            2 => Value::List(List::Host(&certificate.uris)),
            3 => Value::List(List::Host(&certificate.mail_addresses)),
            4 => {
                let mut digits = String::with_capacity(2 * certificate.fingerprint.len());
                for byte in certificate.fingerprint {
                    let _ = write!(digits, "{byte:02x}");
                }
                digits.into()
            }
            _ => Value::Null,
        }
    }
}
