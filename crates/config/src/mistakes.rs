//! Mistakes in what guards: all of it may be meant, and each has let somebody in somewhere.
//!
//! `portcullis check --strict` lists them.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use serde_json::Value;

use crate::bind::Bind;
use crate::file::File;
use crate::listener::Listener;
use crate::load::Loaded;
use crate::policy::PolicySet;
use crate::problem::Problem;
use crate::route::tables::{Exposed, Which};
use crate::route::{PolicyRef, Route, To};
use crate::tree::{Content, Node};

/// Everything in the configuration that guards less than it looks like.
pub fn of_guards(loaded: &Loaded) -> Vec<Problem> {
    let file = &loaded.file;
    let mut mistakes = Vec::new();
    let mut say = |path: &str, what: &str| mistakes.push(loaded.problem(path, what));
    for (index, listener) in file.listeners.iter().enumerate() {
        if is_public(listener) && is_clear(listener) {
            say(
                &format!("listeners[{index}]"),
                "clear text on an address that others may reach: whoever is on the way reads and changes everything. Give it `tls`, \
                 or name the proxies that speak TLS before it (`trusted_proxies`)",
            );
        }
    }
    if let Some(admin) = &file.admin
        && !admin.bind.ip().is_loopback()
    {
        say(
            "admin.bind",
            "whoever reaches this address changes targets, bans and keys: bind it to 127.0.0.1",
        );
    }
    for (index, route) in file.routes.iter().enumerate() {
        let sets = Sets::of(file, route);
        let path = format!("routes[{index}]");
        if serves_something(route) {
            routes(&path, &sets, file, &mut say);
            tables(&path, route, &sets, &mut say);
        }
    }
    rows_seen_elsewhere(file, &mut say);
    let mut sets: BTreeMap<String, &PolicySet> = BTreeMap::new();
    sets.extend(
        file.policies
            .iter()
            .map(|(name, set)| (format!("policies.{name}"), set)),
    );
    for (index, route) in file.routes.iter().enumerate() {
        for (at, policies) in route.policies.iter().enumerate() {
            if let PolicyRef::Inline(set) = policies {
                sets.insert(format!("routes[{index}].policies[{at}]"), set);
            }
        }
    }
    for (path, set) in sets {
        settings(&path, set, file, &mut say);
    }
    if let Some(tree) = &loaded.tree {
        secrets("", "", tree, &mut say);
    }
    mistakes
}

type Say<'s> = &'s mut dyn FnMut(&str, &str);

/// All sets that hold for a route.
struct Sets<'f>(Vec<&'f PolicySet>);

impl<'f> Sets<'f> {
    fn of(file: &'f File, route: &'f Route) -> Sets<'f> {
        let everywhere = file.everywhere.iter().filter_map(|name| file.policies.get(name));
        let own = route.policies.iter().filter_map(|policies| match policies {
            PolicyRef::Name(name) => file.policies.get(name),
            PolicyRef::Inline(set) => Some(&**set),
        });
        Sets(everywhere.chain(own).collect())
    }

    fn any(&self, has: impl Fn(&PolicySet) -> bool) -> bool {
        self.0.iter().any(|set| has(set))
    }
}

fn routes(path: &str, sets: &Sets<'_>, file: &File, say: Say<'_>) {
    let is_known = sets.any(authenticates);
    // Of several the last one counts.
    let anonymous = sets.0.iter().rev().find_map(|set| set.anonymous.as_ref());
    if !is_known && !anonymous.is_some_and(|anonymous| anonymous.enabled) {
        say(
            path,
            "anybody may use this route: give it a way of authentication, or say that it is meant with `anonymous: true`",
        );
    }
    let can_be_guessed = sets.any(|set| set.basic.is_some() || set.api_key.is_some());
    if can_be_guessed && !sets.any(|set| set.rate_limit.is_some()) && file.bans.after.is_none() {
        say(
            path,
            "keys or passwords can be guessed here as fast as the network allows: add a `rate_limit`, or `bans`",
        );
    }
    let has_sessions = sets.any(|set| set.oidc.is_some() || set.jwt.as_ref().is_some_and(|jwt| jwt.cookie.is_some()));
    if has_sessions && !sets.any(|set| set.csrf.is_some()) {
        say(
            path,
            "browsers send the cookie of a session whoever made the page: add `csrf`",
        );
    }
    let is_judged = sets.any(|set| set.authorize.is_some());
    if is_judged && !is_known && !sets.any(|set| set.anonymous.is_some()) {
        say(path, "`authorize` judges who it is, and nothing here finds that out");
    }
}

