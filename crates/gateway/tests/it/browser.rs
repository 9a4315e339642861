//! The interviewer's page in a real Chromium, in front of the real gate.

use serde_json::json;

use super::examples::Hiring;
use super::folder::Folder;
use super::gate::{Gate, eventually};
use super::webdriver::Browser;

const TAB: &str = "\u{E004}";
const SPACE: &str = " ";

fn page(hiring: &Hiring) -> String {
    format!("http://{}/app/", hiring.address())
}

/// Plans an interview of two senior questions and starts it.
fn start_interview(browser: &Browser, hiring: &Hiring, name: &str) {
    browser.open(&page(hiring));
    browser.await_view("plan");
    browser.click("#level-3");
    eventually("only senior questions", || {
        browser.run("const t = [...document.querySelectorAll('#questions .tag')]; return t.length > 0 && t.every(e => e.textContent.includes('Senior'));") == true
    });
    browser.click("#questions li:nth-child(1) input");
    browser.click("#questions li:nth-child(2) input");
    browser.await_text("#chosen-count", "2 chosen");
    browser.enter("#candidate-name", name);
    browser.enter("#candidate-email", "candidate@example.com");
    browser.enter("#interviewer", "Grace");
    browser.run("const s = document.querySelector('#slot'); s.selectedIndex = 1; s.dispatchEvent(new Event('change', {bubbles: true}));");
    browser.click("#start");
    browser.await_view("interview");
}

#[test]
fn an_interview_goes_from_plan_to_conclusion() {
    let folder = Folder::new();
    let hiring = Hiring::new(folder.path());
    let gate = hiring.start();
    let browser = Browser::start();
    start_interview(&browser, &hiring, "Ada Lovelace");

    browser.await_text("#progress-text", "Question 1 of 2");
    assert!(!browser.shown("#answer"), "the model answer gave itself away");
    browser.click("#reveal");
    assert!(browser.shown("#answer") && browser.text("#answer-text").len() > 40);
    browser.click("#score-3");
    browser.enter("#note", "Knows why, not only how.");
    browser.click("#next");
    browser.await_text("#progress-text", "Question 2 of 2");
    browser.click("#score-4");
    browser.click("#next");

    browser.await_view("summary");
    assert_eq!(browser.text("#average"), "3.5");
    assert_eq!(browser.text("#scored"), "2 of 2 questions scored");
    assert_eq!(browser.count("#score-card li"), 2);
    browser.enter("#conclusion", "Hire.");
    browser.click("#finish");
    eventually("the end to be confirmed", || {
        browser.text("#finished").starts_with("Finished")
    });
    assert_eq!(browser.complaints(), Vec::<String>::new());

    let rows = gate.get("/scores?order=id.desc&limit=2&select=score,note").json();
    assert_eq!(
        rows,
        json!([{"score": 4, "note": ""}, {"score": 3, "note": "Knows why, not only how."}])
    );
    let interview = gate.get("/interviews?order=id.desc&limit=1").json();
    assert_eq!(
        (&interview[0]["conclusion"], &interview[0]["interviewer"]),
        (&json!("Hire."), &json!("Grace"))
    );
    assert_eq!(
        gate.get("/calendar/bookings").json().as_array().unwrap().len(),
        1,
        "the slot was not booked"
    );
}

#[test]
fn what_was_written_survives_a_gate_that_is_away() {
    let folder = Folder::new();
    let hiring = Hiring::new(folder.path());
    let gate: Gate = hiring.start();
    let browser = Browser::start();
    start_interview(&browser, &hiring, "Alan Turing");
    drop(gate);
    browser.click("#score-2");
    browser.enter("#note", "Written while nobody was there.");
    eventually("the failure to be shown", || browser.shown("#problem"));
    assert_eq!(browser.value("#note"), "Written while nobody was there.");
    assert_eq!(browser.text("#progress-text"), "Question 1 of 2");
    let gate = hiring.start();
    browser.click("#problem-retry");
    eventually("the failure to be gone", || !browser.shown("#problem"));
    eventually("the note in the table", || {
        gate.get("/scores?note=eq.Written%20while%20nobody%20was%20there.")
            .json()
            .as_array()
            .unwrap()
            .len()
            == 1
    });
}

#[test]
fn one_word_finds_questions_and_candidates() {
    let folder = Folder::new();
    let hiring = Hiring::new(folder.path());
    let _gate = hiring.start();
    let browser = Browser::start();
    browser.open(&page(&hiring));
    browser.await_view("plan");
    browser.enter("#search", "linus");
    browser.await_text("#found-count", "1 found");
    browser.click("#found [data-resource=found-candidates]");
    assert_eq!(browser.value("#candidate"), "2");
    browser.run("document.querySelector('#search').value = '';");
    browser.enter("#search", "smuggling");
    eventually("a question to be found", || {
        browser.shown("#found [data-resource=found-questions]")
    });
    browser.click("#found [data-resource=found-questions]");
    browser.await_text("#chosen-count", "1 chosen");
    assert!(browser.text("#chosen").contains("smuggling"));
}

