use portcullis_config::units::ByteSize;

use super::*;
use crate::payload::fault::FaultKind;

fn limits() -> JsonLimits {
    JsonLimits {
        depth: 3,
        keys: 3,
        values: 8,
        string: ByteSize(5),
        key: 4,
        number: 6,
        ..JsonLimits::default()
    }
}

fn refused(text: &str, what: &str, pointer: &str) {
    let fault = check(text.as_bytes(), &limits()).unwrap_err();
    assert_eq!(
        (fault.kind, &*fault.what, &*fault.pointer),
        (FaultKind::Refused, what, pointer),
        "{text}"
    );
}

fn malformed(text: &[u8]) {
    let fault = check(text, &JsonLimits::default()).expect_err(&String::from_utf8_lossy(text));
    assert_eq!(fault.kind, FaultKind::Malformed, "{text:?}: {fault:?}");
    assert!(fault.at <= text.len());
}

#[test]
fn what_keeps_the_limits_passes() {
    for text in [
        "1",
        "\"\"",
        "null",
        "[]",
        "{}",
        " [ 1 , 2 ] \n",
        "{\"a\":{\"b\":{}}}",
        "[[[]]]",
        "{\"a\":1,\"b\":2,\"c\":3}",
        "[1,2,3,4,5,6,7]",
        "\"12345\"",
        "{\"abcd\":1}",
        "-12.34",
        "1e+999",
        "0",
        "0.0e-1",
        "\"\\n\\\\\"",
        "[true,false]",
    ] {
        assert_eq!(check(text.as_bytes(), &limits()), Ok(()), "{text}");
    }
}

#[test]
fn one_more_is_refused_and_its_place_is_told() {
    refused("{\"a\":[0,{\"b\":[]}]}", "it nests deeper than 3 levels", "/a/1/b");
    refused("[[[[", "it nests deeper than 3 levels", "/0/0/0");
    refused(
        "[{\"a\":1,\"b\":2,\"c\":3,\"d\":4}]",
        "an object has more than 3 members",
        "/0",
    );
    refused("[1,2,3,4,5,6,7,8]", "it has more than 8 values", "/7");
    refused("{\"a\":\"123456\"}", "a text is longer than 5 bytes", "/a");
    refused("{\"a\":{\"abcde\":1}}", "a name is longer than 4 bytes", "/a");
    refused("[12345.6]", "a number has more than 6 characters", "/0");
    refused(
        "{\"a/~\":{\"b\":1,\"b\":2}}",
        "an object has a member twice",
        "/a~1~0/b",
    );
}

