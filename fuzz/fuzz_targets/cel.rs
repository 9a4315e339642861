//! Any text is an expression or has a problem within the text; what is printed of one reads as the same, and what one costs is
//! limited, whatever it is.

#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use portcullis_cel::{Environment, Program, Type, Value, Variables};

static ENVIRONMENT: LazyLock<Environment> = LazyLock::new(|| {
    Environment::new()
        .with("text", Type::String)
        .with("number", Type::Int)
        .with("any", Type::Dyn)
        .with("time", Type::Timestamp)
});

struct Fixed(serde_json::Value);

impl Variables for Fixed {
    fn get(&self, place: usize) -> Value<'_> {
        match place {
            0 => Value::text("/a/bç?c=d"),
            1 => Value::Int(-7),
            2 => (&self.0).into(),
            _ => Value::Timestamp(std::time::SystemTime::UNIX_EPOCH.into()),
        }
    }
}

fuzz_target!(|text: &str| {
    if let Ok(expression) = portcullis_cel::parse(text) {
        let printed = expression.to_string();
        assert_eq!(portcullis_cel::parse(&printed), Ok(expression), "{printed}");
    }
    match Program::compile(&ENVIRONMENT, text) {
        Ok(program) => {
            let variables = Fixed(serde_json::json!({"a": [1, "b", null, 0.5], "c": {"d": true}}));
            let begun = Instant::now();
            let _ = program.evaluate(&variables);
            assert!(
                begun.elapsed() < Duration::from_secs(1),
                "it costs more than its steps say"
            );
        }
        Err(problem) => {
            let (line, column) = problem.place(text);
            assert!(problem.at <= text.len() && line >= 1 && column >= 1 && !problem.message.is_empty());
        }
    }
});