#[test]
fn of_two_who_conclude_an_interview_the_second_overwrites_nothing() {
    let folder = Folder::new();
    let hiring = Hiring::new(folder.path());
    let gate = hiring.start();
    let browser = Browser::start();
    browser.open(&format!("{}#/interviews/1/summary", page(&hiring)));
    browser.await_view("summary");
    let changed = gate.connect().ask(
        "PATCH",
        "/interviews/1",
        &[("Content-Type", "application/json")],
        json!({"conclusion": "No."}).to_string(),
    );
    assert_eq!(changed.status, 204, "{changed}");
    browser.enter("#conclusion", "Hire.");
    browser.click("#finish");
    eventually("the refusal to be shown", || browser.shown("#problem"));
    assert!(browser.text("#problem-code").starts_with("412 "));
    assert!(
        browser.value("#conclusion").ends_with("Hire."),
        "what was written is lost"
    );
    assert_eq!(gate.get("/interviews/1").json()["conclusion"], "No.");
}

#[test]
fn the_api_behind_the_page_is_described() {
    let folder = Folder::new();
    let hiring = Hiring::new(folder.path());
    let _gate = hiring.start();
    let browser = Browser::start();
    browser.open(&page(&hiring));
    browser.await_view("plan");
    browser.click("#api");
    eventually("the description", || browser.text("body").contains("/interviews/{id}"));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn the_gates_reason_is_shown() {
    let folder = Folder::new();
    let hiring = Hiring::new(folder.path());
    let _gate = hiring.start();
    let browser = Browser::start();
    browser.open(&format!("{}#/interviews/424242", page(&hiring)));
    browser.await_view("failed");
    assert!(browser.shown("#problem"));
    assert!(
        browser.text("#problem-title").contains("no such interview"),
        "{}",
        browser.text("#problem-title")
    );
}

#[test]
fn a_name_never_becomes_markup() {
    let folder = Folder::new();
    let hiring = Hiring::new(folder.path());
    let _gate = hiring.start();
    let browser = Browser::start();
    let name = "<img src=x onerror=\"document.title='owned'\">";
    start_interview(&browser, &hiring, name);
    assert_eq!(browser.text("#where"), name);
    browser.open(&page(&hiring));
    browser.reload();
    browser.await_view("plan");
    assert!(browser.text("#interviews").contains(name));
    assert_eq!(browser.count("main img"), 0);
    assert_ne!(browser.run("return document.title;"), "owned");
}

#[test]
fn everything_has_a_name_and_is_reached_by_keyboard() {
    let folder = Folder::new();
    let hiring = Hiring::new(folder.path());
    let _gate = hiring.start();
    let browser = Browser::start();
    browser.open(&page(&hiring));
    browser.await_view("plan");
    let nameless = browser.run(
        "return [...document.querySelectorAll('input, select, textarea, button, a')].filter(e => \
         !(e.labels?.length || e.textContent.trim() || e.ariaLabel)).map(e => e.outerHTML);",
    );
    assert_eq!(nameless, json!([]));
    assert_eq!(browser.run("return document.documentElement.lang;"), "en");
    let mut seen = Vec::new();
    for _ in 0..40 {
        browser.press(TAB);
        let focus = browser.run(
            "const e = document.activeElement; const s = getComputedStyle(e); \
             return [e.id || e.name || e.tagName, s.outlineStyle !== 'none' || s.boxShadow !== 'none'];",
        );
        assert_eq!(focus[1], true, "no one sees that the focus is on {}", focus[0]);
        seen.push(focus[0].as_str().unwrap().to_owned());
    }
    for id in ["candidate", "candidate-name", "interviewer", "slot", "start", "topic"] {
        assert!(
            seen.iter().any(|name| name == id),
            "{id} is not reached by keyboard: {seen:?}"
        );
    }
    browser.run("document.querySelector('#questions input').focus();");
    browser.press(SPACE);
    browser.await_text("#chosen-count", "1 chosen");
}

#[test]
fn the_page_fits_a_narrow_window() {
    let folder = Folder::new();
    let hiring = Hiring::new(folder.path());
    let _gate = hiring.start();
    let browser = Browser::start();
    browser.open(&page(&hiring));
    browser.await_view("plan");
    browser.resize(360, 700);
    let overflow = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth;");
    assert_eq!(overflow, 0, "it must be scrolled sideways");
}
