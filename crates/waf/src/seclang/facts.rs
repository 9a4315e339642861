//! What is known of a message, as variables.

use super::action::{Engine, Processor};
use super::body;
use super::texts::Text;
use super::transaction::{Ends, Fact, Transaction};
use super::variable::Name;

/// How many fields a head may have, to be looked at. The listener's own limit is lower.
const MOST_FIELDS: usize = 1_000;

/// How many cookies a request may have.
const MOST_COOKIES: usize = 1_000;

impl Transaction {
    /// Who asks whom.
    pub fn ends(&mut self, ends: &Ends<'_>) {
        self.single(Name::RemoteAddr, ends.client.to_string().as_bytes());
        self.single(Name::RemoteHost, ends.client.to_string().as_bytes());
        self.single(Name::RemotePort, ends.client_port.to_string().as_bytes());
        self.single(Name::ServerAddr, ends.server.to_string().as_bytes());
        self.single(Name::ServerPort, ends.server_port.to_string().as_bytes());
        self.single(Name::UniqueId, ends.request_id.as_bytes());
    }

    /// The first line of the request: method, target as it stands there, and protocol such as `HTTP/1.1`.
    pub fn request_line(&mut self, method: &str, target: &[u8], protocol: &str) {
        let space: &[u8] = b" ";
        let line = [method.as_bytes(), space, target, space, protocol.as_bytes()];
        let text = self.texts.add_parts(&line);
        self.fact(Name::RequestLine, Text::NONE, text);
        self.single(Name::RequestMethod, method.as_bytes());
        self.single(Name::RequestProtocol, protocol.as_bytes());
        let raw = self.single(Name::RequestUriRaw, target);
        self.fact(Name::RequestUri, Text::NONE, raw);
        let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
        // A plus sign is one in a path, where percent-encoding is undone.
        let mut decoded = Vec::with_capacity(path.len());
        body::percent_decoded(path, &mut decoded);
        self.single(Name::RequestFilename, &decoded);
        let base = decoded.rsplit(|byte| matches!(byte, b'/' | b'\\')).next();
        self.single(Name::RequestBasename, base.unwrap_or_default());
        let query = target.get(path.len() + 1..).unwrap_or_default();
        self.single(Name::QueryString, query);
        let separator = self.rules.settings.argument_separator;
        self.arguments(query, separator, Name::ArgsGet);
    }

    /// A field of the request's head.
    pub fn request_header(&mut self, name: &str, value: &[u8]) {
        if self.facts[Name::RequestHeaders as usize].len() >= MOST_FIELDS {
            return self.exceed("the request has more fields than rules may look at");
        }
        let key = self.texts.add(name.as_bytes());
        let text = self.texts.add(value);
        self.fact(Name::RequestHeaders, key, text);
        self.fact(Name::RequestHeadersNames, key, key);
        if name.eq_ignore_ascii_case("cookie") {
            self.cookies(value);
        } else if name.eq_ignore_ascii_case("content-type") && self.processor.is_none() {
            self.processor = body::processor_for(value);
        } else if name.eq_ignore_ascii_case("host") {
            let host = value.split(|byte| *byte == b':').next().unwrap_or_default();
            self.single(Name::ServerName, host);
        }
    }

    /// That the request's head is complete.
    pub fn end_of_head(&mut self) {
        match self.processor {
            Some(processor) => self.set_processor(processor),
            None => {
                self.single(Name::ReqbodyProcessor, b"");
            }
        }
        self.sum_of_arguments();
    }

    /// The request's body, or the first part of it. Without it, what the rules know of one is that it is empty. Of a part, what
    /// stands before the cut is taken apart, and rules see it as text, too.
    pub fn request_body(&mut self, content: &[u8], whole: bool) {
        if !self.request_body_on || self.engine == Engine::Off {
            return;
        }
        self.single(Name::RequestBodyLength, content.len().to_string().as_bytes());
        let shows_body = !whole || self.force_body || matches!(self.processor, Some(Processor::UrlEncoded));
        if shows_body {
            self.single(Name::RequestBody, content);
        }
        let outcome = match self.processor {
            _ if content.is_empty() => Ok(()),
            None => Ok(()),
            Some(Processor::UrlEncoded) => {
                let separator = self.rules.settings.argument_separator;
                self.arguments(content, separator, Name::ArgsPost);
                Ok(())
            }
            Some(Processor::Json) => body::json::read(self, content),
            Some(Processor::Xml) => body::xml::read(self, content),
            Some(Processor::Multipart) => body::multipart::read(self, content),
        };
        let failed = outcome.is_err() && whole;
        let flag: &[u8] = if failed { b"1" } else { b"0" };
        self.single(Name::ReqbodyError, flag);
        self.single(Name::ReqbodyProcessorError, flag);
        if let Err(message) = outcome
            && whole
        {
            self.single(Name::ReqbodyErrorMsg, message.as_bytes());
            self.single(Name::ReqbodyProcessorErrorMsg, message.as_bytes());
        }
        self.sum_of_arguments();
    }

