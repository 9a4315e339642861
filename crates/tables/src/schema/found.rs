//! What an introspection found, in plain words, and the schema that is made of it. This is the only place where names
//! become identifiers.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::{
    Argument, Column, Engine, ForeignKey, Identifier, Index, Kind, Relation, Returns, Routine, Schema, Type, TypeName,
};

/// All that was found. Places are positions in these lists.
#[derive(Clone, Debug, Default, Hash)]
#[allow(missing_docs, reason = "the schema's own fields of these names say it")]
pub struct FoundSchema {
    pub namespaces: Vec<String>,
    pub relations: Vec<FoundRelation>,
    pub routines: Vec<FoundRoutine>,
}

/// A relation that was found.
#[derive(Clone, Debug, Hash)]
#[allow(missing_docs, reason = "the fields of `Relation` say it")]
pub struct FoundRelation {
    pub namespace: String,
    pub name: String,
    pub kind: Kind,
    pub columns: Vec<FoundColumn>,
    pub primary_key: Vec<usize>,
    pub unique: Vec<Vec<usize>>,
    pub foreign_keys: Vec<FoundForeignKey>,
    pub indexes: Vec<FoundIndex>,
    pub comment: Option<String>,
    pub estimated_rows: Volatile<Option<u64>>,
    pub rowid: Option<String>,
    pub writable: bool,
}

impl FoundRelation {
    /// One of which nothing more is known yet. A table can be written, a view can't.
    pub fn new(namespace: String, name: String, kind: Kind) -> FoundRelation {
        FoundRelation {
            namespace,
            name,
            kind,
            columns: Vec::new(),
            primary_key: Vec::new(),
            unique: Vec::new(),
            foreign_keys: Vec::new(),
            indexes: Vec::new(),
            comment: None,
            estimated_rows: Volatile(None),
            rowid: None,
            writable: kind == Kind::Table,
        }
    }
}

/// A number that changes without the schema changing: it has no part in the fingerprint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volatile<T>(pub T);

impl<T> Hash for Volatile<T> {
    fn hash<H: Hasher>(&self, _: &mut H) {
        // It would make equal schemas differ.
    }
}

/// A column that was found.
#[derive(Clone, Debug, Hash)]
#[allow(missing_docs, reason = "the fields of `Column` say it")]
pub struct FoundColumn {
    pub name: String,
    pub kind: Type,
    pub declared: String,
    pub nullable: bool,
    pub default: Option<String>,
    pub generated: bool,
    pub max_length: Option<u32>,
    pub comment: Option<String>,
}

/// A reference that was found. The relation referred to is named; one that isn't there is left out.
#[derive(Clone, Debug, Hash)]
#[allow(missing_docs, reason = "the fields of `ForeignKey` say it")]
pub struct FoundForeignKey {
    pub name: String,
    pub columns: Vec<usize>,
    pub namespace: String,
    pub relation: String,
    /// Names of the columns referred to; empty for that relation's primary key.
    pub referred: Vec<String>,
}

/// An index that was found.
#[derive(Clone, Debug, Hash)]
#[allow(missing_docs, reason = "the fields of `Index` say it")]
pub struct FoundIndex {
    pub name: String,
    pub columns: Vec<Option<usize>>,
    pub included: Vec<usize>,
    pub unique: bool,
    pub primary: bool,
    pub partial: bool,
    pub method: String,
    pub scans: Volatile<Option<u64>>,
    pub bytes: Volatile<Option<u64>>,
}

/// A routine that was found.
#[derive(Clone, Debug, Hash)]
#[allow(missing_docs, reason = "the fields of `Routine` say it")]
pub struct FoundRoutine {
    pub namespace: String,
    pub name: String,
    pub procedure: bool,
    pub volatile: bool,
    pub arguments: Vec<FoundArgument>,
    pub returns: FoundReturns,
    pub comment: Option<String>,
}

/// An argument that was found.
#[derive(Clone, Debug, Hash)]
#[allow(missing_docs, reason = "the fields of `Argument` say it")]
pub struct FoundArgument {
    pub name: String,
    pub kind: Type,
    pub declared: String,
    pub optional: bool,
    pub variadic: bool,
}

/// What a routine that was found gives.
#[derive(Clone, Debug, Hash)]
#[allow(missing_docs, reason = "the variants of `Returns` say it")]
pub enum FoundReturns {
    Nothing,
    Value(Type),
    Values(Type),
    Row(Vec<FoundColumn>),
    Rows(Vec<FoundColumn>),
    Relation {
        namespace: String,
        relation: String,
        many: bool,
    },
}

