//! What can only be wrong between values: doubles, contradictions, things that can't be meant.

use std::collections::{HashMap, HashSet};

use crate::acme::Challenge;
use crate::bind::Bind;
use crate::defaults;
use crate::file::File;
use crate::formats::fixed_part;
use crate::listener::{Listener, ListenerProtocol, Tls};
use crate::policy::PolicySet;
use crate::policy::api_key::ApiKey;
use crate::policy::cors::Cors;
use crate::route::{PolicyRef, Route, To};
use crate::secret::Secret;
use crate::service::{AdaptiveConcurrency, Protocol, Sticky};
use crate::sound::Sound;
use crate::units::Percent;

/// Takes the path of a value and what is wrong with it.
type Sink<'a> = &'a mut dyn FnMut(&str, String);

/// Finds what must not be.
pub(crate) fn problems(sound: &Sound, sink: Sink<'_>) {
    binds(sound, sink);
    halves_of_tls(sound, sink);
    let listeners = sound.file.listeners.iter().map(|listener| listener.name.as_deref());
    unique_names("listeners", sound.listeners.iter().copied().zip(listeners), sink);
    let routes = sound.file.routes.iter().map(|route| route.name.as_deref());
    unique_names("routes", sound.routes.iter().copied().zip(routes), sink);
    for (index, listener) in sound.listeners.iter().zip(&sound.file.listeners) {
        protocols(&format!("listeners[{index}].protocols"), listener, sink);
        if listener.mode.is_some() && matches!(listener.bind, Bind::Tcp(_)) {
            let message = "only a Unix socket has permissions";
            sink(&format!("listeners[{index}].mode"), message.to_owned());
        }
        if let Some(written) = &listener.tls {
            tls(&format!("listeners[{index}].tls"), written, sink);
        }
    }
    for (name, service) in &sound.file.services {
        if service.proxy_protocol.is_some() && service.protocol != Protocol::Http1 {
            let message = "a connection of HTTP/2 carries the requests of many clients, and can begin with the address of one only";
            sink(&format!("services.{name}.proxy_protocol"), message.to_owned());
        }
        for (key, message) in service.balance.contradictions() {
            sink(&format!("services.{name}.balance.{key}"), message);
        }
        if let Some((key, message)) = service.sticky.as_ref().and_then(Sticky::contradictions) {
            sink(&format!("services.{name}.sticky.{key}"), message);
        }
        if service.panic_threshold > Percent::whole(100) {
            let message = "more than all of the targets can't be healthy; write `100%` at the most";
            sink(&format!("services.{name}.panic_threshold"), message.to_owned());
        }
        let concurrency = service.adaptive_concurrency.as_ref();
        if let Some((key, message)) = concurrency.and_then(AdaptiveConcurrency::contradictions) {
            sink(&format!("services.{name}.adaptive_concurrency.{key}"), message);
        }
        let health = service.health.iter();
        for (key, message) in health.flat_map(|health| health.contradictions(service.protocol)) {
            sink(&format!("services.{name}.health.{key}"), message);
        }
    }
    for (name, set) in &sound.file.policies {
        policy_set(&format!("policies.{name}"), set, sink);
    }
    for (index, route) in sound.routes.iter().zip(&sound.file.routes) {
        let path = format!("routes[{index}]");
        for (at, policies) in route.policies.iter().enumerate() {
            if let PolicyRef::Inline(set) = policies {
                policy_set(&format!("{path}.policies[{at}]"), set, sink);
            }
        }
        to(&path, route, sink);
    }
}

/// Finds protocols that are listed twice.
fn protocols(path: &str, listener: &Listener, sink: Sink<'_>) {
    for (at, protocol) in listener.protocols.iter().enumerate() {
        if listener.protocols[..at].contains(protocol) {
            sink(
                &format!("{path}[{at}]"),
                "is listed already; remove one of the two".to_owned(),
            );
        }
    }
    let by_quic = ListenerProtocol::Http3;
    if listener.protocols == [by_quic] {
        let message = "clients learn of http3 from the answers of other protocols; list http1 or http2 beside it";
        sink(path, message.to_owned());
    } else if listener.tls.is_none()
        && listener.protocols.contains(&by_quic)
        && listener.protocols != defaults::listener_protocols()
    {
        sink(
            path,
            "http3 needs `tls`, for there is none in clear text; remove it or add `tls`".to_owned(),
        );
    }
}

