//! The page of a load test's report in a real Chromium: a file that is opened, with nothing behind it.

use std::collections::BTreeMap;
use std::time::Duration;

use portcullis_bench::compare::{Change, Compared, Comparison, Metric, Shifted};
use portcullis_bench::measured::{Generator, Measured, PhaseMeasured, RouteMeasured, Second};
use portcullis_bench::outcome::Failure;
use portcullis_bench::report::{Judged, Verdict, comparison, html};
use portcullis_bench::{Histogram, Report};
use serde_json::{Value, json};

use super::folder::Folder;
use super::webdriver::Browser;

/// A name that is a script wherever it isn't taken for text.
const HOSTILE: &str =
    "</title></text></svg><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";

/// Widths of a screen, of a sheet of paper and of a phone.
const WIDTHS: [u32; 3] = [1200, 760, 360];

/// A spike: a peak that the target didn't keep up with, and what came after.
fn spike() -> Report {
    let lengths = [
        ("warm-up", 5),
        ("before", 15),
        ("rise", 1),
        ("peak", 12),
        ("fall", 1),
        ("after", 40),
    ];
    let mut phases = Vec::new();
    let mut seconds = Vec::new();
    for (name, lasted) in lengths {
        let began = Duration::from_secs(seconds.len() as u64);
        let slower = if name == "peak" { 400 } else { 1 };
        let mut routes = BTreeMap::new();
        for route in ["GET /orders", "POST /orders", "GET /orders/{id}/items?with=everything"] {
            routes.insert(route.to_owned(), measured(lasted * 100, slower));
        }
        phases.push(PhaseMeasured {
            name: name.to_owned(),
            counts: name != "warm-up",
            began,
            lasted: Duration::from_secs(lasted),
            due: lasted * 300,
            routes,
        });
        seconds.extend((0..lasted).map(|second| Second {
            due: 300 * slower.min(5),
            ended: 300,
            bad: u64::from(slower > 1) * 30,
            failed: u64::from(slower > 1) * 40,
            p50: 1200 * slower + second,
            p90: 1700 * slower,
            p99: 4000 * slower + second * 90,
            max: 6000 * slower + second * 100,
            waiting: (slower - 1) * 10,
        }));
    }
    Report {
        version: 1,
        name: "shop".to_owned(),
        target: "http://127.0.0.1:8080".to_owned(),
        profile: "spike".to_owned(),
        began: 1_795_396_500_000,
        environment: BTreeMap::from([("cpu".to_owned(), "Some Processor 3000".to_owned())]),
        measured: Measured {
            phases,
            seconds,
            generator: Generator::default(),
        },
        found: BTreeMap::from([("recovery".to_owned(), 9.0), ("base_p99".to_owned(), 0.004)]),
        remarks: vec!["Nine seconds after the peak all was as before.".to_owned()],
        objectives: vec![judged("p99 < 50ms", false), judged("errors < 0.1%", true)],
        verdict: Verdict::Fail,
        invalid: Vec::new(),
        interrupted: false,
        resources: None,
    }
}

fn measured(requests: u64, slower: u64) -> RouteMeasured {
    let mut route = RouteMeasured {
        ended: requests,
        bytes: requests * 900,
        statuses: BTreeMap::from([(200, requests - 5), (503, 3)]),
        ..RouteMeasured::default()
    };
    for request in 0..requests {
        let service = Duration::from_micros(900 + request * 7919 % 700);
        route.service.record(service);
        route
            .latency
            .record(service * u32::try_from(1 + request * slower / requests).unwrap());
    }
    if slower > 1 {
        let causes = BTreeMap::from([("no answer within 10s".to_owned(), 5)]);
        route.failures.insert(Failure::Timeout, causes);
    }
    route
}

fn judged(objective: &str, met: bool) -> Judged {
    Judged {
        objective: objective.to_owned(),
        route: None,
        measured: "48.2ms".to_owned(),
        met,
    }
}

