//! Full text where the engine has an index for it.

use portcullis_core::Method;
use serde_json::Value as Json;

use super::engines::run;
use crate::api::{Api, Exposed};
use crate::fixture;
use crate::grammar::{self, Caller};
use crate::schema::{Engine, FoundColumn, FoundIndex, FoundRelation, FoundSchema, Kind, Schema, Type, Volatile};
use crate::sql::{RowForm, read};

fn articles(engine: Engine) -> Api {
    let (namespace, method, columns) = match engine {
        Engine::Sqlite => ("main", "fts5", vec![Some(0), Some(1)]),
        _ => ("shop", "fulltext", vec![Some(1)]),
    };
    let column = |name: &str| FoundColumn {
        name: name.to_owned(),
        kind: Type::Text,
        declared: "text".to_owned(),
        nullable: true,
        default: None,
        generated: false,
        max_length: None,
        comment: None,
    };
    let index = FoundIndex {
        name: "body".to_owned(),
        columns,
        included: Vec::new(),
        unique: false,
        primary: false,
        partial: false,
        method: method.to_owned(),
        scans: Volatile(None),
        bytes: Volatile(None),
    };
    let relation = FoundRelation {
        columns: vec![column("title"), column("body")],
        indexes: vec![index],
        ..FoundRelation::new(namespace.to_owned(), "articles".to_owned(), Kind::Table)
    };
    let found = FoundSchema {
        namespaces: vec![namespace.to_owned()],
        relations: vec![relation],
        routines: Vec::new(),
    };
    let mut resource = fixture::resource("articles");
    resource.methods = vec![Method::Get];
    let exposed = Exposed {
        resources: vec![("articles".to_owned(), resource)],
        ..Exposed::default()
    };
    Api::new(Schema::new(engine, found).into(), exposed).expect("articles can be exposed")
}

#[test]
fn words_are_found() {
    for engine in [Engine::Sqlite, Engine::MariaDb] {
        let api = articles(engine);
        for (filter, titles) in [
            ("body=plfts.brown", &["one", "three"][..]),
            ("body=plfts.brown quick", &["one", "three"]),
            ("body=plfts.brown\" OR \"lazy", &[]),
            ("body=phfts.quick brown", &["one"]),
            ("body=wfts.brown -fox", &["three"]),
            ("body=wfts.lazy or fox", &["one", "two"]),
            ("body=fts.slee:*", &["two"]),
            ("body=fts.brown%26!fox", &["three"]),
            ("or=(body.plfts.lazy,title.eq.one)", &["one", "two"]),
            ("body=not.plfts.brown", &["two"]),
        ] {
            let query = format!("select=title&order=title&{filter}");
            let question = grammar::read(&api, 0, Some(&query), &Caller::default())
                .unwrap_or_else(|error| panic!("{query}: {:?}", error.detail()));
            let statement = read(&api, &question, RowForm::Columns).expect("the engine can do it");
            let outcome = run(engine, &statement).unwrap_or_else(|failure| panic!("{failure}\n{}", statement.text));
            let rows: Json = serde_json::from_slice(&outcome.body).expect("rows");
            let found: Vec<&str> = rows
                .as_array()
                .expect("rows")
                .iter()
                .filter_map(|row| row["title"].as_str())
                .collect();
            assert_eq!(found, titles, "{engine:?} {filter}");
        }
    }
}
