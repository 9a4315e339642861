//! PostgreSQL's types: what it takes a placeholder for, where it is compared with a column of each of them.

use super::check_on;

const FIRST: &str = r#"[{"id":"b5a0c1de-0000-4000-8000-000000000001"}]"#;

#[test]
fn values_are_taken_for_the_column_s_type() {
    for (column, value) in [
        ("a_boolean", "true"),
        ("a_small", "2"),
        ("an_integer", "3"),
        ("a_big", "9007199254740993"),
        ("a_real", "1.5"),
        ("a_decimal", "10.50"),
        ("a_numeric", "12.345"),
        ("a_text", "a text"),
        ("a_uuid", "b5a0c1de-0000-4000-8000-00000000000a"),
        ("a_date", "2026-01-31"),
        ("a_time", "12:30:00"),
        ("a_timestamp", "2026-01-31T12:30:00"),
        ("a_moment", "2026-01-31T13:30:00.25%2B01:00"),
        ("a_state", "paid"),
        ("an_other", "10.0.0.1"),
        ("doubled", "6"),
    ] {
        let all = ["eq", "gte", "lte", "not.isdistinct"]
            .map(|test| format!("{column}.{test}.\"{value}\","))
            .concat();
        let all = format!("and=({all}{column}.in.(\"{value}\"),{column}.eq(any).{{\"{value}\"}})");
        check_on("p", "kinds", &format!("select=id&{all}&order={column}.desc"), FIRST);
    }
}

#[test]
fn collections_and_ranges() {
    for filter in [
        "some_integers=cs.{1,3}",
        "some_integers=cd.{1,2,3,4}",
        "some_integers=ov.{3,9}",
        "some_integers=eq.{1,2,3}",
        "some_texts=cs.{\"y z\"}",
        "some_texts=ov.{x}",
        "a_range=cs.[2,3)",
        "a_range=cd.[0,20)",
        "a_range=ov.[9,12)",
        "a_range=sl.[10,12)",
        "a_range=sr.[-5,0)",
        "a_range=nxr.[1,10)",
        "a_range=nxl.[1,10)",
        "a_range=adj.[10,12)",
        "a_jsonb=cs.{\"b\":{\"c\":\"d\"}}",
        "a_jsonb->b->>c=eq.d",
        "a_json->a->>0=eq.1",
        "a_json->a=cs.[1]",
        "a_composite->>y=eq.seven",
        "some_texts->>1=eq.y z",
        "a_document=plfts.cat",
        "a_document=wfts(simple).fat -dog",
        "a_text=like.a*",
        "a_text=like(any).{z*,a*}",
    ] {
        check_on("p", "kinds", &format!("select=id&{filter}"), FIRST);
    }
}

#[test]
fn all_types_are_shown() {
    check_on(
        "p",
        "kinds",
        "a_boolean=is.true&select=a_boolean,a_big,a_real,a_decimal,a_text,a_uuid,a_date,a_time,a_timestamp,a_moment,\
         an_interval,a_json,a_jsonb,a_state,some_texts,some_integers,a_range,a_composite,an_other,y:a_composite->>y",
        r#"[{"a_boolean":true,"a_big":9007199254740993,"a_real":1.5,"a_decimal":10.5,"a_text":"a text",
            "a_uuid":"b5a0c1de-0000-4000-8000-00000000000a","a_date":"2026-01-31","a_time":"12:30:00",
            "a_timestamp":"2026-01-31T12:30:00","a_moment":"2026-01-31T12:30:00.25+00:00",
            "an_interval":"1 day 02:00:00","a_json":{"a":[1]},"a_jsonb":{"b":{"c":"d"}},"a_state":"paid",
            "some_texts":["x","y z"],"some_integers":[1,2,3],"a_range":"[1,10)","a_composite":{"x":7,"y":"seven"},
            "an_other":"10.0.0.1","y":"seven"}]"#,
    );
    check_on(
        "p",
        "kinds",
        "select=a_json,n:count()&a_boolean=is.null",
        r#"[{"a_json":null,"n":1}]"#,
    );
}