fn worse() -> Comparison {
    let compared = |metric, ratio: f64, change| Compared {
        metric,
        route: None,
        base: Some(0.041),
        head: Some(0.041 * ratio),
        ratio: Some(ratio),
        low: Some(ratio - 0.03),
        high: Some(ratio + 0.03),
        p: Some(0.002),
        adjusted: Some(0.006),
        min_effect: 0.05,
        change,
        sentence: "It is as it is.".to_owned(),
    };
    Comparison {
        verdict: Change::Worse,
        sentence: "The p99 got worse.".to_owned(),
        primary: vec![
            compared(Metric::P50, 1.0, Change::Same),
            compared(Metric::P99, 1.2, Change::Worse),
        ],
        exploratory: Vec::new(),
        shift: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999]
            .map(|share| Shifted {
                share,
                base: 0.001,
                head: 0.001 + share / 5000.0,
                ratio: 1.0 + share / 5.0,
                low: 1.0,
                high: 1.0 + share / 2.0,
            })
            .to_vec(),
        differences: Vec::new(),
        caveats: Vec::new(),
        base_runs: 7,
        head_runs: 7,
    }
}

fn compared() -> String {
    comparison::html(
        &worse(),
        comparison::Sides {
            base: "main",
            head: "branch",
        },
    )
}

/// Opens a page as a file.
fn open(browser: &Browser, folder: &Folder, page: &str) {
    let path = folder.write("report.html", page);
    browser.open(&format!("file://{}", path.display()));
}

/// Names of charts whose texts lie on each other or are cut at the window's edge, with these texts.
fn collisions(browser: &Browser) -> Value {
    browser.run(
        "const bad = [];
         const width = document.documentElement.clientWidth;
         for (const chart of document.querySelectorAll('svg.chart')) {
           const texts = [...chart.querySelectorAll('text')].filter(t => t.checkVisibility() && t.textContent);
           const boxes = texts.map(t => [t.textContent, t.getBoundingClientRect()]);
           boxes.forEach(([text, box], at) => {
             if (box.left < 0 || box.right > width) bad.push([chart.getAttribute('aria-labelledby'), text, 'is cut']);
             for (const [other, there] of boxes.slice(at + 1)) {
               const across = Math.min(box.right, there.right) - Math.max(box.left, there.left);
               const down = Math.min(box.bottom, there.bottom) - Math.max(box.top, there.top);
               if (across > 1 && down > 3) bad.push([chart.getAttribute('aria-labelledby'), text, other]);
             }
           });
         }
         return bad;",
    )
}

#[test]
fn charts_are_drawn_and_nothing_is_complained_of() {
    let folder = Folder::new();
    let browser = Browser::start();
    open(&browser, &folder, &html::write(&spike()));
    let sizes = browser.run(
        "return [...document.querySelectorAll('svg.chart')].map(chart => {
           const box = chart.getBoundingClientRect();
           const lines = [...chart.querySelectorAll('.line, .bar')].filter(e => e.getBoundingClientRect().width > 1);
           return [chart.querySelector('title').textContent, box.width > 600 && box.height > 100, lines.length > 0];
         });",
    );
    let titles = [
        "Latency over time",
        "Requests over time",
        "Arrivals that wait",
        "How many took how long",
        "Latency by percentile",
    ];
    assert_eq!(sizes, json!(titles.map(|title| json!([title, true, true]))));
    assert_eq!(browser.text(".span text"), "recovered after 9 s");
    assert!(browser.text(".verdict").contains("✗ FAIL"));
    assert_eq!(browser.count(".spread"), 3);
    assert_eq!(browser.complaints(), Vec::<String>::new());

    open(&browser, &folder, &compared());
    assert_eq!(browser.count("svg.chart circle"), 12);
    assert_eq!(browser.count("svg.forest"), 2);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn it_can_be_read_at_any_width() {
    let folder = Folder::new();
    let browser = Browser::start();
    for page in [html::write(&spike()), compared()] {
        open(&browser, &folder, &page);
        for width in WIDTHS {
            browser.resize(width, 900);
            assert_eq!(browser.run("return window.innerWidth;"), width);
            let overflow =
                browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth;");
            assert_eq!(overflow, 0, "at {width} it must be scrolled sideways");
            assert_eq!(collisions(&browser), json!([]), "at {width}");
        }
    }
    // What would be found if it were there.
    browser
        .run("document.querySelector('svg.chart .tick').textContent = 'far too long for where it stands '.repeat(9);");
    assert_ne!(collisions(&browser), json!([]));
}

