//! The interviewer's page in a real Chromium, in front of the real gate.

use serde_json::json;

use super::examples::Hiring;
use super::folder::Folder;
use super::gate::{Gate, eventually};
use super::webdriver::Browser;

const TAB: &str = "\u{E004}";
const SPACE: &str = " ";

/// The example, a gate that serves it, and a browser in front.
struct Visit {
    browser: Browser,
    gate: Gate,
    hiring: Hiring,
    _folder: Folder,
}

impl Visit {
    /// Nothing is opened yet.
    fn new() -> Visit {
        let folder = Folder::new();
        let hiring = Hiring::new(folder.path());
        Visit {
            gate: hiring.start(),
            browser: Browser::start(),
            hiring,
            _folder: folder,
        }
    }

    /// The page is opened, at the view where an interview is planned.
    fn planning() -> Visit {
        let visit = Visit::new();
        visit.open("", "plan");
        visit
    }

    /// Opens the page at a place in it, and waits for a view.
    fn open(&self, place: &str, view: &str) {
        self.browser.open(&self.address(place));
        self.browser.await_view(view);
    }

    fn address(&self, place: &str) -> String {
        format!("http://{}/app/{place}", self.hiring.address())
    }
}

/// Plans an interview of two senior questions and starts it.
fn start_interview(visit: &Visit, name: &str) {
    let browser = &visit.browser;
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
    let visit = Visit::planning();
    start_interview(&visit, "Ada Lovelace");
    let Visit { browser, gate, .. } = &visit;

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
    let visit = Visit::planning();
    start_interview(&visit, "Alan Turing");
    let Visit {
        browser, gate, hiring, ..
    } = visit;
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
    let visit = Visit::planning();
    let browser = &visit.browser;
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
    let visit = Visit::new();
    visit.open("#/interviews/1/summary", "summary");
    let Visit { browser, gate, .. } = &visit;
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
    let visit = Visit::planning();
    let browser = &visit.browser;
    browser.click("#api");
    eventually("the description", || browser.text("body").contains("/interviews/{id}"));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn the_gates_reason_is_shown() {
    let visit = Visit::new();
    visit.open("#/interviews/424242", "failed");
    let browser = &visit.browser;
    assert!(browser.shown("#problem"));
    assert!(
        browser.text("#problem-title").contains("no such interview"),
        "{}",
        browser.text("#problem-title")
    );
}

#[test]
fn a_name_never_becomes_markup() {
    let visit = Visit::planning();
    let browser = &visit.browser;
    let name = "<img src=x onerror=\"document.title='owned'\">";
    start_interview(&visit, name);
    assert_eq!(browser.text("#where"), name);
    browser.open(&visit.address(""));
    browser.reload();
    browser.await_view("plan");
    assert!(browser.text("#interviews").contains(name));
    assert_eq!(browser.count("main img"), 0);
    assert_ne!(browser.run("return document.title;"), "owned");
}

#[test]
fn everything_has_a_name_and_is_reached_by_keyboard() {
    let visit = Visit::planning();
    let browser = &visit.browser;
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
    let visit = Visit::planning();
    let browser = &visit.browser;
    browser.resize(360, 700);
    let overflow = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth;");
    assert_eq!(overflow, 0, "it must be scrolled sideways");
}