/// What a route shows of a database: each table with its place in the file and its name in the database.
fn exposed(path: &str, route: &Route) -> Vec<(String, String, Exposed)> {
    match &route.to {
        To::Table(to) => vec![(format!("{path}.to"), to.parts().1.to_owned(), to.exposed())],
        To::Tables(to) => {
            let path = format!("{path}.to.tables.tables");
            match &to.tables.tables {
                Which::All(_) => vec![(path, "*".to_owned(), Exposed::default())],
                Which::Listed(names) => {
                    let each = names.iter().enumerate();
                    each.map(|(index, name)| (format!("{path}[{index}]"), name.clone(), Exposed::default()))
                        .collect()
                }
                // What is said of all others has `*` for its table, too.
                Which::Named(named) => {
                    let each = named.iter().map(|(name, exposed)| {
                        let table = exposed.table.as_ref().unwrap_or(name);
                        (format!("{path}.{name}"), table.clone(), exposed.clone())
                    });
                    each.collect()
                }
            }
        }
        _ => Vec::new(),
    }
}

fn tables(path: &str, route: &Route, sets: &Sets<'_>, say: Say<'_>) {
    let is_limited = sets.any(|set| set.rate_limit.is_some());
    for (path, _, exposed) in exposed(path, route) {
        if exposed.is_writable() && !sets.any(authenticates) {
            say(
                &path,
                "whoever reaches this can change rows, and nobody asks who it is: add a way of authentication, or let it take \
                 GET only (`methods`)",
            );
        }
        let costly = [
            ("aggregates", exposed.aggregates),
            ("patterns", exposed.patterns),
            ("full_table", exposed.full_table),
        ];
        for (key, _) in costly.iter().filter(|(_, is_on)| *is_on && !is_limited) {
            say(
                &format!("{path}.{key}"),
                "one small request can keep the database at work for as long as `statement_timeout` allows: add a `rate_limit`",
            );
        }
    }
}

/// Finds tables some of whose rows are kept from some callers on one route, and from nobody on another.
fn rows_seen_elsewhere(file: &File, say: Say<'_>) {
    let all = file.routes.iter().enumerate().flat_map(|(index, route)| {
        let database = route.to.database().unwrap_or_default();
        let each = exposed(&format!("routes[{index}]"), route).into_iter();
        each.map(move |(path, table, exposed)| (database, bare(&table).to_owned(), path, exposed))
    });
    let all: Vec<_> = all.collect();
    let ruled: HashSet<(&str, &str)> = all
        .iter()
        .filter(|(.., exposed)| !exposed.rows.is_empty())
        .map(|(database, table, ..)| (*database, table.as_str()))
        .collect();
    for (database, table, path, exposed) in &all {
        let shows_ruled = match table.as_str() {
            "*" => ruled.iter().any(|(known, _)| known == database),
            table => ruled.contains(&(*database, table)),
        };
        if shows_ruled && exposed.rows.is_empty() {
            say(
                path,
                "another route shows only some rows of this table to some callers (`rows`), and this one shows all of them: \
                 give it `rows`, too",
            );
        }
    }
}

/// The name of a table without its namespace.
fn bare(table: &str) -> &str {
    table.rsplit_once('.').map_or(table, |(_, name)| name)
}

fn settings(path: &str, set: &PolicySet, file: &File, say: Say<'_>) {
    let Ok(Value::Object(policies)) = serde_json::to_value(set) else {
        return;
    };
    for (name, policy) in &policies {
        said_weakly(&format!("{path}.{name}"), policy, say);
    }
    if let Some(cors) = &set.cors
        && cors.credentials
        && cors.origins.iter().any(|origin| origin.contains('*'))
    {
        say(
            &format!("{path}.cors.origins"),
            "every page below this name reads what a person is logged in to: list the origins",
        );
    }
    if set.basic.is_some()
        && file
            .listeners
            .iter()
            .any(|listener| listener.tls.is_none() && is_clear(listener))
    {
        say(
            &format!("{path}.basic"),
            "a listener takes passwords in clear text: give it `tls`",
        );
    }
    let asks = |listener: &Listener| {
        listener
            .tls
            .as_ref()
            .is_some_and(|tls| tls.client_certificates.is_some())
    };
    if set.mtls.is_some() && !file.listeners.iter().any(asks) {
        say(
            &format!("{path}.mtls"),
            "no listener asks for certificates (`tls.client_certificates`): nobody will ever be known by one",
        );
    }
}

