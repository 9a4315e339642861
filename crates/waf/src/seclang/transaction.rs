//! One request, and its response, as rules see them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::action::{Allowed, Engine, Processor};
use super::rules::RuleSet;
use super::texts::{Text, Texts};
use super::variable::{Name, Target};

/// The most that all texts of a transaction may take, in bytes. What a rule set makes of a body of the largest size is far less.
const MOST_TEXT: usize = 64 << 20;

/// One request on its way through the rules. It shares nothing that changes, and can move to another thread.
pub struct Transaction {
    pub(super) rules: Arc<RuleSet>,
    pub(super) texts: Texts,
    /// The facts of each variable.
    pub(super) facts: Vec<Vec<Fact>>,
    /// The values of `TX`, by their places; those that the rule set doesn't name stand behind.
    pub(super) tx: Vec<Text>,
    pub(super) tx_made: std::collections::HashMap<Box<[u8]>, usize>,
    /// Counts up when facts are added: what was found out before no longer holds.
    pub(super) epoch: u32,
    pub(super) resolved: Vec<Resolved>,
    pub(super) prepared: Vec<Prepared>,
    pub(super) values: Vec<Value>,
    pub(super) prepared_texts: Vec<Text>,
    /// What the rules of the current chain have matched.
    pub(super) matched: Vec<Value>,
    pub(super) removed: Vec<bool>,
    pub(super) removed_targets: Vec<(Arc<[usize]>, Arc<Target>)>,
    pub(super) engine: Engine,
    pub(super) request_body_on: bool,
    pub(super) processor: Option<Processor>,
    pub(super) force_body: bool,
    pub(super) allowed: Option<Allowed>,
    pub(super) work: Work,
    pub(super) highest_severity: u8,
    pub(super) hits: Vec<Hit>,
    pub(super) refusal: Option<Refusal>,
    pub(super) began: Instant,
}

/// How much may be done for a transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    pub(super) done: u64,
    pub(super) most: u64,
}

/// One value of a variable that has names, or the value of one that has none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fact {
    pub(super) key: Text,
    pub(super) text: Text,
}

/// A value that a rule looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub(super) name: Name,
    pub(super) key: Text,
    pub(super) text: Text,
}

/// The values of a list of variables: a piece of [`Transaction::values`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Resolved {
    pub(super) epoch: u32,
    pub(super) start: usize,
    pub(super) length: usize,
}

/// What a chain made of the values of a list: a piece of [`Transaction::prepared_texts`], and what all of them hold.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Prepared {
    pub(super) epoch: u32,
    pub(super) start: usize,
    pub(super) set: super::bytes::ByteSet,
    pub(super) row: usize,
}

/// A rule that matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The rule's identifier.
    pub rule: u32,
    /// What it says of itself.
    pub message: String,
    /// What it found, as it says it. It may hold what the client sent, and so secrets.
    pub data: String,
    /// The variables that matched, such as `ARGS:id`: the first ones, the last one last.
    pub variables: Vec<String>,
    /// From 0 (emergency) to 7.
    pub severity: Option<u8>,
    /// What it belongs to.
    pub tags: Arc<[Box<str>]>,
    /// Whether it refuses the request, or would where rules only tell.
    pub refuses: bool,
}

/// What the rules say should be answered instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule that decided; 0 for a limit of the engine.
    pub rule: u32,
    /// The status it asks for.
    pub status: u16,
    /// Where it wants to send the client.
    pub redirect: Option<Arc<str>>,
    /// Whether the rules only tell, so that nothing is refused.
    pub only_reported: bool,
}

/// Who asks whom.
#[derive(Clone, Copy, Debug)]
pub struct Ends<'a> {
    /// The client's address.
    pub client: IpAddr,
    /// The client's port.
    pub client_port: u16,
    /// Our address.
    pub server: IpAddr,
    /// Our port.
    pub server_port: u16,
    /// The request's name.
    pub request_id: &'a str,
}

