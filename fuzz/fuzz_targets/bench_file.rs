//! Any text is a load test or a list of problems, and each problem lies within the text.

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
    match portcullis_config::bench::parse(text, Path::new("fuzzed.yaml"), &environment, &read) {
        Ok(loaded) => {
            let problem = loaded.problem("flows[0].steps[0].body", "a problem");
            assert!(problem.place.is_some_and(|place| place.line >= 1 && place.column >= 1));
        }
        Err(problems) => {
            assert!(!problems.0.is_empty(), "what is refused is refused for a reason");
            // The schema and the types are one.
            assert!(!problems.to_string().contains("can't be understood"), "{problems}");
        }
    }
});