/// Says where a policy only reports, or lets pass when it can't know.
fn said_weakly(path: &str, value: &Value, say: Say<'_>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value.as_str()) {
                    ("mode" | "responses", Some("report")) => say(
                        &format!("{path}.{name}"),
                        "what is found wrong is only reported, and goes on: write `enforce` once the reports are quiet",
                    ),
                    ("on_failure", Some("admit")) => say(
                        &format!("{path}.{name}"),
                        "while it can't be found out who may enter, everybody may: write `deny`, unless that is worse",
                    ),
                    _ => said_weakly(&format!("{path}.{name}"), value, say),
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                said_weakly(&format!("{path}[{index}]"), item, say);
            }
        }
        _ => {}
    }
}

/// Finds credentials that stand in the file itself, where whoever reads it has them, and every copy of it keeps them.
fn secrets(path: &str, key: &str, node: &Node, say: Say<'_>) {
    match &node.content {
        Content::Scalar { text, .. } if !text.contains("${") => {
            let is_credential = ["Authorization", "Proxy-Authorization", "Cookie"]
                .iter()
                .any(|name| name.eq_ignore_ascii_case(key));
            if is_credential || has_password(text) || text.contains("PRIVATE KEY-----") {
                say(
                    path,
                    "a secret stands in the file: put it into a variable, and write `${VARIABLE}` in its place",
                );
            }
        }
        Content::List(items) => {
            for (index, item) in items.iter().enumerate() {
                secrets(&format!("{path}[{index}]"), "", item, say);
            }
        }
        Content::Map(_) => {
            for entry in node.entries() {
                let dot = if path.is_empty() { "" } else { "." };
                secrets(&format!("{path}{dot}{}", entry.key), &entry.key, &entry.node, say);
            }
        }
        _ => {}
    }
}

