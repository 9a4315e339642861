//! The router against tables.

mod reference;

use portcullis_core::{Headers, Method};

use super::{Finding, Found, HostPattern, Lost, Match, PathPattern, Router, Rule};

/// A rule as a file might write it: host, path, methods, `header=value`, `parameter=value`.
#[derive(Clone, Debug, Default)]
struct Written {
    hosts: Vec<&'static str>,
    path: String,
    methods: Vec<&'static str>,
    headers: Vec<(&'static str, &'static str)>,
    query: Vec<(&'static str, &'static str)>,
}

impl Written {
    fn rule(&self) -> Rule {
        let conditions = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(name, value)| (Box::from(*name), Match::parse(value)))
                .collect::<Vec<_>>()
        };
        Rule {
            hosts: self
                .hosts
                .iter()
                .map(|host| HostPattern::parse(host).expect("the test's hosts are valid"))
                .collect(),
            path: PathPattern::parse(&self.path).expect("the test's paths are valid"),
            methods: self.methods.iter().map(|method| Method::from_token(method)).collect(),
            headers: conditions(&self.headers),
            query: conditions(&self.query),
        }
    }
}

fn path(path: &str) -> Written {
    Written {
        path: path.to_owned(),
        ..Written::default()
    }
}

fn router(rules: &[Written]) -> (Router, Vec<Finding>) {
    Router::new(rules.iter().map(Written::rule).collect())
}

/// `Ok` with the rule and its parameters, or `Err` with the allowed methods (none: nothing claims it).
fn find(router: &Router, host: &str, method: &str, target: &str, headers: &[(&str, &str)]) -> Result<String, String> {
    let mut fields = Headers::new();
    for (name, value) in headers {
        fields.append(*name, value);
    }
    let (path, query) = target
        .split_once('?')
        .map_or((target, None), |(path, query)| (path, Some(query)));
    match router.find(host, &Method::from_token(method), path, &fields, query) {
        Found::Route { index, params } => {
            let params: Vec<String> = params.iter().map(|(name, value)| format!(" {name}={value}")).collect();
            Ok(format!("{index}{}", params.concat()))
        }
        Found::MethodNotAllowed { allow } => Err(allow),
        Found::None => Err(String::new()),
    }
}

fn claims(pattern: &str, target: &str) -> bool {
    find(&router(&[path(pattern)]).0, "a", "GET", target, &[]).is_ok()
}

#[test]
fn patterns_match_whole_segments() {
    for (pattern, yes, no) in [
        ("/a", vec!["/a"], vec!["/a/", "/ab", "/", "/a/b", "/A", "*"]),
        ("/a/", vec!["/a/"], vec!["/a", "/a/b"]),
        ("/", vec!["/"], vec!["/a", "*"]),
        ("/a/**", vec!["/a", "/a/", "/a/b", "/a/b/c/"], vec!["/ab", "/", "/b/a"]),
        ("/**", vec!["/", "/a", "/a/b/", "*"], vec![]),
        (
            "/items/{id}",
            vec!["/items/1", "/items/%2F"],
            vec!["/items", "/items/", "/items/1/", "/items/1/2"],
        ),
        ("/items/*/", vec!["/items/1/"], vec!["/items/1", "/items//"]),
        ("/{a}/{b}/**", vec!["/1/2", "/1/2/", "/1/2/3"], vec!["/1", "/1/"]),
    ] {
        for target in yes {
            assert!(claims(pattern, target), "{pattern} claims {target}");
        }
        for target in no {
            assert!(!claims(pattern, target), "{pattern} does not claim {target}");
        }
    }
}

#[test]
fn the_more_specific_path_wins() {
    let rules = [
        "/**",
        "/a/**",
        "/a/{x}/c",
        "/a/b/**",
        "/a/{x}",
        "/a/b",
        "/a",
        "/{x}/b/c/d",
        "/a/{x}/{y}/d",
    ]
    .map(path);
    let (router, findings) = router(&rules);
    assert_eq!(findings, []);
    for (target, expected) in [
        ("/a/b/c", "3"),
        ("/a/z/c", "2 x=z"),
        ("/a/b", "5"),
        ("/a/z", "4 x=z"),
        ("/a", "6"),
        ("/a/", "1"),
        ("/a/z/y", "1"),
        ("/z", "0"),
        ("/z/b/c/d", "7 x=z"),
        ("/a/z/c/d", "8 x=z y=c"),
        ("/a/b/c/d", "3"),
    ] {
        assert_eq!(
            find(&router, "h", "GET", target, &[]).as_deref(),
            Ok(expected),
            "{target}"
        );
    }
}

