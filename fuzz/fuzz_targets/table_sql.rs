//! Whatever a query says, the SQL that is made of it consists of words of the source, names of the schema and
//! placeholders: nothing of the query's text stands in it.

#![no_main]

use std::collections::HashSet;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use portcullis_tables::api::Api;
use portcullis_tables::fixture;
use portcullis_tables::grammar::{self, Caller};
use portcullis_tables::schema::Engine;
use portcullis_tables::sql::{self, RowForm};
use portcullis_tables::statement::Statement;

const ENGINES: [Engine; 4] = [Engine::Sqlite, Engine::Postgres, Engine::MariaDb, Engine::MySql];
/// All texts in quotes that statements have.
const LITERALS: [&str; 25] = [
    "",
    "$",
    "%H:%i:%s.%f",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%i:%s.%f",
    "+00:00",
    ",",
    ".",
    "0",
    ":",
    "[]",
    "\\",
    "\\n",
    "base64",
    "blob",
    "false",
    "null",
    "text",
    "true",
    "{",
    "{}",
    "}",
    "t",
    "f",
    " ",
];

struct Shop {
    engine: Engine,
    api: Api,
    names: HashSet<String>,
}

static SHOPS: LazyLock<Vec<Shop>> = LazyLock::new(|| {
    let shop = |engine| {
        let schema = fixture::schema(engine);
        let api = Api::new(schema.clone(), fixture::exposed()).expect("the shop can be exposed");
        let columns = schema
            .relations()
            .iter()
            .flat_map(|relation| relation.columns.iter().map(|column| &column.name));
        let tables = schema
            .relations()
            .iter()
            .flat_map(|relation| [&relation.namespace, &relation.name]);
        let names = columns.chain(tables).map(|name| name.quoted().to_owned()).collect();
        Shop { engine, api, names }
    };
    ENGINES.into_iter().map(shop).collect()
});

fuzz_target!(|input: &[u8]| {
    // The first byte says which resource is asked.
    let Some((first, query)) = input.split_first() else {
        return;
    };
    let Ok(query) = std::str::from_utf8(query) else { return };
    for shop in &*SHOPS {
        let resource = usize::from(*first) % shop.api.resources().len();
        let Ok(read) = grammar::read(&shop.api, resource, Some(query), &Caller::default()) else {
            continue;
        };
        for form in [RowForm::Columns, RowForm::Json] {
            if let Ok(statement) = sql::read(&shop.api, &read, form) {
                check(shop, &statement);
            }
        }
        for statement in [sql::count(&shop.api, &read, 1000), sql::planned(&shop.api, &read)]
            .into_iter()
            .flatten()
        {
            check(shop, &statement);
        }
    }
});

/// Reads a statement token by token, with nothing in common with what wrote it.
fn check(shop: &Shop, statement: &Statement) {
    let text = &*statement.text;
    let quote = if shop.engine.is_mysql_like() { '`' } else { '"' };
    let mut placeholders = 0;
    let mut depth = 0i64;
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let length = match character {
            '\'' => {
                let end = rest[1..].find('\'').expect("a literal ends") + 1;
                assert!(LITERALS.contains(&&rest[1..end]), "{}: {text}", &rest[..=end]);
                end + 1
            }
            _ if character == quote => {
                let end = identifier_end(rest, quote);
                assert!(shop.names.contains(&rest[..end]), "{}: {text}", &rest[..end]);
                end
            }
            '?' => {
                placeholders += 1;
                1
            }
            '$' => {
                let digits = rest[1..].bytes().take_while(u8::is_ascii_digit).count();
                let number: usize = rest[1..=digits].parse().expect("a placeholder has a number");
                placeholders += 1;
                assert_eq!(number, placeholders, "{text}");
                digits + 1
            }
            'a'..='z' | 'A'..='Z' | '_' | '0'..='9' => rest
                .bytes()
                .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
                .count(),
            '(' | ')' => {
                depth += if character == '(' { 1 } else { -1 };
                assert!(depth >= 0, "{text}");
                1
            }
            _ => {
                assert!(" ,.:=<>!~@&|+-*/#[]".contains(character), "{character}: {text}");
                assert!(!rest.starts_with("--") && !rest.starts_with("/*"), "{text}");
                1
            }
        };
        rest = &rest[length..];
    }
    assert_eq!(depth, 0, "{text}");
    assert_eq!(placeholders, statement.values.len(), "{text}");
}

/// Where a name in quotes ends: a quote within is doubled.
fn identifier_end(text: &str, quote: char) -> usize {
    let mut from = 1;
    loop {
        let end = from + text[from..].find(quote).expect("a name ends") + 1;
        if !text[end..].starts_with(quote) {
            return end;
        }
        from = end + 1;
    }
}