/// Whether it is a URL with a password (RFC 3986 §3.2.1).
fn has_password(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

fn authenticates(set: &PolicySet) -> bool {
    set.mtls.is_some()
        || set.jwt.is_some()
        || set.introspect.is_some()
        || set.oidc.is_some()
        || set.forward.is_some()
        || set.hmac.is_some()
        || set.basic.is_some()
        || set.api_key.is_some()
}

/// Whether a route leads to something that is worth guarding.
fn serves_something(route: &Route) -> bool {
    !matches!(route.to, To::Redirect(_) | To::Respond(_))
}

/// Whether others than this machine may reach a listener.
fn is_public(listener: &Listener) -> bool {
    match &listener.bind {
        Bind::Unix(_) => false,
        Bind::Tcp(address) => match address.ip().to_canonical() {
            IpAddr::V4(address) => !address.is_loopback() && !address.is_private() && !address.is_link_local(),
            IpAddr::V6(address) => {
                !address.is_loopback() && !address.is_unique_local() && !address.is_unicast_link_local()
            }
        },
    }
}

/// Whether it answers in clear text, with nothing before it that speaks TLS.
fn is_clear(listener: &Listener) -> bool {
    listener.tls.is_none()
        && listener.redirect_to_https.is_none()
        && listener.trusted_proxies.is_empty()
        && listener.proxy_protocol.is_empty()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::path::Path;

    use super::*;

    fn mistakes(text: &str) -> Vec<(String, String)> {
        let environment = |_: &str| None;
        let read = |_: &Path| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
        let loaded = crate::parse(text, Path::new("gate.yaml"), &environment, &read).unwrap();
        let found = of_guards(&loaded).into_iter();
        found.map(|problem| (problem.path, problem.message)).collect()
    }

    fn has(found: &[(String, String)], path: &str, words: &str) -> bool {
        found.iter().any(|(at, what)| at == path && what.contains(words))
    }

    const KEY: &str = "sha256: 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    #[test]
    fn what_is_guarded_well_is_no_mistake() {
        let text = format!(
            "listeners: [127.0.0.1:8080]\nadmin: {{bind: '127.0.0.1:9901'}}\nservices: {{a: http://127.0.0.1:1}}\n\
             policies: {{staff: {{rate_limit: 10/1m, api_key: {{consumers: [{{name: a, {KEY}}}]}}}}, open: {{anonymous: true}}}}\n\
             routes:\n  - {{path: /a, policies: staff, to: {{service: a}}}}\n  - {{path: /b, policies: open, to: {{service: a}}}}\n  \
             - {{path: /c, to: {{respond: c}}}}\n"
        );
        assert_eq!(mistakes(&text), []);
    }

    #[test]
    fn mistakes_are_found_with_their_places() {
        let text = format!(
            "listeners: ['0.0.0.0:80']\nadmin: {{bind: '0.0.0.0:9901'}}\nservices: {{a: http://127.0.0.1:1}}\n\
             policies:\n  staff: {{api_key: {{consumers: [{{name: a, {KEY}}}]}}, cors: {{origins: ['https://*.example.com'], credentials: true}}}}\n  \
             weak: {{mtls: {{others_by: uri}}, validate: {{content_types: [application/json], mode: report}}}}\n\
             routes:\n  - {{path: /a, policies: staff, to: {{service: a}}}}\n  - {{path: /b, policies: weak, to: {{service: a}}}}\n  \
             - {{path: /c, to: {{service: a}}}}\n"
        );
        let found = mistakes(&text);
        for (path, words) in [
            ("listeners[0]", "clear text"),
            ("admin.bind", "bind it to"),
            ("routes[0]", "guessed"),
            ("routes[2]", "anybody may use"),
            ("policies.staff.cors.origins", "list the origins"),
            ("policies.weak.mtls", "no listener asks"),
            ("policies.weak.validate.mode", "only reported"),
        ] {
            assert!(has(&found, path, words), "{path}: {found:#?}");
        }
        assert_eq!(found.len(), 7, "{found:#?}");
    }

    #[test]
    fn secrets_are_found_and_references_are_none() {
        let text = "listeners: [127.0.0.1:80]\n\
             policies: {a: {headers: {request: {set: {authorization: Basic YTpi, X-A: 'http://a:word@b.example/'}}}}}\n\
             routes: [{path: /, to: {respond: 'http://a.example/b:c@d'}}]\n";
        let found = mistakes(text);
        assert!(
            has(&found, "policies.a.headers.request.set.X-A", "a secret stands"),
            "{found:?}"
        );
        assert!(
            has(
                &found,
                "policies.a.headers.request.set.authorization",
                "a secret stands"
            ),
            "{found:?}"
        );
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn tables_that_show_or_take_more_than_they_look_like_are_found() {
        let text = "listeners: [127.0.0.1:80]\ndatabases: {a: 'sqlite:a.db'}\npolicies: {open: {anonymous: true}}\nroutes:\n  \
             - {path: /a, policies: open, to: {table: a.notes, methods: [GET], rows: 'owner=eq.{consumer}', aggregates: true}}\n  \
             - {path: /b, policies: open, to: {table: a.notes}}\n  \
             - {path: /c/**, policies: open, to: {tables: {database: a, tables: {notes: {methods: [GET]}, others: {methods: GET}}}}}\n  \
             - {path: /d/**, policies: open, to: {tables: {database: a, tables: '*'}}}\n";
        let found = mistakes(text);
        for (path, words) in [
            ("routes[0].to.aggregates", "rate_limit"),
            ("routes[1].to", "change rows"),
            ("routes[1].to", "shows all of them"),
            ("routes[2].to.tables.tables.notes", "shows all of them"),
            ("routes[3].to.tables.tables", "change rows"),
            ("routes[3].to.tables.tables", "shows all of them"),
        ] {
            assert!(has(&found, path, words), "{path}: {found:#?}");
        }
        assert_eq!(found.len(), 6, "{found:#?}");
    }

    #[test]
    fn a_token_in_a_cookie_is_a_session() {
        let text = |cookie: &str| {
            format!(
                "listeners: [127.0.0.1:80]\nservices: {{a: http://127.0.0.1:1}}\n\
                 policies: {{a: {{jwt: {{audience: a, issuer: i, jwks: keys.json{cookie}}}}}}}\n\
                 routes: [{{path: /, policies: a, to: {{service: a}}}}]\n"
            )
        };
        assert_eq!(mistakes(&text("")), []);
        let found = mistakes(&text(", cookie: token"));
        assert!(has(&found, "routes[0]", "add `csrf`"), "{found:?}");
    }

    #[test]
    fn whoever_is_let_in_everywhere_and_not_here_is_let_in_all_the_same() {
        let text = "listeners: [127.0.0.1:80]\nservices: {a: http://127.0.0.1:1}\neverywhere: open\n\
             policies: {open: {anonymous: true}, shut: {anonymous: false}}\nroutes: [{path: /, policies: shut, to: {service: a}}]\n";
        let found = mistakes(text);
        assert!(has(&found, "routes[0]", "anybody may use"), "{found:?}");
    }

    #[test]
    fn a_proxy_that_speaks_tls_makes_clear_text_behind_it_good() {
        let text =
            "listeners: [{bind: '0.0.0.0:80', trusted_proxies: [10.0.0.0/8]}]\nroutes: [{path: /, to: {respond: a}}]\n";
        assert_eq!(mistakes(text), []);
    }
}
