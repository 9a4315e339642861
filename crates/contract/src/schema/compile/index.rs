//! Where schemas are and what they are called, so that references find them.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::super::Problem;
use super::super::dialect::Rules;
use super::super::documents::Documents;
use super::super::node::ResourceId;
use crate::{pointer, uri};

/// Keywords whose value is a schema.
const ONE: [&str; 12] = [
    "additionalProperties",
    "unevaluatedProperties",
    "unevaluatedItems",
    "additionalItems",
    "items",
    "contains",
    "contentSchema",
    "not",
    "if",
    "then",
    "else",
    "propertyNames",
];

/// Keywords whose value is a list of schemas.
const LIST: [&str; 5] = ["allOf", "anyOf", "oneOf", "prefixItems", "items"];

/// Keywords whose value is a group of schemas.
const GROUP: [&str; 6] = [
    "properties",
    "patternProperties",
    "dependentSchemas",
    "dependencies",
    "$defs",
    "definitions",
];

/// All schemas that have been found so far.
pub(super) struct Index<'d> {
    documents: &'d Documents,
    rules: Rules,
    places: HashMap<*const Value, Place>,
    resources: Vec<Resource<'d>>,
    /// Resources by the root in which they were found, and their URI.
    by_uri: HashMap<(u32, String), ResourceId>,
    /// The first resource of each URI.
    anywhere: HashMap<String, ResourceId>,
    holders: HashSet<String>,
    roots: u32,
    problems: Vec<Problem>,
}

/// Where a schema stands.
struct Place {
    resource: ResourceId,
    pointer: String,
}

/// A document, or what has an identifier of its own in one (JSON Schema Core §4.3.5).
struct Resource<'d> {
    /// Which walk found it: what stands in two schemas of a description may have one name.
    root: u32,
    uri: String,
    /// The document in which it stands, for messages.
    document: String,
    /// Where pointers start.
    value: &'d Value,
    /// For a schema in a document that holds schemas: where pointers start that lead nowhere in the document.
    schema: Option<&'d Value>,
    rules: Rules,
    anchors: HashMap<String, Anchor<'d>>,
}

struct Anchor<'d> {
    value: &'d Value,
    dynamic: bool,
}

impl<'d> Index<'d> {
    pub(super) fn new(documents: &'d Documents, rules: Rules) -> Index<'d> {
        Index {
            documents,
            rules,
            places: HashMap::new(),
            resources: Vec::new(),
            by_uri: HashMap::new(),
            anywhere: HashMap::new(),
            holders: HashSet::new(),
            roots: 0,
            problems: Vec::new(),
        }
    }

    pub(super) fn holder(&mut self, uri: &str) {
        self.holders.insert(uri.to_owned());
    }

    /// The schema at a pointer of a document.
    pub(super) fn at(&mut self, uri: &str, pointer: &str) -> Result<&'d Value, String> {
        let document = self
            .documents
            .get(uri)
            .ok_or_else(|| format!("there is no document `{uri}`"))?;
        if !self.holders.contains(uri) && !self.is_known(document) {
            self.walk_document(uri, document);
        }
        let (value, above) = pointer::follow(document, pointer).ok_or("there is nothing at this place")?;
        self.known(uri, value, &above, pointer);
        Ok(value)
    }

