//! What rules do to requests, each case with rules of its own.

use std::sync::Arc;

use super::*;

/// What a test sends: a target, fields and a body.
type Sent<'s> = (&'s str, &'s [(&'s str, &'s str)], &'s str);

fn load_text(text: &str) -> Result<RuleSet, Vec<Problem>> {
    load(
        &[Source::Text("test.conf".to_owned(), text.to_owned())],
        &Options::default(),
    )
}

fn run_on(rules: RuleSet, (target, fields, body): Sent<'_>) -> Transaction {
    let mut transaction = Transaction::new(Arc::new(rules), 1 << 24);
    transaction.request_line("POST", target.as_bytes(), "HTTP/1.1");
    for (name, value) in fields {
        transaction.request_header(name, value.as_bytes());
    }
    transaction.end_of_head();
    transaction.judge_head();
    if transaction.wants_body() {
        transaction.request_body(body.as_bytes(), true);
        transaction.judge_body();
    }
    transaction
}

fn run(text: &str, sent: Sent<'_>) -> Transaction {
    run_on(load_text(text).unwrap_or_else(|problems| panic!("{problems:?}")), sent)
}

/// The rules that matched.
fn hits(transaction: &Transaction) -> Vec<u32> {
    transaction.hits().iter().map(|hit| hit.rule).collect()
}

#[track_caller]
fn check(text: &str, sent: Sent<'_>, expected: &[u32]) {
    assert_eq!(hits(&run(text, sent)), expected, "{text}");
}

const FORM: &[(&str, &str)] = &[("Content-Type", "application/x-www-form-urlencoded")];

#[test]
fn variables_hold_what_the_request_says() {
    for (variable, value) in [
        ("REQUEST_METHOD", "POST"),
        ("REQUEST_LINE", "POST /a%20b/c.php?x=1&y=%41 HTTP/1.1"),
        ("REQUEST_URI", "/a%20b/c.php?x=1&y=%41"),
        ("REQUEST_FILENAME", "/a b/c.php"),
        ("REQUEST_BASENAME", "c.php"),
        ("QUERY_STRING", "x=1&y=%41"),
        ("ARGS:Y", "A"),
        ("ARGS_GET:x", "1"),
        ("ARGS_POST:z", "a b"),
        ("ARGS_NAMES:z", "z"),
        ("&ARGS", "3"),
        ("&ARGS:/^[xy]$/", "2"),
        ("REQUEST_HEADERS:content-type", "application/x-www-form-urlencoded"),
        ("REQUEST_COOKIES:b", "2=3"),
        ("&REQUEST_COOKIES_NAMES", "2"),
        ("REQUEST_BODY", "z=a+b"),
        ("REQUEST_BODY_LENGTH", "5"),
        ("REQBODY_PROCESSOR", "URLENCODED"),
        ("ARGS_COMBINED_SIZE", "8"),
        ("SERVER_NAME", "h"),
    ] {
        let rule = format!("SecRule {variable} \"@streq {value}\" \"id:1,phase:2\"");
        let fields = [FORM[0], ("Cookie", "a=1; b=2=3"), ("Host", "h:80")];
        check(&rule, ("/a%20b/c.php?x=1&y=%41", &fields, "z=a+b"), &[1]);
    }
}

#[test]
fn items_are_left_out_and_counted() {
    check(
        "SecRule ARGS|!ARGS:a \"@rx x\" \"id:1,phase:1\"",
        ("/?a=x", &[], ""),
        &[],
    );
    check(
        "SecRule ARGS|!ARGS:/^a/ \"@rx x\" \"id:1,phase:1\"",
        ("/?ab=x&b=x", &[], ""),
        &[1],
    );
    check("SecRule &ARGS:a \"@eq 0\" \"id:1,phase:1\"", ("/", &[], ""), &[1]);
    check("SecRule ARGS \"!@rx x\" \"id:1,phase:1\"", ("/", &[], ""), &[]);
    check("SecRule ARGS \"!@rx x\" \"id:1,phase:1\"", ("/?a=x&b=y", &[], ""), &[1]);
}

#[test]
fn chains_hold_as_a_whole() {
    let chain = "SecRule ARGS:a \"@rx ^(.)\" \"id:1,phase:1,capture,chain\"\n SecRule TX:1 \"@streq x\" \"chain\"\n SecRule MATCHED_VARS \"@rx y\"";
    check(chain, ("/?a=xy", &[], ""), &[1]);
    check(chain, ("/?a=xz", &[], ""), &[]);
    check(chain, ("/?a=zy", &[], ""), &[]);
    let chain =
        "SecRule ARGS \"@rx (.)$\" \"id:1,phase:1,capture,chain,setvar:tx.seen=1\"\n SecRule MATCHED_VARS \"@rx ^x\"";
    check(chain, ("/?a=xy", &[], ""), &[1]);
    check(chain, ("/?a=y", &[], ""), &[]);
    assert_eq!(run(chain, ("/?a=y", &[], "")).number("seen"), Some(1));
}

