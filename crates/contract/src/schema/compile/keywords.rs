//! From keywords to rules.

use serde_json::{Map, Number, Value};

use super::super::Direction;
use super::super::dialect::Rules;
use super::super::formats::Format;
use super::super::node::{Condition, Contains, Dependent, DynamicRef, Items, Members, Node, NodeId, Rule, Types};
use super::Compiler;
use crate::number;
use crate::sameness::Constants;

type Group = Map<String, Value>;

/// How a rule is made of what a keyword says.
type Made<T> = fn(T) -> Rule;

/// A schema that is being compiled.
struct Draft<'d> {
    schema: &'d Value,
    members: &'d Group,
    rules: Rules,
    direction: Direction,
    out: Vec<Rule>,
}

impl<'d> Compiler<'d> {
    /// Makes a node of a schema.
    pub(super) fn compile(&mut self, schema: &'d Value, direction: Direction) -> Node {
        let mut node = Node {
            resource: self.index.resource_of(schema),
            types: Types::ANY,
            accepts: Types::ANY,
            rules: Box::default(),
            tracks: false,
            null_passes: false,
        };
        let members = match schema {
            Value::Bool(true) => return node,
            Value::Bool(false) => {
                node.types = Types::NONE;
                return node;
            }
            Value::Object(members) => members,
            _ => {
                self.problem(schema, "a schema is a group of keywords, `true` or `false`".to_owned());
                return node;
            }
        };
        let rules = self.index.rules_of(schema);
        let mut draft = Draft {
            schema,
            members,
            rules,
            direction,
            out: Vec::new(),
        };
        if rules.dialect.reference_stands_alone() && members.contains_key("$ref") {
            self.references(&mut draft);
            node.rules = draft.out.into();
            return node;
        }
        if rules.formats
            && let Some(format) = members.get("format").and_then(Value::as_str)
        {
            draft.out.extend(Format::of_word(format).map(Rule::Format));
        }
        if rules.validation {
            node.types = self.types(&draft);
            self.values(&mut draft);
            self.numbers(&mut draft);
            self.counts(&mut draft);
            self.required(&mut draft);
            self.texts(&mut draft);
        }
        self.members(&mut draft);
        self.items(&mut draft);
        self.references(&mut draft);
        self.combinations(&mut draft);
        if rules.dialect.is_after_draft_7() {
            self.unevaluated(&mut draft);
            node.tracks = draft
                .out
                .last()
                .is_some_and(|rule| matches!(rule, Rule::UnevaluatedProperties(_) | Rule::UnevaluatedItems(_)));
        }
        node.null_passes = rules.dialect.nullable() && members.get("nullable") == Some(&Value::Bool(true));
        node.rules = draft.out.into();
        node
    }

    fn types(&mut self, draft: &Draft<'d>) -> Types {
        let Some(value) = draft.members.get("type") else {
            return Types::ANY;
        };
        let of = |value: &Value| value.as_str().and_then(Types::of_word);
        let types = match value {
            Value::Array(words) => words
                .iter()
                .try_fold(Types::NONE, |types, word| of(word).map(|word| types.with(word))),
            word => of(word),
        };
        types.unwrap_or_else(|| {
            let words = "`null`, `boolean`, `object`, `array`, `number`, `integer`, `string`, or a list of them";
            self.problem(draft.schema, format!("`type` is {words}"));
            Types::NONE
        })
    }

    fn values(&mut self, draft: &mut Draft<'d>) {
        if draft.rules.dialect.is_after_draft_4()
            && let Some(value) = draft.members.get("const")
        {
            draft.out.push(Rule::Const(Constants::new(std::slice::from_ref(value))));
        }
        match draft.members.get("enum") {
            None => {}
            Some(Value::Array(values)) => draft.out.push(Rule::Enum(Constants::new(values))),
            Some(_) => self.problem(draft.schema, "`enum` is a list of values".to_owned()),
        }
    }