#[test]
fn a_name_is_the_same_however_it_is_written() {
    let limits = JsonLimits::default();
    assert!(check(br#"{"a":1,"\u0061":2}"#, &limits).is_err());
    assert!(check(br#"{"a":1,"A":2}"#, &limits).is_ok());
    assert!(check("{\"\u{1f600}\":1,\"\\ud83d\\ude00\":2}".as_bytes(), &limits).is_err());
    let allowed = JsonLimits {
        duplicates: Duplicates::Allow,
        ..limits
    };
    assert!(check(br#"{"a":1,"\u0061":2}"#, &allowed).is_ok());
    // The names of an inner object are its own, and those of the outer one are remembered behind it.
    assert!(check(br#"{"a":{"a":1,"b":2},"b":{"a":1}}"#, &limits).is_ok());
    assert!(check(br#"{"a":{"b":1},"c":{"b":1},"a":1}"#, &limits).is_err());
}

#[test]
fn many_names_are_compared_too() {
    let object = |last: &str| {
        let members: Vec<String> = (0..999).map(|nth| format!("\"n{nth}\":{{\"n{nth}\":1}}")).collect();
        format!("{{{},\"{last}\":1}}", members.join(","))
    };
    assert_eq!(check(object("n999").as_bytes(), &JsonLimits::default()), Ok(()));
    for again in ["n0", "n15", "n16", "n17", "n998", "\\u006e7"] {
        let fault = check(object(again).as_bytes(), &JsonLimits::default()).unwrap_err();
        assert_eq!(fault.what, "an object has a member twice", "{again}");
    }
}

#[test]
fn what_is_no_json_is_malformed() {
    for text in [
        "",
        " ",
        "{",
        "[",
        "[1",
        "[1,",
        "[,1]",
        "[1,]",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{,}",
        "{1:2}",
        "{a:1}",
        "{'a':1}",
        "[1 2]",
        "{\"a\" 1}",
        "[1}",
        "{\"a\":1]",
        "]",
        "}",
        ",",
        ":",
        "1 1",
        "[] []",
        "{}x",
        "01",
        "-",
        "-a",
        "1.",
        ".1",
        "+1",
        "1e",
        "1e+",
        "0x10",
        "1_0",
        "NaN",
        "Infinity",
        "-Infinity",
        "nul",
        "nulll",
        "True",
        "undefined",
        "\"",
        "\"a",
        "\"\\\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u+123\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\ud800\\ud800\"",
        "\"\\ud800\\u\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "\"\0\"",
        "// a\n1",
        "/* a */ 1",
        "[1]//",
        "\u{feff}{}",
        "\u{a0}1",
        "\u{b}1",
        "{\"a\":1}\0",
    ] {
        malformed(text.as_bytes());
    }
    for bytes in [
        &b"\"\xff\""[..],
        b"\"\xc0\xaf\"",
        b"\"\xed\xa0\x80\"",
        b"\xff\xfe[\x00]\x00",
        b"[\xf4\x90\x80\x80]",
    ] {
        malformed(bytes);
    }
}

#[test]
fn depth_takes_no_stack_and_no_time() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = open.repeat(100_000);
        let fault = check(deep.as_bytes(), &JsonLimits::default()).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Refused);
        // It ends where the limit is, and not at the end of the text.
        assert_eq!(fault.at, 32 * open.len());
        // Where a person asks for it, such depth is read without a stack of its own.
        let limits = JsonLimits {
            depth: 200_000,
            values: u32::MAX,
            ..JsonLimits::default()
        };
        let whole = format!("{deep}1{}", close.repeat(100_000));
        assert_eq!(check(whole.as_bytes(), &limits), Ok(()));
        let fault = check(deep.as_bytes(), &limits).unwrap_err();
        assert!(fault.pointer.len() < LONGEST_POINTER + 100);
    }
}

#[test]
fn a_long_text_is_left_where_its_limit_is() {
    let text = format!("\"{}\"", "a".repeat(10_000_000));
    let fault = check(text.as_bytes(), &JsonLimits::default()).unwrap_err();
    assert_eq!((fault.kind, fault.at), (FaultKind::Refused, 1));
    let escapes = format!("\"{}\"", "\\u0061".repeat(20_000));
    assert!(check(escapes.as_bytes(), &JsonLimits::default()).is_err());
    let digits = "1".repeat(1_000_000);
    assert_eq!(
        check(digits.as_bytes(), &JsonLimits::default()).unwrap_err().kind,
        FaultKind::Refused
    );
}

proptest::proptest! {
    #[test]
    fn what_passes_is_json_for_others(bytes in proptest::collection::vec(proptest::sample::select(br#"{}[]",:\u0d81ea-.+ "#.to_vec()), 0..40)) {
        let ours = check(&bytes, &JsonLimits { duplicates: Duplicates::Allow, ..JsonLimits::default() }).is_ok();
        let theirs = serde_json::from_slice::<serde_json::Value>(&bytes);
        if ours {
            // Numbers beyond what a double holds are JSON all the same.
            let beyond = theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
            proptest::prop_assert!(theirs.is_ok() || beyond);
        } else {
            proptest::prop_assert!(theirs.is_err());
        }
    }
}