#[test]
fn values_are_set_and_expanded() {
    let rules = "SecAction id:1,phase:1,nolog,setvar:tx.a=5,setvar:TX.b=%{tx.a},setvar:tx.c
        SecRule ARGS \"@rx x\" \"id:2,phase:1,nolog,setvar:tx.a=+%{tx.b},setvar:tx.b=-2,setvar:'tx.name_%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'\"
        SecRule TX:A \"@eq 13\" \"id:3,phase:1,msg:'%{tx.a} %{TX.B} %{tx.none}.'\"
        SecRule TX:/^name_/ \"@streq xy\" \"id:4,phase:1,setvar:!tx.c\"
        SecRule &TX:c \"@eq 0\" \"id:5,phase:1\"";
    let transaction = run(rules, ("/?q=xy&r=x", &[], ""));
    assert_eq!(hits(&transaction), [3, 4, 5]);
    assert_eq!(transaction.hits()[0].message, "13 1 .");
    assert_eq!(transaction.number("b"), Some(1));
}

#[test]
fn what_the_operator_fixed_no_rule_changes() {
    let text = "SecAction id:1,phase:1,nolog,setvar:tx.level=4\nSecRule TX:LEVEL \"@eq 2\" id:2,phase:1";
    let options = Options {
        pinned: vec![("level".to_owned(), "2".to_owned())],
        acting: Acting::default(),
    };
    let rules = load(&[Source::Text("test.conf".to_owned(), text.to_owned())], &options).expect("it can be run");
    assert_eq!(hits(&run_on(rules, ("/", &[], ""))), [2]);
}

#[test]
fn skipping_ends_at_markers_and_at_the_phase() {
    let rules = "SecRule ARGS:a \"@streq 1\" \"id:1,phase:1,nolog,skipAfter:END\"
        SecAction id:2,phase:1\nSecAction id:3,phase:2\nSecMarker END\nSecAction id:4,phase:1
        SecRule ARGS:b \"@streq 1\" \"id:5,phase:1,nolog,skip:1\"\nSecAction id:6,phase:1\nSecAction id:7,phase:1
        SecRule ARGS:c \"@streq 1\" \"id:8,phase:1,nolog,skipAfter:NOWHERE\"\nSecAction id:9,phase:1";
    check(rules, ("/", &[], ""), &[2, 4, 6, 7, 9, 3]);
    check(rules, ("/?a=1", &[], ""), &[4, 6, 7, 9, 3]);
    check(rules, ("/?b=1", &[], ""), &[2, 4, 7, 9, 3]);
    check(rules, ("/?c=1", &[], ""), &[2, 4, 6, 7, 3]);
}

#[test]
fn decisions_end_a_request() {
    let rules = "SecDefaultAction phase:1,log,deny,status:418\nSecRule ARGS:a \"@streq 1\" id:1,phase:1,block\n
        SecRule ARGS:a \"@streq 2\" \"id:2,phase:1,redirect:/login\"\nSecRule ARGS:a \"@streq 3\" \"id:3,phase:1,allow:phase\"
        SecRule ARGS:a \"@streq 4\" \"id:4,phase:1,allow\"\nSecAction id:5,phase:1,pass\nSecAction id:6,phase:2,pass\nSecAction id:7,phase:5,pass";
    let with = |value: &str| run(rules, (&format!("/?a={value}"), &[], ""));
    let refused = with("1");
    assert_eq!(hits(&refused), [1]);
    assert_eq!(
        refused.refusal().map(|refusal| (refusal.rule, refusal.status)),
        Some((1, 418))
    );
    let redirected = with("2").refusal().cloned().expect("it is redirected");
    assert_eq!(
        (redirected.status, redirected.redirect.as_deref()),
        (302, Some("/login"))
    );
    assert_eq!(hits(&with("3")), [3, 6]);
    assert_eq!(hits(&with("4")), [4]);
    let mut passed = with("5");
    passed.conclude();
    assert_eq!((hits(&passed), passed.refusal()), (vec![5, 6, 7], None));
}

