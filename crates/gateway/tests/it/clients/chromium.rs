//! Chromium, which chooses by itself what it speaks to the gate.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::super::folder::Folder;
use super::super::upstream::Upstream;
use super::super::webdriver::Browser;
use super::{Front, Server};

const PAGE: &str = "<!doctype html><html lang=en><title>A page</title><link rel=icon href=data:,><p id=p>loaded</p>";

/// A site with a page, pieces that it fetches, a stream of events, and a chat.
struct Site {
    front: Front,
    /// What makes Chromium trust the certificate: the hash of its key.
    trust: String,
    _chat: Server,
}

impl Site {
    fn start() -> Site {
        let folder = Folder::new();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        folder.write("front.pem", made.cert.pem());
        folder.write("front.key", made.signing_key.serialize_pem());
        let key = rcgen::PublicKeyData::subject_public_key_info(&made.signing_key);
        let trust = STANDARD.encode(Sha256::digest(key));
        let upstream = Upstream::playing(|peer| {
            while let Some(request) = peer.request() {
                match request.target() {
                    "/" => peer.send(format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{PAGE}",
                        PAGE.len()
                    )),
                    "/events" => {
                        peer.send(
                            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
                        );
                        for number in 0..5 {
                            let event = format!("data: {number}\n\n");
                            peer.send(format!("{:x}\r\n{event}\r\n", event.len()));
                        }
                        // It stays open: what is shown must not wait for the end.
                        peer.rest();
                        return;
                    }
                    _ => peer.answer("200 OK", &format!("{} bytes", request.body.len())),
                }
            }
        });
        let chat = Server::start("websocket_server.py");
        let rest = format!(
            "services: {{site: \"http://{}\", chat: \"http://{}\"}}\n\
             routes:\n  - {{path: /chat, to: {{service: chat}}}}\n  - {{path: /**, to: {{service: site}}}}\n",
            upstream.address(),
            chat.address()
        );
        Site {
            front: Front::start_in(folder, &rest),
            trust,
            _chat: chat,
        }
    }

    fn host(&self) -> String {
        format!("localhost:{}", self.front.secure().port())
    }

    /// A browser that trusts the site, with the page open.
    fn visit(&self, more: &[&str]) -> Browser {
        let trust = format!("--ignore-certificate-errors-spki-list={}", self.trust);
        // The gate doesn't listen at `::1`, and QUIC isn't tried at a second address.
        let resolve = "--host-resolver-rules=MAP localhost 127.0.0.1";
        let flags = [&[trust.as_str(), resolve], more].concat();
        let browser = Browser::start_with(&flags);
        browser.open(&format!("https://{}/", self.host()));
        assert_eq!(browser.text("#p"), "loaded");
        browser
    }
}

/// What the page was loaded by.
fn protocol(browser: &Browser) -> String {
    let found = browser.run("return performance.getEntriesByType('navigation')[0].nextHopProtocol;");
    found.as_str().unwrap().to_owned()
}

/// A hundred fetches at a time, large uploads among them.
fn assert_fetches(browser: &Browser) {
    let found = browser.run_async(
        "const one = n => fetch('/fetch/' + n, {method: 'POST', body: new Uint8Array(n % 10 ? n : 300000)}) \
             .then(answer => answer.text());\n\
         Promise.all([...Array(100).keys()].map(one)).then(done, error => done(String(error)));",
    );
    let answers = found.as_array().unwrap_or_else(|| panic!("{found}"));
    for (number, answer) in answers.iter().enumerate() {
        let length = if number % 10 == 0 { 300_000 } else { number };
        assert_eq!(*answer, format!("{length} bytes"));
    }
}

/// Events are shown as they come, from a stream that doesn't end.
fn assert_events(browser: &Browser) {
    let found = browser.run_async(
        "const seen = []; const source = new EventSource('/events');\n\
         source.onmessage = event => { seen.push(event.data); if (seen.length == 5) { source.close(); done(seen.join()); } };\n\
         source.onerror = () => done('failed after ' + seen.join());",
    );
    assert_eq!(found, "0,1,2,3,4");
}

/// A WebSocket echoes text and bytes.
fn assert_chat(browser: &Browser) {
    let found = browser.run_async(
        "const socket = new WebSocket('wss://' + location.host + '/chat', ['superchat']); const seen = [];\n\
         socket.binaryType = 'arraybuffer'; socket.onerror = () => done('failed after ' + seen.join());\n\
         socket.onopen = () => { socket.send('hello'); socket.send(new Uint8Array(200000)); };\n\
         socket.onmessage = event => { seen.push(event.data.byteLength ?? event.data);\n\
             if (seen.length == 2) { socket.onclose = event => done([socket.protocol, ...seen, event.code].join());\n\
                 socket.send('close 4000 bye'); } };",
    );
    assert_eq!(found, "superchat,hello,200000,4000");
}

#[test]
fn it_chooses_http_2() {
    let site = Site::start();
    let browser = site.visit(&["--disable-quic"]);
    assert_eq!(protocol(&browser), "h2");
    assert_fetches(&browser);
    assert_events(&browser);
    assert_chat(&browser);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn it_speaks_http_3() {
    let site = Site::start();
    let force = format!("--origin-to-force-quic-on={}", site.host());
    let browser = site.visit(&["--enable-quic", &force]);
    assert_eq!(protocol(&browser), "h3");
    assert_fetches(&browser);
    assert_events(&browser);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
