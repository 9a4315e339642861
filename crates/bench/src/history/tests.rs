#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::thread;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::compare::Metric;
use crate::summary::samples::runs;

fn run() -> Summary {
    runs(&[10.0]).remove(0)
}

#[test]
fn what_is_kept_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = File::at(folder.path().join("bench/baseline.jsonl"));
    assert!(load(&file, "main").unwrap().is_empty(), "there is no file yet");
    let mut first = run();
    first.found.insert("capacity".to_owned(), 1234.5);
    save(&file, "main", &first).unwrap();
    save(&file, "feature/x", &run()).unwrap();
    save(&file, "main", &run()).unwrap();
    let kept = load(&file, "main").unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!(
        serde_json::to_string(&kept[0]).unwrap(),
        serde_json::to_string(&first).unwrap()
    );
    let names: Vec<String> = all(&file).unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["main", "feature/x", "main"]);
}

#[test]
fn names_are_plain() {
    let folder = tempfile::tempdir().unwrap();
    let file = File::at(folder.path().join("baseline.jsonl"));
    for name in ["", "two words", "line\nbreak", "é", &"x".repeat(101)] {
        assert!(save(&file, name, &run()).is_err(), "{name}");
    }
    let mut large = run();
    large.name = "x".repeat(MOST_BYTES_OF_LINE);
    assert!(
        save(&file, "main", &large)
            .unwrap_err()
            .to_string()
            .contains("too large to be kept")
    );
}

#[test]
fn what_was_not_finished_is_passed_over_and_then_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("baseline.jsonl");
    let file = File::at(&path);
    save(&file, "main", &run()).unwrap();
    let whole = fs::read(&path).unwrap();
    for torn in [1, 5, 20, whole.len() / 2, whole.len() - 2] {
        let text = [&whole[..], &whole[..torn]].concat();
        fs::write(&path, text).unwrap();
        assert_eq!(load(&file, "main").unwrap().len(), 1, "{torn}");
        save(&file, "main", &run()).unwrap();
        assert_eq!(load(&file, "main").unwrap().len(), 2, "{torn}");
    }
    // Without its break the last line is whole all the same.
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(load(&file, "main").unwrap().len(), 1);
    save(&file, "main", &run()).unwrap();
    assert_eq!(load(&file, "main").unwrap().len(), 2);
}

#[test]
fn damage_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("baseline.jsonl");
    let file = File::at(&path);
    save(&file, "main", &run()).unwrap();
    let line = fs::read_to_string(&path).unwrap();
    let told = |text: String| {
        fs::write(&path, text).unwrap();
        load(&file, "main").unwrap_err().to_string()
    };
    let half = told(format!("{line}\n{}\n{line}", &line[..100]));
    assert!(
        half.contains("line 3 of ") && half.contains("is damaged: EOF"),
        "{half}"
    );
    let wrong = told(format!("{{\"baseline\":\"main\",\"run\":7}}\n{line}"));
    assert!(
        wrong.contains("line 1 of ") && wrong.contains("remove that line"),
        "{wrong}"
    );
    let newer = told(line.replacen("\"version\":1", "\"version\":2", 1));
    assert!(newer.contains("newer version"), "{newer}");
    let long = told(format!("{}\n", " ".repeat(MOST_BYTES_OF_LINE + 1)));
    assert!(long.contains("more than 1048576 bytes"), "{long}");
}

#[test]
fn a_file_of_another_kind_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    for text in ["remember the milk".to_owned(), "x".repeat(2 * MOST_BYTES_OF_LINE)] {
        fs::write(&path, &text).unwrap();
        let told = save(&File::at(&path), "main", &run()).unwrap_err().to_string();
        assert!(told.contains("no file of runs"), "{told}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_file_does_not_grow_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("baseline.jsonl");
    save(&File::at(&path), "main", &run()).unwrap();
    let file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.set_len(64 << 20).unwrap();
    // What the system filled it up with isn't ours, and so isn't cut.
    assert!(save(&File::at(&path), "main", &run()).is_err());
    let mut text = vec![b'\n'; 64 << 20];
    text[0] = b' ';
    fs::write(&path, text).unwrap();
    assert!(
        save(&File::at(&path), "main", &run())
            .unwrap_err()
            .to_string()
            .contains("is full")
    );
}

#[test]
fn several_may_add_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("baseline.jsonl");
    thread::scope(|scope| {
        for writer in ["a", "b", "c"] {
            let file = File::at(&path);
            scope.spawn(move || {
                for _ in 0..10 {
                    save(&file, writer, &run()).unwrap();
                }
            });
        }
    });
    let file = File::at(&path);
    assert_eq!(["a", "b", "c"].map(|name| load(&file, name).unwrap().len()), [10; 3]);
}

#[test]
fn a_history_that_took_a_turn_is_told_of() {
    let mut random = fastrand::Rng::with_seed(2);
    let mut times: Vec<f64> = (0..12).map(|_| 10.0 + random.f64()).collect();
    times.extend((0..8).map(|_| 11.5 + random.f64()));
    let mut history = runs(&times);
    for (run, day) in history.iter_mut().zip(0..) {
        run.began = day;
    }
    history[3].interrupted = true;
    let found = turns(&history, Metric::P50, 1);
    assert_eq!(found.iter().map(|turn| turn.began).collect::<Vec<_>>(), [12]);
    assert!(
        found[0].sentence.starts_with("p50 got worse for good: from 10."),
        "{}",
        found[0].sentence
    );
    assert!(turns(&history, Metric::Capacity, 1).is_empty());
}

proptest! {
    #[test]
    fn no_file_is_a_panic(noise in vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("baseline.jsonl");
        let file = File::at(&path);
        save(&file, "main", &run()).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        let end = (at + cut.index(40)).min(bytes.len());
        bytes.splice(at..end, noise);
        fs::write(&path, &bytes).unwrap();
        if let Ok(runs) = load(&file, "main") {
            // What can be read can be compared, whatever it says.
            let _ = crate::compare::compare(&runs, &runs, &crate::compare::Terms::default());
        }
        let _ = all(&file);
        let _ = save(&file, "main", &run());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_numbers_in_a_line_are_a_panic(latency in vec((any::<u64>(), any::<u64>()), 0..8), requests in any::<u64>(), lasted in any::<f64>()) {
        let mut text = serde_json::to_value(run()).unwrap();
        text["latency"] = serde_json::json!(latency);
        text["requests"] = serde_json::json!(requests);
        text["failed"] = serde_json::json!(requests / 2);
        text["lasted"] = serde_json::json!(lasted);
        if let Ok(run) = serde_json::from_value::<Summary>(text) {
            let runs = vec![run; 2];
            let _ = crate::compare::compare(&runs, &runs, &crate::compare::Terms::default());
            let _ = turns(&runs, Metric::P99, 1);
        }
    }
}
