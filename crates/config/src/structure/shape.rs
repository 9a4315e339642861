//! The schema in the form in which the walk reads it.
//!
//! A JSON Schema is made of maps and references, and looking each keyword up for each value of a large file took most of
//! the time of a reload. This is made of it once for each reading.

use std::collections::HashMap;

use serde_json::Value;

use crate::schema::resolve;
use crate::tree::Content;

/// All shapes of a schema. They refer to each other by their places, for a schema may contain itself.
pub(crate) struct Shapes {
    all: Vec<Shape>,
    root: ShapeId,
}

/// The place of a shape among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShapeId(usize);

/// What a value may be.
#[derive(Default)]
pub(super) struct Shape {
    pub(super) kind: Kind,
    /// What it is called in the schema, for choosing among several.
    pub(super) kind_name: String,
    /// The key of the file under which the text must be a name.
    pub(super) names: Option<String>,
    /// The name of the form that a text, or a key of a map, must have.
    pub(super) format: String,
    pub(super) min_length: usize,
    /// The texts that there are to choose from; none where any will do.
    pub(super) choices: Vec<String>,
    pub(super) minimum: i64,
    pub(super) maximum: i64,
}

/// The kinds of shapes.
#[derive(Default)]
pub(super) enum Kind {
    #[default]
    Text,
    Integer,
    Boolean,
    /// Whatever JSON has.
    Anything,
    /// A group with a short form: the value of one key.
    Short {
        key: String,
        brief: ShapeId,
        long: ShapeId,
    },
    /// A list, or its only item.
    Single {
        item: ShapeId,
        list: ShapeId,
    },
    AnyOf(Vec<ShapeId>),
    List {
        items: ShapeId,
        least: usize,
        most: usize,
    },
    Group(Group),
}

/// What keys a group has.
#[derive(Default)]
pub(super) struct Group {
    pub(super) properties: Vec<Property>,
    /// The format of other keys, and what stands under them.
    pub(super) others: Option<(String, ShapeId)>,
    pub(super) required: Vec<Required>,
}

/// A key of a group.
pub(super) struct Property {
    pub(super) key: String,
    /// The key that is meant.
    pub(super) means: String,
    pub(super) shape: ShapeId,
}

/// A key that must be there.
pub(super) struct Required {
    pub(super) key: String,
    /// What it is for, to follow its name in a message.
    pub(super) purpose: String,
}

impl Shape {
    /// Whether that can be the only item of a list whose items have this shape.
    pub(super) fn may_stand_alone_as(&self, content: &Content) -> bool {
        match content {
            Content::Scalar { .. } => true,
            Content::Map(_) => matches!(self.kind, Kind::Short { .. } | Kind::Group(_)),
            _ => false,
        }
    }
}

impl Shapes {
    /// The shapes of a schema.
    pub(crate) fn of(schema: &Value) -> Shapes {
        let mut reader = Reader {
            schema,
            all: Vec::new(),
            known: HashMap::new(),
        };
        let root = reader.shape(schema);
        Shapes { all: reader.all, root }
    }

    pub(super) fn root(&self) -> &Shape {
        self.get(self.root)
    }

    pub(super) fn get(&self, id: ShapeId) -> &Shape {
        &self.all[id.0]
    }
}

struct Reader<'s> {
    schema: &'s Value,
    all: Vec<Shape>,
    /// The shapes of definitions, by their references.
    known: HashMap<&'s str, ShapeId>,
}

impl<'s> Reader<'s> {
    fn shape(&mut self, written: &'s Value) -> ShapeId {
        let reference = written["$ref"].as_str();
        // A name that stands beside a reference belongs to this place alone.
        let names = written["x-names"].as_str();
        if let Some(id) = reference.filter(|_| names.is_none()).and_then(|it| self.known.get(it)) {
            return *id;
        }
        let id = ShapeId(self.all.len());
        self.all.push(Shape::default());
        if let Some(reference) = reference.filter(|_| names.is_none()) {
            self.known.insert(reference, id);
        }
        let resolved = resolve(self.schema, written);
        let text = |keyword: &str| resolved[keyword].as_str().unwrap_or_default().to_owned();
        let shape = Shape {
            kind: self.kind(resolved),
            kind_name: text("type"),
            names: names.or(resolved["x-names"].as_str()).map(str::to_owned),
            format: text("format"),
            min_length: number(&resolved["minLength"], 0),
            choices: choices(resolved),
            minimum: resolved["minimum"].as_i64().unwrap_or(0),
            maximum: resolved["maximum"].as_i64().unwrap_or(i64::MAX),
        };
        self.all[id.0] = shape;
        id
    }

