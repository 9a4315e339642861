//! `headers` sets, adds and removes header fields.
//!
//! ```yaml
//! headers:
//!   request:
//!     remove: [Cookie]
//!     set: {X-Real-Ip: "{client_ip}", X-Tenant: "{consumer}"}
//!   response:
//!     remove: [Server, X-Powered-By]
//!     set: {Strict-Transport-Security: "max-age=31536000"}
//! ```
//!
//! First `remove`, then `set` (in place of all fields of that name), then `add` (beside them). In values `{client_ip}`,
//! `{request_id}`, `{host}`, `{scheme}`, `{consumer}` and `{route}` are put in, empty where there is none; a brace that
//! shall stay is written twice.
//!
//! `set` and `add` for the response hold for failures of the backend too. Refusals by policies that run before this one
//! don't have them. `remove` concerns what a backend sent, and nothing that the gate itself says.
//!
//! Fields of framing and connection can't be touched: they belong to the wire, and touching them is how requests are
//! smuggled. `Host` can be set for the backend, and not be added or removed.

mod template;

use portcullis_config::policy::headers;
use portcullis_core::{Ctx, Known, Next, Policy, Reply, Request};

use crate::field_name::FieldName;
use template::{Facts, Template};

/// What belongs to the wire (RFC 9110 §7.6.1, RFC 9112 §6), beside `Proxy-Authenticate` and its like, which speak to the
/// next connection only.
const OF_THE_WIRE: u64 = Known::Connection.bit()
    | Known::ContentLength.bit()
    | Known::Expect.bit()
    | Known::Http2Settings.bit()
    | Known::KeepAlive.bit()
    | Known::ProxyAuthenticate.bit()
    | Known::ProxyAuthorization.bit()
    | Known::ProxyConnection.bit()
    | Known::Te.bit()
    | Known::Trailer.bit()
    | Known::TransferEncoding.bit()
    | Known::Upgrade.bit();

/// Sets, adds and removes header fields.
#[derive(Debug)]
pub struct Headers {
    request: Changes,
    response: Changes,
    /// Of what is added to the response: whether it is also set, and so stands beside our own and no backend's field.
    beside_own: Box<[bool]>,
    needs_host: bool,
}

/// Changes of one message.
#[derive(Debug)]
struct Changes {
    remove: Box<[FieldName]>,
    set: Box<[(FieldName, Template)]>,
    add: Box<[(FieldName, Template)]>,
}

impl Headers {
    /// Compiles what the file says.
    ///
    /// # Errors
    /// When a name is none or belongs to the wire, or a value can't be one or holds an unknown placeholder.
    pub fn new(config: &headers::Headers) -> Result<Headers, String> {
        let request = Changes::new(&config.request)?;
        let response = Changes::new(&config.response)?;
        let is_set = |name: &FieldName| response.set.iter().any(|(set, _)| set.is(name));
        let beside_own = response.add.iter().map(|(name, _)| is_set(name)).collect();
        let needs_host = [&request, &response].iter().any(|changes| changes.needs_host());
        Ok(Headers {
            request,
            response,
            beside_own,
            needs_host,
        })
    }

    fn change_request(&self, facts: &Facts<'_>, request: &mut Request) {
        let Changes { remove, set, add } = &self.request;
        for name in remove {
            request.headers.remove(name.name());
        }
        for (name, value) in set {
            value.render(facts, |value| request.headers.set(name.name(), value));
        }
        for (name, value) in add {
            value.render(facts, |value| request.headers.append(name.name(), value));
        }
    }

    /// Puts what is set into the answer; what is added beside a backend's fields is the result.
    fn change_answer(&self, facts: &Facts<'_>, answer: &mut portcullis_core::Headers) -> portcullis_core::Headers {
        let mut added = portcullis_core::Headers::new();
        answer.reserve(self.response.set.len(), 64 * self.response.set.len());
        for (name, value) in &self.response.set {
            value.render(facts, |value| answer.set(name.name(), value));
        }
        for ((name, value), beside_own) in self.response.add.iter().zip(&self.beside_own) {
            let list = if *beside_own { &mut *answer } else { &mut added };
            value.render(facts, |value| list.append(name.name(), value));
        }
        added
    }
}

