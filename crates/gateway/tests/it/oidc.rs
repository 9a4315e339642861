//! A login as a browser goes through it, from the first page to the last.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::client::{Answer, Client};
use super::folder::Folder;
use super::gate::{Gate, eventually};
use super::oidc_provider::{CLIENT, Provider};
use super::upstream::Upstream;

/// A gate before `upstream` whose people log in at `issuer`.
fn guarded(upstream: &Upstream, issuer: &str) -> Gate {
    let folder = Folder::new();
    folder.write("password", CLIENT.1);
    folder.write("secret", "what sessions of this test are encrypted by");
    let configuration = format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\nservices: {{up: 'http://{}'}}\npolicies:\n  guard:\n    csrf: {{}}\n    \
         oidc: {{issuer: '{issuer}', client_id: {}, client_secret: 'file:password', secret: 'file:secret', roles_claim: roles}}\n\
         routes:\n  - {{path: /**, policies: [guard], to: {{service: up}}}}\n",
        upstream.address(),
        CLIENT.0
    );
    Gate::start_in(folder, &configuration)
}

/// What a browser is, for a login: it keeps cookies, and goes where it is sent.
struct Browser {
    gate: SocketAddr,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    fn new(gate: &Gate) -> Browser {
        Browser {
            gate: gate.address(),
            cookies: BTreeMap::new(),
        }
    }

    fn cookie(&self) -> String {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    /// Opens a page of the gate.
    fn open(&mut self, target: &str) -> Answer {
        self.ask(
            "GET",
            target,
            &[("Accept", "text/html"), ("Sec-Fetch-Mode", "navigate")],
        )
    }

    /// Asks the gate as a script of one of its pages does.
    fn call(&mut self, target: &str) -> Answer {
        self.ask(
            "GET",
            target,
            &[("Accept", "application/json"), ("Sec-Fetch-Mode", "cors")],
        )
    }

    fn ask(&mut self, method: &str, target: &str, fields: &[(&str, &str)]) -> Answer {
        let (cookie, host) = (self.cookie(), self.gate.to_string());
        let mut all = vec![("Host", host.as_str())];
        if !cookie.is_empty() {
            all.push(("Cookie", &cookie));
        }
        all.extend(fields);
        let answer = Client::connect(self.gate).ask(method, target, &all, "");
        for line in answer.fields("set-cookie") {
            let (pair, attributes) = line.split_once(';').unwrap();
            assert!(attributes.contains("Secure; HttpOnly; SameSite=Lax"), "{line}");
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Goes to the provider, as the gate's answer says, and gives back where the provider sends the browser.
    fn at_provider(&self, answer: &Answer) -> String {
        assert_eq!(answer.status, 302, "{answer}");
        let location = answer.field("location").unwrap();
        let (host, target) = location.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let answer = Client::connect(host.parse().unwrap()).get(&format!("/{target}"));
        let back = answer.field("location").unwrap();
        back.strip_prefix(&format!("http://{}", self.gate)).unwrap().to_owned()
    }

    /// Opens a page, and logs in for it.
    fn log_in(&mut self, target: &str) -> Answer {
        let answer = self.open(target);
        let back = self.at_provider(&answer);
        let answer = self.open(&back);
        assert_eq!(answer.status, 303, "{answer}");
        let back = answer.field("location").unwrap().to_owned();
        assert_eq!(back, target);
        self.open(&back)
    }
}

#[test]
fn a_person_logs_in_and_out() {
    let (upstream, provider) = (Upstream::ok(), Provider::new(300));
    let gate = guarded(&upstream, provider.issuer());
    let mut browser = Browser::new(&gate);
    browser.call("/orders").assert_problem(401, "unauthenticated");
    assert_eq!(browser.log_in("/orders?x=1").status, 200);
    let received = upstream.last();
    assert_eq!(received.target(), "/orders?x=1");
    assert_eq!(received.field("x-consumer"), Some("ann"));
    assert_eq!(received.field("x-consumer-scopes"), Some("openid orders"));
    assert_eq!(received.field("x-consumer-roles"), Some("staff"));
    assert_eq!(received.field("cookie"), None, "the session went on");
    assert_eq!(browser.call("/orders").status, 200);
    // Another gate with the same secret knows the session.
    let other = guarded(&upstream, provider.issuer());
    let mut elsewhere = Browser::new(&other);
    elsewhere.cookies = browser.cookies.clone();
    assert_eq!(elsewhere.call("/orders").status, 200);
    // Another page can't use it, and ours can.
    let evil = browser.ask(
        "POST",
        "/orders",
        &[("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example")],
    );
    evil.assert_problem(403, "request_forged");
    assert_eq!(
        browser
            .ask("POST", "/orders", &[("Sec-Fetch-Site", "same-origin")])
            .status,
        200
    );

    let stolen = browser.cookies.clone();
    let answer = browser.open("/.oidc/logout");
    let location = answer.field("location").unwrap();
    assert!(
        location.starts_with(&format!("{}/end?client_id=gate&post_logout", provider.issuer())),
        "{location}"
    );
    assert!(browser.cookies.is_empty());
    browser.cookies = stolen;
    browser.call("/orders").assert_problem(401, "unauthenticated");
    assert_eq!(provider.asked("/token"), 1);
}

#[test]
fn an_answer_of_the_provider_is_good_once_and_in_its_browser() {
    let (upstream, provider) = (Upstream::ok(), Provider::new(300));
    let gate = guarded(&upstream, provider.issuer());
    let mut browser = Browser::new(&gate);
    let answer = browser.open("/");
    let back = browser.at_provider(&answer);
    let before = browser.cookies.clone();
    // The victim is made to end a login that somebody else began.
    let mut victim = Browser::new(&gate);
    assert_eq!(victim.open(&back).status, 401);
    assert!(victim.cookies.is_empty());
    assert_eq!(browser.open(&back).status, 303);
    let mut thief = Browser::new(&gate);
    thief.cookies = before;
    assert_eq!(thief.open(&back).status, 401);
    assert_eq!(provider.asked("/token"), 1);
    // A login whose ID token belongs to another one is none.
    provider.confuse_logins();
    let answer = victim.open("/");
    let back = victim.at_provider(&answer);
    assert_eq!(victim.open(&back).status, 401);
    assert!(victim.cookies.is_empty());
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_session_is_renewed_once_for_all_requests_and_ends_with_that_of_the_provider() {
    // The least time for which a session is not asked about is a second.
    let (upstream, provider) = (Upstream::ok(), Provider::new(1));
    let gate = guarded(&upstream, provider.issuer());
    let mut browser = Browser::new(&gate);
    assert_eq!(browser.log_in("/").status, 200);
    let old = browser.cookies.clone();
    eventually("the session to be renewed", || {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let mut one = Browser::new(&gate);
                one.cookies = old.clone();
                std::thread::spawn(move || (one.call("/").status, one.cookies))
            })
            .collect();
        let renewed = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .map(|(status, cookies)| {
                assert_eq!(status, 200);
                // One that was answered just before the second was over still has the old ones.
                if cookies != old {
                    browser.cookies = cookies;
                }
            });
        renewed.count();
        provider.renewals() > 0
    });
    assert_eq!(provider.renewals(), 1);
    assert_ne!(browser.cookies, old);
    provider.revoke();
    eventually("the session to be over", || browser.call("/").status == 401);
    assert_eq!(browser.open("/").status, 302);
}

#[test]
fn while_the_provider_is_away_nobody_new_enters() {
    let upstream = Upstream::ok();
    let gate = guarded(&upstream, &format!("http://{}", Upstream::nobody()));
    let mut browser = Browser::new(&gate);
    let page = browser.open("/");
    assert_eq!(page.status, 503);
    assert!(browser.cookies.is_empty());
    browser.call("/").assert_problem(401, "unauthenticated");
    assert!(upstream.requests().is_empty());
}
