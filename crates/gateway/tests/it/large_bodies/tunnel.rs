//! Through a connection that was upgraded, both ways at once.

use std::io::{Read, Write};
use std::net::Shutdown;

use super::super::client::socket;
use super::{Passage, Pattern, size};

#[test]
fn both_ways_at_once() {
    let passage = Passage::start();
    passage.pass("a tunnel, both ways", || {
        let mut stream = socket(passage.clear());
        stream
            .write_all(b"GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: pattern\r\n\r\n")
            .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        let mut writing = stream.try_clone().unwrap();
        let writer = std::thread::spawn(move || {
            let mut pattern = Pattern::new();
            while pattern.0 < size() {
                writing.write_all(&pattern.next(size() - pattern.0)).unwrap();
            }
            writing.shutdown(Shutdown::Write).unwrap();
        });
        let mut pattern = Pattern::new();
        let mut piece = vec![0; 60_000];
        loop {
            match stream.read(&mut piece).unwrap() {
                0 => break,
                length => pattern.check(&piece[..length]),
            }
        }
        assert_eq!(pattern.0, size());
        writer.join().unwrap();
    });
}
