//! What may leave.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::defaults::policies as defaults;
use crate::schema::form;
use crate::units;

/// Limits what responses of the backend tell. Fields of JSON are named by their path: `user.password`, `*` for every
/// member of an object or list (`items.*.cost`), `**` for any depth (`**.password`). JSON is what has a type of JSON or none at all:
/// a backend that calls its JSON `text/html` has to be mended first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reveal {
    /// Header fields that are taken out. By default those that tell what the backend runs on.
    #[schemars(transform = form::items("field-name"))]
    pub remove_headers: Vec<String>,
    /// Which error pages of the backend are replaced by a problem document of the gate's, for they may tell of stacks, statements
    /// and addresses.
    pub errors: ReplacedErrors,
    /// The fields that responses may have; all others are taken out. By default all may stay.
    pub allow: Vec<String>,
    /// Fields that are taken out.
    pub remove: Vec<HiddenField>,
    /// Fields whose value is covered with asterisks.
    pub mask: Vec<MaskedField>,
    /// What is looked for in all texts of a response, and covered with asterisks wherever it stands.
    pub find: Vec<Findable>,
    /// The largest response of which the content is looked at, for `allow`, `remove`, `mask` and `find`: it is read whole, decompressed by
    /// the backend, and larger ones are refused (502).
    pub inspected: units::ByteSize,
    /// The largest response at all. One that says it is larger is refused (502), one that turns out to be is broken off.
    pub max_body: Option<units::ByteSize>,
}

impl Default for Reveal {
    fn default() -> Reveal {
        Reveal {
            remove_headers: defaults::reveal_headers(),
            errors: ReplacedErrors::default(),
            allow: Vec::new(),
            remove: Vec::new(),
            mask: Vec::new(),
            find: Vec::new(),
            inspected: defaults::reveal_inspected(),
            max_body: None,
        }
    }
}

/// Which error pages of the backend are replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplacedErrors {
    /// Those of failures: 5xx.
    #[default]
    Failures,
    /// 4xx, too.
    All,
    /// None.
    Nothing,
}

/// A field that is taken out. Short form: the path.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("path"))]
pub struct HiddenField {
    /// Where it is.
    pub path: String,
    /// Consumers with one of these roles see it.
    #[serde(default)]
    pub unless_role: Vec<String>,
}

/// A field whose value is covered. Short form: the path.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("path"))]
pub struct MaskedField {
    /// Where it is.
    pub path: String,
    /// How many characters at the end stay, if there are at least twice as many.
    #[serde(default)]
    #[schemars(range(max = 16))]
    pub keep_last: u8,
    /// Consumers with one of these roles see it.
    #[serde(default)]
    pub unless_role: Vec<String>,
}

/// What can be looked for in texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Findable {
    /// Numbers of payment cards, of 13 to 19 digits with a right check digit. The last four digits stay.
    CardNumbers,
    /// Keys and tokens that can be told by their form: private keys in PEM, JSON Web Tokens, those of well-known providers, and the
    /// gate's own.
    Keys,
}
