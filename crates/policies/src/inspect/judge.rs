//! What judges: rules in SecLang, or those of the gate's own.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use portcullis_config::policy::inspect::Inspect as Written;
use portcullis_config::policy::mode::Mode;
use portcullis_core::{Ctx, Request, Response, Version};
use portcullis_waf::embedded::{self, Message};
use portcullis_waf::seclang::{Acting, Ends, Hit, Options, Problem, RuleSet, Source, Transaction};

use super::exclusions;
use super::rule_sets::RuleSets;

/// The word for rules of the gate's own.
const EMBEDDED: &str = "embedded";

/// How many bytes rules may look at for one request, all together: what the Core Rule Set looks at for a body of 128 KiB is a
/// fraction of it, and it takes a good part of a second.
const MOST_WORK: u64 = 256 << 20;

/// What is true of every rule set, whatever files the operator has. Numbers of rules are from a range that nobody else uses.
const COMMON: &str = r#"
SecRequestBodyAccess On
SecAction "id:9900000,phase:1,pass,nolog,setvar:tx.crs_setup_version=400"
SecRule REQBODY_ERROR "@eq 1" "id:9900001,phase:2,deny,log,msg:'The content is not what its type says'"
SecRule MULTIPART_INVALID_QUOTING|MULTIPART_INVALID_HEADER_FOLDING|MULTIPART_UNMATCHED_BOUNDARY|MULTIPART_MISSING_SEMICOLON \
    "@eq 1" "id:9900002,phase:2,deny,log,msg:'The form could be read in several ways'"
"#;

/// Rules, compiled.
pub(super) enum Judge {
    Rules {
        rules: Arc<RuleSet>,
        responses: bool,
    },
    /// With the paths that are passed over.
    Embedded(Vec<Box<str>>),
}

/// One request on its way through the rules. It can move to another thread.
pub(super) enum Judgement {
    Rules {
        transaction: Box<Transaction>,
        responses: bool,
        request: Bytes,
        whole: bool,
        response: Bytes,
    },
    Embedded(Box<Gathered>),
}

/// What the rules of the gate's own look at.
pub(super) struct Gathered {
    target: String,
    fields: Vec<(String, Vec<u8>)>,
    content: Bytes,
    found: Option<embedded::Finding>,
    unreadable: Option<&'static str>,
}

/// What was found.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) hits: Vec<Hit>,
    /// Whether that is a reason to refuse.
    pub(super) refused: bool,
    /// Whether it could not be judged to the end.
    pub(super) unfinished: bool,
    pub(super) score: Option<i64>,
}

impl Judge {
    pub(super) fn new(config: &Written, base: &Path, rule_sets: &RuleSets) -> Result<Judge, String> {
        if config.rules.iter().any(|rules| rules == EMBEDDED) {
            if config.rules.len() > 1 {
                return Err("`embedded` stands alone: the gate's own rules know no others".to_owned());
            }
            let passed_over = exclusions::paths_alone(&config.exclude)?;
            // Here, where configurations are made, and not on the worker that judges first.
            embedded::prepare();
            return Ok(Judge::Embedded(passed_over));
        }
        let excluded = exclusions::rules(&config.exclude)?;
        let mut sources = vec![
            Source::Text("inspect".to_owned(), COMMON.to_owned()),
            Source::Text("inspect.exclude".to_owned(), excluded.before),
        ];
        sources.extend(config.rules.iter().map(|path| Source::Path(base.join(path))));
        sources.push(Source::Text("inspect.exclude".to_owned(), excluded.after));
        let options = Options {
            pinned: pinned(config),
            acting: match config.mode {
                Mode::Enforce => Acting::Enforce,
                Mode::Report => Acting::Report,
            },
        };
        Ok(Judge::Rules {
            rules: rule_sets.load(&sources, &options)?,
            responses: config.responses,
        })
    }

