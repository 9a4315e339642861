//! Which worker a packet is for, and which process.
//!
//! Clients move: a phone leaves its wireless network, a router gives a client another port. The system would spread
//! packets over the workers' sockets by the addresses that they come from, and one from a new address would reach a
//! worker that knows nothing of its connection. So the first byte of a connection ID says which worker made it, modulo
//! the number of workers, and a few instructions in the system deliver by that byte. What a new client makes up there
//! is random (RFC 9000 §7.2), and so new clients are spread over all workers.
//!
//! The second byte says which process made it, counted from the first one that was started: while another binary takes
//! over, connections of several processes share one address (`passage.rs`). The last two bytes are made of the others, so
//! that what a new client makes up is not taken for an ID of an older process.

use std::io;

use nix::libc::{self, sock_filter, sock_fprog};
use nix::sys::socket::{SetSockOpt, sockopt::AttachReusePortCbpf};
use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig};
use rustls::crypto::{SecureRandom, aws_lc_rs};

/// Bytes of a connection ID: worker, process, random ones that nobody guesses, check.
const LENGTH: usize = 10;
const CHECKED: usize = LENGTH - 2;

/// The bit that marks a long header (RFC 9000 §17.2).
const LONG: u8 = 0x80;

/// An odd number that spreads the bits of what it is multiplied with: 2^64 divided by the golden ratio.
const MIXER: u64 = 0x9E37_79B9_7F4A_7C15;

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

/// Has an endpoint make connection IDs that lead back to its worker and its process.
pub(super) fn number(config: &mut EndpointConfig, worker: usize, workers: usize, generation: u8) {
    // Where nothing steers, all are the first of one.
    let (worker, workers) = if is_steered(workers) { (worker, workers) } else { (0, 1) };
    let made = Numbered {
        worker: u8::try_from(worker).expect("it is a small number"),
        workers: u8::try_from(workers).expect("it is a small number"),
        generation,
        random: aws_lc_rs::default_provider().secure_random,
    };
    config.cid_generator(move || Box::new(made));
}

/// Which process made the connection ID to which a packet is sent, if one of this gate's did.
pub(super) fn generation_of(packet: &[u8]) -> Option<u8> {
    let first = *packet.first()?;
    let id = if first & LONG == 0 {
        packet.get(1..=LENGTH)?
    } else {
        // RFC 9000 §17.2: a version of four bytes, then the length of the ID.
        let length = usize::from(*packet.get(5)?);
        packet.get(6..6 + length)?
    };
    let id: &[u8; LENGTH] = id.try_into().ok()?;
    (id[CHECKED..] == check(id)).then_some(id[1])
}

/// The last bytes of an ID, made of the others. It guards nothing: who makes one up on purpose reaches an older process that
/// doesn't know it either.
fn check(id: &[u8; LENGTH]) -> [u8; LENGTH - CHECKED] {
    let mut checked = [0; CHECKED];
    checked.copy_from_slice(&id[..CHECKED]);
    let mixed = u64::from_be_bytes(checked).wrapping_mul(MIXER).to_be_bytes();
    [mixed[0], mixed[1]]
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
        step((libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 2, 0), u32::from(LONG)),
        step(load, 1),
        step((libc::BPF_JMP | libc::BPF_JA, 0, 0), 1),
        step(load, 6),
        step((libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K, 0, 0), workers),
        step((libc::BPF_RET | libc::BPF_A, 0, 0), 0),
    ]
}

/// Makes connection IDs whose first bytes say the worker and the process.
#[derive(Clone, Copy)]
struct Numbered {
    worker: u8,
    workers: u8,
    generation: u8,
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
        bytes[1] = self.generation;
        let check = check(&bytes);
        bytes[CHECKED..].copy_from_slice(&check);
        ConnectionId::new(&bytes)
    }

    fn cid_len(&self) -> usize {
        LENGTH
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}

/// An ID of a process of that generation.
#[cfg(test)]
pub(super) fn example(generation: u8) -> Vec<u8> {
    let mut made = Numbered {
        worker: 1,
        workers: 2,
        generation,
        random: aws_lc_rs::default_provider().secure_random,
    };
    made.generate_cid().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_ids_lead_back_to_their_worker_and_process() {
        for workers in [1, 2, 3, 7, 64] {
            for worker in 0..workers {
                let random = aws_lc_rs::default_provider().secure_random;
                let mut made = Numbered {
                    worker,
                    workers,
                    generation: 200,
                    random,
                };
                for _ in 0..100 {
                    let id = made.generate_cid();
                    assert_eq!(id[0] % workers, worker);
                    let short = [&[0x41], &id[..], b"content"].concat();
                    assert_eq!(generation_of(&short), Some(200));
                    let long = [&[0xC1, 0, 0, 0, 1, 10], &id[..], b"content"].concat();
                    assert_eq!(generation_of(&long), Some(200));
                }
            }
        }
    }

    #[test]
    fn what_clients_make_up_is_of_no_process() {
        assert_eq!(generation_of(&[]), None);
        assert_eq!(generation_of(&[0x40]), None);
        assert_eq!(generation_of(&[0xC0, 0, 0, 0, 1]), None);
        assert_eq!(generation_of(&[0xC0, 0, 0, 0, 1, 200, 1]), None);
        let random = aws_lc_rs::default_provider().secure_random;
        let taken = (0..1000).filter(|_| {
            let mut packet = [0; 40];
            random.fill(&mut packet).expect("random bytes");
            packet[..6].copy_from_slice(&[0xC0, 0, 0, 0, 1, 10]);
            generation_of(&packet).is_some()
        });
        // One of 65,536 is.
        assert!(taken.count() < 3);
    }
}
