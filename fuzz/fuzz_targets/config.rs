//! Any text is a configuration or a list of problems, and each problem lies within the text.

#![no_main]

use std::io;
use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let environment = |name: &str| (name == "SET").then(|| "value".to_owned());
    let read = |_: &Path| Err(io::Error::from(io::ErrorKind::NotFound));
    match portcullis_config::parse(text, Path::new("fuzzed.yaml"), &environment, &read) {
        Ok(loaded) => {
            let problem = loaded.problem("routes[0].to", "a problem");
            assert!(problem.place.is_none_or(|place| place.line >= 1 && place.column >= 1));
        }
        Err(problems) => {
            assert!(!problems.0.is_empty(), "what is refused is refused for a reason");
            // A carriage return ends a line too (YAML 1.2.2 §5.4), and the end of the text lies behind the last one.
            let lines = text.matches(['\r', '\n']).count() + 2;
            for problem in &problems.0 {
                assert!(!problem.message.is_empty());
                assert!(
                    problem
                        .place
                        .is_none_or(|place| (1..=lines).contains(&(place.line as usize)) && place.column >= 1)
                );
            }
        }
    }
});
