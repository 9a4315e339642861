//! What a schema's keywords mean: the dialect that it is written in.

use serde_json::Value;

use super::documents::Documents;

/// A dialect of JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Draft 2020-12, which is that of OpenAPI 3.1 too.
    Draft202012,
    /// Draft 2019-09: as 2020-12, but for how lists are said.
    Draft201909,
    /// Drafts 6 and 7.
    Draft7,
    /// Draft 4.
    Draft4,
    /// That of OpenAPI 3.0: draft 4 with `nullable`.
    OpenApi30,
}

/// A dialect with what a metaschema of somebody's own may turn off or on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) dialect: Dialect,
    /// Whether `type`, `minimum` and the like say anything.
    pub(super) validation: bool,
    /// Whether `format` does.
    pub(super) formats: bool,
}

impl Dialect {
    /// Whether nothing counts beside a `$ref`.
    pub(super) fn reference_stands_alone(self) -> bool {
        matches!(self, Dialect::Draft7 | Dialect::Draft4 | Dialect::OpenApi30)
    }

    /// Whether `items` may be a list, followed by `additionalItems`.
    pub(super) fn has_additional_items(self) -> bool {
        self != Dialect::Draft202012
    }

    /// Whether `exclusiveMinimum` says how `minimum` is meant.
    pub(super) fn exclusive_is_boolean(self) -> bool {
        matches!(self, Dialect::Draft4 | Dialect::OpenApi30)
    }

    /// Whether there are `const`, `contains`, `propertyNames`.
    pub(super) fn is_after_draft_4(self) -> bool {
        !matches!(self, Dialect::Draft4 | Dialect::OpenApi30)
    }

    /// Whether there are `unevaluatedProperties`, `dependentSchemas`, `$anchor`, and identifiers without fragments.
    pub(super) fn is_after_draft_7(self) -> bool {
        matches!(self, Dialect::Draft202012 | Dialect::Draft201909)
    }

    /// Whether `nullable` says anything.
    pub(super) fn nullable(self) -> bool {
        self == Dialect::OpenApi30
    }

    /// The keyword that names a schema.
    pub(super) fn identifier(self) -> Option<&'static str> {
        match self {
            Dialect::OpenApi30 => None,
            Dialect::Draft4 => Some("id"),
            _ => Some("$id"),
        }
    }
}

impl Rules {
    /// What `$schema` asks for, or what holds around it.
    ///
    /// # Errors
    /// When the dialect isn't known, and its metaschema isn't given or needs a vocabulary that isn't known.
    pub(super) fn of(uri: &str, around: Rules, documents: &Documents) -> Result<Rules, String> {
        let name = uri.trim_end_matches('#');
        let dialect = match name.split_once("://").map_or(name, |(_, rest)| rest) {
            "json-schema.org/draft/2020-12/schema" | "spec.openapis.org/oas/3.1/dialect/base" => Dialect::Draft202012,
            "json-schema.org/draft/2019-09/schema" => Dialect::Draft201909,
            "json-schema.org/draft-07/schema" | "json-schema.org/draft-06/schema" => Dialect::Draft7,
            "json-schema.org/draft-04/schema" => Dialect::Draft4,
            _ => return Rules::of_metaschema(name, around, documents),
        };
        Ok(Rules {
            dialect,
            validation: true,
            ..around
        })
    }

    fn of_metaschema(name: &str, around: Rules, documents: &Documents) -> Result<Rules, String> {
        let metaschema = documents.get(name).ok_or_else(|| {
            format!("the dialect `{name}` is not known; write `https://json-schema.org/draft/2020-12/schema`")
        })?;
        let Some(Value::Object(vocabularies)) = metaschema.get("$vocabulary") else {
            return Ok(around);
        };
        let mut rules = Rules {
            dialect: Dialect::Draft202012,
            validation: false,
            formats: around.formats,
        };
        for (uri, required) in vocabularies {
            match uri
                .rsplit_once("/vocab/")
                .filter(|(start, _)| start.contains("json-schema.org/draft/"))
            {
                Some((_, "validation")) => rules.validation = true,
                Some((_, "format-assertion")) => rules.formats = true,
                Some((_, "core" | "applicator" | "unevaluated" | "meta-data" | "format-annotation" | "content")) => {}
                _ if *required == Value::Bool(true) => {
                    return Err(format!(
                        "the dialect `{name}` needs the vocabulary `{uri}`, which is not known"
                    ));
                }
                _ => {}
            }
        }
        Ok(rules)
    }
}
