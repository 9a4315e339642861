use std::cell::Cell;

use crate::problem::Failure;
use crate::program::{Environment, Program, Variables};
use crate::types::{RecordType, Type};
use crate::value::{List, Mapping, Record, Sequence, Shared, Value};

/// A host with one variable of each kind, which counts how often it is asked.
#[derive(Default)]
struct Host {
    asked: Cell<usize>,
}

struct Words;
struct Consumer;

impl Variables for Host {
    fn get(&self, place: usize) -> Value<'_> {
        self.asked.set(self.asked.get() + 1);
        match place {
            0 => Value::text("/public/a"),
            1 => Value::List(List::Host(&Words)),
            2 => Value::Map(crate::value::Map::Host(&Words)),
            3 => Value::Record(&Consumer),
            4 => Value::Null,
            _ => Value::text("fe80::1"),
        }
    }
}

impl Sequence for Words {
    fn len(&self) -> usize {
        3
    }

    fn get(&self, place: usize) -> Option<Value<'_>> {
        ["a", "b", "c"].get(place).map(|text| Value::text(text))
    }
}

impl Mapping for Words {
    fn get(&self, key: &str) -> Option<Value<'_>> {
        match key {
            "x" => Some(Value::text("1")),
            "y" => Some(Value::text("2")),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<Shared<'_, str>> {
        vec!["x".into(), "y".into()]
    }

    fn cost(&self) -> usize {
        2
    }
}

impl Record for Consumer {
    fn field(&self, place: usize) -> Value<'_> {
        if place == 0 { Value::text("ann") } else { Value::Null }
    }
}

fn environment() -> Environment {
    let consumer = || {
        let fields = vec![("name", Type::String), ("mail", Type::Dyn)];
        Type::Record(
            RecordType {
                name: "consumer",
                fields,
            }
            .into(),
        )
    };
    Environment::new()
        .with("path", Type::String)
        .with("words", Type::list(Type::String))
        .with("fields", Type::map(Type::String))
        .with("consumer", consumer())
        .with("nobody", consumer())
        .with("address", Type::String)
}

fn worth(text: &str) -> Result<bool, Failure> {
    let program = Program::compile(&environment(), text).unwrap();
    match program.evaluate(&Host::default())? {
        Value::Bool(value) => Ok(value),
        other => panic!("{text} is {other:?}"),
    }
}