    fn numbers(&mut self, draft: &mut Draft<'d>) {
        let minimum = self.number(draft, "minimum");
        let maximum = self.number(draft, "maximum");
        if draft.rules.dialect.exclusive_is_boolean() {
            let exclusive = |keyword: &str| draft.members.get(keyword) == Some(&Value::Bool(true));
            let (above, below) = (exclusive("exclusiveMinimum"), exclusive("exclusiveMaximum"));
            let minimum = minimum.map(if above { Rule::ExclusiveMinimum } else { Rule::Minimum });
            let maximum = maximum.map(if below { Rule::ExclusiveMaximum } else { Rule::Maximum });
            draft.out.extend(minimum.into_iter().chain(maximum));
        } else {
            draft.out.extend(minimum.map(Rule::Minimum));
            draft.out.extend(maximum.map(Rule::Maximum));
            let above = self.number(draft, "exclusiveMinimum").map(Rule::ExclusiveMinimum);
            let below = self.number(draft, "exclusiveMaximum").map(Rule::ExclusiveMaximum);
            draft.out.extend(above.into_iter().chain(below));
        }
        match self.number(draft, "multipleOf") {
            Some(of) if of.as_f64().is_some_and(|of| of > 0.0) => draft.out.push(Rule::MultipleOf(of)),
            Some(_) => self.problem(draft.schema, "`multipleOf` is above 0".to_owned()),
            None => {}
        }
    }

    fn number(&mut self, draft: &Draft<'d>, keyword: &str) -> Option<Number> {
        match draft.members.get(keyword)? {
            Value::Number(number) => Some(number.clone()),
            _ => {
                self.problem(draft.schema, format!("`{keyword}` is a number"));
                None
            }
        }
    }

    fn counts(&mut self, draft: &mut Draft<'d>) {
        let rules: [(&str, Made<u64>); 6] = [
            ("minLength", Rule::MinLength),
            ("maxLength", Rule::MaxLength),
            ("minItems", Rule::MinItems),
            ("maxItems", Rule::MaxItems),
            ("minProperties", Rule::MinProperties),
            ("maxProperties", Rule::MaxProperties),
        ];
        for (keyword, rule) in rules {
            let count = self.count(draft, keyword);
            draft.out.extend(count.map(rule));
        }
    }

    fn count(&mut self, draft: &Draft<'d>, keyword: &str) -> Option<u64> {
        let value = draft.members.get(keyword)?;
        let count = value.as_number().and_then(number::whole);
        if count.is_none_or(|count| count < 0) {
            self.problem(draft.schema, format!("`{keyword}` is a whole number from 0 on"));
        }
        // More than fits is more than anything here can have.
        count
            .filter(|count| *count >= 0)
            .map(|count| u64::try_from(count).unwrap_or(u64::MAX))
    }

    fn required(&mut self, draft: &mut Draft<'d>) {
        if let Some(value) = draft.members.get("required") {
            let Some(names) = names(value) else {
                self.problem(draft.schema, "`required` is a list of names".to_owned());
                return;
            };
            let mut kept = Vec::with_capacity(names.len());
            for name in names {
                if !self.is_of_other_side(draft, &name) {
                    kept.push(name);
                }
            }
            if !kept.is_empty() {
                draft.out.push(Rule::Required(kept.into()));
            }
        }
        if draft.rules.dialect.is_after_draft_7()
            && let Some(value) = draft.members.get("dependentRequired")
        {
            let dependent = value.as_object().map(|group| {
                let dependent = group
                    .iter()
                    .map(|(name, value)| Some((name.as_str().into(), names(value)?.into())));
                dependent.collect::<Option<Box<[_]>>>()
            });
            match dependent.flatten() {
                Some(dependent) => draft.out.push(Rule::DependentRequired(dependent)),
                None => self.problem(
                    draft.schema,
                    "`dependentRequired` is a group of lists of names".to_owned(),
                ),
            }
        }
    }