impl Policy for Headers {
    fn call<'a>(&'a self, cx: &'a mut Ctx, mut request: Request, next: Next<'a>) -> Reply<'a> {
        // The host is the client's, whatever the request to the backend will say.
        let host = if self.needs_host {
            request.host().to_owned()
        } else {
            String::new()
        };
        let mut answer = std::mem::take(&mut cx.answer);
        let facts = Facts { cx, host: &host };
        self.change_request(&facts, &mut request);
        let added = self.change_answer(&facts, &mut answer);
        cx.answer = answer;
        if self.response.remove.is_empty() && added.is_empty() {
            return next.run(cx, request);
        }
        Reply::later(async move {
            match next.run(cx, request).await {
                Ok(mut response) => {
                    for name in &self.response.remove {
                        response.headers.remove(name.name());
                    }
                    response.headers.extend(&added);
                    Ok(response)
                }
                Err(error) => Err(added
                    .iter()
                    .fold(error, |error, (name, value)| error.with_header(name, value))),
            }
        })
    }
}

impl Changes {
    fn new(config: &headers::HeaderChanges) -> Result<Changes, String> {
        let keeps_host = |name: &FieldName| match name.known() {
            Some(Known::Host) => Err("`Host` can be set, and not be added or removed".to_owned()),
            _ => Ok(()),
        };
        let remove = config.remove.iter().map(|name| {
            let name = field_name(name)?;
            keeps_host(&name)?;
            Ok(name)
        });
        let add = config.add.iter().map(|(name, value)| {
            let name = field_name(name)?;
            keeps_host(&name)?;
            Ok((name, Template::new(value)?))
        });
        let set = config
            .set
            .iter()
            .map(|(name, value)| Ok((field_name(name)?, Template::new(value)?)));
        Ok(Changes {
            remove: remove.collect::<Result<_, String>>()?,
            set: set.collect::<Result<_, String>>()?,
            add: add.collect::<Result<_, String>>()?,
        })
    }

    fn needs_host(&self) -> bool {
        self.set.iter().chain(&self.add).any(|(_, value)| value.needs_host())
    }
}

