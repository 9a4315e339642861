//! Which route answers a request, and why the others don't; and where its service would send it.

mod text;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Instant, SystemTime};

use portcullis_backends::service::{Explained, MemberTold, Pool};
use portcullis_core::codes::Code;
use portcullis_core::headers::is_token;
use portcullis_core::{Connection, Ctx, Headers, Known, Method, Request, RequestId, Target, codes};
use serde_json::{Value, json};

pub(crate) use self::text::in_words;
use crate::router::{Found, Lost, Verdict};
use crate::snapshot::{Route, Snapshot};
use crate::telemetry::log;

/// The request that is asked about.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<String>,
}

/// A request that was understood.
pub(crate) struct Question {
    pub(crate) method: Method,
    target: Target,
    headers: Headers,
}

impl Question {
    fn host(&self) -> &str {
        self.headers.get_str(Known::Host).unwrap_or_default()
    }
}

/// Routes that are listed without `--all`, at the most.
const MOST_OTHERS: usize = 50;

/// Understands the request that is asked about: a URL's authority is its `Host`, unless a field says otherwise.
///
/// # Errors
/// Says in words what is no request.
pub(crate) fn question(asked: &Asked) -> Result<Question, String> {
    if !is_token(asked.method.as_bytes()) {
        return Err(format!("`{}` is not a method", asked.method));
    }
    let without_scheme = asked
        .url
        .strip_prefix("http://")
        .or_else(|| asked.url.strip_prefix("https://"));
    let (authority, path) = match without_scheme {
        Some(rest) => rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())),
        None => ("", asked.url.as_str()),
    };
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    let target = Target::parse(path.as_bytes()).map_err(|error| format!("{}: {error}", asked.url))?;
    let mut headers = Headers::new();
    if !authority.is_empty() {
        headers.append(Known::Host, authority);
    }
    for field in &asked.headers {
        let (name, value) = field
            .split_once(':')
            .ok_or_else(|| format!("`{field}` is not a field: write NAME: VALUE"))?;
        if !is_token(name.as_bytes()) {
            return Err(format!("`{name}` is not the name of a field"));
        }
        if name.eq_ignore_ascii_case("host") {
            headers.remove(Known::Host);
        }
        headers.append(name, value.trim());
    }
    Ok(Question {
        method: Method::from_token(&asked.method),
        target,
        headers,
    })
}

/// What becomes of a request: its route with the services behind it, or why there is none, and the routes that don't claim it,
/// those that come near first, or `all`. Where the snapshot is in force, what each target would say to the request of that `client` now.
pub(crate) fn answer(snapshot: &Snapshot, question: &Question, all: bool, client: Option<IpAddr>) -> Value {
    Answer::of(snapshot, question, all).as_json(snapshot, question, client)
}

/// How a service sends requests on.
fn service(name: &str, pool: &Pool, question: &Question, client: Option<IpAddr>) -> Value {
    let rules = pool
        .rules()
        .into_iter()
        .map(|(rule, text)| (rule.to_owned(), text.into()));
    let mut told = json!({"name": name, "rules": Value::Object(rules.collect())});
    if let Some(client) = client {
        let mut request = Request::new(question.method.clone(), question.target.clone());
        request.headers = question.headers.clone();
        told["targets"] = pool.explain(&context(client), &request).iter().map(verdict).collect();
    }
    told
}

/// What would be known of the request of that client.
fn context(client: IpAddr) -> Ctx {
    let client = SocketAddr::new(client, 0);
    let connection = Rc::new(Connection::new(client, client, None, false));
    let id = RequestId::new(b"explain").expect("it is a name");
    Ctx::new(connection, id, Instant::now(), SystemTime::now())
}

fn verdict(explained: &Explained) -> Value {
    let mut told = target(&explained.target);
    told["may"] = explained.may.into();
    told["verdict"] = explained.why.as_str().into();
    told["share"] = explained.share.into();
    told
}

/// What is told of a target.
pub(crate) fn target(told: &MemberTold) -> Value {
    json!({
        "url": told.url,
        "address": told.address,
        "weight": told.weight,
        "priority": told.priority,
        "state": told.state,
        "why": told.why,
        "in_progress": told.in_progress,
        "latency_ms": told.latency.as_secs_f64() * 1000.0,
        "connections": told.connections,
        "source": told.source,
        "since": log::time(told.since),
    })
}

/// What becomes of the request.
struct Answer<'s> {
    end: End<'s>,
    /// The routes that don't claim it, in the order of precedence; those that come near go first.
    others: Vec<Other<'s>>,
    /// How many more there are.
    left_out: usize,
}

enum End<'s> {
    Claimed(&'s Route),
    Refused { code: &'static Code, allow: Option<String> },
}

struct Other<'s> {
    route: &'s Route,
    why: String,
}

