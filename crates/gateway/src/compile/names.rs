//! The names of routes in logs, metrics, limits and explanations.

use std::collections::{HashMap, HashSet};

use portcullis_config::route::Route;

/// The name of each route, no two alike: its own; or else host and path, with ` #2`, ` #3` and so on where that is taken, in
/// the order of the file. Routes that differ in their methods or headers alone must not be counted as one.
pub(super) fn of_routes(routes: &[Route]) -> Vec<String> {
    let mut taken: HashSet<String> = routes.iter().filter_map(|route| route.name.clone()).collect();
    let mut last: HashMap<String, usize> = HashMap::new();
    let mut name_of = |route: &Route| {
        if let Some(name) = &route.name {
            return name.clone();
        }
        let plain = format!("{}{}", route.host.first().map_or("", String::as_str), route.path);
        // Counting goes on from the last one, or ten thousand routes on one path would take a minute.
        let number = last.entry(plain.clone()).or_insert(0);
        loop {
            *number += 1;
            let name = match *number {
                1 => plain.clone(),
                more => format!("{plain} #{more}"),
            };
            if taken.insert(name.clone()) {
                return name;
            }
        }
    };
    routes.iter().map(&mut name_of).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn check(routes: &str, expected: &[&str]) {
        let text = format!("listeners: [127.0.0.1:0]\nroutes: [{routes}]\n");
        let read = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
        let loaded = portcullis_config::parse(&text, "test.yaml".as_ref(), &|_| None, &read).unwrap();
        assert_eq!(of_routes(&loaded.file.routes), expected, "{routes}");
    }

    #[test]
    fn no_two_routes_have_the_same_name() {
        let plain = "{path: /a, to: {respond: a}}";
        let post = "{path: /a, method: POST, to: {respond: a}}";
        let hosted = "{host: [b.test, c.test], path: /a, to: {respond: a}}";
        check(
            &[plain, post, hosted, post].join(","),
            &["/a", "/a #2", "b.test/a", "/a #3"],
        );
        check(
            &[plain, "{name: /a, path: /b, to: {respond: a}}", post].join(","),
            &["/a #2", "/a", "/a #3"],
        );
        check(
            &["{name: '/a #2', path: /b, to: {respond: a}}", plain, post].join(","),
            &["/a #2", "/a", "/a #3"],
        );
    }
}