#[test]
fn it_is_dark_where_that_is_asked_for() {
    let folder = Folder::new();
    let browser = Browser::start();
    open(&browser, &folder, &html::write(&spike()));
    // How bright the ground, the text and the lines are, 0 to 255.
    let brightness = "const bright = (e, what) => { const parts = getComputedStyle(document.querySelector(e))[what].match(/[0-9.]+/g); \
         return (+parts[0] + +parts[1] + +parts[2]) / 3; }; \
         return [bright('body', 'backgroundColor'), bright('body', 'color'), bright('.line.p99', 'stroke'), bright('text', 'fill')];";
    let mut seen = Vec::new();
    for scheme in ["light", "dark"] {
        browser.prefer_colours(scheme);
        let found = browser.run(brightness);
        let [ground, text, line, label] = [0, 1, 2, 3].map(|at| found[at].as_f64().unwrap());
        for (what, value) in [("text", text), ("lines", line), ("labels", label)] {
            assert!(
                (ground - value).abs() > 80.0,
                "{scheme}: {what} are hard to see: {found}"
            );
        }
        seen.push(ground);
    }
    assert!(seen[0] > 200.0 && seen[1] < 60.0, "{seen:?}");
}

#[test]
fn a_name_never_becomes_a_script() {
    let mut report = spike();
    let hostile = || HOSTILE.to_owned();
    report.name = hostile();
    report.remarks = vec![hostile()];
    report.invalid = vec![hostile(), hostile()];
    report.environment = BTreeMap::from([(hostile(), hostile())]);
    report.found.insert(hostile(), 1.0);
    report.objectives[0].objective = hostile();
    for phase in &mut report.measured.phases {
        phase.name = hostile();
        let mut route = phase.routes.remove("GET /orders").unwrap();
        route.failures = BTreeMap::from([(Failure::Check, BTreeMap::from([(hostile(), 3)]))]);
        phase.routes.insert(hostile(), route);
    }
    let folder = Folder::new();
    let browser = Browser::start();
    open(&browser, &folder, &html::write(&report));
    assert_eq!(browser.text("h1"), HOSTILE);
    assert_eq!(browser.count("script, img, title + script"), 0);
    assert_ne!(browser.run("return document.title;"), "owned");
    assert_eq!(browser.complaints(), Vec::<String>::new());

    let mut comparison = worse();
    comparison.sentence = hostile();
    comparison.caveats = vec![hostile()];
    comparison.primary[0].route = Some(hostile());
    let sides = comparison::Sides {
        base: HOSTILE,
        head: HOSTILE,
    };
    open(&browser, &folder, &comparison::html(&comparison, sides));
    assert_eq!(browser.count("script, img"), 0);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_report_of_next_to_nothing_is_a_page_too() {
    let mut report = spike();
    report.measured = Measured {
        phases: report.measured.phases.into_iter().take(1).collect(),
        ..Measured::default()
    };
    report.measured.phases[0].routes = BTreeMap::from([("GET /".to_owned(), RouteMeasured::default())]);
    let mut one = spike();
    one.measured.seconds.truncate(1);
    let mut latency = Histogram::new();
    latency.record(Duration::from_millis(3));
    let single = RouteMeasured {
        service: latency.clone(),
        latency,
        ended: 1,
        ..RouteMeasured::default()
    };
    one.measured.phases.truncate(2);
    one.measured.phases[1].routes = BTreeMap::from([("GET /".to_owned(), single)]);
    let folder = Folder::new();
    let browser = Browser::start();
    for report in [report, one] {
        open(&browser, &folder, &html::write(&report));
        assert!(!browser.text("body").contains("NaN"));
        assert_eq!(collisions(&browser), json!([]));
        assert_eq!(browser.complaints(), Vec::<String>::new());
    }
}
