//! Buffers from a pool of the thread, so that an idle connection holds none.

use std::cell::RefCell;

use bytes::BytesMut;

/// What a fresh input buffer holds: a head with a small body, or the first piece of a large one.
pub const INPUT: usize = 16 * 1024;

/// How far an input buffer grows for a large body.
pub const LARGE_INPUT: usize = 64 * 1024;

/// Buffers that a thread keeps for reuse.
const KEPT: usize = 32;

#[derive(Default)]
struct Pool {
    inputs: Vec<BytesMut>,
    outputs: Vec<Vec<u8>>,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// An empty buffer to read into.
pub(crate) fn take_input() -> BytesMut {
    POOL.with_borrow_mut(|pool| pool.inputs.pop())
        .unwrap_or_else(|| BytesMut::with_capacity(INPUT))
}

/// Gives an input buffer back. One whose memory is still in use elsewhere, or that grew, is let go.
pub(crate) fn give_input(mut input: BytesMut) {
    input.clear();
    if input.try_reclaim(INPUT) && input.capacity() <= LARGE_INPUT {
        POOL.with_borrow_mut(|pool| {
            if pool.inputs.len() < KEPT {
                pool.inputs.push(input);
            }
        });
    }
}

/// An empty buffer to write heads and small bodies into.
pub fn take_output() -> Vec<u8> {
    POOL.with_borrow_mut(|pool| pool.outputs.pop())
        .unwrap_or_else(|| Vec::with_capacity(2048))
}

/// Gives an output buffer back.
pub fn give_output(mut output: Vec<u8>) {
    output.clear();
    if (1..=LARGE_INPUT).contains(&output.capacity()) {
        POOL.with_borrow_mut(|pool| {
            if pool.outputs.len() < KEPT {
                pool.outputs.push(output);
            }
        });
    }
}