impl Schema {
    /// The schema of a database in which that was found. Names become identifiers here: give it nothing but what the
    /// database itself said.
    pub fn new(engine: Engine, found: FoundSchema) -> Schema {
        let mut hasher = DefaultHasher::new();
        found.hash(&mut hasher);
        let places: HashMap<(String, String), usize> = found
            .relations
            .iter()
            .enumerate()
            .map(|(place, relation)| ((relation.namespace.clone(), relation.name.clone()), place))
            .collect();
        let names: Vec<Vec<String>> = found
            .relations
            .iter()
            .map(|relation| relation.columns.iter().map(|column| column.name.clone()).collect())
            .collect();
        let keys: Vec<Vec<usize>> = found
            .relations
            .iter()
            .map(|relation| relation.primary_key.clone())
            .collect();
        let resolve = |key: FoundForeignKey| {
            let relation = *places.get(&(key.namespace, key.relation))?;
            let referred = if key.referred.is_empty() {
                keys[relation].clone()
            } else {
                let place = |name: &String| names[relation].iter().position(|known| known == name);
                key.referred.iter().map(place).collect::<Option<_>>()?
            };
            (referred.len() == key.columns.len()).then_some(ForeignKey {
                name: key.name.into(),
                columns: key.columns,
                relation,
                referred,
            })
        };
        let relations: Vec<Arc<Relation>> = found
            .relations
            .into_iter()
            .map(|relation| Arc::new(make_relation(engine, relation, &resolve)))
            .collect();
        let routines = found
            .routines
            .into_iter()
            .map(|routine| Arc::new(make_routine(engine, routine, &places)))
            .collect();
        let by_name = relations
            .iter()
            .enumerate()
            .map(|(place, relation)| ((relation.namespace.name.clone(), relation.name.name.clone()), place))
            .collect();
        Schema {
            engine,
            relations,
            by_name,
            namespaces: found.namespaces.into_iter().map(Arc::from).collect(),
            routines,
            fingerprint: hasher.finish(),
        }
    }
}

fn make_relation(
    engine: Engine,
    found: FoundRelation,
    resolve: &impl Fn(FoundForeignKey) -> Option<ForeignKey>,
) -> Relation {
    let index = |index: FoundIndex| Index {
        name: Identifier::new(engine, &index.name),
        columns: index.columns,
        included: index.included,
        unique: index.unique,
        primary: index.primary,
        partial: index.partial,
        method: index.method.into(),
        scans: index.scans.0,
        bytes: index.bytes.0,
    };
    Relation {
        namespace: Identifier::new(engine, &found.namespace),
        name: Identifier::new(engine, &found.name),
        kind: found.kind,
        columns: found
            .columns
            .into_iter()
            .map(|column| make_column(engine, column))
            .collect(),
        primary_key: found.primary_key,
        unique: found.unique,
        foreign_keys: found.foreign_keys.into_iter().filter_map(resolve).collect(),
        indexes: found.indexes.into_iter().map(index).collect(),
        comment: found.comment,
        estimated_rows: found.estimated_rows.0,
        rowid: found.rowid.map(|name| Identifier::new(engine, &name)),
        writable: found.writable,
    }
}

fn make_column(engine: Engine, found: FoundColumn) -> Column {
    let mut member = serde_json::to_string(&found.name).expect("a text can be written");
    member.push(':');
    Column {
        name: Identifier::new(engine, &found.name),
        member: member.into(),
        kind: found.kind,
        declared: TypeName(found.declared.into()),
        nullable: found.nullable,
        default: found.default,
        generated: found.generated,
        max_length: found.max_length,
        comment: found.comment,
    }
}

fn make_routine(engine: Engine, found: FoundRoutine, places: &HashMap<(String, String), usize>) -> Routine {
    let columns = |columns: Vec<FoundColumn>| columns.into_iter().map(|column| make_column(engine, column)).collect();
    let argument = |argument: FoundArgument| Argument {
        name: Identifier::new(engine, &argument.name),
        kind: argument.kind,
        declared: TypeName(argument.declared.into()),
        optional: argument.optional,
        variadic: argument.variadic,
    };
    let returns = match found.returns {
        FoundReturns::Nothing => Returns::Nothing,
        FoundReturns::Value(kind) => Returns::Value(kind),
        FoundReturns::Values(kind) => Returns::Values(kind),
        FoundReturns::Row(found) => Returns::Row(columns(found)),
        FoundReturns::Rows(found) => Returns::Rows(columns(found)),
        FoundReturns::Relation {
            namespace,
            relation,
            many,
        } => match places.get(&(namespace, relation)) {
            Some(relation) => Returns::Relation {
                relation: *relation,
                many,
            },
            // A relation that isn't looked at: its rows are what the database makes JSON of.
            None if many => Returns::Values(Type::Composite),
            None => Returns::Value(Type::Composite),
        },
    };
    Routine {
        namespace: Identifier::new(engine, &found.namespace),
        name: Identifier::new(engine, &found.name),
        procedure: found.procedure,
        volatile: found.volatile,
        arguments: found.arguments.into_iter().map(argument).collect(),
        returns,
        comment: found.comment,
    }
}