fn field_name(text: &str) -> Result<FieldName, String> {
    let name = FieldName::new(text)?;
    match name.known() {
        Some(known) if OF_THE_WIRE & known.bit() != 0 => Err(format!(
            "`{text}` belongs to the connection, not to the message: it can't be changed"
        )),
        _ => Ok(name),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use portcullis_config::policy::headers::HeaderChanges;
    use portcullis_core::{Backend, Consumer, Error, codes};

    use super::*;
    use crate::trial::{Trial, context, now, request, send, send_as};

    fn changes(remove: &[&str], set: &[(&str, &str)], add: &[(&str, &str)]) -> HeaderChanges {
        let texts = |list: &[(&str, &str)]| -> BTreeMap<String, String> {
            list.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        HeaderChanges {
            remove: remove.iter().map(|name| (*name).to_owned()).collect(),
            set: texts(set),
            add: texts(add),
        }
    }

    fn policy(request: HeaderChanges, response: HeaderChanges) -> Arc<dyn Policy> {
        Arc::new(Headers::new(&headers::Headers { request, response }).unwrap())
    }

    fn lines(headers: &portcullis_core::Headers) -> Vec<String> {
        headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)))
            .collect()
    }

    #[test]
    fn a_request_is_changed_in_the_order_remove_set_add() {
        let policy = policy(
            changes(
                &["Cookie", "x-gone", "X-Back"],
                &[("X-Back", "set"), ("X-One", "new")],
                &[("X-Two", "more")],
            ),
            HeaderChanges::default(),
        );
        let fields = [
            ("cookie", "a"),
            ("X-Gone", "b"),
            ("x-one", "1"),
            ("x-one", "2"),
            ("X-Two", "1"),
            ("x-back", "c"),
        ];
        let seen = send(&policy, request("GET", "/", &fields), &[]).seen.unwrap();
        assert_eq!(
            lines(&seen.headers),
            ["X-Two: 1", "X-Back: set", "X-One: new", "X-Two: more"]
        );
    }

    #[test]
    fn placeholders_are_put_in() {
        let text = "{client_ip}|{request_id}|{host}|{scheme}|{consumer}|{route}|{{x}}";
        let policy = policy(
            changes(&[], &[("X-All", text)], &[]),
            changes(&[], &[("X-All", text)], &[]),
        );
        let mut cx = context();
        cx.consumer = Some(Arc::new(Consumer::new("alice", "api_key")));
        let trial = send_as(&policy, cx, request("GET", "/", &[("Host", "a.example:8080")]), &[]);
        let expected = "192.0.2.7|id-1|a.example|http|alice|items|{x}";
        assert_eq!(trial.seen.as_ref().unwrap().headers.get_str("x-all"), Some(expected));
        assert_eq!(trial.field("x-all").unwrap(), expected);
        let mut cx = context();
        cx.route = None;
        let trial = send_as(&policy, cx, request("GET", "/", &[]), &[]);
        assert_eq!(trial.field("x-all").unwrap(), "192.0.2.7|id-1||http|||{x}");
    }

    #[test]
    fn a_response_is_changed() {
        let policy = policy(
            HeaderChanges::default(),
            changes(
                &["server"],
                &[("X-One", "set")],
                &[("X-One", "added"), ("X-Two", "added")],
            ),
        );
        let theirs = [("Server", "secret/1.0"), ("x-one", "theirs"), ("x-two", "theirs")];
        let trial = send(&policy, request("GET", "/", &[]), &theirs);
        assert_eq!(
            lines(&trial.answer()),
            ["x-two: theirs", "X-Two: added", "X-One: set", "X-One: added"]
        );
    }

    #[test]
    fn failures_of_the_backend_are_changed_as_well() {
        struct Fail;
        impl Backend for Fail {
            fn call<'a>(&'a self, _: &'a mut Ctx, _: Request) -> Reply<'a> {
                Error::new(&codes::UPSTREAM_REFUSED).into()
            }
        }
        let changes = changes(&["server"], &[("X-One", "set")], &[("X-Two", "added")]);
        let policies = [policy(HeaderChanges::default(), changes)];
        let mut cx = context();
        let result = now(Next::new(&policies, &Fail).run(&mut cx, request("GET", "/", &[])));
        let trial = Trial { result, seen: None, cx };
        assert_eq!(lines(&trial.answer()), ["X-Two: added", "X-One: set"]);
    }

    #[test]
    fn the_wires_own_fields_and_bad_values_are_refused() {
        let refused = |request: HeaderChanges| {
            let response = request.clone();
            let none = HeaderChanges::default;
            let on_request = Headers::new(&headers::Headers {
                request,
                response: none(),
            });
            let on_response = Headers::new(&headers::Headers {
                request: none(),
                response,
            });
            on_request.is_err() && on_response.is_err()
        };
        for name in [
            "Connection",
            "content-length",
            "Expect",
            "HTTP2-Settings",
            "Keep-Alive",
            "Proxy-Authenticate",
            "Proxy-Authorization",
            "Proxy-Connection",
            "TE",
            "Trailer",
            "transfer-ENCODING",
            "Upgrade",
            "",
            "a b",
            "é:",
        ] {
            assert!(refused(changes(&[name], &[], &[])), "remove {name}");
            assert!(refused(changes(&[], &[(name, "x")], &[])), "set {name}");
            assert!(refused(changes(&[], &[], &[(name, "x")])), "add {name}");
        }
        assert!(refused(changes(&["Host"], &[], &[])));
        assert!(refused(changes(&[], &[], &[("host", "a")])));
        assert!(!refused(changes(&[], &[("Host", "a.example")], &[])));
        for value in ["a\r\nb", "a\0", "{nothing}", "{client_ip", "client_ip}", "{}"] {
            assert!(refused(changes(&[], &[("x", value)], &[])), "{value}");
        }
    }
}
