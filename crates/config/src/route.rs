//! Routes: which requests, what guards them, who answers.

pub mod mirror;
pub mod priority;
pub mod rollout;
pub mod split;
pub mod tables;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::defaults;
use crate::policy::PolicySet;
use crate::schema::form;

/// Which requests it claims, what guards them, and who answers.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::also("host", "hosts"), transform = form::also("method", "methods"))]
pub struct Route {
    /// Its name in logs, metrics and limits. By default host and path, with ` #2`, ` #3` and so on where that is taken.
    #[serde(default)]
    #[schemars(extend("format" = "label"))]
    pub name: Option<String>,
    /// Hosts that it claims: `example.com`, or `*.example.com` for one or more labels. By default every host.
    #[serde(default)]
    #[schemars(transform = form::items("host-pattern"), transform = form::single)]
    pub host: Vec<String>,
    /// The path: `/exact`, `/items/{id}` and `/items/*` for one segment, `/prefix/**` for the prefix and all below it.
    #[schemars(extend("format" = "path-pattern"))]
    pub path: String,
    /// Methods that it claims. By default all.
    #[serde(default)]
    #[schemars(transform = form::items("method"), transform = form::single)]
    pub method: Vec<String>,
    /// Header fields that the request must have, with exactly this value, or with any: `"*"`.
    #[serde(default)]
    #[schemars(transform = form::keys("field-name"))]
    pub headers: BTreeMap<String, String>,
    /// Query parameters that the request must have, with exactly this value, or with any: `"*"`.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Policies: names of sets, or sets written out.
    #[serde(default)]
    #[schemars(transform = form::single)]
    pub policies: Vec<PolicyRef>,
    /// What its requests are worth while the node is at its limit; see `overload`.
    #[serde(default)]
    pub priority: priority::Priority,
    /// What must hold of its requests, such as `p99 < 50ms` or `errors < 0.1%`. Nothing is refused or slowed down for it:
    /// `portcullis bench` judges by it.
    #[serde(default)]
    #[schemars(transform = form::items("objective"), transform = form::single)]
    pub objectives: Vec<String>,
    /// Who answers.
    pub to: To,
}

/// A named set of policies, or one written out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PolicyRef {
    /// The name of a set under `policies`.
    #[schemars(extend("x-names" = "policies"))]
    Name(String),
    /// A set for this route alone.
    Inline(Box<PolicySet>),
}

/// What a route ends in.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum To {
    /// A pool of upstream servers.
    Service(ToService),
    /// Several pools that share the requests.
    Split(split::ToSplit),
    /// A pool that takes the place of another one step by step.
    Rollout(rollout::ToRollout),
    /// A table of a database.
    Table(Box<tables::ToTable>),
    /// Several tables of a database.
    Tables(Box<tables::ToTables>),
    /// Files of a folder.
    Files(ToFiles),
    /// A fixed answer.
    Respond(ToRespond),
    /// A redirection.
    Redirect(ToRedirect),
}

/// A pool of upstream servers.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToService {
    /// The name of a service under `services`.
    #[schemars(extend("x-names" = "services"))]
    pub service: String,
    /// A prefix of the path that the targets don't see. It must end between two segments.
    #[serde(default)]
    #[schemars(extend("format" = "path-prefix"))]
    pub strip: Option<String>,
    /// A service that gets a copy of the requests; its answers are thrown away.
    #[serde(default)]
    pub mirror: Option<mirror::Mirror>,
}

impl To {
    /// The services that it needs, by their names under `services`.
    pub fn services(&self) -> Vec<&str> {
        let (mut services, mirror): (Vec<&str>, _) = match self {
            To::Service(to) => (vec![&to.service], to.mirror.as_ref()),
            To::Split(to) => (
                to.split.iter().map(|part| part.service.as_str()).collect(),
                to.mirror.as_ref(),
            ),
            To::Rollout(to) => (vec![&to.rollout.from, &to.rollout.to], None),
            To::Table(_) | To::Tables(_) | To::Files(_) | To::Respond(_) | To::Redirect(_) => (Vec::new(), None),
        };
        services.extend(mirror.map(|mirror| mirror.service.as_str()));
        services
    }

    /// The database that it leads to, by its name under `databases`.
    pub fn database(&self) -> Option<&str> {
        match self {
            To::Table(to) => Some(to.parts().0),
            To::Tables(to) => Some(&to.tables.database),
            _ => None,
        }
    }

    /// The prefix of the path that whoever answers doesn't see.
    pub fn strip(&self) -> Option<&str> {
        match self {
            To::Service(to) => to.strip.as_deref(),
            To::Split(to) => to.strip.as_deref(),
            To::Rollout(to) => to.strip.as_deref(),
            To::Files(to) => to.strip.as_deref(),
            To::Table(_) | To::Tables(_) | To::Respond(_) | To::Redirect(_) => None,
        }
    }
}

/// Files of a folder.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToFiles {
    /// The folder, relative to the configuration file. Nothing outside of it is ever served.
    #[schemars(extend("format" = "path"))]
    pub files: PathBuf,
    /// A prefix of the path that is no folder. By default the fixed part of the route's path.
    #[serde(default)]
    #[schemars(extend("format" = "path-prefix"))]
    pub strip: Option<String>,
    /// The file that answers for a folder.
    #[serde(default = "defaults::index_file")]
    #[schemars(extend("format" = "file-name"))]
    pub index: String,
    /// A file that answers where there is none, with 200: for pages that route by themselves.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub fallback: Option<String>,
    /// The `Cache-Control` of answers.
    #[serde(default)]
    #[schemars(extend("format" = "field-value"))]
    pub cache_control: Option<String>,
}

/// A fixed answer. Short form: the text of its body.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToRespond {
    /// The answer.
    pub respond: FixedResponse,
}

/// A fixed answer. Short form: the text of its body, with status 200.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("body"))]
pub struct FixedResponse {
    /// Its status, 200 to 599.
    #[serde(default = "defaults::respond_status")]
    #[schemars(range(min = 200, max = 599))]
    pub status: u16,
    /// Its body.
    #[serde(default)]
    pub body: String,
    /// The type of the body.
    #[serde(default = "defaults::respond_content_type")]
    #[schemars(extend("format" = "field-value"))]
    pub content_type: String,
    /// More fields.
    #[serde(default)]
    #[schemars(transform = form::keys("editable-field-name"), transform = form::values("field-value"))]
    pub headers: BTreeMap<String, String>,
}

/// A redirection.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToRedirect {
    /// Where to. Short form: the URL.
    pub redirect: Redirect,
}

/// Where a redirection leads. Short form: the URL, with status 308.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("url"))]
pub struct Redirect {
    /// An absolute URL or path. `{scheme}`, `{host}`, `{path}`, `{query}` and the route's own parameters are put in;
    /// `{query}` brings its question mark.
    #[schemars(extend("format" = "redirect-url"))]
    pub url: String,
    /// 301, 302, 303, 307 or 308.
    #[serde(default = "defaults::redirect_status")]
    #[schemars(extend("enum" = [301, 302, 303, 307, 308]))]
    pub status: u16,
}