    /// Where a reference of a schema leads.
    pub(super) fn resolve(&mut self, from: &'d Value, reference: &str) -> Result<&'d Value, String> {
        self.resolve_anchor(from, reference).map(|(value, _)| value)
    }

    /// Where a reference leads, and the name of the dynamic anchor there, if it leads to one by its name.
    pub(super) fn resolve_anchor(
        &mut self,
        from: &'d Value,
        reference: &str,
    ) -> Result<(&'d Value, Option<String>), String> {
        let (address, fragment) = uri::split_fragment(reference);
        let fragment = uri::decoded(fragment).ok_or("the fragment of the reference is no UTF-8")?;
        let of = self.resource_of(from);
        let target = if address.is_empty() {
            of
        } else {
            self.find(of, address)?
        };
        let resource = &self.resources[target.0 as usize];
        if fragment.is_empty() {
            let value = resource.schema.unwrap_or(resource.value);
            let dynamic = resource.anchors.get("").is_some_and(|anchor| anchor.dynamic);
            if !self.is_known(value) {
                let (document, address) = (resource.document.clone(), resource.uri.clone());
                self.walk_held(&document, &address, value, value, "");
            }
            return Ok((value, dynamic.then(String::new)));
        }
        if !fragment.starts_with('/') {
            let anchor = resource.anchors.get(&fragment);
            let anchor = anchor.ok_or_else(|| format!("there is no anchor `{}`", crate::json::shown(&fragment)))?;
            return Ok((anchor.value, anchor.dynamic.then_some(fragment)));
        }
        let start = resource.value;
        let inner = resource.schema;
        let found = pointer::follow(start, &fragment);
        let found = found.or_else(|| inner.and_then(|schema| pointer::follow(schema, &fragment)));
        let (value, above) =
            found.ok_or_else(|| format!("the reference `{}` leads nowhere", crate::json::shown(reference)))?;
        if !self.is_known(value) {
            let above_known = above.iter().rev().find(|value| self.is_known(value)).copied();
            match above_known {
                Some(above) => {
                    let resource = self.resource_of(above);
                    self.walk(value, resource, fragment.clone());
                }
                None => {
                    let document = self.resources[target.0 as usize].document.clone();
                    let address = self.resources[target.0 as usize].uri.clone();
                    self.walk_held(&document, &address, start, value, &fragment);
                }
            }
        }
        Ok((value, None))
    }

    /// The resource to which a schema belongs.
    pub(super) fn resource_of(&self, value: &Value) -> ResourceId {
        let place = self.places.get(&std::ptr::from_ref(value));
        place.map_or(ResourceId(0), |place| place.resource)
    }

    /// The rules by which a schema is read.
    pub(super) fn rules_of(&self, value: &Value) -> Rules {
        let resource = self.resources.get(self.resource_of(value).0 as usize);
        resource.map_or(self.rules, |resource| resource.rules)
    }

    /// All resources with a dynamic anchor of that name.
    pub(super) fn dynamic_anchors(&self, name: &str) -> Vec<(ResourceId, &'d Value)> {
        let named = self.resources.iter().enumerate().filter_map(|(id, resource)| {
            let anchor = resource.anchors.get(name).filter(|anchor| anchor.dynamic)?;
            Some((ResourceId(u32::try_from(id).ok()?), anchor.value))
        });
        named.collect()
    }

    /// Where a schema stands, for a message.
    pub(super) fn place(&self, value: &Value) -> String {
        let Some(place) = self.places.get(&std::ptr::from_ref(value)) else {
            return String::new();
        };
        let document = &self.resources[place.resource.0 as usize].document;
        format!("{document}#{}", place.pointer)
    }

    pub(super) fn problems(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }

    fn is_known(&self, value: &Value) -> bool {
        self.places.contains_key(&std::ptr::from_ref(value))
    }

    /// The resource of a URI that a resource refers to.
    fn find(&mut self, from: ResourceId, address: &str) -> Result<ResourceId, String> {
        let Resource { root, uri: base, .. } = &self.resources[from.0 as usize];
        let root = *root;
        let wanted = uri::resolve(base, address);
        if let Some(known) = self
            .by_uri
            .get(&(root, wanted.clone()))
            .or_else(|| self.anywhere.get(&wanted))
        {
            return Ok(*known);
        }
        let Some(document) = self.documents.get(&wanted) else {
            return Err(format!(
                "it refers to `{}`, which was not given; nothing is ever fetched",
                crate::json::shown(&wanted)
            ));
        };
        if self.holders.contains(&wanted) || is_description(document) {
            return Ok(self.add_resource(Resource {
                root: self.roots,
                uri: wanted.clone(),
                document: wanted,
                value: document,
                schema: None,
                rules: self.rules,
                anchors: HashMap::new(),
            }));
        }
        Ok(self.walk_document(&wanted, document))
    }

    /// Makes sure that a schema of a document is known.
    fn known(&mut self, uri: &str, value: &'d Value, above: &[&'d Value], pointer: &str) {
        if self.is_known(value) {
            return;
        }
        match above.iter().rev().find(|value| self.is_known(value)) {
            Some(above) => {
                let resource = self.resource_of(above);
                self.walk(value, resource, pointer.to_owned());
            }
            None => {
                let document = above.first().copied().unwrap_or(value);
                self.walk_held(uri, uri, document, value, pointer);
            }
        }
    }

    /// Walks a document that is a schema.
    fn walk_document(&mut self, uri: &str, document: &'d Value) -> ResourceId {
        self.roots += 1;
        let resource = self.add_resource(Resource {
            root: self.roots,
            uri: uri.to_owned(),
            document: uri.to_owned(),
            value: document,
            schema: None,
            rules: self.rules,
            anchors: HashMap::new(),
        });
        self.walk(document, resource, String::new());
        resource
    }

    /// Walks a schema in a document that is none.
    fn walk_held(&mut self, document: &str, uri: &str, start: &'d Value, value: &'d Value, pointer: &str) {
        self.roots += 1;
        let id = ResourceId(u32::try_from(self.resources.len()).unwrap_or(u32::MAX));
        self.resources.push(Resource {
            root: self.roots,
            uri: uri.to_owned(),
            document: document.to_owned(),
            value: start,
            schema: Some(value),
            rules: self.rules,
            anchors: HashMap::new(),
        });
        self.walk(value, id, pointer.to_owned());
    }

