//! What an old process and a new one say to each other.

use serde::{Deserialize, Serialize};

use crate::snapshot::ListenerKey;

/// The variable that tells a process that its standard input is a line to the one that started it. Its value is the
/// version of what they say.
pub(super) const VARIABLE: &str = "PORTCULLIS_TAKES_OVER";

/// The version of all this. A change that an older program would take for something else needs another one.
pub(super) const VERSION: &str = "1";

/// What they say, in this order. What a later version says beside it is ignored.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub(super) enum Message {
    /// Old: these sockets come with this message.
    Sockets { sockets: Vec<Described> },
    /// Old: those were all.
    Offer(Offer),
    /// New: the sockets with these numbers will be served, counted from 0 over all messages; and nothing can fail any more.
    Ready { kept: Vec<usize> },
    /// Old: serve. What is to live on comes with this message. Where the configuration was reloaded meanwhile, the new one is
    /// to look at it again.
    Yours { reload: bool },
}

/// What the old process says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Offer {
    pub(crate) pid: u32,
    /// Which process it is since the first one, modulo 256. Connection IDs of QUIC carry it.
    pub(crate) generation: u8,
    /// Upgrades that came to something, and those that did not.
    pub(crate) upgrades: u64,
    pub(crate) upgrades_failed: u64,
}

/// What a socket is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Described {
    /// What the configuration binds it to, and which of those with the same words it is.
    bind: String,
    nth: usize,
    pub(crate) kind: Kind,
}

/// What kind of socket it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A listener's, over TCP.
    Tcp,
    /// A listener's, at a path. Device and number of the file, where the gate made it and removes it.
    Unix { file: Option<(u64, u64)> },
    /// A listener's by QUIC: its place among those that share the address, and how many they are.
    Udp { place: usize, of: usize },
    /// Leads to an older process that still has connections by QUIC at that place.
    Elder { place: usize, generation: u8 },
    /// Where operators ask.
    Admin,
}

impl Described {
    /// A socket of a listener.
    pub(crate) fn of(key: ListenerKey, kind: Kind) -> Described {
        Described {
            bind: key.bind.to_string(),
            nth: key.nth,
            kind,
        }
    }

    /// The operators' socket.
    pub(crate) fn admin(bind: std::net::SocketAddr) -> Described {
        Described {
            bind: bind.to_string(),
            nth: 0,
            kind: Kind::Admin,
        }
    }

    /// Whether it belongs to this listener.
    pub(crate) fn is_of(&self, key: ListenerKey) -> bool {
        self.kind != Kind::Admin && self.nth == key.nth && self.bind == key.bind.to_string()
    }

    /// Whether it is where operators ask, bound to this.
    pub(crate) fn is_admin(&self, bind: std::net::SocketAddr) -> bool {
        self.kind == Kind::Admin && self.bind == bind.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next version of the program must understand this one: a change here is a change of `VERSION`.
    #[test]
    fn what_is_said_stays_the_same() {
        let check = |message: Message, text: &str| {
            assert_eq!(serde_json::to_string(&message).expect("it has a text"), text);
            assert_eq!(serde_json::from_str::<Message>(text).expect("it is read"), message);
        };
        let socket = |bind: &str, kind| Described {
            bind: bind.to_owned(),
            nth: 0,
            kind,
        };
        check(
            Message::Sockets {
                sockets: vec![
                    socket("127.0.0.1:80", Kind::Tcp),
                    socket("unix:/run/gate", Kind::Unix { file: Some((1, 2)) }),
                    socket("127.0.0.1:443", Kind::Udp { place: 1, of: 2 }),
                ],
            },
            r#"{"say":"sockets","sockets":[{"bind":"127.0.0.1:80","nth":0,"kind":"tcp"},{"bind":"unix:/run/gate","nth":0,"kind":{"unix":{"file":[1,2]}}},{"bind":"127.0.0.1:443","nth":0,"kind":{"udp":{"place":1,"of":2}}}]}"#,
        );
        check(
            Message::Offer(Offer {
                pid: 7,
                generation: 1,
                upgrades: 2,
                upgrades_failed: 3,
            }),
            r#"{"say":"offer","pid":7,"generation":1,"upgrades":2,"upgrades_failed":3}"#,
        );
        check(Message::Ready { kept: vec![0, 2] }, r#"{"say":"ready","kept":[0,2]}"#);
        check(Message::Yours { reload: false }, r#"{"say":"yours","reload":false}"#);
    }

    #[test]
    fn what_a_later_version_adds_is_ignored() {
        let message = serde_json::from_str::<Message>(r#"{"say":"ready","kept":[],"more":1}"#);
        assert_eq!(message.expect("it is read"), Message::Ready { kept: Vec::new() });
    }
}