#[test]
fn the_more_specific_host_wins_and_a_less_specific_one_catches_the_rest() {
    let on = |hosts: &[&'static str], at: &str| Written {
        hosts: hosts.to_vec(),
        ..path(at)
    };
    let rules = [
        path("/**"),
        on(&["*.example.com"], "/**"),
        on(&["*.b.example.com"], "/x"),
        on(&["a.example.com", "c.b.example.com"], "/y"),
        path("/x"),
    ];
    let (router, findings) = router(&rules);
    assert_eq!(findings, []);
    for (host, target, expected) in [
        ("example.com", "/x", "4"),
        ("example.com", "/y", "0"),
        ("a.example.com", "/y", "3"),
        ("A.EXAMPLE.COM.:8080", "/y", "3"),
        ("a.example.com", "/x", "1"),
        ("c.b.example.com", "/y", "3"),
        ("c.b.example.com", "/x", "2"),
        ("d.c.b.example.com", "/x", "2"),
        ("b.example.com", "/x", "1"),
        (".example.com", "/x", "4"),
        ("evilexample.com", "/y", "0"),
        ("", "/y", "0"),
    ] {
        assert_eq!(
            find(&router, host, "GET", target, &[]).as_deref(),
            Ok(expected),
            "{host}{target}"
        );
    }
}

#[test]
fn a_rule_that_fails_by_its_conditions_leaves_the_request_to_the_next() {
    let rules = [
        path("/a/**"),
        Written {
            methods: vec!["GET", "HEAD"],
            ..path("/a/b")
        },
        Written {
            headers: vec![("x-version", "2")],
            ..path("/a/b")
        },
        Written {
            headers: vec![("x-version", "2")],
            query: vec![("beta", "*")],
            ..path("/a/b")
        },
        Written {
            query: vec![("beta", "1")],
            ..path("/a/{x}")
        },
    ];
    let (router, _) = router(&rules);
    let two = [("X-Version", "2")];
    for (method, target, headers, expected) in [
        ("GET", "/a/b", &[][..], "1"),
        ("GET", "/a/b?beta", &two, "1"),
        ("POST", "/a/b", &two, "2"),
        ("POST", "/a/b?beta", &two, "3"),
        ("POST", "/a/b?beta=1", &[], "4 x=b"),
        ("POST", "/a/b", &[], "0"),
    ] {
        assert_eq!(
            find(&router, "h", method, target, headers).as_deref(),
            Ok(expected),
            "{method} {target}"
        );
    }
}

#[test]
fn a_method_that_no_rule_takes_is_told_from_a_missing_route() {
    let rules = [
        Written {
            methods: vec!["PUT", "GET"],
            ..path("/a/{x}")
        },
        Written {
            methods: vec!["DELETE", "GET"],
            hosts: vec!["h"],
            ..path("/a/b")
        },
        Written {
            methods: vec!["PATCH"],
            headers: vec![("x", "1")],
            ..path("/a/b")
        },
    ];
    let (router, _) = router(&rules);
    for (host, method, target, headers, expected) in [
        ("h", "POST", "/a/b", &[][..], Err("DELETE, GET, PUT")),
        ("i", "POST", "/a/b", &[], Err("GET, PUT")),
        ("i", "POST", "/a/b", &[("x", "1")], Err("GET, PATCH, PUT")),
        ("h", "PUT", "/a/b", &[], Ok("0 x=b")),
        ("i", "HEAD", "/a/c", &[], Err("GET, PUT")),
        ("h", "POST", "/b", &[], Err("")),
    ] {
        let found = find(&router, host, method, target, headers);
        assert_eq!(
            found.as_deref().map_err(String::as_str),
            expected,
            "{method} {host}{target}"
        );
    }
}

