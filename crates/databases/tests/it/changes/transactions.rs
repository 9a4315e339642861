//! Several operations, all or none.

use std::time::Duration;

use portcullis_core::Error;
use portcullis_tables::grammar::Caller;
use portcullis_tables::sql::RowForm;
use portcullis_tables::statement::Session;
use portcullis_tables::tx;

use super::shop::{Shop, same, shops};

fn ask(shop: &Shop, body: &str) -> Result<String, Error> {
    let transaction = tx::parse(&shop.api, body.as_bytes(), &Caller::default())?;
    let planned = transaction.script(
        &shop.api,
        RowForm::Json,
        Session::default(),
        Duration::from_secs(10),
        false,
    )?;
    let outcomes = shop.run(planned.script)?;
    Ok(String::from_utf8(transaction.answer(&shop.api, &planned.places, &outcomes).to_vec()).unwrap())
}

#[test]
fn later_operations_refer_to_earlier_ones() {
    for shop in shops() {
        let answer = ask(
            &shop,
            r#"{"isolation":"serializable","ops":[
                {"as":"o","insert":"orders","values":{"customer":"Eve","owner":"eve"}},
                {"insert":"order_lines","values":[
                    {"order_id":{"$ref":"o.id"},"number":1,"product":"pen"},
                    {"order_id":{"$ref":"o.id"},"number":2,"product":{"$ref":"o.customer"},"quantity":3}],
                 "select":"number,product,quantity"},
                {"as":"old","get":"orders/1?select=id,customer"},
                {"patch":"orders/3","values":{"note":{"$ref":"old.owner"},"customer":{"$ref":"o.owner"}},"select":"note,customer"},
                {"delete":"tags?uses=gt.1"},
                {"put":"settings/mode","values":{"value":"on"}},
                {"get":"order_lines?order_id=eq.4&select=number&order=number"}]}"#,
        )
        .unwrap_or_else(|error| panic!("{}: {error:?}", shop.engine));
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        let results = answer["results"].as_array().unwrap();
        assert_eq!(results[0]["as"], "o");
        assert_eq!(
            (&results[0]["status"], &results[0]["location"]),
            (&201.into(), &"orders/4".into()),
            "{}",
            shop.engine
        );
        assert!(
            results[0]["etag"].is_string() && results[0].get("body").is_none(),
            "{}",
            shop.engine
        );
        let lines = r#"[{"number":1,"product":"pen","quantity":1},{"number":2,"product":"Eve","quantity":3}]"#;
        assert_eq!(same(&results[1]["body"].to_string()), same(lines), "{}", shop.engine);
        assert_eq!(
            same(&results[2]["body"].to_string()),
            same(r#"{"id":1,"customer":"Ada"}"#),
            "{}",
            shop.engine
        );
        assert_eq!(
            same(&results[3]["body"].to_string()),
            same(r#"{"note":"ada","customer":"eve"}"#),
            "{}",
            shop.engine
        );
        assert_eq!(
            (&results[4]["status"], &results[4]["rows"]),
            (&204.into(), &1.into()),
            "{}",
            shop.engine
        );
        assert_eq!(
            (&results[5]["status"], &results[5]["location"]),
            (&201.into(), &"settings/mode".into()),
            "{}",
            shop.engine
        );
        assert_eq!(
            same(&results[6]["body"].to_string()),
            same(r#"[{"number":1},{"number":2}]"#),
            "{}",
            shop.engine
        );
    }
}

#[test]
fn one_that_fails_undoes_all() {
    for shop in shops() {
        for (last, code) in [
            (r#"{"patch":"orders/99","values":{"note":"x"}}"#, "resource_not_found"),
            (r#"{"insert":"tags","values":{"word":"red"}}"#, "conflict"),
            (
                r#"{"patch":"orders/1","if_match":"\"x\"","values":{"note":"x"}}"#,
                "precondition_failed",
            ),
            (r#"{"get":"orders/99"}"#, "resource_not_found"),
        ] {
            let body = format!(
                r#"{{"ops":[{{"insert":"tags","values":{{"word":"new"}}}},{{"patch":"orders/1","values":{{"note":"y"}}}},{last}]}}"#
            );
            assert_eq!(
                ask(&shop, &body).unwrap_err().code().name,
                code,
                "{}: {last}",
                shop.engine
            );
        }
        shop.holds("tags", "word=eq.new", "[]");
        shop.holds("orders", "note=not.is.null", "[]");
    }
}

#[test]
fn what_only_reads_sees_one_state() {
    for shop in shops() {
        let body = r#"{"read_only":true,"isolation":"repeatable-read","ops":[{"get":"tags?select=word&order=word"},{"get":"orders/1?select=id"}]}"#;
        let expected = r#"{"results":[{"status":200,"rows":2,"body":[{"word":"blue"},{"word":"red"}]},{"status":200,"rows":1,"body":{"id":1}}]}"#;
        assert_eq!(same(&ask(&shop, body).unwrap()), same(expected), "{}", shop.engine);
    }
}
