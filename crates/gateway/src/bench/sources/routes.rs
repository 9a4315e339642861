//! Requests from the routes of a gate's file.

use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use portcullis_config::policy::PolicySet;
use portcullis_config::route::tables::Which;
use portcullis_config::route::{PolicyRef, Route, To};
use portcullis_config::{File, Loaded};

use super::{Wish, openapi};
use crate::bench::draft::{Draft, Drafted, only_reads};
use crate::compile::route_names;

/// What stands for a segment or a value that nobody has told.
const GUESS: &str = "1";

/// A request for each route that one can be made for. Routes with a description of their API get one for each operation.
pub(crate) fn draft(loaded: &Loaded, wish: &Wish) -> Draft {
    let mut draft = Draft::default();
    let names = route_names(&loaded.file.routes);
    for (route, name) in loaded.file.routes.iter().zip(names) {
        let sets = sets(&loaded.file, route);
        if let Some(kind) = credential(&sets).filter(|_| wish.headers.is_empty()) {
            let why = format!(
                "it is guarded by `{kind}`: give a field with a credential, such as --header 'Name: ${{VARIABLE}}'"
            );
            draft.leave(name, why);
            continue;
        }
        if sets.iter().any(|set| set.rate_limit.is_some()) {
            draft.notes.push(format!(
                "{name} limits its rate: answers with 429 beyond it count as failures unless `expect` allows them"
            ));
        }
        match sets.iter().find_map(|set| set.openapi.as_ref()) {
            Some(described) => draft.take(by_description(route, &name, described, &loaded.base, wish)),
            None => by_route(route, &name, wish, &mut draft),
        }
    }
    draft
}

/// The sets of policies that apply to a route.
fn sets<'f>(file: &'f File, route: &'f Route) -> Vec<&'f PolicySet> {
    let own = route.policies.iter().filter_map(|policy| match policy {
        PolicyRef::Name(name) => file.policies.get(name),
        PolicyRef::Inline(set) => Some(&**set),
    });
    let everywhere = file.everywhere.iter().filter_map(|name| file.policies.get(name));
    everywhere.chain(own).collect()
}

/// The way of showing who one is that a route asks for; none where it lets anybody in.
fn credential(sets: &[&PolicySet]) -> Option<&'static str> {
    if sets.iter().any(|set| set.anonymous.is_some()) {
        return None;
    }
    let of_set = |set: &PolicySet| {
        [
            (set.api_key.is_some(), "api_key"),
            (set.jwt.is_some(), "jwt"),
            (set.basic.is_some(), "basic"),
            (set.introspect.is_some(), "introspect"),
            (set.hmac.is_some(), "hmac"),
            (set.oidc.is_some(), "oidc"),
            (set.mtls.is_some(), "mtls"),
            (set.forward.is_some(), "forward"),
        ]
        .into_iter()
        .find_map(|(guards, name)| guards.then_some(name))
    };
    sets.iter().find_map(|set| of_set(set))
}

/// The operations of a description that the route claims.
fn by_description(
    route: &Route,
    name: &str,
    described: &portcullis_config::policy::openapi::OpenApi,
    base: &Path,
    wish: &Wish,
) -> Draft {
    let found = openapi::draft(&described.document, base, described.strip.as_deref(), wish);
    let mut draft = match found {
        Ok(draft) => draft,
        Err(why) => {
            let mut draft = Draft::default();
            draft.leave(name, format!("its description can't be used: {why}"));
            return draft;
        }
    };
    draft.requests.retain(|request| claims(route, request));
    for request in &mut draft.requests {
        request.route = format!("{name} {}", request.route);
        add_needed(route, request);
    }
    for left in &mut draft.left_out {
        left.what = format!("{name} {}", left.what);
    }
    draft
}

/// Whether the path and method are those of a route. What else it needs is put in afterwards.
fn claims(route: &Route, request: &Drafted) -> bool {
    let path = request.path.split('?').next().unwrap_or_default();
    (route.method.is_empty() || route.method.contains(&request.method)) && fits(&route.path, path)
}