    /// The first line of the response.
    pub fn response_line(&mut self, status: u16, protocol: &str) {
        self.single(Name::ResponseStatus, status.to_string().as_bytes());
        self.single(Name::ResponseProtocol, protocol.as_bytes());
        self.single(Name::StatusLine, format!("{protocol} {status}").as_bytes());
    }

    /// A field of the response's head.
    pub fn response_header(&mut self, name: &str, value: &[u8]) {
        if self.facts[Name::ResponseHeaders as usize].len() >= MOST_FIELDS {
            return self.exceed("the response has more fields than rules may look at");
        }
        let key = self.texts.add(name.as_bytes());
        let text = self.texts.add(value);
        self.fact(Name::ResponseHeaders, key, text);
        self.fact(Name::ResponseHeadersNames, key, key);
        if name.eq_ignore_ascii_case("content-type") {
            let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
            self.single(Name::ResponseContentType, essence.trim_ascii());
        }
    }

    /// The response's body, or as much of it as is looked at.
    pub fn response_body(&mut self, content: &[u8]) {
        self.single(Name::ResponseContentLength, content.len().to_string().as_bytes());
        self.single(Name::ResponseBody, content);
    }

    /// Sets how the body is read, and the variable that says so.
    pub(super) fn set_processor(&mut self, processor: Processor) {
        self.processor = Some(processor);
        let name: &[u8] = match processor {
            Processor::UrlEncoded => b"URLENCODED",
            Processor::Multipart => b"MULTIPART",
            Processor::Json => b"JSON",
            Processor::Xml => b"XML",
        };
        self.single(Name::ReqbodyProcessor, name);
    }

    /// Sets a variable that has one value.
    pub(super) fn single(&mut self, name: Name, value: &[u8]) -> Text {
        let text = self.texts.add(value);
        self.facts[name as usize].clear();
        self.fact(name, Text::NONE, text);
        text
    }

    pub(super) fn fact(&mut self, name: Name, key: Text, text: Text) {
        self.facts[name as usize].push(Fact { key, text });
    }

    /// Adds to a variable with names.
    pub(super) fn named(&mut self, name: Name, key: &[u8], value: &[u8]) {
        let key = self.texts.add(key);
        let text = self.texts.add(value);
        self.fact(name, key, text);
    }

    /// Adds an argument; false when there are too many.
    pub(super) fn argument(&mut self, from: Name, key: &[u8], value: &[u8]) -> bool {
        if self.facts[Name::Args as usize].len() >= self.rules.settings.most_arguments {
            self.exceed("the request has more arguments than rules may look at");
            return false;
        }
        let key = self.texts.add(key);
        let text = self.texts.add(value);
        let (of_kind, names) = match from {
            Name::ArgsGet => (Name::ArgsGet, Name::ArgsGetNames),
            _ => (Name::ArgsPost, Name::ArgsPostNames),
        };
        for name in [Name::Args, of_kind] {
            self.fact(name, key, text);
        }
        for name in [Name::ArgsNames, names] {
            self.fact(name, key, key);
        }
        true
    }

    /// Adds the arguments of a query or a form.
    fn arguments(&mut self, text: &[u8], separator: u8, from: Name) {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        for pair in text.split(|byte| *byte == separator).filter(|pair| !pair.is_empty()) {
            let equals = memchr::memchr(b'=', pair).unwrap_or(pair.len());
            key.clear();
            value.clear();
            body::url_decoded(&pair[..equals], &mut key);
            body::url_decoded(pair.get(equals + 1..).unwrap_or_default(), &mut value);
            if !self.argument(from, &key, &value) {
                return;
            }
        }
    }

    fn cookies(&mut self, value: &[u8]) {
        for pair in value.split(|byte| *byte == b';') {
            let pair = pair.trim_ascii_start();
            if pair.is_empty() {
                continue;
            }
            if self.facts[Name::RequestCookies as usize].len() >= MOST_COOKIES {
                return self.exceed("the request has more cookies than rules may look at");
            }
            let equals = memchr::memchr(b'=', pair).unwrap_or(pair.len());
            let key = self.texts.add(pair[..equals].trim_ascii());
            let text = self.texts.add(pair.get(equals + 1..).unwrap_or_default());
            self.fact(Name::RequestCookies, key, text);
            self.fact(Name::RequestCookiesNames, key, key);
        }
    }

    fn sum_of_arguments(&mut self) {
        let facts = &self.facts[Name::Args as usize];
        let sum: usize = facts
            .iter()
            .map(|fact| self.texts.get(fact.key).len() + self.texts.get(fact.text).len())
            .sum();
        self.single(Name::ArgsCombinedSize, sum.to_string().as_bytes());
    }
}
