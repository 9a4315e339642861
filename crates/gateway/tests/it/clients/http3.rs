//! HTTP/3 by PyPI's `aioquic`.

use super::super::upstream::Upstream;
use super::{Front, plain_and_forwarded, python, said};

#[test]
fn aioquic_is_served() {
    let upstream = Upstream::echo();
    let front = Front::start(&plain_and_forwarded(upstream.address()));
    said(
        python("http3_client.py")
            .arg(front.secure().to_string())
            .arg(front.certificate())
            .args([
                "requests",
                "forwarding",
                "large_bodies",
                "many_at_once",
                "resumption",
                "new_address",
            ]),
    );
}
