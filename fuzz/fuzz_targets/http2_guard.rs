//! The guard sees the same frames however the bytes come.

#![no_main]

use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use portcullis_http2::guard::Guard;

fuzz_target!(|input: &[u8]| {
    let Some((piece, bytes)) = input.split_first() else {
        return;
    };
    let now = Instant::now();
    let follow = |size: usize| {
        let mut guard = Guard::new(now);
        let stopped = bytes.chunks(size).any(|piece| guard.received(piece, || now).is_err());
        (stopped, guard.unfinished_block())
    };
    let (whole, in_pieces) = (follow(bytes.len().max(1)), follow(usize::from(*piece) + 1));
    // What is earned and spent within a piece is settled at its end, so that pieces may decide on who is stopped.
    if !whole.0 && !in_pieces.0 {
        assert_eq!(whole.1, in_pieces.1);
    }
    let mut guard = Guard::new(now);
    let _ = guard.received(bytes, || now);
    guard.sent(bytes);
});