    fn add_resource(&mut self, resource: Resource<'d>) -> ResourceId {
        let id = ResourceId(u32::try_from(self.resources.len()).unwrap_or(u32::MAX));
        self.by_uri.insert((resource.root, resource.uri.clone()), id);
        self.anywhere.entry(resource.uri.clone()).or_insert(id);
        self.resources.push(resource);
        id
    }

    /// Finds all schemas in a schema.
    fn walk(&mut self, value: &'d Value, resource: ResourceId, pointer: String) {
        let mut pending = vec![(value, resource, pointer)];
        while let Some((value, around, pointer)) = pending.pop() {
            let resource = self.enter(value, around, &pointer);
            if let Value::Object(members) = value {
                for (keyword, inner) in members {
                    let below = |name: Option<&str>, index: Option<usize>| {
                        let mut path = pointer.clone();
                        pointer::push(&mut path, keyword);
                        if let Some(name) = name {
                            pointer::push(&mut path, name);
                        }
                        if let Some(index) = index {
                            pointer::push_index(&mut path, index);
                        }
                        path
                    };
                    match inner {
                        Value::Object(group) if GROUP.contains(&&**keyword) => {
                            let schemas = group.iter().filter(|(_, inner)| is_schema(inner));
                            pending.extend(schemas.map(|(name, inner)| (inner, resource, below(Some(name), None))));
                        }
                        Value::Array(list) if LIST.contains(&&**keyword) => {
                            let schemas = list.iter().enumerate().filter(|(_, inner)| is_schema(inner));
                            pending.extend(schemas.map(|(index, inner)| (inner, resource, below(None, Some(index)))));
                        }
                        inner if is_schema(inner) && ONE.contains(&&**keyword) => {
                            pending.push((inner, resource, below(None, None)));
                        }
                        _ => {}
                    }
                }
            }
            self.places
                .insert(std::ptr::from_ref(value), Place { resource, pointer });
        }
    }

    /// The resource to which a schema belongs: the one around it, or its own. Notes its names.
    fn enter(&mut self, value: &'d Value, around: ResourceId, pointer: &str) -> ResourceId {
        let Value::Object(members) = value else { return around };
        let text = |keyword: &str| members.get(keyword).and_then(Value::as_str);
        let parent = &self.resources[around.0 as usize];
        let is_root = std::ptr::eq(parent.schema.unwrap_or(parent.value), value);
        let mut rules = parent.rules;
        if let Some(dialect) = text("$schema") {
            match Rules::of(dialect, rules, self.documents) {
                Ok(found) => rules = found,
                Err(what) => {
                    let place = format!("{}#{pointer}", parent.document);
                    self.problems.push(Problem { place, what });
                }
            }
        }
        let alone = rules.dialect.reference_stands_alone() && members.contains_key("$ref");
        let identifier = rules.dialect.identifier().filter(|_| !alone).and_then(text);
        let mut id = around;
        match identifier.map(uri::split_fragment) {
            Some((address, "")) if !address.is_empty() => {
                let parent = &self.resources[around.0 as usize];
                let resource = Resource {
                    root: parent.root,
                    uri: uri::resolve(&parent.uri, address),
                    document: parent.document.clone(),
                    value,
                    schema: None,
                    rules,
                    anchors: HashMap::new(),
                };
                id = self.add_resource(resource);
            }
            Some((_, fragment)) if !rules.dialect.is_after_draft_7() && !fragment.is_empty() => {
                self.anchor(id, fragment, value, false);
            }
            _ if is_root => self.resources[id.0 as usize].rules = rules,
            _ => {}
        }
        if rules.dialect.is_after_draft_7() {
            if let Some(name) = text("$anchor") {
                self.anchor(id, name, value, false);
            }
            if let Some(name) = text("$dynamicAnchor") {
                self.anchor(id, name, value, true);
            }
            if members.get("$recursiveAnchor") == Some(&Value::Bool(true)) {
                self.anchor(id, "", value, true);
            }
        }
        id
    }

    fn anchor(&mut self, resource: ResourceId, name: &str, value: &'d Value, dynamic: bool) {
        let anchors = &mut self.resources[resource.0 as usize].anchors;
        anchors.insert(name.to_owned(), Anchor { value, dynamic });
    }
}

fn is_schema(value: &Value) -> bool {
    matches!(value, Value::Object(_) | Value::Bool(_))
}

/// Whether a document describes an API: its members are no keywords of a schema.
fn is_description(document: &Value) -> bool {
    document.get("openapi").is_some() || document.get("swagger").is_some()
}
