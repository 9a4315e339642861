//! An upstream that says `ok`, and counts.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// An upstream on a port of its own. Its threads end with the process.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    open: Arc<AtomicUsize>,
}

impl Upstream {
    /// # Errors
    /// When no port can be had.
    pub(crate) fn start() -> Result<Upstream, String> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|failure| failure.to_string())?;
        let address = listener.local_addr().map_err(|failure| failure.to_string())?;
        let open = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&open);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let count = Arc::clone(&count);
                count.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    let mut input = [0; 16 * 1024];
                    let mut seen = 0;
                    // The gate sends one small GET at a time, which ends with an empty line and has no other.
                    while let Ok(length @ 1..) = stream.read(&mut input[seen..]) {
                        seen += length;
                        if input[..seen].ends_with(b"\r\n\r\n") {
                            seen = 0;
                            if stream.write_all(ANSWER).is_err() {
                                break;
                            }
                        }
                    }
                    count.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Ok(Upstream { address, open })
    }

    /// How many connections are open.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}
