//! By HTTP/1.1, in clear text and by TLS.

use super::super::client::Client;
use super::{Passage, Pattern, size, whole};

fn up(mut client: Client) {
    client.send(format!(
        "POST /up HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        size()
    ));
    let mut pattern = Pattern::new();
    while pattern.0 < size() {
        client.send(pattern.next(size() - pattern.0));
    }
    assert_eq!(client.answer().text(), whole());
}

fn down(mut client: Client) {
    client.send("GET /down HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.line().unwrap(), "HTTP/1.1 200 OK");
    while !client.line().unwrap().is_empty() {}
    let mut pattern = Pattern::new();
    while pattern.0 < size() {
        let most = (size() - pattern.0).min(60_000);
        pattern.check(&client.take(usize::try_from(most).unwrap()).unwrap());
    }
}

#[test]
fn in_clear_text() {
    let passage = Passage::start();
    passage.pass("HTTP/1.1 up", || up(Client::connect(passage.clear())));
    passage.pass("HTTP/1.1 down", || down(Client::connect(passage.clear())));
}

#[test]
fn by_tls() {
    let passage = Passage::start();
    let connect = || passage.identity.connect(passage.secure(), "localhost").unwrap();
    passage.pass("HTTP/1.1 by TLS up", || up(connect()));
    passage.pass("HTTP/1.1 by TLS down", || down(connect()));
}
