//! A fixed answer to every request.

use bytes::Bytes;
use portcullis_config::route::FixedResponse;
use portcullis_core::headers::is_token;
use portcullis_core::{Backend, Body, Ctx, Headers, Known, Method, Reply, Request, Response, Status};

use crate::field_value::is_field_value;

/// Fields that are the wire's own affair, or that another setting says.
const NOT_SETTABLE: u64 = Known::Connection.bit()
    | Known::ContentLength.bit()
    | Known::ContentType.bit()
    | Known::KeepAlive.bit()
    | Known::ProxyConnection.bit()
    | Known::Te.bit()
    | Known::Trailer.bit()
    | Known::TransferEncoding.bit()
    | Known::Upgrade.bit();

/// Answers every request alike.
pub struct Respond {
    status: Status,
    headers: Headers,
    body: Bytes,
}

impl Respond {
    /// The answer that `config` describes.
    ///
    /// # Errors
    /// Says what in it can't be sent.
    pub fn new(config: &FixedResponse) -> Result<Respond, String> {
        let status = Status::new(config.status)
            .filter(|status| (200..=599).contains(&status.code()))
            .ok_or_else(|| format!("`status` must be 200 to 599, not {}", config.status))?;
        // 205 is an answer without content as well (RFC 9110 §15.3.6).
        if !config.body.is_empty() && (status.is_bodyless() || status.code() == 205) {
            return Err(format!("an answer of status {status} has no `body`"));
        }
        let mut headers = Headers::new();
        if !config.body.is_empty() {
            check_value("content_type", &config.content_type)?;
            headers.append(Known::ContentType, &config.content_type);
        }
        for (name, value) in &config.headers {
            if !is_token(name.as_bytes()) {
                return Err(format!("`{name}` can't be the name of a field"));
            }
            if Known::from_name(name.as_bytes()).is_some_and(|known| known.bit() & NOT_SETTABLE != 0) {
                return Err(format!("the field `{name}` can't be set here"));
            }
            check_value(name, value)?;
            headers.append(name, value);
        }
        Ok(Respond {
            status,
            headers,
            body: Bytes::from(config.body.clone()),
        })
    }
}

impl Backend for Respond {
    fn call<'a>(&'a self, _cx: &'a mut Ctx, request: Request) -> Reply<'a> {
        let mut headers = self.headers.clone();
        let body = if request.method == Method::Head {
            if !self.status.is_bodyless() {
                headers.append(Known::ContentLength, self.body.len().to_string());
            }
            Body::Empty
        } else {
            Body::from(self.body.clone())
        };
        Response {
            status: self.status,
            headers,
            body,
        }
        .into()
    }
}

fn check_value(name: &str, value: &str) -> Result<(), String> {
    if is_field_value(value) {
        return Ok(());
    }
    Err(format!(
        "the value of `{name}` holds a control character, or a space at its start or end"
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::collections::BTreeMap;
    use std::future::Future as _;
    use std::net::SocketAddr;
    use std::pin::pin;
    use std::rc::Rc;
    use std::task::{Context, Poll, Waker};
    use std::time::{Instant, SystemTime};

    use portcullis_config::route::FixedResponse;
    use portcullis_core::{Backend as _, Body, Connection, Ctx, Method, Request, RequestId, Response, Target};

    use super::Respond;

    fn fixed(status: u16, body: &str, headers: &[(&str, &str)]) -> FixedResponse {
        let headers: BTreeMap<_, _> = headers
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        FixedResponse {
            status,
            body: body.to_owned(),
            content_type: "text/plain; charset=utf-8".to_owned(),
            headers,
        }
    }

    fn ask(respond: &Respond, method: Method) -> Response {
        let local = SocketAddr::from(([127, 0, 0, 1], 80));
        let connection = Connection::new(local, local, None, false);
        let id = RequestId::new(b"1").unwrap();
        let mut cx = Ctx::new(Rc::new(connection), id, Instant::now(), SystemTime::UNIX_EPOCH);
        let reply = pin!(respond.call(&mut cx, Request::new(method, Target::parse(b"/").unwrap())));
        match reply.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(response) => response.unwrap(),
            Poll::Pending => panic!("a fixed answer is there at once"),
        }
    }

    #[test]
    fn every_method_gets_the_answer() {
        let respond = Respond::new(&fixed(418, "tea", &[("X-Kind", "pot")])).unwrap();
        for method in [Method::Get, Method::Post, Method::Options] {
            let response = ask(&respond, method);
            assert_eq!(response.status.code(), 418);
            assert_eq!(response.headers.get_str("x-kind"), Some("pot"));
            assert_eq!(
                response.headers.get_str("content-type"),
                Some("text/plain; charset=utf-8")
            );
            assert!(matches!(response.body, Body::Full(body) if body == "tea"));
        }
        let head = ask(&respond, Method::Head);
        assert_eq!(head.headers.get_str("content-length"), Some("3"));
        assert!(head.body.is_empty());
    }

    #[test]
    fn an_answer_without_content_has_no_type() {
        let respond = Respond::new(&fixed(204, "", &[])).unwrap();
        for method in [Method::Get, Method::Head] {
            assert!(ask(&respond, method).headers.is_empty());
        }
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for (config, expected) in [
            (fixed(199, "", &[]), "200 to 599"),
            (fixed(600, "", &[]), "200 to 599"),
            (fixed(204, "x", &[]), "no `body`"),
            (fixed(205, "x", &[]), "no `body`"),
            (fixed(304, "x", &[]), "no `body`"),
            (fixed(200, "", &[("a b", "c")]), "name of a field"),
            (fixed(200, "", &[("a", "b\r\nc: d")]), "control character"),
            (fixed(200, "", &[("content-length", "3")]), "can't be set"),
            (fixed(200, "", &[("Transfer-Encoding", "chunked")]), "can't be set"),
            (fixed(200, "", &[("Content-Type", "text/html")]), "can't be set"),
        ] {
            let problem = Respond::new(&config).err().unwrap();
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
