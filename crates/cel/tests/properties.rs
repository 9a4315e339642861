//! What holds for every text, whoever wrote it.

use portcullis_cel::{Environment, Program, Type, Value, Variables, parse};
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};

struct Texts;

impl Variables for Texts {
    fn get(&self, place: usize) -> Value<'_> {
        if place == 0 { Value::text("text") } else { Value::Int(7) }
    }
}

fn run(text: &str) {
    let environment = Environment::new().with("a", Type::String).with("b", Type::Dyn);
    if let Ok(program) = Program::compile(&environment, text) {
        let _ = program.evaluate(&Texts);
    }
}

/// Texts that are mostly expressions.
fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| format!("{number}u")),
        any::<f64>().prop_map(|number| format!("{number:?}")),
        "[a-zé\n]{0,4}".prop_map(|text| format!("'''{text}'''")),
        Just("b'\\xff\\'\"'".to_owned()),
        Just("a".to_owned()),
        Just("b".to_owned()),
        Just(".b".to_owned()),
        Just("null".to_owned()),
        Just("true".to_owned()),
    ];
    leaf.prop_recursive(6, 40, 4, |inner| {
        let operators = ["+", "-", "*", "/", "%", "==", "<", "in", "&&", "||"];
        prop_oneof![
            (inner.clone(), 0..operators.len(), inner.clone())
                .prop_map(move |(left, operator, right)| format!("{left} {} {right}", operators[operator])),
            inner.clone().prop_map(|inner| format!("({inner})")),
            inner.clone().prop_map(|inner| format!("-{inner}")),
            inner.clone().prop_map(|inner| format!("!{inner}")),
            inner.clone().prop_map(|inner| format!("({inner}).`x-y`")),
            inner.clone().prop_map(|inner| format!("{inner}.f({inner})")),
            inner.clone().prop_map(|inner| format!("size({inner})")),
            (inner.clone(), inner.clone()).prop_map(|(of, index)| format!("{of}[{index}]")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("[{one}, {other}]")),
            (inner.clone(), inner.clone()).prop_map(|(key, value)| format!("{{{key}: {value}}}")),
            (inner.clone(), inner.clone()).prop_map(|(range, body)| format!("{range}.map(v, {body})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(one, two, three)| format!("{one} ? {two} : {three}")),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_panics(text in "\\PC{0,60}") {
        run(&text);
    }

    #[test]
    fn nothing_made_of_its_words_panics(text in "([ab'\"`.,:?()\\[\\]{}+*/%!&|<>=0-9eEux\\\\ -]|in|size|has|all){0,40}") {
        run(&text);
    }

    #[test]
    fn no_expression_panics(text in expressions()) {
        run(&text);
    }

    #[test]
    fn what_is_printed_reads_as_the_same(text in expressions()) {
        if let Ok(expression) = parse(&text) {
            let printed = expression.to_string();
            prop_assert_eq!(parse(&printed), Ok(expression), "{} as {}", text, printed);
        }
    }
}

#[test]
fn the_highest_expressions_have_a_value() {
    for text in [
        "b".to_owned() + &" + 1".repeat(150),
        "b != 7 ? false : ".repeat(45) + "b == 7",
        "[".repeat(45) + "b" + &"]".repeat(45),
        "!".repeat(150) + "(b == 7)",
        "[b]".to_owned() + &".map(x, x)".repeat(150),
        "b == 7".to_owned() + &" || b == 7".repeat(1000),
    ] {
        let environment = Environment::new().with("a", Type::String).with("b", Type::Dyn);
        let program = Program::compile(&environment, &text).expect("it is within the limits");
        assert!(program.evaluate(&Texts).is_ok(), "{text:.40}");
    }
}
