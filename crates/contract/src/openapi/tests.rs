use serde_json::json;

use super::*;
use crate::yaml;

const STEPS: u64 = 100_000;

fn imported(texts: &[(&str, &str)]) -> Contract {
    let mut documents = Documents::default();
    for (name, text) in texts {
        documents.add(name, yaml::parse(text).unwrap()).unwrap();
    }
    Contract::import(&documents, texts[0].0, false).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn problems(text: &str) -> String {
    let mut documents = Documents::default();
    documents.add("api.yaml", yaml::parse(text).unwrap()).unwrap();
    let problems = Contract::import(&documents, "api.yaml", false).unwrap_err();
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn operation<'c>(contract: &'c Contract, method: &str, path: &str) -> &'c Operation {
    match contract.find(method, path, None) {
        Found::Operation(operation, _) => operation,
        other => panic!("{method} {path}: {other:?}"),
    }
}

fn wrong(contract: &Contract, path: &str, query: &str) -> Vec<String> {
    let given = Given {
        path: &[],
        query,
        header: &|_| None,
        cookie: &|_| None,
    };
    let wrong = operation(contract, "GET", path).wrong_parameters(contract.schemas(), &given, false, STEPS);
    wrong
        .into_iter()
        .map(|it| format!("{}{}: {}", it.part.word(), it.pointer, it.what))
        .collect()
}

#[test]
fn parts_may_stand_in_other_files() {
    let contract = imported(&[
        (
            "api/main.yaml",
            "openapi: 3.1.0\npaths:\n  /a: {$ref: 'paths.yaml#/a'}\n  /b: {get: {parameters: [{$ref: '#/components/parameters/p'}]}}\n\
             components: {parameters: {p: {$ref: 'paths.yaml#/p'}}}",
        ),
        (
            "api/paths.yaml",
            "a: {get: {parameters: [{$ref: '#/p'}]}}\n\
             p: {name: p, in: query, schema: {$ref: '../schemas/tree.json'}}",
        ),
        (
            "schemas/tree.json",
            r##"{"type": "array", "items": {"$ref": "#/definitions/leaf"}, "definitions": {"leaf": {"type": "integer"}}}"##,
        ),
    ]);
    for path in ["/a", "/b"] {
        assert!(wrong(&contract, path, "p=1&p=2").is_empty());
        assert_eq!(wrong(&contract, path, "p=x"), ["query/p/0: this must be an integer"]);
    }
}

#[test]
fn schemas_may_go_round_in_a_circle() {
    let contract = imported(&[(
        "api.yaml",
        "openapi: 3.0.0\npaths: {/a: {post: {requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/A'}}}}}}}\n\
         components: {schemas: {A: {type: object, properties: {b: {$ref: '#/components/schemas/B'}}}, B: {allOf: [{$ref: '#/components/schemas/A'}]}}}",
    )]);
    let body = operation(&contract, "POST", "/a").body.as_ref().unwrap();
    let schema = body.content.of("application/json").unwrap().schema.unwrap();
    let check = |value| contract.schemas().check(schema, &value, STEPS);
    assert_eq!(check(json!({"b": {"b": {"b": {}}}})), crate::schema::Verdict::Valid);
    assert_eq!(check(json!({"b": {"b": {"b": 1}}})), crate::schema::Verdict::Invalid);
}

#[test]
fn the_older_version_means_the_same() {
    let contract = imported(&[(
        "api.json",
        "swagger: '2.0'\nbasePath: /v2/\nconsumes: [application/json]\nparameters: {n: {name: n, in: query, type: integer, maximum: 9}}\n\
         definitions: {Pet: {type: object, required: [name]}}\npaths:\n  /pets:\n    \
         get: {parameters: [{$ref: '#/parameters/n'}, {name: l, in: query, type: array, items: {type: integer}, collectionFormat: pipes}], responses: {200: {schema: {$ref: '#/definitions/Pet'}}}}\n    \
         post: {parameters: [{name: body, in: body, required: true, schema: {$ref: '#/definitions/Pet'}}], responses: {default: {description: x}}}\n    \
         put: {parameters: [{name: a, in: formData, type: integer, required: true}, {name: f, in: formData, type: file}], responses: {200: {description: x}}}",
    )]);
    assert_eq!(
        wrong(&contract, "/v2/pets", "n=10&l=1|2"),
        ["query/n: this must be at most 9"]
    );
    let post = operation(&contract, "POST", "/v2/pets").body.as_ref().unwrap();
    let schema = post.content.of("application/json").unwrap().schema.unwrap();
    assert!(post.required);
    assert_eq!(
        contract.schemas().check(schema, &json!({}), STEPS),
        crate::schema::Verdict::Invalid
    );
    let put = operation(&contract, "PUT", "/v2/pets").body.as_ref().unwrap();
    assert_eq!(put.content.ranges(), "multipart/form-data");
    assert!(operation(&contract, "GET", "/v2/pets").answer(200).is_some());
    assert!(operation(&contract, "GET", "/v2/pets").answer(404).is_none());
}

#[test]
fn statuses_and_types_are_found_from_the_exact_to_the_general() {
    let contract = imported(&[(
        "api.yaml",
        "openapi: 3.0.0\npaths: {/a: {get: {responses: {200: {content: {text/*: {}, '*/*': {}}}, 2XX: {description: x}, default: {content: {}}}}}}",
    )]);
    let get = operation(&contract, "HEAD", "/a");
    let content = get.answer(200).unwrap().content.as_ref().unwrap();
    assert_eq!(content.of("text/html").unwrap().range, "text/*");
    assert_eq!(content.of("image/png").unwrap().range, "*/*");
    assert!(get.answer(201).unwrap().content.is_none());
    assert!(get.answer(404).unwrap().content.is_some());
    assert!(matches!(contract.find("POST", "/a", None), Found::OtherMethods(methods) if methods == "GET"));
    assert!(matches!(contract.find("GET", "/b", None), Found::Nothing));
}

#[test]
fn mistakes_are_told_with_their_places() {
    for (text, expected) in [
        ("a: 1", "no API"),
        ("openapi: 2.9.0", "2.9.0"),
        ("openapi: 3.0.0\npaths: {a: {}}", "api.yaml#/paths/a: a path begins"),
        ("openapi: 3.0.0\npaths: {/a: {$ref: '#/b'}}", "leads nowhere"),
        ("openapi: 3.0.0\npaths: {/a: {$ref: '#/paths/~1a'}}", "without an end"),
        (
            "openapi: 3.0.0\npaths: {/a: {get: {parameters: [{in: body, name: x}]}}}",
            "`in` of a parameter",
        ),
        (
            "openapi: 3.0.0\npaths: {/a: {get: {parameters: [{in: query}]}}}",
            "no `name`",
        ),
        (
            "openapi: 3.0.0\npaths: {/a: {get: {responses: {2000: {}}}}}",
            "no status",
        ),
        ("openapi: 3.0.0\npaths: {'/{a': {get: {}}}", "has no `}`"),
        (
            "openapi: 3.1.0\npaths: {/a: {get: {parameters: [{in: query, name: x, schema: {$ref: 'https://example.com/x'}}]}}}",
            "nothing is ever fetched",
        ),
    ] {
        let problems = problems(text);
        assert!(problems.contains(expected), "{text}: {problems}");
    }
}
