//! Which requests each route claims, as rules of the router.

use portcullis_config::route::{Route, To};
use portcullis_core::{Known, Method};

use super::{Compiler, guards};
use crate::router::{HostPattern, Match, PathPattern, Rule};

/// The rules of all routes; for each rule its route, and whether the file wrote it or it follows from one that it did.
pub(super) fn rules(compiler: &mut Compiler<'_>) -> (Vec<Rule>, Vec<u32>, Vec<bool>) {
    let file = &compiler.loaded.file;
    let (mut rules, mut route_of_rule, mut primary) = (Vec::new(), Vec::new(), Vec::new());
    for (index, route) in (0..).zip(&file.routes) {
        let place = format!("routes[{index}]");
        let Some(rule) = rule_of(compiler, &place, route) else {
            continue;
        };
        let mut add = |rule: Rule, written: bool| {
            rules.push(rule);
            route_of_rule.push(index);
            primary.push(written);
        };
        if matches!(route.to, To::Table(_)) {
            let row = format!("{}/*", table_base(&route.path).trim_end_matches('/'));
            if let Some(path) = compiler.check(&format!("{place}.path"), PathPattern::parse(&row)) {
                add(Rule { path, ..rule.clone() }, false);
            }
        }
        if !rule.methods.is_empty() && guards::answers_preflights(file, route) {
            // A preflight (Fetch standard §3.2.2) asks by OPTIONS, whatever method it asks about.
            let mut headers = rule.headers.clone();
            headers.push((Known::AccessControlRequestMethod.as_str().into(), Match::Any));
            add(
                Rule {
                    methods: vec![Method::Options],
                    headers,
                    ..rule.clone()
                },
                false,
            );
        }
        add(rule, true);
    }
    (rules, route_of_rule, primary)
}

/// The path of a table's collection.
pub(super) fn table_base(path: &str) -> &str {
    path.strip_suffix("/**").unwrap_or(path)
}

fn rule_of(compiler: &mut Compiler<'_>, place: &str, route: &Route) -> Option<Rule> {
    let path = if matches!(route.to, To::Table(_)) {
        table_base(&route.path)
    } else {
        &route.path
    };
    let path = compiler.check(&format!("{place}.path"), PathPattern::parse(path));
    let hosts: Vec<_> = route
        .host
        .iter()
        .map(|host| compiler.check(&format!("{place}.host"), HostPattern::parse(host)))
        .collect();
    Some(Rule {
        hosts: hosts.into_iter().collect::<Option<_>>()?,
        path: path?,
        methods: route.method.iter().map(|method| Method::from_token(method)).collect(),
        headers: conditions(&route.headers),
        query: conditions(&route.query),
    })
}

fn conditions(written: &std::collections::BTreeMap<String, String>) -> Vec<(Box<str>, Match)> {
    written
        .iter()
        .map(|(name, value)| (name.as_str().into(), Match::parse(value)))
        .collect()
}
