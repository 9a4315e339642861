//! A real browser, driven by the W3C WebDriver protocol.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::folder::Folder;
use super::gate::eventually;

/// What WebDriver calls an element in its JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A Chromium of its own, driven by the W3C WebDriver protocol. It ends with the test.
pub(crate) struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    profile: Folder,
}

impl Browser {
    pub(crate) fn start() -> Browser {
        Browser::start_with(&["--disable-quic"])
    }

    /// The same with these flags.
    pub(crate) fn start_with(flags: &[&str]) -> Browser {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is missing: run `apt-get install chromium chromium-driver`, or `cargo xtask test` as root");
        let mut output = BufReader::new(driver.stdout.take().unwrap());
        let port = loop {
            let mut line = String::new();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "chromedriver ended");
            if let Some((_, port)) = line
                .trim()
                .trim_end_matches('.')
                .rsplit_once("started successfully on port ")
            {
                break port.parse().unwrap();
            }
        };
        // It must not fail to write what it goes on to say.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        let profile = Folder::new();
        let mut browser = Browser {
            driver,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            session: String::new(),
            profile,
        };
        browser.open_session(flags);
        browser
    }

    fn open_session(&mut self, flags: &[&str]) {
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        let fixed = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1200,900",
            profile.as_str(),
        ];
        let arguments = [&fixed, flags].concat();
        let made = self.call(
            "POST",
            "/session",
            &json!({"capabilities": {"alwaysMatch": {
                "browserName": "chrome",
                "goog:chromeOptions": {"args": arguments},
                "goog:loggingPrefs": {"browser": "ALL"},
            }}}),
        );
        self.session = format!("/session/{}", made["sessionId"].as_str().unwrap());
    }

    pub(crate) fn open(&self, url: &str) {
        self.ask("/url", &json!({"url": url}));
    }

    pub(crate) fn reload(&self) {
        self.ask("/refresh", &json!({}));
    }

    pub(crate) fn resize(&self, width: u32, height: u32) {
        self.ask("/window/rect", &json!({"width": width, "height": height}));
    }

    /// Lets the person before it prefer `light` or `dark` colours.
    pub(crate) fn prefer_colours(&self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.ask(
            "/goog/cdp/execute",
            &json!({"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}}),
        );
    }

    pub(crate) fn click(&self, selector: &str) {
        let element = self.find(selector);
        self.ask(&format!("/element/{element}/click"), &json!({}));
    }

    /// Types into what the selector finds.
    pub(crate) fn enter(&self, selector: &str, text: &str) {
        let element = self.find(selector);
        self.ask(&format!("/element/{element}/value"), &json!({"text": text}));
    }

    /// Presses keys where the focus is.
    pub(crate) fn press(&self, keys: &str) {
        let actions: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                [
                    json!({"type": "keyDown", "value": key}),
                    json!({"type": "keyUp", "value": key}),
                ]
            })
            .collect();
        self.ask(
            "/actions",
            &json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]}),
        );
    }

    /// Whether what the selector finds can be seen.
    pub(crate) fn shown(&self, selector: &str) -> bool {
        self.run(&format!(
            "const e = document.querySelector({}); return !!e && e.checkVisibility();",
            json!(selector)
        )) == true
    }

    pub(crate) fn text(&self, selector: &str) -> String {
        let found = self.run(&format!(
            "return document.querySelector({})?.textContent ?? null;",
            json!(selector)
        ));
        found
            .as_str()
            .unwrap_or_else(|| panic!("nothing is {selector}"))
            .to_owned()
    }

    pub(crate) fn value(&self, selector: &str) -> String {
        let found = self.run(&format!(
            "return document.querySelector({})?.value ?? null;",
            json!(selector)
        ));
        found
            .as_str()
            .unwrap_or_else(|| panic!("nothing is {selector}"))
            .to_owned()
    }

    pub(crate) fn count(&self, selector: &str) -> u64 {
        self.run(&format!(
            "return document.querySelectorAll({}).length;",
            json!(selector)
        ))
        .as_u64()
        .unwrap()
    }

    /// Runs a function's body in the page.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.ask("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Runs a function's body in the page, until it calls `done` with what it found.
    pub(crate) fn run_async(&self, script: &str) -> Value {
        let script = format!("const done = arguments[0];\n{script}");
        self.ask("/execute/async", &json!({"script": script, "args": []}))
    }

    /// Waits until a text of the page is this one.
    pub(crate) fn await_text(&self, selector: &str, text: &str) {
        eventually(&format!("{selector} to be {text:?}"), || self.text(selector) == text);
    }

    /// Waits until the page shows this view with its data.
    pub(crate) fn await_view(&self, name: &str) {
        eventually(&format!("the view {name}"), || {
            self.run("return document.body.dataset.ready ?? '';") == name
        });
    }

    /// Lines of the page's console that tell of something wrong.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let lines = self.ask("/se/log", &json!({"type": "browser"}));
        let bad = lines
            .as_array()
            .unwrap()
            .iter()
            .filter(|line| line["level"] == "SEVERE" || line["level"] == "WARNING");
        bad.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    }

    fn find(&self, selector: &str) -> String {
        let found = self.ask("/element", &json!({"using": "css selector", "value": selector}));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    fn ask(&self, command: &str, body: &Value) -> Value {
        self.call("POST", &format!("{}{command}", self.session), body)
    }

    fn call(&self, method: &str, target: &str, body: &Value) -> Value {
        let stream = TcpStream::connect(self.address).unwrap();
        // A browser that starts on a busy machine takes its time.
        stream.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
        let host = self.address.to_string();
        let fields = [("Host", host.as_str()), ("Content-Type", "application/json")];
        let answer = Client::over(Box::new(stream)).ask(method, target, &fields, body.to_string());
        let mut value = answer.json()["value"].take();
        assert_eq!(
            answer.status, 200,
            "{method} {target}: {} {}",
            value["error"], value["message"]
        );
        value.take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.call("DELETE", &self.session, &json!({}));
        } else if let Ok(stream) = TcpStream::connect(self.address) {
            // A failed test must not leave a browser behind either, and must not wait for one that hangs.
            let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
            let mut client = Client::over(Box::new(stream));
            client.send(format!(
                "DELETE {} HTTP/1.1\r\nHost: {}\r\n\r\n",
                self.session, self.address
            ));
            let _ = client.try_answer(false);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
