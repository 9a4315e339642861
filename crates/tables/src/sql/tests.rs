//! What is asked of the shop, and what three engines answer.

mod engines;
mod groups;
mod kinds;
mod pages;
mod related;
mod rules;
mod searches;
mod shape;

use serde_json::Value as Json;

use self::engines::{ENGINES, api, run};
use super::{RowForm, read};
use crate::grammar::{self, Caller};
use crate::query::Read;
use crate::schema::Engine;

/// The read that a query asks for.
fn question(engine: Engine, resource: &str, query: &str) -> Read {
    let api = api(engine);
    let (place, _) = api.resource(resource).expect("the resource is exposed");
    grammar::read(api, place, Some(query), &Caller::default())
        .unwrap_or_else(|error| panic!("{resource}?{query}: {:?}", error.detail()))
}

/// What an engine answers.
fn answer(engine: Engine, read: &Read, form: RowForm) -> Json {
    let statement = self::read(api(engine), read, form).unwrap_or_else(|error| panic!("{:?}", error.detail()));
    let outcome = run(engine, &statement).unwrap_or_else(|failure| panic!("{engine:?}: {failure}\n{}", statement.text));
    let body = String::from_utf8(outcome.body.to_vec()).expect("answers are UTF-8");
    let rows = serde_json::from_str(&body).unwrap_or_else(|failure| panic!("{engine:?}: {failure}: {body}"));
    plain(rows)
}

/// Numbers as binary ones, so that `10` is `10.00`.
fn plain(json: Json) -> Json {
    match json {
        Json::Number(number) => Json::from(number.as_f64().expect("a number")),
        Json::Array(items) => items.into_iter().map(plain).collect(),
        Json::Object(members) => members.into_iter().map(|(name, value)| (name, plain(value))).collect(),
        other => other,
    }
}

/// Whether all engines named by `which` (`spm`: SQLite, PostgreSQL, MariaDB) answer so, in all forms.
fn check_on(which: &str, resource: &str, query: &str, expected: &str) {
    let expected = plain(serde_json::from_str(expected).expect("the expected rows are JSON"));
    for engine in ENGINES
        .into_iter()
        .filter(|engine| which.contains(&engine.as_str()[..1]))
    {
        let read = question(engine, resource, query);
        let forms = if engine == Engine::Postgres {
            &[RowForm::Json, RowForm::Columns][..]
        } else {
            &[RowForm::Columns]
        };
        for form in forms {
            assert_eq!(
                answer(engine, &read, *form),
                expected,
                "{engine:?} {form:?}: {resource}?{query}"
            );
        }
    }
}

/// Whether all engines answer so.
fn check(resource: &str, query: &str, expected: &str) {
    check_on("spm", resource, query, expected);
}

/// Whether these are the numbers of the customers that a filter lets through.
fn finds(which: &str, resource: &str, filter: &str, ids: &[u32]) {
    let expected: Vec<String> = ids.iter().map(|id| format!("{{\"id\":{id}}}")).collect();
    check_on(
        which,
        resource,
        &format!("select=id&order=id&{filter}"),
        &format!("[{}]", expected.join(",")),
    );
}

#[test]
fn columns_of_all_kinds_look_alike() {
    check(
        "customers",
        "id=eq.1",
        r#"[{"id":1,"name":"Ada","email":"ada@example.org","vip":true,"balance":10.5,"owner":"ada",
            "settings":{"theme":"dark","depth":{"n":5},"list":[10,20],"on":true,"none":null},
            "created_at":"2026-01-01T08:00:00+00:00","internal_note":"x"}]"#,
    );
    check(
        "orders",
        "id=in.(11,12)&order=id&select=id,state,placed_at,note",
        r#"[{"id":11,"state":"paid","placed_at":"2026-02-02T10:00:00","note":null},
            {"id":12,"state":"sent","placed_at":"2026-02-03T10:00:00.25","note":"a \"quoted\" note"}]"#,
    );
    check(
        "products",
        "id=eq.101&select=weight,added,attributes,dotted:\"a.b\"",
        r#"[{"weight":null,"added":"2026-01-02","attributes":null,"dotted":null}]"#,
    );
}