    /// Whether only the other side sets a member: `readOnly` in a request, `writeOnly` in a response.
    fn is_of_other_side(&mut self, draft: &Draft<'d>, name: &str) -> bool {
        let keyword = match draft.direction {
            Direction::Either => return false,
            Direction::Request => "readOnly",
            Direction::Response => "writeOnly",
        };
        let Some(mut schema) = draft.members.get("properties").and_then(|group| group.get(name)) else {
            return false;
        };
        for _ in 0..8 {
            if schema.get(keyword) == Some(&Value::Bool(true)) {
                return true;
            }
            let Some(reference) = schema.get("$ref").and_then(Value::as_str) else {
                return false;
            };
            match self.index.resolve(schema, reference) {
                Ok(target) => schema = target,
                Err(_) => return false,
            }
        }
        false
    }

    fn texts(&mut self, draft: &mut Draft<'d>) {
        match draft.members.get("pattern") {
            None => {}
            Some(Value::String(source)) => match self.patterns.get(source) {
                Ok(pattern) => draft.out.push(Rule::Pattern(pattern)),
                Err(what) => self.problem(draft.schema, what),
            },
            Some(_) => self.problem(draft.schema, "`pattern` is a regular expression".to_owned()),
        }
        if draft.members.get("uniqueItems") == Some(&Value::Bool(true)) {
            draft.out.push(Rule::UniqueItems);
        }
    }

    fn members(&mut self, draft: &mut Draft<'d>) {
        let mut named: Vec<(Box<str>, NodeId)> = self.group(draft, "properties");
        named.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        let mut patterns = Vec::new();
        for (source, node) in self.group(draft, "patternProperties") {
            match self.patterns.get(&source) {
                Ok(pattern) => patterns.push((pattern, node)),
                Err(what) => self.problem(draft.schema, what),
            }
        }
        let others = self.one(draft, "additionalProperties");
        if !named.is_empty() || !patterns.is_empty() || others.is_some() {
            draft.out.push(Rule::Members(Box::new(Members {
                named: named.into(),
                patterns: patterns.into(),
                others,
            })));
        }
        if draft.rules.dialect.is_after_draft_4()
            && let Some(node) = self.one(draft, "propertyNames")
        {
            draft.out.push(Rule::PropertyNames(node));
        }
    }

    fn items(&mut self, draft: &mut Draft<'d>) {
        let old = draft.rules.dialect.has_additional_items();
        let (first, rest) = match draft.members.get("items") {
            Some(Value::Array(_)) if old => (self.list(draft, "items"), self.one(draft, "additionalItems")),
            _ if old => (Vec::new(), self.one(draft, "items")),
            _ => (self.list(draft, "prefixItems"), self.one(draft, "items")),
        };
        if !first.is_empty() || rest.is_some() {
            let first = first.into();
            draft.out.push(Rule::Items(Box::new(Items { first, rest })));
        }
        if draft.rules.dialect.is_after_draft_4()
            && let Some(item) = self.one(draft, "contains")
        {
            let counted = draft.rules.validation && draft.rules.dialect.is_after_draft_7();
            let min = if counted {
                self.count(draft, "minContains")
            } else {
                None
            };
            let max = if counted {
                self.count(draft, "maxContains")
            } else {
                None
            };
            draft.out.push(Rule::Contains(Box::new(Contains {
                item,
                min: min.unwrap_or(1),
                max,
                evaluates: !old,
            })));
        }
    }

    fn references(&mut self, draft: &mut Draft<'d>) {
        if let Some(reference) = self.text(draft, "$ref") {
            match self.index.resolve(draft.schema, reference) {
                Ok(target) => {
                    let target = self.node(target, draft.direction);
                    draft.out.push(Rule::Ref(target));
                }
                Err(what) => self.problem(draft.schema, what),
            }
        }
        if !draft.rules.dialect.is_after_draft_7() {
            return;
        }
        for keyword in ["$dynamicRef", "$recursiveRef"] {
            let Some(reference) = self.text(draft, keyword) else {
                continue;
            };
            match self.index.resolve_anchor(draft.schema, reference) {
                Ok((target, name)) => {
                    let name = name.map(|name| (name, draft.direction));
                    self.dynamic.extend(name.clone());
                    let target = self.node(target, draft.direction);
                    draft.out.push(Rule::DynamicRef(Box::new(DynamicRef {
                        target,
                        name,
                        anchors: Box::default(),
                    })));
                }
                Err(what) => self.problem(draft.schema, what),
            }
        }
    }

