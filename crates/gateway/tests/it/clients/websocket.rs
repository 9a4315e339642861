//! WebSocket by PyPI's `websockets` over HTTP/1.1, and by `h2` and `wsproto` over HTTP/2.

use super::{Front, Server, python, said};

fn configuration(server: &Server) -> String {
    format!(
        "services: {{chat: \"http://{}\"}}\n\
         routes:\n  - {{path: /plain, to: {{respond: here}}}}\n  - {{path: /chat, to: {{service: chat}}}}\n",
        server.address()
    )
}

#[test]
fn it_works_by_upgrade() {
    let server = Server::start("websocket_server.py");
    let front = Front::start(&configuration(&server));
    said(python("websocket_client.py").arg(format!("ws://{}/chat", front.clear())));
}

#[test]
fn it_works_by_upgrade_within_tls() {
    let server = Server::start("websocket_server.py");
    let front = Front::start(&configuration(&server));
    said(
        python("websocket_client.py")
            .arg(format!("wss://localhost:{}/chat", front.secure().port()))
            .arg(front.certificate()),
    );
}

#[test]
fn it_works_by_a_stream_of_http_2() {
    let server = Server::start("websocket_server.py");
    let front = Front::start(&configuration(&server));
    said(
        python("websocket_http2.py")
            .arg(front.secure().to_string())
            .arg("/chat")
            .arg(front.certificate()),
    );
}