#[test]
fn comparisons() {
    for (filter, ids) in [
        ("id=eq.2", &[2][..]),
        ("id=neq.2", &[1, 3, 4]),
        ("balance=gt.0", &[1, 4]),
        ("balance=gte.0", &[1, 2, 4]),
        ("balance=lt.0.00", &[3]),
        ("balance=eq.10.50", &[1]),
        ("name=eq.Ada", &[1]),
        ("name=eq.ada", &[]),
        ("email=neq.ada@example.org", &[3, 4]),
        ("email=isdistinct.ada@example.org", &[2, 3, 4]),
        ("email=not.isdistinct.ada@example.org", &[1]),
        ("email=is.null", &[2]),
        ("email=not.is.null", &[1, 3, 4]),
        ("vip=is.true", &[1, 4]),
        ("vip=eq.false", &[2, 3]),
        ("id=in.(1,3,9)", &[1, 3]),
        ("id=in.()", &[]),
        ("id=not.in.(1,3)", &[2, 4]),
        ("name=in.(Ada,\"Élan\")", &[1, 4]),
        ("balance=in.(10.5,99.99)", &[1, 4]),
        ("id=eq(any).{1,2}", &[1, 2]),
        ("id=gt(all).{1,2}", &[3, 4]),
        ("id=lt(any).{2,3}", &[1, 2]),
        ("or=(id.eq.1,and(id.gt.2,vip.is.true))", &[1, 4]),
        ("not.or=(id.eq.1,email.is.null)", &[3, 4]),
        ("created_at=gt.2026-01-02T08:00:00.4Z", &[2, 3, 4]),
    ] {
        finds("spm", "customers", filter, ids);
    }
}

#[test]
fn patterns() {
    for (filter, ids) in [
        ("name=like.*d*", &[1, 3][..]),
        ("name=like.A*", &[1]),
        ("name=like.a*", &[]),
        ("name=ilike.a*", &[1]),
        ("name=like._ob", &[2]),
        ("name=not.like.*d*", &[2, 4]),
        ("email=like.a\\_b\\%25c", &[4]),
        ("email=ilike.cyd@*", &[3]),
        ("email=not.ilike.cyd@*", &[1, 4]),
        ("name=like(any).{A*,C*}", &[1, 3]),
        ("name=ilike(all).{*d*,a*}", &[1]),
    ] {
        finds("spm", "customers", filter, ids);
    }
    for (filter, ids) in [
        ("name=match.^[AC]", &[1, 3][..]),
        ("name=match.^a", &[]),
        ("name=imatch.^a", &[1]),
        ("name=match(any).{^A,b$}", &[1, 2]),
    ] {
        finds("pm", "customers", filter, ids);
    }
}

#[test]
fn paths_into_json() {
    for (filter, ids) in [
        ("settings->>theme=eq.dark", &[1][..]),
        ("settings->depth->>n=eq.5", &[1]),
        ("settings->list->>1=eq.20", &[1]),
        ("settings->list->>-1=eq.20", &[1]),
        ("settings->>on=eq.true", &[1]),
        ("settings->>theme=is.null", &[3, 4]),
        ("settings->>theme=in.(dark,light)", &[1, 2]),
        ("settings->>theme=like.l*", &[2]),
    ] {
        finds("spm", "customers", filter, ids);
    }
    check(
        "customers",
        "select=id,settings->theme,n:settings->depth->>n,settings->list,on:settings->on&order=id",
        r#"[{"id":1,"theme":"dark","n":"5","list":[10,20],"on":true},
            {"id":2,"theme":"light","n":null,"list":null,"on":null},
            {"id":3,"theme":null,"n":null,"list":null,"on":null},
            {"id":4,"theme":null,"n":null,"list":null,"on":null}]"#,
    );
    finds("pm", "customers", "settings=cs.{\"theme\":\"dark\"}", &[1]);
}

#[test]
fn casts() {
    check(
        "customers",
        "id=eq.1&select=a:id::text,b:vip::text,c:balance::int,d:id::numeric,e:vip::boolean",
        r#"[{"a":"1","b":"true","c":11,"d":1,"e":true}]"#,
    );
}

#[test]
fn searches_and_collections_of_postgres() {
    for (filter, ids) in [
        ("note=plfts.quoted note", &[12][..]),
        ("note=fts(english).first|quoted", &[10, 12]),
        ("note=phfts.quoted note", &[12]),
        ("note=wfts(simple).first or quoted", &[10, 12]),
    ] {
        finds("p", "orders", filter, ids);
    }
    for (filter, ids) in [
        ("labels=cs.{a}", &[][..]),
        ("labels=ov.{a,b}", &[]),
        ("labels=is.null", &[100, 101, 102]),
        ("attributes=cs.{\"size\":3}", &[100]),
        ("attributes->size=eq.3", &[100]),
    ] {
        finds("p", "products", filter, ids);
    }
}

#[test]
fn what_an_engine_can_t_do_is_refused() {
    for (engine, resource, query) in [
        (Engine::Sqlite, "orders", "note=plfts.first"),
        (Engine::MariaDb, "orders", "note=plfts.first"),
        (Engine::Sqlite, "customers", "settings=cs.{\"theme\":\"dark\"}"),
        (Engine::Sqlite, "customers", "select=id::interval"),
        (Engine::MariaDb, "customers", "select=name::text[]"),
    ] {
        let api = api(engine);
        let (place, _) = api.resource(resource).expect("the resource is exposed");
        let question = grammar::read(api, place, Some(query), &Caller::default());
        let statement = question.and_then(|question| read(api, &question, RowForm::Columns));
        assert_eq!(
            statement.map_err(|error| error.code().name),
            Err("bad_query"),
            "{engine:?} {query}"
        );
    }
}
