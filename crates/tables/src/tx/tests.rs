//! What a transaction may say, and what is refused of it.

use super::*;
use crate::fixture;
use crate::schema::Engine;

fn read(body: &str) -> Result<Transaction> {
    let api = api();
    parse(&api, body.as_bytes(), &Caller::default())
}

fn api() -> Api {
    let mut exposed = fixture::exposed();
    for (name, resource) in &mut exposed.resources {
        match name.as_str() {
            "products" => resource.methods = vec![portcullis_core::Method::Get],
            "employees" => {
                resource.version = Some("manager_id".to_owned());
                resource.require_if_match = true;
            }
            _ => {}
        }
    }
    Api::new(fixture::schema(Engine::Postgres), exposed).unwrap()
}

/// Each body with the code of its refusal, and what the detail says.
fn all_refused(cases: &[(&str, &str, &str)]) {
    for (body, code, detail) in cases {
        let error = read(body).unwrap_err();
        assert_eq!(error.code().name, *code, "{body}: {error:?}");
        assert!(error.detail().unwrap_or_default().contains(detail), "{body}: {error:?}");
    }
}

#[test]
fn what_is_no_transaction_is_refused() {
    all_refused(&[
        ("", "bad_content", "not JSON"),
        ("[]", "bad_content", "object is needed"),
        ("{}", "bad_content", "`ops` must be"),
        (r#"{"ops":[]}"#, "bad_content", "1 to 100"),
        (r#"{"ops":{}}"#, "bad_content", "`ops` must be"),
        (r#"{"ops":[],"ops":[]}"#, "bad_content", "twice"),
        (r#"{"ops":[],"sql":"select 1"}"#, "bad_content", "`sql` is no member"),
        (r#"{"isolation":"none","ops":[]}"#, "bad_content", "`isolation` is"),
        (r#"{"read_only":"yes","ops":[]}"#, "bad_content", "`read_only`"),
        (r#"{"ops":[{}]}"#, "bad_content", "ops/0: an operation has one of"),
        (
            r#"{"ops":[{"get":"tags","delete":"tags/1"}]}"#,
            "bad_content",
            "ops/0: an operation has one of",
        ),
        (
            r#"{"ops":[{"get":7}]}"#,
            "bad_content",
            "ops/0: the target must be a text",
        ),
        (
            r#"{"ops":[{"get":"tags","values":{}}]}"#,
            "bad_content",
            "`values` is no member",
        ),
        (
            r#"{"ops":[{"get":"nothing"}]}"#,
            "resource_not_found",
            "there is no resource `nothing`",
        ),
        (
            r#"{"ops":[{"get":"secrets"}]}"#,
            "resource_not_found",
            "there is no resource `secrets`",
        ),
        (r#"{"ops":[{"get":"tags/a"}]}"#, "resource_not_found", "ops/0"),
        (r#"{"ops":[{"get":"tags?nothing=eq.1"}]}"#, "bad_query", "ops/0"),
    ]);
}

#[test]
fn operations_that_cannot_be_are_refused() {
    all_refused(&[
        (r#"{"ops":[{"insert":"tags"}]}"#, "bad_content", "`values` is missing"),
        (
            r#"{"ops":[{"insert":"tags/1","values":{}}]}"#,
            "bad_content",
            "without a key",
        ),
        (
            r#"{"ops":[{"insert":"products","values":{}}]}"#,
            "method_not_allowed",
            "does not take POST",
        ),
        (
            r#"{"ops":[{"insert":"tags","values":{},"on_conflict":"word"}]}"#,
            "bad_content",
            "needs a `resolution`",
        ),
        (
            r#"{"ops":[{"insert":"tags","values":{},"resolution":"x"}]}"#,
            "bad_content",
            "`resolution` is",
        ),
        (
            r#"{"ops":[{"insert":"tags","values":{"wrod":"a"}}]}"#,
            "bad_content",
            "did you mean `word`",
        ),
        (
            r#"{"ops":[{"insert":"tags","values":{"word":1}}]}"#,
            "invalid_content",
            "`word` takes a text",
        ),
        (
            r#"{"ops":[{"patch":"tags","values":{}}]}"#,
            "bad_query",
            "needs a filter",
        ),
        (r#"{"ops":[{"delete":"tags"}]}"#, "bad_query", "needs a filter"),
        (
            r#"{"ops":[{"delete":"tags/1?word=eq.a"}]}"#,
            "bad_content",
            "takes no filter",
        ),
        (r#"{"ops":[{"put":"tags","values":{}}]}"#, "bad_content", "needs a key"),
        (
            r#"{"ops":[{"patch":"tags/1","values":{},"if_match":"\"a\""}]}"#,
            "precondition_failed",
            "ops/0",
        ),
        (
            r#"{"ops":[{"patch":"tags?id=gt.1","values":{},"if_match":"*"}]}"#,
            "bad_content",
            "for one row",
        ),
        (
            r#"{"ops":[{"delete":"employees/1"}]}"#,
            "precondition_required",
            "`if_match` is missing",
        ),
        (
            r#"{"read_only":true,"ops":[{"get":"tags"},{"delete":"tags/1"}]}"#,
            "bad_content",
            "ops/1: `read_only`",
        ),
        (r#"{"ops":[{"as":"a b","get":"tags"}]}"#, "bad_content", "`as` takes"),
        (
            r#"{"ops":[{"as":"a","get":"tags"},{"as":"a","get":"tags"}]}"#,
            "bad_content",
            "ops/1: `as`",
        ),
    ]);
    let many = format!("{{\"ops\":[{}]}}", vec![r#"{"get":"tags"}"#; 101].join(","));
    assert_eq!(read(&many).unwrap_err().code(), &codes::BAD_CONTENT);
}

#[test]
fn references_lead_to_what_the_caller_may_read() {
    let with = |first: &str, reference: &str| {
        read(&format!(
            r#"{{"ops":[{{"as":"c",{first}}},{{"insert":"tags","values":{{"word":{{"$ref":"{reference}"}}}}}}]}}"#
        ))
    };
    let one = r#""get":"customers/1""#;
    with(one, "c.name").unwrap();
    with(r#""insert":"customers","values":{"name":"x"}"#, "c.name").unwrap();
    for (first, reference, detail) in [
        (one, "c.internal_note", "there is no such column"),
        (one, "c.nothing", "there is no such column"),
        (one, "d.name", "no operation before has that name"),
        (one, "c", "not of the form NAME.COLUMN"),
        (one, "c.id", "holds another type"),
        (r#""get":"customers""#, "c.name", "not one of a single row"),
        (
            r#""insert":"customers","values":[{"name":"x"}]"#,
            "c.name",
            "not one of a single row",
        ),
        (r#""delete":"customers/1""#, "c.name", "not one of a single row"),
        (
            r#""insert":"customers","values":{"name":"x"},"resolution":"ignore-duplicates""#,
            "c.name",
            "not one of a single row",
        ),
    ] {
        let error = with(first, reference).unwrap_err();
        assert_eq!(error.code(), &codes::INVALID_CONTENT, "{first} {reference}: {error:?}");
        assert!(
            error.detail().unwrap_or_default().contains(detail),
            "{first} {reference}: {error:?}"
        );
        assert_eq!(error.findings()[0].pointer, "/ops/1/values/word");
    }
}

#[test]
fn each_operation_has_the_rule_of_its_resource() {
    let transaction = read(r#"{"ops":[{"patch":"orders/1","values":{"note":"x"}},{"get":"orders"}]}"#).unwrap();
    for operation in &transaction.operations {
        let rule = match &operation.task {
            Task::Get(read) => &read.rule,
            Task::Change(change) => &change.rule,
        };
        assert!(rule.is_some());
    }
}
