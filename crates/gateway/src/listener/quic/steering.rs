//! Which worker a packet is for.
//!
//! Clients move: a phone leaves its wireless network, a router gives a client another port. The system would spread
//! packets over the workers' sockets by the addresses that they come from, and one from a new address would reach a
//! worker that knows nothing of its connection. So the first byte of a connection ID says which worker made it, modulo
//! the number of workers, and a few instructions in the system deliver by that byte. What a new client makes up there
//! is random (RFC 9000 §7.2), and so new clients are spread over all workers.

use std::io;

use nix::libc::{self, sock_filter, sock_fprog};
use nix::sys::socket::{SetSockOpt, sockopt::AttachReusePortCbpf};
use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig};
use rustls::crypto::{SecureRandom, aws_lc_rs};

/// Bytes of a connection ID: enough that nobody guesses one.
const LENGTH: usize = 8;

/// The most workers that one byte tells apart with a fair share for each.
const MOST_WORKERS: usize = 64;

/// Has the system deliver packets by their connection IDs. To be called with the first socket of an address, when it is
/// bound; those of the other workers must follow in their order.
///
/// # Errors
/// The system's.
pub(super) fn steer(socket: &socket2::Socket, workers: usize) -> io::Result<()> {
    if !is_steered(workers) {
        return Ok(());
    }
    let mut program = program(u32::try_from(workers).expect("it is a small number"));
    let program = sock_fprog {
        len: u16::try_from(program.len()).expect("the program is short"),
        filter: program.as_mut_ptr(),
    };
    AttachReusePortCbpf.set(socket, &program)?;
    Ok(())
}

/// Has an endpoint make connection IDs that lead back to its worker.
pub(super) fn number(config: &mut EndpointConfig, worker: usize, workers: usize) {
    if !is_steered(workers) {
        return;
    }
    let made = Numbered {
        worker: u8::try_from(worker).expect("it is a small number"),
        workers: u8::try_from(workers).expect("it is a small number"),
        random: aws_lc_rs::default_provider().secure_random,
    };
    config.cid_generator(move || Box::new(made));
}

fn is_steered(workers: usize) -> bool {
    (2..=MOST_WORKERS).contains(&workers)
}

/// Delivers to the socket whose number the first byte of the destination connection ID says: the second byte of a packet
/// with a short header (RFC 9000 §17.3), the seventh of one with a long header (§17.2).
fn program(workers: u32) -> [sock_filter; 7] {
    let load = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0);
    let step = |(code, jt, jf): (u32, u8, u8), k| sock_filter {
        code: u16::try_from(code).expect("codes have 16 bits"),
        jt,
        jf,
        k,
    };
    [
        step(load, 0),
        // The highest bit marks a long header.
        step((libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 2, 0), 0x80),
        step(load, 1),
        step((libc::BPF_JMP | libc::BPF_JA, 0, 0), 1),
        step(load, 6),
        step((libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K, 0, 0), workers),
        step((libc::BPF_RET | libc::BPF_A, 0, 0), 0),
    ]
}

/// Makes connection IDs whose first byte says the worker.
#[derive(Clone, Copy)]
struct Numbered {
    worker: u8,
    workers: u8,
    random: &'static dyn SecureRandom,
}

impl ConnectionIdGenerator for Numbered {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut bytes = [0; LENGTH];
        self.random
            .fill(&mut bytes)
            .expect("the system gives random numbers, or no TLS would be possible");
        let rounds = u8::MAX / self.workers;
        bytes[0] = bytes[0] % rounds * self.workers + self.worker;
        ConnectionId::new(&bytes)
    }

    fn cid_len(&self) -> usize {
        LENGTH
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_ids_lead_back_to_their_worker() {
        for workers in [2, 3, 7, 64] {
            for worker in 0..workers {
                let random = aws_lc_rs::default_provider().secure_random;
                let mut made = Numbered {
                    worker,
                    workers,
                    random,
                };
                for _ in 0..100 {
                    assert_eq!(made.generate_cid()[0] % workers, worker);
                }
            }
        }
    }
}
