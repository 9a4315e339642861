//! A server of DNS whose every answer a test decides.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A server of DNS. It lives as long as the tests do.
pub(crate) struct NameServer {
    address: SocketAddr,
    known: Arc<Known>,
}

#[derive(Default)]
struct Known {
    records: Mutex<HashMap<String, Vec<Record>>>,
    /// Whether it says nothing to anybody.
    silent: Mutex<bool>,
    asked: AtomicUsize,
}

/// What a name has.
#[derive(Clone)]
pub(crate) enum Record {
    Address(IpAddr),
    Service {
        priority: u16,
        weight: u16,
        port: u16,
        host: &'static str,
    },
}

const A: u16 = 1;
const AAAA: u16 = 28;
const SRV: u16 = 33;

/// How long answers hold, in seconds.
const TIME_TO_LIVE: u32 = 1;

impl NameServer {
    pub(crate) fn new() -> NameServer {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let known = Arc::new(Known::default());
        let answering = known.clone();
        std::thread::spawn(move || {
            let mut question = [0; 1500];
            while let Ok((length, peer)) = socket.recv_from(&mut question) {
                answering.asked.fetch_add(1, Ordering::SeqCst);
                if !*answering.silent.lock().unwrap() {
                    let _ = socket.send_to(&answering.answer(&question[..length]), peer);
                }
            }
        });
        NameServer { address, known }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.known.asked.load(Ordering::SeqCst)
    }

    /// From now on a name has these records.
    pub(crate) fn set(&self, name: &str, records: Vec<Record>) {
        self.known.records.lock().unwrap().insert(name.to_owned(), records);
    }

    /// From now on a name has these addresses.
    pub(crate) fn set_addresses(&self, name: &str, addresses: &[&str]) {
        let address = |text: &&str| Record::Address(text.parse().unwrap());
        self.set(name, addresses.iter().map(address).collect());
    }

    /// From now on it says nothing, or speaks again.
    pub(crate) fn set_silent(&self, silent: bool) {
        *self.known.silent.lock().unwrap() = silent;
    }
}

impl Known {
    /// The answer to a question (RFC 1035, section 4).
    fn answer(&self, question: &[u8]) -> Vec<u8> {
        let (name, end) = name_in(question);
        let kind = u16::from_be_bytes([question[end], question[end + 1]]);
        let records = self.records.lock().unwrap().get(&name.to_ascii_lowercase()).cloned();
        let answers: Vec<Vec<u8>> = records
            .iter()
            .flatten()
            .filter_map(|record| data_of(record, kind))
            .collect();
        let code = if records.is_some() { 0 } else { 3 };
        let mut message = question[..2].to_vec();
        // A response with authority, for a recursion that was wanted and is there.
        message.extend([0x85, 0x80 | code, 0, 1]);
        message.extend(u16::try_from(answers.len()).unwrap().to_be_bytes());
        message.extend([0, 0, 0, 0]);
        message.extend(&question[12..end + 4]);
        for data in answers {
            // The name is that of the question, which begins behind the header.
            message.extend([0xc0, 12]);
            message.extend(kind.to_be_bytes());
            message.extend([0, 1]);
            message.extend(TIME_TO_LIVE.to_be_bytes());
            message.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            message.extend(data);
        }
        message
    }
}

/// The name that a question asks for, and where it ends.
fn name_in(question: &[u8]) -> (String, usize) {
    let mut labels = Vec::new();
    let mut at = 12;
    while question[at] != 0 {
        let length = usize::from(question[at]);
        labels.push(String::from_utf8_lossy(&question[at + 1..=at + length]).into_owned());
        at += length + 1;
    }
    (labels.join("."), at + 1)
}

fn data_of(record: &Record, kind: u16) -> Option<Vec<u8>> {
    match (record, kind) {
        (Record::Address(IpAddr::V4(address)), A) => Some(address.octets().into()),
        (Record::Address(IpAddr::V6(address)), AAAA) => Some(address.octets().into()),
        (
            Record::Service {
                priority,
                weight,
                port,
                host,
            },
            SRV,
        ) => {
            let mut data: Vec<u8> = [*priority, *weight, *port]
                .iter()
                .flat_map(|it| it.to_be_bytes())
                .collect();
            for label in host.split('.') {
                data.push(u8::try_from(label.len()).unwrap());
                data.extend(label.bytes());
            }
            data.push(0);
            Some(data)
        }
        _ => None,
    }
}
