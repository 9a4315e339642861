//! The router against a reference that tries every rule.

use portcullis_core::{Headers, Method};
use proptest::prelude::{Strategy, any, prop};
use proptest::{prop_assert, prop_assert_eq, proptest};

use super::{Finding, Found, Written, router};

/// Whether a pattern matches a path, and how specific each of its segments is there: the reference's own way.
fn reference_path(pattern: &str, path: &str) -> Option<Vec<u8>> {
    let (prefix, rest) = match pattern.strip_suffix("/**") {
        Some(prefix) => (prefix, true),
        None => (pattern, false),
    };
    let wanted: Vec<&str> = prefix.split('/').skip(1).collect();
    let given: Vec<&str> = path.split('/').skip(1).collect();
    if given.len() < wanted.len() || (!rest && given.len() != wanted.len()) {
        return None;
    }
    let mut ranks = Vec::new();
    for (wanted, given) in wanted.iter().zip(&given) {
        match *wanted {
            "{x}" | "*" if given.is_empty() => return None,
            "{x}" | "*" => ranks.push(1),
            literal if literal == *given => ranks.push(0),
            _ => return None,
        }
    }
    ranks.push(if rest { 3 } else { 2 });
    Some(ranks)
}

fn reference_host(hosts: &[&str], host: &str) -> Option<usize> {
    if hosts.is_empty() {
        return Some(0);
    }
    let specificity = |pattern: &&str| match pattern.strip_prefix('*') {
        Some(suffix) => (host.ends_with(suffix) && host.len() > suffix.len()).then_some(suffix.len()),
        None => (*pattern == host).then_some(1000),
    };
    hosts.iter().filter_map(specificity).max()
}

#[derive(Clone, Debug)]
struct Wanted {
    host: &'static str,
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    query: Vec<(&'static str, &'static str)>,
}

/// The index of the rule that wins, or the methods to allow, by trying every rule.
fn reference(rules: &[Written], wanted: &Wanted) -> Result<usize, Vec<&'static str>> {
    let has = |given: &[(&str, &str)], (name, value): &(&str, &str)| {
        given
            .iter()
            .any(|(known, found)| known == name && (*value == "*" || value == found))
    };
    let mut best = None;
    let mut allow = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let Some(host) = reference_host(&rule.hosts, wanted.host) else {
            continue;
        };
        let Some(path) = reference_path(&rule.path, &wanted.path) else {
            continue;
        };
        let conditions = rule.headers.iter().all(|pair| has(&wanted.headers, pair))
            && rule.query.iter().all(|pair| has(&wanted.query, pair));
        if !conditions {
            continue;
        }
        if !rule.methods.is_empty() && !rule.methods.contains(&wanted.method) {
            allow.extend(&rule.methods);
            continue;
        }
        let rank = (
            1000 - host,
            path,
            rule.methods.is_empty(),
            9 - rule.headers.len(),
            9 - rule.query.len(),
            index,
        );
        if best.as_ref().is_none_or(|best| rank < *best) {
            best = Some(rank);
        }
    }
    allow.sort_unstable();
    allow.dedup();
    best.map(|best| best.5).ok_or(allow)
}

fn some_of(values: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(values), 0..=most)
}

fn pairs(
    names: &'static [&'static str],
    values: &'static [&'static str],
) -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let pair = (prop::sample::select(names), prop::sample::select(values));
    prop::collection::vec(pair, 0..=2)
        .prop_map(|mut pairs| {
            pairs.sort_unstable();
            pairs.dedup_by_key(|pair| pair.0);
            pairs
        })
        .prop_flat_map(|pairs| any::<bool>().prop_map(move |keep| if keep { pairs.clone() } else { Vec::new() }))
}

fn written() -> impl Strategy<Value = Written> {
    let pattern = (
        prop::collection::vec(prop::sample::select(&["a", "b", "*"][..]), 0..=3),
        0..3,
    )
        .prop_map(|(segments, end)| match (segments.is_empty(), end) {
            (true, 0) => "/".to_owned(),
            (false, 0) => format!("/{}", segments.join("/")),
            (false, 1) => format!("/{}/", segments.join("/")),
            (true, _) => "/**".to_owned(),
            (false, _) => format!("/{}/**", segments.join("/")),
        });
    (
        some_of(&["a.com", "b.a.com", "*.a.com", "*.com", "*.b.a.com"], 2),
        pattern,
        some_of(&["GET", "POST", "PUT"], 1),
        pairs(&["x", "y"], &["1", "2", "*"]),
        pairs(&["p", "q"], &["1", "2", "*"]),
    )
        .prop_map(|(hosts, path, methods, headers, query)| Written {
            hosts,
            path,
            methods,
            headers,
            query,
        })
}

fn wanted() -> impl Strategy<Value = Wanted> {
    (
        prop::sample::select(&["a.com", "b.a.com", "c.b.a.com", "com", "d.com", "localhost"][..]),
        prop::sample::select(&["GET", "POST", "DELETE"][..]),
        prop::sample::select(
            &[
                "/", "/a", "/b", "/a/", "/a/b", "/b/a", "/a/a/b", "/a/b/", "/b/b/a", "/c", "/c/a", "/a/b/c/d",
            ][..],
        ),
        pairs(&["x", "y"], &["1", "2"]),
        pairs(&["p", "q"], &["1", "2"]),
    )
        .prop_map(|(host, method, path, headers, query)| Wanted {
            host,
            method,
            path: path.to_owned(),
            headers,
            query,
        })
}

proptest! {
    #[test]
    fn the_router_agrees_with_trying_every_rule(
        rules in prop::collection::vec(written(), 0..40),
        requests in prop::collection::vec(wanted(), 1..20),
    ) {
        let (router, findings) = router(&rules);
        for wanted in &requests {
            let query: Vec<String> = wanted.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let mut headers = Headers::new();
            for (name, value) in &wanted.headers {
                headers.append(*name, value);
            }
            let query = (!query.is_empty()).then(|| query.join("&"));
            let method = Method::from_token(wanted.method);
            let expected = reference(&rules, wanted);
            let found = match router.find(wanted.host, &method, &wanted.path, &headers, query.as_deref()) {
                Found::Route { index, .. } => Ok(index as usize),
                Found::MethodNotAllowed { allow } => Err(allow),
                Found::None => Err(String::new()),
            };
            prop_assert_eq!(&found, &expected.map_err(|allow| allow.join(", ")), "{:?}", wanted);

            let verdicts = router.explain(wanted.host, &method, &wanted.path, &headers, query.as_deref());
            prop_assert_eq!(verdicts.len(), rules.len());
            let won: Vec<usize> = verdicts.iter().filter(|one| one.lost.is_none()).map(|one| one.index as usize).collect();
            prop_assert_eq!(won, found.clone().ok().into_iter().collect::<Vec<_>>());

            for finding in &findings {
                let (Finding::Identical { second: never, .. } | Finding::Shadowed { rule: never, .. }) = finding;
                prop_assert!(found != Ok(*never as usize), "{finding:?} but it claims {wanted:?}");
            }
        }
    }
}