    fn combinations(&mut self, draft: &mut Draft<'d>) {
        let rules: [(&str, Made<Box<[NodeId]>>); 3] =
            [("allOf", Rule::AllOf), ("anyOf", Rule::AnyOf), ("oneOf", Rule::OneOf)];
        for (keyword, rule) in rules {
            if draft.members.contains_key(keyword) {
                let list = self.list(draft, keyword);
                draft.out.push(rule(list.into()));
            }
        }
        let not = self.one(draft, "not");
        draft.out.extend(not.map(Rule::Not));
        if draft.rules.dialect.is_after_draft_4()
            && let Some(condition) = self.one(draft, "if")
        {
            let then = self.one(draft, "then");
            let otherwise = self.one(draft, "else");
            draft.out.push(Rule::If(Box::new(Condition {
                condition,
                then,
                otherwise,
            })));
        }
        if draft.rules.dialect.is_after_draft_7() {
            let dependent = self.group(draft, "dependentSchemas");
            if !dependent.is_empty() {
                draft.out.push(Rule::DependentSchemas(dependent.into()));
            }
        }
        self.dependencies(draft);
    }

    /// `dependencies` of drafts up to 7: names or schemas. Whoever writes it in a later one means it, too.
    fn dependencies(&mut self, draft: &mut Draft<'d>) {
        let Some(Value::Object(group)) = draft.members.get("dependencies") else {
            return;
        };
        let mut required: Vec<Dependent> = Vec::new();
        let mut schemas: Vec<(Box<str>, NodeId)> = Vec::new();
        for (name, value) in group {
            match names(value) {
                Some(names) => required.push((name.as_str().into(), names.into())),
                None => schemas.push((name.as_str().into(), self.node(value, draft.direction))),
            }
        }
        if !required.is_empty() {
            draft.out.push(Rule::DependentRequired(required.into()));
        }
        if !schemas.is_empty() {
            draft.out.push(Rule::DependentSchemas(schemas.into()));
        }
    }

    fn unevaluated(&mut self, draft: &mut Draft<'d>) {
        let properties = self.one(draft, "unevaluatedProperties");
        let items = self.one(draft, "unevaluatedItems");
        draft.out.extend(properties.map(Rule::UnevaluatedProperties));
        draft.out.extend(items.map(Rule::UnevaluatedItems));
    }

    fn text(&mut self, draft: &Draft<'d>, keyword: &str) -> Option<&'d str> {
        let value = draft.members.get(keyword)?;
        if !value.is_string() {
            self.problem(draft.schema, format!("`{keyword}` is a reference"));
        }
        value.as_str()
    }

    fn one(&mut self, draft: &Draft<'d>, keyword: &str) -> Option<NodeId> {
        let value = draft.members.get(keyword)?;
        if matches!(value, Value::Object(_) | Value::Bool(_)) {
            return Some(self.node(value, draft.direction));
        }
        self.problem(draft.schema, format!("`{keyword}` is a schema"));
        None
    }

    fn list(&mut self, draft: &Draft<'d>, keyword: &str) -> Vec<NodeId> {
        match draft.members.get(keyword) {
            None => Vec::new(),
            Some(Value::Array(list)) => list.iter().map(|value| self.node(value, draft.direction)).collect(),
            Some(_) => {
                self.problem(draft.schema, format!("`{keyword}` is a list of schemas"));
                Vec::new()
            }
        }
    }

    fn group(&mut self, draft: &Draft<'d>, keyword: &str) -> Vec<(Box<str>, NodeId)> {
        match draft.members.get(keyword) {
            None => Vec::new(),
            Some(Value::Object(group)) => group
                .iter()
                .map(|(name, value)| (name.as_str().into(), self.node(value, draft.direction)))
                .collect(),
            Some(_) => {
                self.problem(draft.schema, format!("`{keyword}` is a group of schemas"));
                Vec::new()
            }
        }
    }
}

fn names(value: &Value) -> Option<Vec<Box<str>>> {
    let names = value.as_array()?.iter().map(|name| name.as_str().map(Box::from));
    names.collect()
}