    /// What in the files has no meaning here: each thing once, with its first place.
    pub(super) fn warnings(&self) -> Vec<String> {
        let Judge::Rules { rules, .. } = self else {
            return Vec::new();
        };
        let mut told: Vec<(&Problem, usize)> = Vec::new();
        for warning in rules.warnings() {
            match told.iter_mut().find(|(known, _)| known.message == warning.message) {
                Some((_, more)) => *more += 1,
                None => told.push((warning, 0)),
            }
        }
        let lines = told.into_iter().map(|(warning, more)| match more {
            0 => warning.to_string(),
            more => format!("{warning}; the same at {more} places more"),
        });
        lines.collect()
    }

    /// Whether requests for that path are not looked at.
    pub(super) fn passes_over(&self, path: &str) -> bool {
        match self {
            Judge::Rules { .. } => false,
            Judge::Embedded(paths) => paths.iter().any(|over| exclusions::is_below(path, over)),
        }
    }

    /// Judges the head.
    pub(super) fn head(&self, cx: &Ctx, request: &Request) -> Judgement {
        match self {
            Judge::Rules { rules, responses } => Judgement::Rules {
                transaction: Box::new(begin(rules, cx, request)),
                responses: *responses,
                request: Bytes::new(),
                whole: true,
                response: Bytes::new(),
            },
            Judge::Embedded(_) => {
                let fields = request.headers.iter();
                Judgement::Embedded(Box::new(Gathered {
                    target: request.target.as_str().to_owned(),
                    fields: fields
                        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_vec()))
                        .collect(),
                    content: Bytes::new(),
                    found: None,
                    unreadable: None,
                }))
            }
        }
    }
}

/// What the file says goes before what rule files say; names are those of the Core Rule Set 4 and 3.
fn pinned(config: &Written) -> Vec<(String, String)> {
    let paranoia = config.paranoia.map(u32::from);
    [
        ("blocking_paranoia_level", paranoia),
        ("detection_paranoia_level", paranoia),
        ("paranoia_level", paranoia),
        ("executing_paranoia_level", paranoia),
        ("inbound_anomaly_score_threshold", config.inbound_threshold),
        ("outbound_anomaly_score_threshold", config.outbound_threshold),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?.to_string())))
    .collect()
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
        Version::Http2 => "HTTP/2.0",
        Version::Http3 => "HTTP/3.0",
    }
}

fn begin(rules: &Arc<RuleSet>, cx: &Ctx, request: &Request) -> Transaction {
    let mut transaction = Transaction::new(Arc::clone(rules), MOST_WORK);
    transaction.ends(&Ends {
        client: cx.client,
        client_port: cx.connection.peer.port(),
        server: cx.connection.local.ip(),
        server_port: cx.connection.local.port(),
        request_id: cx.request_id.as_str(),
    });
    let target = request.target.as_str().as_bytes();
    transaction.request_line(request.method.as_str(), target, protocol(request.version));
    for (name, value) in request.headers.iter() {
        transaction.request_header(name, value);
    }
    // The wire keeps framing to itself; rules ask how the length of a body is said.
    if request.version <= Version::Http11 && request.body.remaining().is_none() {
        transaction.request_header("Transfer-Encoding", b"chunked");
    }
    transaction.end_of_head();
    transaction.judge_head();
    transaction
}