/// Finds what may be and is probably not meant.
pub(crate) fn warnings(file: &File, sink: Sink<'_>) {
    if let Some(admin) = &file.admin
        && admin.bind.ip().is_unspecified()
    {
        let message = "whoever reaches this machine reaches the operators' listener; bind it to 127.0.0.1";
        sink("admin.bind", message.to_owned());
    }
    let asked_by_http = |listener: &Listener| {
        let acme = listener.tls.as_ref().and_then(|tls| tls.acme.as_ref());
        acme.is_some_and(|acme| acme.challenge == Challenge::Http)
    };
    if file.listeners.iter().all(|listener| listener.tls.is_some())
        && let Some(index) = file.listeners.iter().position(asked_by_http)
    {
        let message = "the authority asks on port 80, and no listener speaks without TLS there; add one";
        sink(&format!("listeners[{index}].tls.acme.challenge"), message.to_owned());
    }
    let mut services = HashSet::new();
    let mut databases = HashSet::new();
    let mut policies: HashSet<&str> = file.everywhere.iter().map(String::as_str).collect();
    services.extend(file.policies.values().flat_map(PolicySet::services));
    for route in &file.routes {
        services.extend(route.to.services());
        let own = route.policies.iter().filter_map(|policies| match policies {
            PolicyRef::Name(_) => None,
            PolicyRef::Inline(set) => Some(set.services()),
        });
        services.extend(own.flatten());
        databases.extend(route.to.database());
        policies.extend(route.policies.iter().filter_map(|policy| match policy {
            PolicyRef::Name(name) => Some(name.as_str()),
            PolicyRef::Inline(_) => None,
        }));
    }
    for name in file.services.keys().filter(|name| !services.contains(name.as_str())) {
        sink(
            &format!("services.{name}"),
            format!("no route leads to the service `{name}`"),
        );
    }
    for name in file.databases.keys().filter(|name| !databases.contains(name.as_str())) {
        sink(
            &format!("databases.{name}"),
            format!("no route leads to a table of the database `{name}`"),
        );
    }
    for name in file.policies.keys().filter(|name| !policies.contains(name.as_str())) {
        sink(
            &format!("policies.{name}"),
            format!("nothing uses the policies `{name}`: they guard nothing"),
        );
    }
}

fn binds(sound: &Sound, sink: Sink<'_>) {
    let mut seen: HashMap<Bind, String> = HashMap::new();
    let listeners = sound.listeners.iter().zip(&sound.file.listeners);
    let listeners = listeners.map(|(index, listener)| (format!("listeners[{index}]"), listener.bind.clone()));
    let admin = sound.file.admin.iter();
    let admin = admin.map(|admin| ("admin".to_owned(), Bind::Tcp(admin.bind)));
    for (path, bind) in listeners.chain(admin) {
        // Port 0 asks the system for any free one.
        if matches!(bind, Bind::Tcp(address) if address.port() == 0) {
            continue;
        }
        if let Some(first) = seen.get(&bind) {
            sink(
                &format!("{path}.bind"),
                format!("`{bind}` is already the address of `{first}`"),
            );
        } else {
            seen.insert(bind, path);
        }
    }
}

/// What has to do with TLS and makes no sense without its other half.
fn halves_of_tls(sound: &Sound, sink: Sink<'_>) {
    for (index, listener) in sound.listeners.iter().zip(&sound.file.listeners) {
        if listener.tls.is_some() && listener.redirect_to_https.is_some() {
            let message = "this listener speaks TLS: nothing comes in clear text that could be redirected";
            sink(&format!("listeners[{index}].redirect_to_https"), message.to_owned());
        }
    }
    for (name, service) in &sound.file.services {
        let (present, missing) = match (&service.tls.cert, &service.tls.key) {
            (Some(_), None) => ("cert", "key"),
            (None, Some(_)) => ("key", "cert"),
            _ => continue,
        };
        let message = format!("`{missing}` is missing: a certificate and its key are of use together only");
        sink(&format!("services.{name}.tls.{present}"), message);
    }
}

fn unique_names<'a>(list: &str, names: impl Iterator<Item = (usize, Option<&'a str>)>, sink: Sink<'_>) {
    let mut seen = HashMap::new();
    for (index, name) in names {
        let Some(name) = name else { continue };
        if let Some(first) = seen.get(name) {
            let message = format!("`{list}[{first}]` has the name `{name}` too; each needs its own");
            sink(&format!("{list}[{index}].name"), message);
        } else {
            seen.insert(name, index);
        }
    }
}

