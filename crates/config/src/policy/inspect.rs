//! Inspection of requests for attacks.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::defaults::policies as defaults;
use crate::policy::mode::Mode;
use crate::policy::on_failure::OnFailure;
use crate::schema::form;
use crate::units;

/// Looks for attacks in requests (403, `request_blocked`), by rules in SecLang such as the OWASP Core Rule Set or by rules of the
/// gate's own. The answer says nothing of what was found; the log and the audit log do.
///
/// A body is read before the request goes on. Bodies of gRPC are streams and pass, as does what follows an upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Inspect {
    /// Rules in SecLang: files, or folders, of which `crs-setup.conf` is read first, then the other `*.conf`, then those of the
    /// folder `rules` in it. Or `embedded`: rules of the gate's own, which find injected SQL and scripts by their tokens, and
    /// paths, lines, commands and the like where no honest value has them.
    #[schemars(length(min = 1, max = 100), transform = form::single)]
    pub rules: Vec<String>,
    /// How much the Core Rule Set suspects, from 1 to 4: each level finds more, and stops more that is honest. By default as its
    /// `crs-setup.conf` says; that is 1.
    #[schemars(range(min = 1, max = 4))]
    pub paranoia: Option<u8>,
    /// The score from which on the Core Rule Set refuses a request. By default as its `crs-setup.conf` says; that is 5, which one
    /// critical match makes.
    #[schemars(range(min = 1, max = 10_000))]
    pub inbound_threshold: Option<u32>,
    /// The score from which on the Core Rule Set refuses a response. By default as its `crs-setup.conf` says; that is 4.
    #[schemars(range(min = 1, max = 10_000))]
    pub outbound_threshold: Option<u32>,
    /// Whether what is found is refused, or only told, whatever `SecRuleEngine` says in the files.
    pub mode: Mode,
    /// What is left out: rules that find something where it is meant to be.
    #[schemars(length(max = 1_000), transform = form::single)]
    pub exclude: Vec<Exclusion>,
    /// How much of a body is looked at.
    pub body: units::ByteSize,
    /// What happens to a body that is larger.
    pub larger_body: LargerBody,
    /// Whether responses are looked at, too: text, HTML, JSON and XML, as much of each as of a request. Then upstreams are asked
    /// not to encode them, and a response waits until so much of it is there.
    pub responses: bool,
    /// A file that gets a line for each request in which something was found, as a JSON object. Values are not repeated, but for
    /// the piece that a rule matched; and not even that where the name speaks of a password, a token or the like.
    #[schemars(extend("format" = "path"))]
    pub audit_log: Option<PathBuf>,
    /// What becomes of a request that can't be inspected to the end, since its content is encoded or it would be more work than
    /// is allowed.
    pub on_failure: OnFailure,
}

/// What is left out. At least one of the words must be there; all that are must apply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Exclusion {
    /// The rule of that number.
    #[schemars(range(min = 1))]
    pub rule: Option<u32>,
    /// The rules with that tag, such as `attack-sqli`.
    #[schemars(length(min = 1, max = 200))]
    pub tag: Option<String>,
    /// The variable that they don't look at, such as `ARGS:password`. Without it, they look at nothing.
    #[schemars(length(min = 1, max = 200))]
    pub target: Option<String>,
    /// The path to which this applies, with all below it. Without it, it applies to all.
    #[schemars(extend("format" = "path-prefix"), length(min = 1, max = 1_000))]
    pub path: Option<String>,
}

/// What happens to a body that is larger than what is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LargerBody {
    /// It is refused (413).
    #[default]
    Refuse,
    /// Its first part is looked at, as text, and all of it passes. An attack may stand behind.
    FirstPart,
}

impl Default for Inspect {
    fn default() -> Inspect {
        Inspect {
            rules: vec!["embedded".to_owned()],
            paranoia: None,
            inbound_threshold: None,
            outbound_threshold: None,
            mode: Mode::default(),
            exclude: Vec::new(),
            body: defaults::inspected_body(),
            larger_body: LargerBody::default(),
            responses: false,
            audit_log: None,
            on_failure: OnFailure::default(),
        }
    }
}