#[test]
fn rules_that_can_never_win_are_reported() {
    let methods = |methods: &[&'static str], at: &str| Written {
        methods: methods.to_vec(),
        ..path(at)
    };
    let headers = |value: &'static str, at: &str| Written {
        headers: vec![("x", value)],
        ..path(at)
    };
    let on = |hosts: &[&'static str], at: &str| Written {
        hosts: hosts.to_vec(),
        ..path(at)
    };
    let check = |rules: &[Written], expected: &[Finding]| assert_eq!(router(rules).1, expected, "{rules:?}");
    check(
        &[path("/a/{x}"), path("/a/*")],
        &[Finding::Identical { first: 0, second: 1 }],
    );
    check(
        &[methods(&["GET", "PUT"], "/a"), methods(&["PUT", "GET"], "/a")],
        &[Finding::Identical { first: 0, second: 1 }],
    );
    check(
        &[on(&["a", "b"], "/a"), on(&["B", "A"], "/a")],
        &[Finding::Identical { first: 0, second: 1 }],
    );
    check(
        &[methods(&["GET", "PUT"], "/a"), methods(&["GET"], "/a")],
        &[Finding::Shadowed { rule: 1, by: 0 }],
    );
    check(
        &[
            methods(&["GET"], "/a"),
            methods(&["PUT"], "/a"),
            methods(&["GET", "PUT"], "/a"),
        ],
        &[Finding::Shadowed { rule: 2, by: 1 }],
    );
    check(
        &[headers("*", "/a"), headers("1", "/a")],
        &[Finding::Shadowed { rule: 1, by: 0 }],
    );
    check(
        &[on(&["a", "b"], "/a"), on(&["a"], "/a")],
        &[Finding::Shadowed { rule: 1, by: 0 }],
    );
    check(
        &[
            headers("1", "/a"),
            headers("*", "/a"),
            path("/a"),
            methods(&["GET"], "/a"),
        ],
        &[],
    );
    check(&[on(&["a"], "/a"), on(&["a", "b"], "/a"), path("/a")], &[]);
    check(
        &[
            methods(&["GET"], "/a"),
            methods(&["GET", "PUT"], "/a"),
            path("/a/**"),
            path("/a/{x}"),
        ],
        &[],
    );
}

#[test]
fn explain_gives_every_rule_its_reason() {
    let rules = [
        path("/**"),
        Written {
            headers: vec![("x", "1")],
            ..path("/a")
        },
        Written {
            hosts: vec!["other"],
            ..path("/a")
        },
        Written {
            methods: vec!["PUT"],
            ..path("/a")
        },
        path("/a"),
        Written {
            query: vec![("q", "1")],
            ..path("/a")
        },
        path("/b"),
    ];
    let (router, _) = router(&rules);
    let verdicts = router.explain("h", &Method::Get, "/a", &Headers::new(), None);
    let got: Vec<_> = verdicts.iter().map(|verdict| (verdict.index, verdict.lost)).collect();
    let expected = [
        (3, Some(Lost::Method)),
        (1, Some(Lost::Header("x"))),
        (5, Some(Lost::Query("q"))),
        (4, None),
        (6, Some(Lost::Path)),
        (0, Some(Lost::Outranked(4))),
        (2, Some(Lost::Host)),
    ];
    assert_eq!(got, expected);
}

#[test]
fn ten_thousand_rules_each_find_their_own() {
    let rules: Vec<Written> = (0..10_000)
        .map(|number| match number % 4 {
            0 => path(&format!("/api/service{number}/**")),
            1 => path(&format!("/api/v1/items{number}/{{id}}")),
            2 => path(&format!("/exact/{number}")),
            _ => path(&format!("/{{tenant}}/things{number}/**")),
        })
        .collect();
    let (router, findings) = router(&rules);
    assert_eq!(findings, []);
    for number in 0..10_000 {
        let (target, expected) = match number % 4 {
            0 => (format!("/api/service{number}/a/b"), number.to_string()),
            1 => (format!("/api/v1/items{number}/7"), format!("{number} id=7")),
            2 => (format!("/exact/{number}"), number.to_string()),
            _ => (format!("/api/things{number}"), format!("{number} tenant=api")),
        };
        assert_eq!(find(&router, "h", "GET", &target, &[]), Ok(expected));
    }
}