    fn kind(&mut self, schema: &'s Value) -> Kind {
        let branches = schema["anyOf"].as_array();
        if let (Some(key), Some([brief, long])) = (schema["x-short"].as_str(), branches.map(Vec::as_slice)) {
            return Kind::Short {
                key: key.to_owned(),
                brief: self.shape(brief),
                long: self.shape(long),
            };
        }
        match (branches.map(Vec::as_slice), schema["type"].as_str()) {
            (None, _) if schema["x-anything"] == true => Kind::Anything,
            (Some([item, list]), _) if schema["x-single"] == true => Kind::Single {
                item: self.shape(item),
                list: self.shape(list),
            },
            (Some(branches), _) => Kind::AnyOf(branches.iter().map(|branch| self.shape(branch)).collect()),
            (None, Some("object")) => Kind::Group(self.group(schema)),
            (None, Some("array")) => Kind::List {
                items: self.shape(&schema["items"]),
                least: number(&schema["minItems"], 0),
                most: number(&schema["maxItems"], usize::MAX),
            },
            (None, Some("integer")) => Kind::Integer,
            (None, Some("boolean")) => Kind::Boolean,
            (None, _) => Kind::Text,
        }
    }

    fn group(&mut self, schema: &'s Value) -> Group {
        let properties = schema["properties"].as_object().into_iter().flatten();
        let properties = properties.map(|(key, property)| Property {
            key: key.clone(),
            means: property["x-means"].as_str().unwrap_or(key).to_owned(),
            shape: self.shape(property),
        });
        let properties = properties.collect();
        let others = schema["additionalProperties"].is_object().then(|| {
            let format = schema["propertyNames"]["format"].as_str().unwrap_or_default();
            (format.to_owned(), self.shape(&schema["additionalProperties"]))
        });
        let required = schema["required"].as_array().into_iter().flatten();
        let required = required.filter_map(Value::as_str).map(|key| Required {
            key: key.to_owned(),
            purpose: self.first_sentence(&schema["properties"][key]),
        });
        Group {
            properties,
            others,
            required: required.collect(),
        }
    }

    fn first_sentence(&self, property: &Value) -> String {
        let own = property["description"].as_str();
        let description = own
            .or_else(|| resolve(self.schema, property)["description"].as_str())
            .unwrap_or_default();
        match description
            .split_once(". ")
            .map_or(description, |(first, _)| first)
            .trim_end_matches('.')
        {
            "" => String::new(),
            sentence => format!(": {sentence}"),
        }
    }
}

fn number(written: &Value, otherwise: usize) -> usize {
    let number = written.as_u64().map(usize::try_from);
    number.and_then(Result::ok).unwrap_or(otherwise)
}

/// The texts that a schema lists, in either of the ways in which it does.
fn choices(schema: &Value) -> Vec<String> {
    let listed = schema["enum"].as_array().into_iter().flatten();
    let described = schema["oneOf"].as_array().into_iter().flatten();
    let described = described.flat_map(|one| one["enum"].as_array().into_iter().flatten().chain(one.get("const")));
    listed
        .chain(described)
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_one_shape_wherever_it_is_referred_to() {
        let schema = crate::schema::schema();
        let shapes = Shapes::of(&schema);
        let definitions = schema["$defs"].as_object().map_or(0, serde_json::Map::len);
        assert!(definitions > 20);
        assert!(shapes.all.len() < definitions * 20, "{} shapes", shapes.all.len());
    }

    #[test]
    fn a_schema_may_contain_itself() {
        let schema = serde_json::json!({
            "$ref": "#/$defs/tree",
            "$defs": {"tree": {"type": "object", "properties": {"branches": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}},
        });
        let shapes = Shapes::of(&schema);
        let Kind::Group(group) = &shapes.root().kind else {
            panic!("a group")
        };
        let Kind::List { items, .. } = &shapes.get(group.properties[0].shape).kind else {
            panic!("a list")
        };
        assert_eq!(*items, shapes.root);
    }
}