#[test]
fn engines_only_tell_or_rest() {
    let rules = |engine| format!("SecRuleEngine {engine}\nSecAction id:1,phase:1,deny\nSecAction id:2,phase:2,deny");
    let told = run(&rules("DetectionOnly"), ("/", &[], ""));
    assert_eq!(hits(&told), [1, 2]);
    assert!(
        told.refusal()
            .is_some_and(|refusal| refusal.only_reported && refusal.rule == 1)
    );
    assert!(hits(&run(&rules("Off"), ("/", &[], ""))).is_empty());
}

#[test]
fn who_runs_the_rules_says_whether_they_act() {
    let text = "SecRuleEngine DetectionOnly\nSecAction id:1,phase:1,deny";
    for (acting, told) in [
        (Acting::AsWritten, true),
        (Acting::Enforce, false),
        (Acting::Report, true),
    ] {
        let options = Options {
            pinned: Vec::new(),
            acting,
        };
        let rules = load(&[Source::Text("test.conf".to_owned(), text.to_owned())], &options).expect("it can be run");
        let transaction = run_on(rules, ("/", &[], ""));
        assert_eq!(transaction.refusal().map(|refusal| refusal.only_reported), Some(told));
    }
}

#[test]
fn controls_change_what_follows() {
    let rest =
        "SecRule ARGS \"@rx x\" \"id:10,phase:2,tag:'a/b'\"\nSecRule ARGS \"@rx x\" \"id:11,phase:2,tag:'c',msg:'m'\"";
    for (control, expected) in [
        ("ruleRemoveById=10", &[11][..]),
        ("ruleRemoveById=9-11", &[]),
        ("ruleRemoveByTag=^a", &[11]),
        ("ruleRemoveByMsg=m", &[10]),
        ("ruleRemoveTargetById=10;ARGS:q", &[11]),
        ("ruleRemoveTargetById=10;ARGS:r", &[10, 11]),
        ("ruleRemoveTargetByTag=c;ARGS", &[10]),
        ("ruleEngine=Off", &[]),
        ("requestBodyAccess=Off", &[]),
    ] {
        check(
            &format!("SecAction \"id:1,phase:1,nolog,ctl:{control}\"\n{rest}"),
            ("/?q=x", &[], ""),
            expected,
        );
    }
    let forced =
        "SecAction id:1,phase:1,nolog,ctl:forceRequestBodyVariable=On\nSecRule REQUEST_BODY \"@rx x\" id:2,phase:2";
    check(forced, ("/", &[("Content-Type", "text/plain")], "x"), &[2]);
    let processor =
        "SecAction id:1,phase:1,nolog,ctl:requestBodyProcessor=JSON\nSecRule ARGS:json.a \"@eq 1\" id:2,phase:2";
    check(processor, ("/", &[("Content-Type", "text/plain")], "{\"a\":1}"), &[2]);
}

#[test]
fn directives_change_rules_before_and_behind() {
    let rule = "SecRule ARGS \"@rx x\" \"id:10,phase:1,tag:'a',msg:'m'\"\n";
    for (directive, expected) in [
        ("SecRuleRemoveById 10", &[][..]),
        ("SecRuleRemoveById \"1-5\" 9-20", &[]),
        ("SecRuleRemoveByTag a", &[]),
        ("SecRuleRemoveByMsg m", &[]),
        ("SecRuleUpdateTargetById 10 \"!ARGS:q\"", &[]),
        ("SecRuleUpdateTargetByTag a \"!ARGS:r\"", &[10]),
        ("SecRuleUpdateTargetById 10 \"!ARGS:q,REQUEST_HEADERS:X\"", &[10]),
    ] {
        check(&format!("{rule}{directive}"), ("/?q=x", &[("X", "x")], ""), expected);
    }
    let updated = run(
        &format!("{rule}SecRuleUpdateActionById 10 \"deny,status:400\""),
        ("/?q=x", &[], ""),
    );
    assert_eq!(updated.refusal().map(|refusal| refusal.status), Some(400));
}

#[test]
fn every_step_of_a_chain_is_looked_at_where_that_is_said() {
    let rule = |more: &str| format!("SecRule ARGS \"@rx ^%41$\" \"id:1,phase:1,t:urlDecode,t:lowercase{more}\"");
    check(&rule(""), ("/?a=%2541", &[], ""), &[]);
    check(&rule(",multiMatch"), ("/?a=%2541", &[], ""), &[1]);
    let once = "SecRule ARGS \"@rx a\" \"id:1,phase:1,nolog,t:lowercase,multiMatch,setvar:tx.n=+1\"";
    assert_eq!(
        run(once, ("/?x=a", &[], "")).number("n"),
        Some(1),
        "the same text is looked at once"
    );
}