fn tls(path: &str, tls: &Tls, sink: Sink<'_>) {
    let Some(acme) = &tls.acme else {
        if tls.certificates.is_empty() {
            let message = "there is no certificate: list files under `certificates`, or have them issued by `acme`";
            sink(path, message.to_owned());
        }
        return;
    };
    if !acme.accept_terms {
        let message = "an authority issues certificates only to those who accept its terms; read them, and write `accept_terms: true`";
        sink(&format!("{path}.acme"), message.to_owned());
    }
    let mut seen = HashSet::new();
    for (index, domain) in acme.domains.iter().enumerate() {
        if !seen.insert(domain) {
            sink(
                &format!("{path}.acme.domains[{index}]"),
                format!("`{domain}` is in the list already"),
            );
        }
    }
}

fn policy_set(path: &str, set: &PolicySet, sink: Sink<'_>) {
    if let Some(cors) = &set.cors {
        origins(&format!("{path}.cors"), cors, sink);
    }
    if let Some(api_key) = &set.api_key {
        keys(&format!("{path}.api_key"), api_key, sink);
    }
}

fn origins(path: &str, cors: &Cors, sink: Sink<'_>) {
    let every = cors.origins.iter().any(|origin| origin == "*");
    if every && cors.credentials {
        let message =
            "cookies can't go along with every origin (`*`): any page could act for its visitor; list the origins";
        sink(&format!("{path}.credentials"), message.to_owned());
    }
    if every && cors.origins.len() > 1 {
        sink(
            &format!("{path}.origins"),
            "`*` is every origin; take the others out".to_owned(),
        );
    }
}

fn keys(path: &str, api_key: &ApiKey, sink: Sink<'_>) {
    let mut seen = HashMap::new();
    for (index, holder) in api_key.consumers.iter().enumerate() {
        let path = format!("{path}.consumers[{index}]");
        let beside = holder.key.is_some() || holder.sha256.is_some();
        if beside && !holder.keys.is_empty() {
            sink(&path, "there is a key beside `keys`; put it into that list".to_owned());
            continue;
        }
        let of_list = holder.keys.iter().enumerate();
        let of_list = of_list.map(|(nth, key)| (format!("{path}.keys[{nth}]"), &key.key, &key.sha256));
        let own = holder
            .keys
            .is_empty()
            .then(|| (path.clone(), &holder.key, &holder.sha256));
        for (path, key, sha256) in own.into_iter().chain(of_list) {
            let Some(proof) = proof(&path, key.as_ref(), sha256.as_ref(), sink) else {
                continue;
            };
            // A consumer may have several keys, so that one can take another's place; a key must tell who comes.
            if let Some(other) = seen.insert(proof, &holder.name) {
                sink(
                    &path,
                    format!("`{other}` has the same key; a key must tell one consumer from another"),
                );
            }
        }
    }
}

/// The key or the hash of it, of which one must be there.
fn proof<'k>(path: &str, key: Option<&'k Secret>, sha256: Option<&'k String>, sink: Sink<'_>) -> Option<&'k str> {
    let problem = match (key, sha256) {
        (Some(key), None) => return Some(key.expose()),
        (None, Some(hash)) => return Some(hash),
        (Some(_), Some(_)) => "`key` and `sha256` are both there; keep one of them",
        (None, None) => "`key` or `sha256` is missing: without it nobody can enter",
    };
    sink(path, problem.to_owned());
    None
}

fn to(path: &str, route: &Route, sink: Sink<'_>) {
    let contradictions = match &route.to {
        To::Service(to) => {
            let mirror = to.mirror.iter();
            mirror
                .flat_map(|mirror| mirror.contradictions([to.service.as_str()].into_iter()))
                .collect()
        }
        To::Split(to) => to.contradictions(),
        To::Rollout(to) => to.rollout.contradictions(),
        To::Respond(to) if matches!(to.respond.status, 204 | 205 | 304) && !to.respond.body.is_empty() => {
            let message = format!("an answer {} has no body (RFC 9110, section 6.4.1)", to.respond.status);
            vec![("respond.body".to_owned(), message)]
        }
        To::Tables(_) if !route.path.ends_with("/**") => {
            let message = "the resources of an API lie below the route's path: let it end in `/**`";
            vec![("tables".to_owned(), message.to_owned())]
        }
        To::Files(_) | To::Respond(_) | To::Table(_) | To::Tables(_) | To::Redirect(_) => Vec::new(),
    };
    for (key, message) in contradictions {
        sink(&format!("{path}.to.{key}"), message);
    }
    if let Some(strip) = route.to.strip() {
        let fixed = fixed_part(&route.path);
        if !fixed
            .strip_prefix(strip)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        {
            let message = format!("`{strip}` is no prefix of the route's path `{}`", route.path);
            sink(&format!("{path}.to.strip"), message);
        }
    }
}
