use std::sync::Arc;

use crate::program::{Environment, Program};
use crate::types::{RecordType, Type};

fn environment() -> Environment {
    let consumer = RecordType {
        name: "consumer",
        fields: vec![("name", Type::String), ("scopes", Type::list(Type::String))],
    };
    Environment::new()
        .with("path", Type::String)
        .with("size", Type::Int)
        .with("headers", Type::map(Type::String))
        .with("claims", Type::map(Type::Dyn))
        .with("consumer", Type::Record(Arc::new(consumer)))
        .with("time", Type::Timestamp)
}

/// Checks the type that the expression has, or the start of what is wrong with it.
fn check(text: &str, expected: Result<&str, &str>) {
    match (Program::compile(&environment(), text), expected) {
        (Ok(program), Ok(r#type)) => assert_eq!(program.result().to_string(), r#type, "{text}"),
        (Err(problem), Err(message)) => {
            assert!(problem.message.starts_with(message), "{text}: {}", problem.message);
            assert!(problem.at <= text.len());
        }
        (found, _) => panic!("{text}: {:?}", found.map(|program| program.result().clone())),
    }
}

#[test]
fn expressions_have_types() {
    for (text, expected) in [
        ("path == '/a' && size < 10", "bool"),
        ("size + 1", "int"),
        ("size < 1.5", "bool"),
        ("claims.sub", "dyn"),
        ("claims.sub + 'a'", "dyn"),
        ("claims['sub'] == 1", "bool"),
        ("headers.accept", "string"),
        ("headers['accept']", "string"),
        ("'accept' in headers", "bool"),
        ("consumer != null && consumer.name == 'a'", "bool"),
        ("has(consumer.name) && has(claims.a.b)", "bool"),
        ("consumer.scopes.exists(s, s.startsWith('a'))", "bool"),
        ("consumer.scopes.map(s, size(s))", "list(int)"),
        ("headers.filter(k, headers[k] == '')", "list(string)"),
        ("time + duration('1h')", "timestamp"),
        ("time - time", "duration"),
        ("time.getHours('Europe/Berlin') in [8, 9]", "bool"),
        ("type(path) == string", "bool"),
        ("true ? 1 : 2", "int"),
        ("true ? claims.a : 2", "dyn"),
        ("[1, 'a']", "list(dyn)"),
        ("[[1], []]", "list(list(dyn))"),
        ("{'a': 1}", "map(string, int)"),
        ("size(path)", "int"),
        ("path.size()", "int"),
        ("google.protobuf.Timestamp == type(time)", "bool"),
    ] {
        check(text, Ok(expected));
    }
}

#[test]
fn what_makes_no_sense_is_told() {
    for (text, expected) in [
        ("paht", "there is no variable `paht`; is `path` meant?"),
        ("nothing", "there is no variable `nothing`"),
        ("path == 1", "`==` compares a string with an int, which are never equal"),
        ("path < 1", "`<` doesn't go between a string and an int"),
        ("path + 1", "`+` doesn't go between a string and an int"),
        ("path && true", "`&&` takes a bool, and this is a string"),
        ("!path", "`!` takes a bool"),
        ("-path", "`-` can't turn a string round"),
        ("1 in path", "`in` can't look for an int in a string"),
        ("1 in ['a']", "`in` can't look for an int in a list(string)"),
        ("consumer.nme", "`consumer` has no field `nme`; is `name` meant?"),
        ("consumer == consumer", "`==` compares `consumer` with `consumer`"),
        ("path.name", "a string has no field `name`"),
        ("path[0]", "a string has no places that an int could name"),
        ("headers[0]", "a map(string, string) has no places"),
        ("has(path)", "`has` takes a field"),
        ("path.startsWith(1)", "a string has no `startsWith` that takes an int"),
        (
            "path.startWith('/')",
            "there is no function `startWith`; is `startsWith` meant?",
        ),
        ("startsWith(path, '/')", "`startsWith` is a method"),
        ("path.int()", "`int` is a function, not a method"),
        ("int(true)", "`int` can't take a bool"),
        ("path ? 1 : 2", "`?` takes a bool"),
        ("true ? 1 : 'a'", "one branch of `?` is an int and the other a string"),
        (
            "path.all(p, true)",
            "`all` goes through a list or a map, and this is a string",
        ),
        ("[1].all(1, true)", "`all` takes a name for the elements first"),
        ("[1].all(x, x)", "`all` takes a bool"),
        ("[1].all(x, x, true)", "`all` takes two different names"),
        ("[1].map(x, x)[0] == x", "there is no variable `x`"),
        ("{[]: 1}", "a list(dyn) can't be the key of a map"),
        ("path.matches(path)", "the pattern of `matches` must be written"),
        (
            "path.matches('(')",
            "the pattern of `matches` can't be read: unclosed group",
        ),
        (
            r"path.matches('(\\w{100}){100}')",
            "the pattern of `matches` is too large",
        ),
        ("path.inNetwork(path)", "the networks of `inNetwork` must be written"),
        ("path.inNetwork('10.0.0.0/33')", "`10.0.0.0/33` is no network"),
        ("time.getHours('Berlin')", "there is no time zone `Berlin`"),
        ("time > timestamp('yesterday')", "`yesterday` is no time"),
        ("time - time > duration('1 hour')", "`1 hour` is no duration"),
    ] {
        check(text, Err(expected));
    }
}

#[test]
fn a_problem_has_a_place() {
    let text = "size > 1 &&\n  'é' == paht";
    let problem = Program::compile(&environment(), text).unwrap_err();
    assert_eq!(problem.place(text), (2, 10));
}

#[test]
fn what_is_used_is_known() {
    let program = Program::compile(&environment(), "consumer.name == path || [1].all(size, size == 1)").unwrap();
    let used: Vec<_> = (0..7).filter(|place| program.uses(*place)).collect();
    assert_eq!(used, [0, 4]);
}