#[test]
fn hosts_values_are_as_good_as_others() {
    for (text, expected) in [
        ("path.startsWith('/public/') && 'b' in words && !('d' in words)", true),
        ("words == ['a', 'b', 'c'] && words[1] == 'b' && size(words) == 3", true),
        ("words + ['d'] == ['a', 'b', 'c', 'd']", true),
        (
            "fields.x == '1' && fields['y'] == '2' && 'x' in fields && !has(fields.z)",
            true,
        ),
        ("fields == {'y': '2', 'x': '1'} && size(fields) == 2", true),
        ("fields.all(k, v, int(v) > 0) && fields.exists(k, k == 'y')", true),
        ("words.map(w, w + w).join('-') == 'aa-bb-cc'", true),
        (
            "consumer.name == 'ann' && has(consumer.name) && !has(consumer.mail)",
            true,
        ),
        ("consumer != null && nobody == null", true),
        ("nobody != null && nobody.name == 'ann'", false),
        (
            "address.inNetwork('fe80::/10') && !address.inNetwork(['10.0.0.0/8', '::1'])",
            true,
        ),
        ("'::ffff:10.1.2.3'.inNetwork('10.0.0.0/8')", true),
        ("path.matches('^/[a-z]+/') && !path.matches('^$')", true),
    ] {
        assert_eq!(worth(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_has_no_value_fails() {
    for (text, expected) in [
        ("nobody.name == 'ann'", Failure::WrongType("a field")),
        ("has(nobody.name)", Failure::WrongType("`has`")),
        ("fields.z == ''", Failure::NoSuchKey("z".into())),
        ("words[3] == ''", Failure::NoSuchIndex),
        ("words[-1] == ''", Failure::NoSuchIndex),
        ("1 / size(words.filter(w, false)) == 1", Failure::DivisionByZero),
        ("9223372036854775807 + size(words) > 0", Failure::OutOfRange),
        ("int(path) == 1", Failure::Unreadable("int")),
        ("path.inNetwork('10.0.0.0/8')", Failure::Unreadable("address")),
        ("{path: 1, '/public/a': 2}.size() == 1", Failure::KeyTwice),
        ("dyn(path) > 1", Failure::WrongType("a comparison")),
        ("!dyn(path)", Failure::WrongType("a condition")),
    ] {
        assert_eq!(worth(text), Err(expected), "{text}");
    }
}

#[test]
fn one_operand_that_decides_is_enough() {
    for (text, expected) in [
        ("nobody.name == 'a' || true", Ok(true)),
        ("true || nobody.name == 'a'", Ok(true)),
        ("nobody.name == 'a' && false", Ok(false)),
        ("words.exists(w, int(w) == 1 || w == 'c')", Ok(true)),
        ("words.all(w, int(w) == 1 && w == 'c')", Ok(false)),
        ("nobody.name == 'a' || false", Err(Failure::WrongType("a field"))),
        ("words.exists(w, int(w) == 1)", Err(Failure::Unreadable("int"))),
        ("words.filter(w, int(w) == 1) == []", Err(Failure::Unreadable("int"))),
    ] {
        assert_eq!(worth(text), expected, "{text}");
    }
}

#[test]
fn variables_are_fetched_when_they_are_wanted() {
    for (text, expected) in [
        ("true || path == ''", 0),
        ("path == '' && address == ''", 1),
        ("['a', 'b'].all(x, path != x)", 2),
    ] {
        let host = Host::default();
        Program::compile(&environment(), text).unwrap().evaluate(&host).unwrap();
        assert_eq!(host.asked.get(), expected, "{text}");
    }
}

#[test]
fn cost_is_limited_and_nothing_saves_from_that() {
    let nested = |depth: usize, body: &str| {
        let list = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]";
        (0..depth).fold(body.to_owned(), |body, level| format!("{list}.all(v{level}, {body})"))
    };
    assert_eq!(worth(&nested(2, "true")), Ok(true));
    assert_eq!(worth(&nested(5, "true")), Err(Failure::TooCostly));
    assert_eq!(
        worth(&format!("true && {} || true", nested(5, "true"))),
        Err(Failure::TooCostly)
    );
    let doubling = (0..14).fold("path".to_owned(), |text, level| {
        format!("['a', 'b'].map(x{level}, {text}).join()")
    });
    assert_eq!(worth(&format!("{doubling} == ''")), Err(Failure::TooCostly));
    let growing = (0..12).fold("path".to_owned(), |text, _| {
        format!("{text}.replace('', 'aaaaaaaaaaaaaaaa')")
    });
    assert_eq!(worth(&format!("{growing} == ''")), Err(Failure::TooCostly));
}

#[test]
fn constants_are_reckoned_once() {
    let program = Program::compile(&environment(), "size(['a', 'b' + 'c']) * 2 + 1").unwrap();
    assert!(matches!(
        program.evaluate_within(1, &Host::default()),
        Ok(Value::Int(5))
    ));
}

#[test]
fn texts_are_cut_and_joined() {
    for text in [
        "'a,b,,c'.split(',') == ['a', 'b', '', 'c'] && 'a,b,c'.split(',', 2) == ['a', 'b,c']",
        "'héo'.split('') == ['h', 'é', 'o'] && ''.split('') == [] && ''.split(',') == ['']",
        "'héo'.substring(1, 2) == 'é' && 'héo'.charAt(3) == '' && 'héo'.reverse() == 'oéh'",
        "' a '.trim() == 'a' && 'Aé'.lowerAscii() == 'aé' && 'aé'.upperAscii() == 'Aé'",
        "'aaa'.replace('a', 'b', 2) == 'bba' && 'aaa'.replace('a', 'b', -1) == 'bbb' && 'aa'.replace('a', 'b', 0) == 'aa'",
        "'a'.lastIndexOf('aa', 0) == -1 && 'aéa'.lastIndexOf('a') == 2 && 'aéa'.indexOf('a', 1) == 2",
    ] {
        assert_eq!(worth(text), Ok(true), "{text}");
    }
    for text in [
        "path.substring(2, 1) == ''",
        "path.substring(10) == ''",
        "path.charAt(-1) == ''",
        "path.indexOf('a', 100) == 0",
    ] {
        assert_eq!(worth(text), Err(Failure::NoSuchIndex), "{text}");
    }
}