impl<'s> Answer<'s> {
    fn of(snapshot: &'s Snapshot, question: &Question, all: bool) -> Answer<'s> {
        let host = question.host();
        let (method, headers) = (&question.method, &question.headers);
        let (path, query) = (question.target.path(), question.target.query());
        // The listener refuses it, before a route is looked for.
        if *method == Method::Connect {
            let code = &codes::METHOD_NOT_IMPLEMENTED;
            let end = End::Refused { code, allow: None };
            return Answer {
                end,
                others: Vec::new(),
                left_out: 0,
            };
        }
        let verdicts = by_route(snapshot, snapshot.router.explain(host, method, path, headers, query));
        let won = verdicts.iter().find(|(_, verdict)| verdict.lost.is_none());
        let end = match (won, snapshot.router.find(host, method, path, headers, query)) {
            (Some((route, _)), _) => End::Claimed(&snapshot.routes[*route as usize]),
            (None, Found::MethodNotAllowed { allow }) => End::Refused {
                code: &codes::METHOD_NOT_ALLOWED,
                allow: Some(allow),
            },
            (None, _) => End::Refused {
                code: &codes::ROUTE_NOT_FOUND,
                allow: None,
            },
        };
        let claimed = matches!(end, End::Claimed(_));
        let lost = |near: bool| verdicts.iter().filter(move |(_, verdict)| is_near(verdict) == near);
        let far = lost(false).filter(|_| all || !claimed);
        let others = lost(true).chain(far).filter_map(|(route, verdict)| {
            Some(Other {
                route: &snapshot.routes[*route as usize],
                why: why(snapshot, verdict.lost.as_ref()?),
            })
        });
        let mut others: Vec<_> = others.collect();
        let left_out = if all {
            0
        } else {
            others.len().saturating_sub(MOST_OTHERS)
        };
        others.truncate(others.len() - left_out);
        Answer { end, others, left_out }
    }

    fn as_json(&self, snapshot: &Snapshot, question: &Question, client: Option<IpAddr>) -> Value {
        let (claimed, refused) = match &self.end {
            End::Claimed(route) => {
                let pools = route.told.services.iter();
                let pools = pools.filter_map(|name| Some((name, snapshot.services.get(*name)?)));
                let claimed = json!({
                    "route": route.name.name,
                    "index": route.name.index,
                    "policies": &*route.told.guards,
                    "backend": &route.told.end,
                    "services": pools.map(|(name, pool)| service(name, pool, question, client)).collect::<Vec<_>>(),
                });
                (Some(claimed), None)
            }
            End::Refused { code, allow } => {
                let refused = json!({"status": code.status.code(), "code": code.name, "allow": allow});
                (None, Some(refused))
            }
        };
        let others = self.others.iter();
        let others =
            others.map(|Other { route, why }| json!({"route": route.name.name, "index": route.name.index, "why": why}));
        json!({
            "method": question.method.as_str(),
            "target": question.target.as_str(),
            "host": question.host(),
            "claimed": claimed,
            "refused": refused,
            "others": others.collect::<Vec<_>>(),
            "left_out": self.left_out,
        })
    }
}

/// One verdict for each route, that of the rule that came nearest: a route may be several rules.
fn by_route<'v>(snapshot: &Snapshot, verdicts: Vec<Verdict<'v>>) -> Vec<(u32, Verdict<'v>)> {
    let mut place_of_route = HashMap::new();
    let mut kept: Vec<(u32, Verdict<'v>)> = Vec::new();
    for verdict in verdicts {
        let route = snapshot.route_of_rule[verdict.index as usize];
        let place = *place_of_route.entry(route).or_insert(kept.len());
        match kept.get_mut(place) {
            None => kept.push((route, verdict)),
            Some((_, before)) if nearness(&verdict) > nearness(before) => *before = verdict,
            Some(_) => {}
        }
    }
    kept
}

fn nearness(verdict: &Verdict<'_>) -> u8 {
    match verdict.lost {
        None => 6,
        Some(Lost::Outranked(_)) => 5,
        Some(Lost::Method) => 4,
        Some(Lost::Query(_)) => 3,
        Some(Lost::Header(_)) => 2,
        Some(Lost::Path) => 1,
        Some(Lost::Host) => 0,
    }
}

/// Whether host and path agree.
fn is_near(verdict: &Verdict<'_>) -> bool {
    !matches!(verdict.lost, Some(Lost::Host | Lost::Path))
}

fn why(snapshot: &Snapshot, lost: &Lost<'_>) -> String {
    let Lost::Outranked(winner) = lost else {
        return lost.to_string();
    };
    let winner = snapshot.route_of_rule[*winner as usize] as usize;
    let name = &snapshot.routes[winner].name.name;
    format!("it matches, but routes[{winner}] (`{name}`) goes first")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(url: &str, headers: &[&str]) -> Result<(String, String), String> {
        let headers = headers.iter().map(|&field| field.to_owned()).collect();
        let asked = Asked {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers,
        };
        let question = question(&asked)?;
        Ok((question.target.to_string(), question.host().to_owned()))
    }

    #[test]
    fn requests_are_read_from_the_command_line() {
        let check = |url: &str, headers: &[&str], target: &str, host: &str| {
            assert_eq!(asked(url, headers), Ok((target.to_owned(), host.to_owned())), "{url}");
        };
        check("/a?b", &[], "/a?b", "");
        check("a", &[], "/a", "");
        check("http://x:1", &[], "/", "x:1");
        check("https://x/a/../b", &["Host: y"], "/b", "y");
        check("http://x?q=1", &[], "/?q=1", "x");
        assert!(asked("/%zz", &[]).is_err());
        assert!(asked("/", &["no field"]).is_err());
    }
}
