//! What a request asks for, however it is sent (GraphQL over HTTP, §5).

use portcullis_contract::{json, pairs};
use serde_json::{Map, Value};

use super::Wrong;
use crate::hexadecimal;

/// The deepest nesting of what is sent: of variables, mostly.
const DEEPEST: usize = 64;

/// The parameters that a request has.
const PARAMETERS: [&str; 4] = ["query", "operationName", "variables", "extensions"];

/// Names under which services look for a document that they know.
const NAMES_OF_DOCUMENTS: [&str; 5] = ["id", "documentId", "doc_id", "queryId", "hash"];

/// A request as it was sent.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Asked {
    pub(super) document: Option<String>,
    /// The name of the operation that is to be run.
    pub(super) operation: Option<String>,
    pub(super) variables: Map<String, Value>,
    /// SHA-256 of the document that is meant.
    pub(super) hash: Option<[u8; 32]>,
    /// Whether something else names a document.
    pub(super) is_named: bool,
}

impl Asked {
    /// A request that is nothing but a document.
    pub(super) fn of_document(content: &[u8]) -> Result<Asked, Wrong> {
        let document = std::str::from_utf8(content).map_err(|_| malformed("the document is no UTF-8"))?;
        Ok(Asked {
            document: Some(document.to_owned()),
            ..Asked::default()
        })
    }

    /// The parameters of a query (§5.3).
    pub(super) fn of_query(query: &str) -> Result<Asked, Wrong> {
        let mut given = Map::new();
        for pair in pairs::pairs(query).map_err(|why| malformed(why.words()))? {
            let is_known = PARAMETERS.contains(&pair.name.as_str());
            if !is_known && !NAMES_OF_DOCUMENTS.contains(&pair.name.as_str()) {
                continue;
            }
            let value = pair.value().map_err(|why| malformed(why.words()))?;
            let value = match pair.name.as_str() {
                "variables" | "extensions" => {
                    json::parse(value.as_bytes(), DEEPEST).map_err(|error| Wrong::Malformed(error.to_string()))?
                }
                _ => Value::String(value),
            };
            if given.insert(pair.name, value).is_some() {
                return Err(malformed("a parameter is there twice"));
            }
        }
        Asked::of_parameters(given)
    }

    /// The requests of a JSON text, and whether they are a list (§5.4).
    pub(super) fn of_json(content: &[u8], most: u32) -> Result<Vec<Asked>, Wrong> {
        let value = json::parse(content, DEEPEST).map_err(|error| Wrong::Malformed(error.to_string()))?;
        match value {
            Value::Object(parameters) => Ok(vec![Asked::of_parameters(parameters)?]),
            Value::Array(_) if most == 0 => Err(Wrong::TooMuch("a list of requests is not taken".to_owned())),
            Value::Array(requests) if requests.len() > most as usize => {
                Err(Wrong::TooMuch(format!("there are more than {most} requests")))
            }
            Value::Array(requests) => requests
                .into_iter()
                .map(|request| match request {
                    Value::Object(parameters) => Asked::of_parameters(parameters),
                    _ => Err(malformed("a request is no object")),
                })
                .collect(),
            _ => Err(malformed("the request is no object")),
        }
    }

    fn of_parameters(mut given: Map<String, Value>) -> Result<Asked, Wrong> {
        let text = |value: Option<Value>, what: &str| match value {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Wrong::Malformed(format!("`{what}` is no text"))),
        };
        let map = |value: Option<Value>, what: &str| match value {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map),
            Some(_) => Err(Wrong::Malformed(format!("`{what}` is no object"))),
        };
        let mut extensions = map(given.remove("extensions"), "extensions")?;
        let hash = match extensions.remove("persistedQuery") {
            None | Some(Value::Null) => None,
            Some(Value::Object(mut persisted)) => text(persisted.remove("sha256Hash"), "sha256Hash")?,
            Some(_) => return Err(malformed("`persistedQuery` is no object")),
        };
        let hash = match hash.as_deref().map(hexadecimal::digest) {
            Some(None) => return Err(malformed("`sha256Hash` is no SHA-256")),
            hash => hash.flatten(),
        };
        let asked = Asked {
            document: text(given.remove("query"), "query")?,
            operation: text(given.remove("operationName"), "operationName")?,
            variables: map(given.remove("variables"), "variables")?,
            hash,
            // Which of two documents is run is for each service to say: whatever isn't known might name one.
            is_named: !given.is_empty(),
        };
        if asked.is_named && asked.document.is_some() {
            return Err(malformed("beside the document stands what might name another"));
        }
        Ok(asked)
    }
}

/// Whether a query says something of a request of GraphQL: what is sent as content has nothing there.
pub(super) fn is_asked(query: &str) -> Result<bool, Wrong> {
    let pairs = pairs::pairs(query).map_err(|why| malformed(why.words()))?;
    let mut names = pairs.iter().map(|pair| pair.name.as_str());
    Ok(names.any(|name| PARAMETERS.contains(&name) || NAMES_OF_DOCUMENTS.contains(&name)))
}

fn malformed(what: &str) -> Wrong {
    Wrong::Malformed(what.to_owned())
}