impl Judgement {
    /// Whether a rule has decided.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Judgement::Rules { transaction, .. } => transaction.refusal().is_some_and(|refusal| !refusal.only_reported),
            Judgement::Embedded(_) => false,
        }
    }

    pub(super) fn wants_body(&self) -> bool {
        match self {
            Judgement::Rules { transaction, .. } => transaction.wants_body(),
            Judgement::Embedded(_) => true,
        }
    }

    /// That the body can't be looked at.
    pub(super) fn cannot_read(&mut self, message: &'static str) {
        match self {
            Judgement::Rules { transaction, .. } => transaction.cannot_read(message),
            Judgement::Embedded(gathered) => gathered.unreadable = Some(message),
        }
    }

    /// Gives it the request's body or the first part of it, to be judged.
    pub(super) fn set_request(&mut self, content: Bytes, is_whole: bool) {
        match self {
            Judgement::Rules { request, whole, .. } => (*request, *whole) = (content, is_whole),
            Judgement::Embedded(gathered) => gathered.content = content,
        }
    }

    /// Judges the request, whole.
    pub(super) fn request_body(&mut self) {
        match self {
            Judgement::Rules {
                transaction,
                request,
                whole,
                ..
            } => {
                transaction.request_body(&std::mem::take(request), *whole);
                transaction.judge_body();
            }
            Judgement::Embedded(gathered) => gathered.judge(),
        }
    }

    /// Judges the head of the response.
    pub(super) fn response_head(&mut self, response: &Response) {
        if let Judgement::Rules { transaction, .. } = self {
            transaction.response_line(response.status.code(), "HTTP/1.1");
            for (name, value) in response.headers.iter() {
                transaction.response_header(name, value);
            }
            transaction.judge_response_head();
        }
    }

    /// Gives it the response's body, to be judged.
    pub(super) fn set_response(&mut self, content: Bytes) {
        if let Judgement::Rules { response, .. } = self {
            *response = content;
        }
    }

    /// Judges the response, whole.
    pub(super) fn response_body(&mut self) {
        if let Judgement::Rules {
            transaction, response, ..
        } = self
        {
            transaction.response_body(&std::mem::take(response));
            transaction.judge_response_body();
        }
    }

    /// The rules that only tell, for the audit log.
    pub(super) fn close(&mut self) {
        if let Judgement::Rules { transaction, .. } = self {
            transaction.conclude();
        }
    }

    /// What was found, if anything was.
    pub(super) fn judged(&self) -> Option<Judged> {
        match self {
            Judgement::Rules {
                transaction, responses, ..
            } => {
                if transaction.hits().is_empty() && transaction.refusal().is_none() {
                    return None;
                }
                let score = |direction| {
                    let name = format!("blocking_{direction}_anomaly_score");
                    transaction.number(&name)
                };
                let outbound = if *responses { score("outbound") } else { None };
                let score = score("inbound")
                    .max(outbound)
                    .or_else(|| transaction.number("anomaly_score"));
                let unfinished = transaction.refusal().is_some_and(|refusal| refusal.rule == 0);
                Some(Judged {
                    hits: transaction.hits().to_vec(),
                    refused: transaction.refusal().is_some(),
                    unfinished,
                    score,
                })
            }
            Judgement::Embedded(gathered) => gathered.judged(),
        }
    }
}

impl Gathered {
    fn judge(&mut self) {
        let fields = self.fields.iter();
        let fields: Vec<(&str, &[u8])> = fields.map(|(name, value)| (&**name, &**value)).collect();
        self.found = embedded::judge(&Message {
            target: self.target.as_bytes(),
            fields: &fields,
            content: &self.content,
        });
    }

    fn judged(&self) -> Option<Judged> {
        let (message, variable) = match (&self.found, self.unreadable) {
            (Some(found), _) => (found.kind.name(), found.place.to_string()),
            (None, Some(message)) => (message, String::new()),
            (None, None) => return None,
        };
        Some(Judged {
            hits: vec![Hit {
                rule: 0,
                message: message.to_owned(),
                data: String::new(),
                variables: vec![variable],
                severity: Some(2),
                tags: Arc::new([]),
                refuses: true,
            }],
            refused: true,
            unfinished: self.found.is_none(),
            score: None,
        })
    }
}

impl Judged {
    /// Why it is refused, for the log: the rules, without anything that the client sent.
    pub(super) fn reason(&self) -> String {
        let hits = self.hits.iter().filter(|hit| !hit.message.is_empty()).take(8);
        let told: Vec<String> = hits
            .map(|hit| match hit.rule {
                0 => hit.message.clone(),
                rule => format!("rule {rule}"),
            })
            .collect();
        told.join(", ")
    }
}