fn fits(pattern: &str, path: &str) -> bool {
    let mut segments = path.trim_start_matches('/').split('/');
    for wanted in pattern.trim_start_matches('/').split('/') {
        if wanted == "**" {
            return true;
        }
        match segments.next() {
            Some(segment) if wanted == segment => {}
            Some(segment) if !segment.is_empty() && wanted.starts_with(['*', '{']) => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

fn by_route(route: &Route, name: &str, wish: &Wish, draft: &mut Draft) {
    let method = match method(route) {
        Some(method) => method,
        None => {
            let why =
                "its methods change something, and what their content would be isn't known: describe it by OpenAPI";
            draft.leave(name, why);
            return;
        }
    };
    for path in paths(route, name, draft) {
        let (path, guessed) = filled(&path, wish);
        let mut request = Drafted {
            route: name.to_owned(),
            method: method.to_owned(),
            path,
            headers: Vec::new(),
            body: None,
            weight: 1.0,
            statuses: status(&route.to).into_iter().collect(),
            guessed,
        };
        add_needed(route, &mut request);
        draft.requests.push(request);
    }
}

/// A method of the route that only reads.
fn method(route: &Route) -> Option<&str> {
    match route.method.is_empty() {
        true => Some("GET"),
        false => ["GET", "HEAD", "OPTIONS"]
            .into_iter()
            .find(|method| route.method.iter().any(|known| known == method) && only_reads(method)),
    }
}

/// The patterns of paths below a route that are worth asking for.
fn paths(route: &Route, name: &str, draft: &mut Draft) -> Vec<String> {
    let below = route.path.trim_end_matches("**").trim_end_matches('/');
    let to = match &route.to {
        // The rows, and one of them.
        To::Table(_) => return vec![below.to_owned(), format!("{below}/{{key}}")],
        To::Tables(to) => to,
        _ => return vec![route.path.clone()],
    };
    let named: Vec<&str> = match &to.tables.tables {
        Which::All(_) => Vec::new(),
        Which::Listed(names) => names
            .iter()
            .map(|name| name.rsplit('.').next().unwrap_or(name))
            .collect(),
        Which::Named(tables) => tables.keys().map(String::as_str).filter(|name| *name != "*").collect(),
    };
    if named.is_empty() && to.tables.openapi {
        let mut request = Drafted {
            method: "GET".to_owned(),
            path: format!("{below}/openapi.json"),
            ..Drafted::default()
        };
        add_needed(route, &mut request);
        draft.described.push((name.to_owned(), request));
    } else if named.is_empty() {
        draft.leave(
            name,
            "which tables it has is known by the database alone, and it doesn't describe itself",
        );
    }
    let both = |table: &&str| [format!("{below}/{table}"), format!("{below}/{table}/{{key}}")];
    named.iter().flat_map(both).collect()
}

/// A path of that pattern, and what of it is made up.
fn filled(pattern: &str, wish: &Wish) -> (String, Option<String>) {
    let mut guessed = None;
    let segments: Vec<String> = pattern
        .split('/')
        .map(|segment| {
            let parameter = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            match (segment, parameter) {
                (_, Some(name)) if wish.values.contains_key(name) => {
                    utf8_percent_encode(&wish.values[name], NON_ALPHANUMERIC).to_string()
                }
                (_, Some(name)) => {
                    guessed = Some(format!("`{GUESS}` for {{{name}}}: give --value {name}=…"));
                    GUESS.to_owned()
                }
                ("*", None) => {
                    guessed = Some(format!("`{GUESS}` for `*`"));
                    GUESS.to_owned()
                }
                ("**", None) => {
                    guessed = guessed.take().or_else(|| Some("nothing for `**`".to_owned()));
                    String::new()
                }
                (fixed, None) => fixed.to_owned(),
            }
        })
        .collect();
    (segments.join("/"), guessed)
}

/// The status that a route answers with, where its file says.
fn status(to: &To) -> Option<u16> {
    match to {
        To::Respond(to) if to.respond.status >= 400 => Some(to.respond.status),
        _ => None,
    }
}

/// Puts in the host, the fields and the parameters of the query without which the route isn't chosen.
fn add_needed(route: &Route, request: &mut Drafted) {
    let value = |wanted: &str| match wanted {
        "*" => GUESS.to_owned(),
        exactly => exactly.to_owned(),
    };
    if let Some(host) = route.host.first() {
        request
            .headers
            .push(("Host".to_owned(), host.replacen("*.", "www.", 1)));
    }
    for (name, wanted) in &route.headers {
        request.headers.push((name.clone(), value(wanted)));
    }
    for (name, wanted) in &route.query {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let separator = if request.path.contains('?') { '&' } else { '?' };
        let pair = format!("{separator}{}={}", encode(name), encode(&value(wanted)));
        request.path.push_str(&pair);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn drafted(routes: &str, wish: &Wish) -> Draft {
        let text = format!(
            "listeners: [127.0.0.1:0]\nservices: {{up: 'http://127.0.0.1:1'}}\n\
             databases: {{d: 'sqlite:d.db'}}\n\
             policies: {{keys: {{api_key: {{consumers: [{{name: a, key: '${{KEY}}'}}]}}}}, open: {{anonymous: {{}}}}}}\nroutes: [{routes}]\n"
        );
        let read = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        let loaded = portcullis_config::parse(&text, "test.yaml".as_ref(), &|_| Some("k".to_owned()), &read).unwrap();
        draft(&loaded, wish)
    }

    fn check(route: &str, expected: (&str, &str, &[(&str, &str)], bool)) {
        let draft = drafted(route, &Wish::default());
        assert_eq!(draft.left_out, [], "{route}");
        let [request] = &draft.requests[..] else {
            panic!("{route}: {draft:?}")
        };
        let headers: Vec<(&str, &str)> = request
            .headers
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        let found = (&*request.method, &*request.path, &*headers, request.guessed.is_some());
        assert_eq!(found, expected, "{route}");
    }

    #[test]
    fn a_route_becomes_a_request_that_it_claims() {
        check("{path: /a, to: {respond: a}}", ("GET", "/a", &[], false));
        check("{path: '/a/{id}/*', to: {service: up}}", ("GET", "/a/1/1", &[], true));
        check("{path: '/a/**', to: {service: up}}", ("GET", "/a/", &[], true));
        check(
            "{path: /a, method: [POST, HEAD], host: '*.b.test', headers: {x-v: '2', x-any: '*'}, query: {q: 'a b'}, to: {service: up}}",
            (
                "HEAD",
                "/a?q=a%20b",
                &[("Host", "www.b.test"), ("x-any", "1"), ("x-v", "2")],
                false,
            ),
        );
    }

    #[test]
    fn a_fixed_failure_is_what_its_route_promises() {
        let draft = drafted("{path: /gone, to: {respond: {status: 410}}}", &Wish::default());
        assert_eq!(draft.requests[0].statuses, [410]);
    }

    #[test]
    fn what_cannot_be_asked_for_is_left_out_with_the_reason() {
        let left = |route: &str| drafted(route, &Wish::default()).left_out.remove(0).why;
        assert!(left("{path: /a, method: POST, to: {service: up}}").contains("OpenAPI"));
        assert!(left("{path: /a, policies: keys, to: {service: up}}").contains("api_key"));
        let both = drafted(
            "{path: /a, policies: [keys, open], to: {service: up}}",
            &Wish::default(),
        );
        assert_eq!((both.requests.len(), both.left_out.len()), (1, 0));
        let wish = Wish {
            headers: vec![("X-Api-Key".to_owned(), "${KEY}".to_owned())],
            ..Wish::default()
        };
        let known = drafted("{path: /a, policies: keys, to: {service: up}}", &wish);
        assert_eq!((known.requests.len(), known.left_out.len()), (1, 0));
    }

    #[test]
    fn values_that_are_told_take_the_place_of_guesses() {
        let wish = Wish {
            values: [("id".to_owned(), "a/7".to_owned())].into(),
            ..Wish::default()
        };
        let draft = drafted("{path: '/a/{id}', to: {service: up}}", &wish);
        assert_eq!(
            (&*draft.requests[0].path, &draft.requests[0].guessed),
            ("/a/a%2F7", &None)
        );
    }
}
