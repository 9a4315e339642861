//! The page of an API of tables in a real Chromium: it can be read, and what reads can be tried, by keys alone.

use super::gate::{Gate, eventually};
use super::tables::bank;
use super::webdriver::Browser;

const ENTER: &str = "\u{E007}";
const CONFIGURATION: &str = "
listeners: [127.0.0.1:0]
databases: {bank: {url: 'sqlite:data/bank.db', migrations: migrations}}
routes:
  - {path: /v1/**, to: {tables: {database: bank, tables: [questions, levels]}}}
";

#[test]
fn a_request_is_tried_on_the_page_of_an_api() {
    let gate = Gate::start_in(bank(), CONFIGURATION);
    let browser = Browser::start();
    browser.open(&format!("http://{}/v1/openapi.json", gate.address()));
    assert_eq!(browser.text("h1"), "The API at /v1");
    assert_eq!(browser.count("section"), 2);
    assert!(browser.text("main").contains("/questions/{id}"));
    let form = "form[data-path='/v1/levels/{id}']";
    browser.run(&format!(
        "document.querySelector(\"{form}\").closest('details').querySelector('summary').focus();"
    ));
    browser.press(ENTER);
    eventually("the form", || browser.shown(form));
    browser.run(&format!("document.querySelector(\"{form} input[name=id]\").focus();"));
    browser.press(&format!("3{ENTER}"));
    let shown = format!("{form} pre");
    eventually("the row", || browser.text(&shown).contains("\"name\": \"senior\""));
    assert!(browser.text(&shown).starts_with("GET /v1/levels/3\n200\n"));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