impl Transaction {
    /// A transaction of which nothing is known yet. `most_work` limits how many bytes rules may look at, all together; when
    /// it is used up the transaction is refused.
    pub fn new(rules: Arc<RuleSet>, most_work: u64) -> Transaction {
        let mut transaction = Transaction {
            texts: Texts::default(),
            facts: vec![Vec::new(); Name::COUNT],
            tx: vec![Text::NONE; rules.tx_names.len()],
            tx_made: std::collections::HashMap::new(),
            epoch: 1,
            resolved: vec![Resolved::default(); rules.lists.len()],
            prepared: vec![Prepared::default(); rules.pairs.len()],
            values: Vec::new(),
            prepared_texts: Vec::new(),
            matched: Vec::new(),
            removed: Vec::new(),
            removed_targets: Vec::new(),
            engine: rules.settings.engine,
            request_body_on: rules.settings.request_body,
            processor: None,
            force_body: false,
            allowed: None,
            work: Work {
                done: 0,
                most: most_work,
            },
            highest_severity: 255,
            hits: Vec::new(),
            refusal: None,
            began: Instant::now(),
            rules,
        };
        let rules = Arc::clone(&transaction.rules);
        for (place, value) in &rules.pinned {
            transaction.tx[*place] = transaction.texts.add(value);
        }
        transaction
    }

    /// The rules of phase 1: what the head of the request says.
    pub fn judge_head(&mut self) {
        self.run(1);
    }

    /// Whether the rules want to see the body.
    pub fn wants_body(&self) -> bool {
        self.request_body_on && self.engine != Engine::Off && !self.is_decided()
    }

    /// The rules of phase 2: the whole request. [`Transaction::request_body`] comes before, where there is one.
    pub fn judge_body(&mut self) {
        self.run(2);
    }

    /// The rules of phase 3: the head of the response.
    pub fn judge_response_head(&mut self) {
        self.allow_next();
        self.run(3);
    }

    /// The rules of phase 4: the response's body.
    pub fn judge_response_body(&mut self) {
        self.run(4);
    }

    /// The rules of phase 5, which only tell.
    pub fn conclude(&mut self) {
        let refusal = self.refusal.take();
        self.allowed = None;
        self.run(5);
        self.refusal = refusal;
    }

    /// The rules that matched and are to be told of, in their order.
    pub fn hits(&self) -> &[Hit] {
        &self.hits
    }

    /// What should be answered instead, once a rule has decided.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// A number that rules made, such as the anomaly score `blocking_inbound_anomaly_score`.
    pub fn number(&self, name: &str) -> Option<i64> {
        let place = self.rules.tx_names.get(name.as_bytes())?;
        let text = self.tx[*place];
        (text != Text::NONE).then(|| super::operator::number(self.texts.get(text)))
    }

    /// That something of the request can't be looked at, such as content that is encoded. It is refused.
    pub fn cannot_read(&mut self, message: &str) {
        self.exceed(message);
    }

    /// Whether a rule has decided what becomes of the request.
    pub(super) fn is_decided(&self) -> bool {
        self.refusal.as_ref().is_some_and(|refusal| !refusal.only_reported)
    }

    fn allow_next(&mut self) {
        if self.allowed == Some(Allowed::Request) {
            self.allowed = None;
        }
    }

    /// Counts work; false, and the transaction is refused, when there was too much of it.
    pub(super) fn spend(&mut self, bytes: usize) -> bool {
        // Asking costs something even where there is nothing to look at.
        self.work.done += bytes as u64 + 32;
        if self.work.done <= self.work.most && self.texts.size() <= MOST_TEXT {
            return true;
        }
        self.exceed("the rules would have to look at more than is allowed");
        false
    }

    /// Refuses a transaction that a limit of the engine stops: what can't be inspected doesn't pass.
    pub(super) fn exceed(&mut self, message: &str) {
        if self.refusal.as_ref().is_some_and(|refusal| refusal.rule == 0) {
            return;
        }
        self.hits.push(Hit {
            rule: 0,
            message: message.to_owned(),
            data: String::new(),
            variables: Vec::new(),
            severity: Some(2),
            tags: Arc::new([]),
            refuses: true,
        });
        self.refusal = Some(Refusal {
            rule: 0,
            status: 403,
            redirect: None,
            only_reported: self.engine == Engine::DetectionOnly,
        });
    }
}