#[test]
fn structured_bodies_become_variables() {
    let json = [("Content-Type", "application/problem+json")];
    let body = "{\"a\": {\"b\": [true, null, \"x\", 1.5]}, \"c\": \"\\u0041\"}";
    for (variable, value) in [
        ("ARGS:json.a.b", "true"),
        ("ARGS:json.a.b", "1.5"),
        ("ARGS:json.c", "A"),
        ("&ARGS", "5"),
    ] {
        check(
            &format!("SecRule {variable} \"@streq {value}\" id:1,phase:2"),
            ("/", &json, body),
            &[1],
        );
    }
    let xml = [("Content-Type", "text/xml")];
    let body = "<a b='1 &amp; 2'>x<c><![CDATA[y]]></c>&#x7a;</a>";
    check("SecRule XML:/* \"@streq xyz\" id:1,phase:2", ("/", &xml, body), &[1]);
    check(
        "SecRule XML://@* \"@streq 1 & 2\" id:1,phase:2",
        ("/", &xml, body),
        &[1],
    );
    let form = [("Content-Type", "multipart/form-data; boundary=\"b b\"")];
    let body = "--b b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.php\"\r\nX: y\r\n\r\n12345\r\n--b b\r\n\
                content-disposition: form-data; name=a\r\n\r\nv\r\n--b b--\r\n";
    for (variable, value) in [
        ("FILES", "x.php"),
        ("FILES_NAMES", "f"),
        ("FILES_SIZES:f", "5"),
        ("FILES_COMBINED_SIZE", "5"),
        ("ARGS_POST:a", "v"),
        ("MULTIPART_PART_HEADERS:f", "X: y"),
        ("MULTIPART_STRICT_ERROR", "0"),
        ("REQBODY_ERROR", "0"),
    ] {
        check(
            &format!("SecRule {variable} \"@streq {value}\" id:1,phase:2"),
            ("/", &form, body),
            &[1],
        );
    }
}

#[test]
fn forms_that_can_be_read_in_several_ways_are_told() {
    let form = [("Content-Type", "multipart/form-data; boundary=b")];
    for (variable, body) in [
        (
            "MULTIPART_LF_LINE",
            "--b\nContent-Disposition: form-data; name=\"a\"\n\nv\n--b--\n",
        ),
        (
            "MULTIPART_INVALID_QUOTING",
            "--b\r\nContent-Disposition: form-data; name='a'\r\n\r\nv\r\n--b--\r\n",
        ),
        (
            "MULTIPART_UNMATCHED_BOUNDARY",
            "--bc\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n--b--\r\n",
        ),
        (
            "MULTIPART_DATA_BEFORE",
            "x\r\n--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n--b--\r\n",
        ),
        (
            "MULTIPART_DATA_AFTER",
            "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n--b--\r\nx",
        ),
        (
            "MULTIPART_HEADER_FOLDING",
            "--b\r\nContent-Disposition: form-data;\r\n name=\"a\"\r\n\r\nv\r\n--b--\r\n",
        ),
        (
            "REQBODY_ERROR",
            "--b\r\nContent-Disposition: form-data; name=\"a\"; name=\"b\"\r\n\r\nv\r\n--b--\r\n",
        ),
        (
            "REQBODY_ERROR",
            "--b\r\nContent-Disposition: form-data\r\n\r\nv\r\n--b--\r\n",
        ),
        ("REQBODY_ERROR", "--c--\r\n"),
    ] {
        check(
            &format!("SecRule {variable} \"@eq 1\" id:1,phase:2"),
            ("/", &form, body),
            &[1],
        );
    }
}

