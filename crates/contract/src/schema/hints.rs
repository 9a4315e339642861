//! What types schemas let pass: what a text, such as a parameter, may have to be read as.

use super::check::SchemaSet;
use super::compile::SchemaId;
use super::node::{NodeId, Rule, Types};

/// How far references are followed.
const DEEPEST: u32 = 8;

/// The types that a schema lets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeHint(Types);

#[allow(missing_docs, reason = "the names say it")]
impl TypeHint {
    pub fn may_be_string(self) -> bool {
        self.0.overlaps(Types::STRING)
    }

    pub fn may_be_number(self) -> bool {
        self.0.overlaps(Types::NUMBER)
    }

    pub fn may_be_boolean(self) -> bool {
        self.0.overlaps(Types::BOOLEAN)
    }

    pub fn may_be_null(self) -> bool {
        self.0.overlaps(Types::NULL)
    }

    pub fn may_be_array(self) -> bool {
        self.0.overlaps(Types::ARRAY)
    }

    pub fn may_be_object(self) -> bool {
        self.0.overlaps(Types::OBJECT)
    }
}

impl SchemaSet {
    /// Which types a schema lets pass, by what it says itself and what it refers to.
    #[must_use]
    pub fn types(&self, schema: SchemaId) -> TypeHint {
        TypeHint(self.node(schema.0).accepts)
    }

    /// Which types it lets pass for items of a list.
    #[must_use]
    pub fn item_types(&self, schema: SchemaId) -> TypeHint {
        TypeHint(self.below(schema.0, &Below::Items, DEEPEST))
    }

    /// Which types it lets pass for a member of a group.
    #[must_use]
    pub fn member_types(&self, schema: SchemaId, name: &str) -> TypeHint {
        TypeHint(self.below(schema.0, &Below::Member(name), DEEPEST))
    }

    /// Which types it lets pass for items of a list that is a member of a group.
    #[must_use]
    pub fn member_item_types(&self, schema: SchemaId, name: &str) -> TypeHint {
        TypeHint(self.below(schema.0, &Below::ItemsOf(name), DEEPEST))
    }

    /// The names of the members that a schema lists.
    #[must_use]
    pub fn member_names(&self, schema: SchemaId) -> Vec<&str> {
        let mut names = Vec::new();
        self.collect_names(schema.0, DEEPEST, &mut names);
        names.sort_unstable();
        names.dedup();
        names
    }

    fn collect_names<'s>(&'s self, id: NodeId, depth: u32, names: &mut Vec<&'s str>) {
        let Some(depth) = depth.checked_sub(1) else { return };
        for rule in &self.node(id).rules {
            match rule {
                Rule::Ref(inner) => self.collect_names(*inner, depth, names),
                Rule::AllOf(all) | Rule::AnyOf(all) | Rule::OneOf(all) => {
                    all.iter().for_each(|inner| self.collect_names(*inner, depth, names));
                }
                Rule::Members(members) => names.extend(members.named.iter().map(|(name, _)| &**name)),
                _ => {}
            }
        }
    }

    fn below(&self, id: NodeId, what: &Below<'_>, depth: u32) -> Types {
        let Some(depth) = depth.checked_sub(1) else {
            return Types::ANY;
        };
        let below = |id: &NodeId| self.below(*id, what, depth);
        let mut types = Types::ANY;
        for rule in &self.node(id).rules {
            types = types.and(match (rule, what) {
                (Rule::Ref(inner), _) => below(inner),
                (Rule::AllOf(all), _) => all.iter().map(below).fold(Types::ANY, Types::and),
                (Rule::AnyOf(any) | Rule::OneOf(any), _) => any.iter().map(below).fold(Types::NONE, Types::with),
                (Rule::Items(items), Below::Items) => {
                    let all = items.first.iter().chain(&items.rest);
                    all.map(|item| self.node(*item).accepts).fold(Types::NONE, Types::with)
                }
                (Rule::Members(members), Below::Member(name)) => match members.named(name).or(members.others) {
                    Some(member) => self.node(member).accepts,
                    None => Types::ANY,
                },
                (Rule::Members(members), Below::ItemsOf(name)) => match members.named(name).or(members.others) {
                    Some(member) => self.below(member, &Below::Items, depth),
                    None => Types::ANY,
                },
                _ => Types::ANY,
            });
        }
        types
    }
}

/// What of a value is asked about.
enum Below<'n> {
    Items,
    Member(&'n str),
    ItemsOf(&'n str),
}
