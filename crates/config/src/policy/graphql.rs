//! What GraphQL may ask for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::defaults::policies as defaults;
use crate::policy::mode::Mode;
use crate::schema::form;
use crate::units;

/// Limits what a GraphQL request may ask for, without knowing the schema. Fragments count wherever they are spread. Limits are refused
/// with 422, what isn't allowed with 403, and what can't be read with 400. Of several that apply to a route, the last one counts.
///
/// Requests are `POST` with `application/json` or `application/graphql`, or `GET` with `query` in the URL, which may only query.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GraphQl {
    /// How deep fields may stand in each other.
    #[schemars(range(min = 1, max = 100))]
    pub depth: u32,
    /// What a request may cost, with all operations of a batch.
    pub cost: Cost,
    /// The most fields of an operation that get another name. Each alias is a field once more.
    pub aliases: u32,
    /// The most directives of an operation.
    pub directives: u32,
    /// The most fields at the root of an operation.
    #[schemars(range(min = 1))]
    pub root_fields: u32,
    /// The kinds of operations that are allowed. A subscription holds a connection for as long as it likes.
    #[schemars(length(min = 1), transform = form::single)]
    pub kinds: Vec<OperationKind>,
    /// The most operations in a document, of which one is run.
    #[schemars(range(min = 1, max = 100))]
    pub operations: u32,
    /// The most requests in a list of them. By default none is taken: limits of rates count a list as one.
    #[schemars(range(min = 0, max = 1000))]
    pub batch: u32,
    /// Whether the schema may be asked for (`__schema` and `__type`).
    pub introspection: bool,
    /// The names that operations may have. By default any, and none.
    pub names: Vec<String>,
    /// SHA-256 of the documents that are allowed, in hexadecimal digits. By default any. A request that sends no document but its
    /// hash (`extensions.persistedQuery.sha256Hash`) passes with one of these.
    #[schemars(transform = form::items("sha256"))]
    pub hashes: Vec<String>,
    /// Whether other requests without a document pass, too: the service knows what their hash stands for, and the gate can't judge it.
    pub persisted: bool,
    /// Whether a client may switch to WebSocket. What goes over it isn't judged.
    pub websocket: bool,
    /// The longest document in tokens; blanks and comments count, too.
    #[schemars(range(min = 1))]
    pub tokens: u32,
    /// The largest content (413): it is read whole before the request goes on.
    pub max_body: units::ByteSize,
    /// Whether what is found is refused. In `report`, a request that can't be read whole passes unread.
    pub mode: Mode,
}

/// What a request may cost: each field costs 1, and what stands in a list costs as often as the list has items. Short form: `max`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("max"))]
pub struct Cost {
    /// The most that a request may cost.
    #[schemars(range(min = 1))]
    pub max: u64,
    /// The arguments that say how many items a list has, wherever they stand in the arguments of a field.
    pub arguments: Vec<String>,
    /// The number of items where such an argument is none above 0, or a variable that has no value.
    #[schemars(range(min = 1))]
    pub default: u32,
}

/// A kind of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// It only reads.
    Query,
    /// It changes something.
    Mutation,
    /// It is told what happens for as long as it is connected.
    Subscription,
}

impl Default for GraphQl {
    fn default() -> GraphQl {
        defaults::graphql()
    }
}

impl Default for Cost {
    fn default() -> Cost {
        defaults::graphql_cost()
    }
}
