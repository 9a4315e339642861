//! No template and no value is a panic, and no value breaks out of its place: what is made is one request.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_bench::flow::data::{DataSet, Order, Rows};
use portcullis_bench::flow::scope::Scope;
use portcullis_bench::flow::template::{Body, Draft};
use portcullis_bench::flow::{Iteration, Step, Template};

fuzz_target!(|input: (&str, &str)| {
    let (template, value) = input;
    let row = serde_json::json!({"value": value});
    let rows = Rows::from_objects(row.as_object()).expect("one column is fine");
    let scope = Scope::new(vec![DataSet::new("a", rows, Order::InTurn).expect("there is a row")]);
    let drafts = [
        (
            template.to_owned(),
            "{{a.value}}".to_owned(),
            Body::Text(template.to_owned()),
        ),
        (
            format!("/{template}"),
            template.to_owned(),
            Body::Json(serde_json::json!([template, "{{a.value}}"])),
        ),
        (
            "/{{a.value}}".to_owned(),
            "x".to_owned(),
            Body::Form(vec![(template.to_owned(), "{{a.value}}".to_owned())]),
        ),
    ];
    for (path, field, body) in drafts {
        let is_json = matches!(body, Body::Json(_));
        let draft = Draft {
            method: "POST".to_owned(),
            path,
            query: vec![("q".to_owned(), template.to_owned())],
            headers: vec![("X-Field".to_owned(), field)],
            body,
            ..Draft::default()
        };
        let Ok(template) = Template::new(&draft, "fuzzed.test", &scope) else {
            continue;
        };
        let step = Step::new(0, template);
        let mut iteration = Iteration::new(1, 2);
        let Ok(ready) = step.request(&mut iteration) else {
            continue;
        };
        let request = ready.request();
        let head_len = request.http1.len() - request.body.len();
        let head = &request.http1[..head_len];
        assert!(head.ends_with(b"\r\n\r\n"));
        let lines = head.windows(2).filter(|pair| pair == b"\r\n").count();
        let bare = head.iter().filter(|byte| **byte == b'\n').count();
        assert!(lines == bare && lines <= 7, "a value began a line");
        if is_json {
            let made: Vec<serde_json::Value> = serde_json::from_slice(&request.body).expect("it is JSON");
            assert_eq!(made[1], value);
        }
    }
});
