use std::io::Write as _;

use portcullis_core::Ctx;

/// A field's value with placeholders, read once.
#[derive(Debug)]
pub(super) enum Template {
    /// Without placeholders.
    Fixed(Box<[u8]>),
    /// With some.
    Parts(Box<[Part]>),
}

#[derive(Debug)]
pub(super) enum Part {
    Text(Box<[u8]>),
    Value(Placeholder),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placeholder {
    ClientIp,
    RequestId,
    Host,
    Scheme,
    Consumer,
    Route,
}

/// What placeholders stand for.
pub(super) struct Facts<'a> {
    pub(super) cx: &'a Ctx,
    /// The host that the client named.
    pub(super) host: &'a str,
}

impl Template {
    /// # Errors
    /// When a placeholder is unknown or a brace stands alone, or the text can't be in a field's value.
    pub(super) fn new(text: &str) -> Result<Template, String> {
        if text.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
            return Err("a field's value can't hold line breaks or other control characters".to_owned());
        }
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            let after = &rest[at + 1..];
            if let Some(after) = after.strip_prefix(brace) {
                literal.push_str(brace);
                rest = after;
                continue;
            }
            let (name, after) = match (brace, after.split_once('}')) {
                ("{", Some(found)) => found,
                _ => return Err(format!("a brace stands alone in `{text}`: write it twice")),
            };
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal).into_bytes().into()));
            }
            parts.push(Part::Value(Placeholder::named(name)?));
            rest = after;
        }
        literal.push_str(rest);
        if parts.is_empty() {
            return Ok(Template::Fixed(literal.into_bytes().into()));
        }
        if !literal.is_empty() {
            parts.push(Part::Text(literal.into_bytes().into()));
        }
        Ok(Template::Parts(parts.into()))
    }

    /// Gives the value to `put`.
    pub(super) fn render(&self, facts: &Facts<'_>, put: impl FnOnce(&[u8])) {
        match self {
            Template::Fixed(text) => put(text),
            Template::Parts(parts) => {
                let mut value = Vec::with_capacity(64);
                for part in parts {
                    match part {
                        Part::Text(text) => value.extend_from_slice(text),
                        Part::Value(placeholder) => placeholder.render(facts, &mut value),
                    }
                }
                put(&value);
            }
        }
    }

    pub(super) fn needs_host(&self) -> bool {
        match self {
            Template::Fixed(_) => false,
            Template::Parts(parts) => parts.iter().any(|part| matches!(part, Part::Value(Placeholder::Host))),
        }
    }
}

impl Placeholder {
    fn named(name: &str) -> Result<Placeholder, String> {
        Ok(match name {
            "client_ip" => Placeholder::ClientIp,
            "request_id" => Placeholder::RequestId,
            "host" => Placeholder::Host,
            "scheme" => Placeholder::Scheme,
            "consumer" => Placeholder::Consumer,
            "route" => Placeholder::Route,
            _ => {
                return Err(format!(
                    "`{{{name}}}` stands for nothing: there are {{client_ip}}, {{request_id}}, {{host}}, {{scheme}}, \
                     {{consumer}} and {{route}}; a brace that shall stay is written twice"
                ));
            }
        })
    }

    fn render(self, facts: &Facts<'_>, out: &mut Vec<u8>) {
        let Facts { cx, host } = facts;
        match self {
            Placeholder::ClientIp => write!(out, "{}", cx.client).expect("a Vec takes every write"),
            Placeholder::RequestId => out.extend_from_slice(cx.request_id.as_str().as_bytes()),
            Placeholder::Host => out.extend_from_slice(host.as_bytes()),
            Placeholder::Scheme => out.extend_from_slice(cx.scheme.as_str().as_bytes()),
            Placeholder::Consumer => {
                out.extend_from_slice(cx.consumer.as_ref().map_or("", |consumer| &consumer.name).as_bytes());
            }
            Placeholder::Route => out.extend_from_slice(cx.route.as_ref().map_or("", |route| &route.name).as_bytes()),
        }
    }
}
