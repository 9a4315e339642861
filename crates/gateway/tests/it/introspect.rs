//! Tokens that their issuer is asked about.

use super::client::Client;
use super::folder::Folder;
use super::gate::Gate;
use super::upstream::Upstream;

#[test]
fn a_token_is_asked_about_once_over_all_workers() {
    let upstream = Upstream::ok();
    let issuer = Upstream::playing(|peer| {
        while let Some(request) = peer.request() {
            let form = String::from_utf8_lossy(&request.body).into_owned();
            let is_good = form == "token=good";
            let says = format!(r#"{{"active": {is_good}, "sub": "ann", "scope": "read write"}}"#);
            peer.answer("200 OK", &says);
        }
    });
    let folder = Folder::new();
    folder.write("password", "p");
    let gate = Gate::start_in(
        folder,
        &format!(
            "listeners: [127.0.0.1:0]\nservices: {{up: 'http://{}', id: 'http://{}'}}\npolicies:\n  guard:\n    \
             introspect: {{service: id, client_id: gate, client_secret: 'file:password', host: id.example}}\n\
             routes:\n  - {{path: /**, policies: [guard], to: {{service: up}}}}\n",
            upstream.address(),
            issuer.address()
        ),
    );
    let address = gate.address();
    let ask = move |token: &str| {
        let value = format!("Bearer {token}");
        Client::connect(address).ask("GET", "/", &[("Authorization", &value)], "")
    };
    let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(move || ask("good").status)).collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), 200);
    }
    let received = upstream.last();
    assert_eq!(received.field("x-consumer"), Some("ann"));
    assert_eq!(received.field("x-consumer-scopes"), Some("read write"));
    assert_eq!(received.field("authorization"), None);
    let questions = issuer.requests();
    assert_eq!(questions.len(), 1);
    assert_eq!(questions[0].line, "POST /introspect HTTP/1.1");
    assert_eq!(questions[0].field("host"), Some("id.example"));
    assert_eq!(questions[0].field("authorization"), Some("Basic Z2F0ZTpw"));
    let refused = ask("bad");
    refused.assert_problem(401, "unauthenticated");
    assert!(refused.field("www-authenticate").unwrap().contains("invalid_token"));
    gate.get("/").assert_problem(401, "unauthenticated");
    assert_eq!(issuer.requests().len(), 2);
}