#[test]
fn of_a_cut_body_the_first_part_is_looked_at() {
    for (content_type, body) in [
        ("application/json", "{\"a\": \"x\", \"b"),
        ("text/xml", "<a>x</a><b"),
        (
            "multipart/form-data; boundary=b",
            "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b\r\n",
        ),
    ] {
        let rules = "SecRule REQUEST_BODY \"@rx x\" id:1,phase:2\nSecRule REQBODY_ERROR \"@eq 1\" id:2,phase:2
            SecRule ARGS|XML:/* \"@streq x\" id:3,phase:2";
        let rules = load_text(rules).expect("it can be run");
        let mut transaction = Transaction::new(Arc::new(rules), 1 << 24);
        transaction.request_header("Content-Type", content_type.as_bytes());
        transaction.end_of_head();
        transaction.request_body(body.as_bytes(), false);
        transaction.judge_body();
        assert_eq!(hits(&transaction), [1, 3], "{content_type}");
    }
}

#[test]
fn limits_refuse() {
    let refused = |transaction: &Transaction| transaction.refusal().map(|refusal| refusal.rule);
    let many = format!("/?{}", "a=1&".repeat(1_001));
    assert_eq!(refused(&run("SecAction id:1,phase:2", (&many, &[], ""))), Some(0));
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let json = [("Content-Type", "application/json")];
    check(
        "SecRule REQBODY_ERROR \"@eq 1\" id:1,phase:2",
        ("/", &json, &deep),
        &[1],
    );
    let rules = load_text("SecRule ARGS \"@rx a.*b.*c\" id:1,phase:1,t:lowercase").expect("it can be run");
    let mut transaction = Transaction::new(Arc::new(rules), 1_000);
    let long = format!("/?x=abc{}", "y".repeat(2_000));
    transaction.request_line("GET", long.as_bytes(), "HTTP/1.1");
    transaction.end_of_head();
    transaction.judge_head();
    assert_eq!(refused(&transaction), Some(0));
    let names = "SecRule ARGS \"@unconditionalMatch\" \"id:1,phase:1,nolog,setvar:'tx.%{MATCHED_VAR}=1'\"\n".repeat(5);
    let names: String = names
        .lines()
        .zip(1..)
        .map(|(rule, id)| {
            rule.replace("id:1", &format!("id:{id}"))
                .replace("tx.", &format!("tx.{id}"))
                + "\n"
        })
        .collect();
    let many: String = (0..1_000).map(|nth| format!("&a={nth}")).collect();
    assert_eq!(refused(&run(&names, (&format!("/?{many}"), &[], ""))), Some(0));
}

#[test]
fn problems_are_told_all_at_once_with_their_lines() {
    let problems = load_text("SecRule ARGS \"@nothing\" id:1\n\nSecNothing\nSecRule ARGS \"@rx a\" \"phase:1\"\nSecRule ARGS \"@rx a\" id:2,chain").expect_err("it can't be run");
    let lines: Vec<u32> = problems.iter().map(|problem| problem.place.line).collect();
    assert_eq!(lines, [1, 3, 4, 5]);
}

#[test]
fn what_has_no_meaning_here_is_a_warning() {
    let rules =
        load_text("SecAuditEngine On\nSecAction \"id:1,phase:1,initcol:ip=%{REMOTE_ADDR}\"").expect("it can be run");
    assert_eq!(rules.warnings().len(), 2);
    assert_eq!(rules.len(), 1);
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    const EVERYTHING: &str = include_str!("../../../../fuzz/seeds/seclang/rules.conf");

    /// Text of pieces that parsers look for.
    fn pieces() -> impl Strategy<Value = String> {
        let pieces = [
            "--b",
            "\r\n",
            "\n",
            "--",
            "Content-Disposition: form-data; ",
            "name=",
            "\"",
            "'",
            ";",
            "a",
            "é",
            "\\",
            "%",
            "%u00",
            "&#x",
            "<",
            ">",
            "</a>",
            "<a b=",
            "<![CDATA[",
            "]]>",
            "<!--",
            "&amp;",
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "1",
            "=",
            "&",
            "union select ",
            "/*",
            "*/",
            "../",
            "\0",
            " ",
            "(",
            ")",
            "|",
            "?",
            "*",
            "+",
            "\\1",
            "(?!",
            "SecRule ",
            "ARGS ",
            "\"@rx ",
            "id:1",
            "chain",
            "%{tx.",
        ];
        proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_request_goes_through(body in pieces(), query in pieces(), kind in 0..5usize) {
            let types = ["application/json", "text/xml", "multipart/form-data; boundary=b", "application/x-www-form-urlencoded", "x/y"];
            let rules = load_text(EVERYTHING).expect("the seed's rules can be run");
            let fields = [("Content-Type", types[kind]), ("Cookie", &*query)];
            let transaction = run_on(rules, (&query, &fields, &body));
            prop_assert!(transaction.hits().len() < 100);
        }

        #[test]
        fn any_text_is_rules_or_problems(text in pieces()) {
            if let Err(problems) = load_text(&text) {
                prop_assert!(!problems.is_empty());
            }
        }

        #[test]
        fn any_pattern_is_one_or_refused(text in pieces(), value in pieces()) {
            if let Ok((pattern, hir)) = pattern::Pattern::new(&text) {
                pattern.is_match(value.as_bytes());
                required::Required::of(&hir);
            }
        }
    }
}
