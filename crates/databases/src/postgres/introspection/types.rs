//! From the types of PostgreSQL to ours.

use std::collections::HashMap;

use portcullis_tables::schema::Type;
use tokio_postgres::{Error, Row};

/// How many domains and arrays may be in one another before we stop wondering what is inside.
const MAX_DEPTH: usize = 16;

/// The types that the schema uses, by their object identifiers.
#[derive(Default)]
pub(super) struct Types(HashMap<u32, FoundType>);

struct FoundType {
    name: String,
    kind: TypeKind,
    category: String,
    element: u32,
    base: u32,
    modifier: i32,
    not_null: bool,
    default: Option<String>,
    labels: Vec<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum TypeKind {
    Base,
    Composite,
    Domain,
    Enumeration,
    Range,
    Pseudo,
}

/// A type with what is known of it for a column.
pub(super) struct Resolved {
    pub(super) kind: Type,
    pub(super) max_length: Option<u32>,
    /// A domain refuses NULL.
    pub(super) not_null: bool,
    /// A domain's default.
    pub(super) default: Option<String>,
}

impl Types {
    pub(super) fn new(rows: &[Row]) -> Result<Types, Error> {
        let mut types = HashMap::with_capacity(rows.len());
        for row in rows {
            let kind = match row.try_get::<_, &str>(2)? {
                "c" => TypeKind::Composite,
                "d" => TypeKind::Domain,
                "e" => TypeKind::Enumeration,
                "r" | "m" => TypeKind::Range,
                "p" => TypeKind::Pseudo,
                _ => TypeKind::Base,
            };
            let found = FoundType {
                name: row.try_get(1)?,
                kind,
                category: row.try_get(3)?,
                element: row.try_get(4)?,
                base: row.try_get(5)?,
                modifier: row.try_get(6)?,
                not_null: row.try_get(7)?,
                default: row.try_get(8)?,
                labels: row.try_get(9)?,
            };
            types.insert(row.try_get(0)?, found);
        }
        Ok(Types(types))
    }

    /// What a column of that type, with that modifier, holds.
    pub(super) fn resolve(&self, oid: u32, modifier: i32) -> Resolved {
        let (mut oid, mut modifier) = (oid, modifier);
        let mut resolved = Resolved {
            kind: Type::Other,
            max_length: None,
            not_null: false,
            default: None,
        };
        for _ in 0..MAX_DEPTH {
            match self.0.get(&oid) {
                Some(found) if found.kind == TypeKind::Domain => {
                    resolved.not_null |= found.not_null;
                    resolved.default = resolved.default.take().or_else(|| found.default.clone());
                    modifier = if modifier >= 0 { modifier } else { found.modifier };
                    oid = found.base;
                }
                _ => break,
            }
        }
        resolved.kind = self.kind(oid, 0);
        // A limit of characters is kept with four added to it, for a length word that values once had.
        if matches!(self.0.get(&oid), Some(found) if matches!(found.name.as_str(), "varchar" | "bpchar")) {
            resolved.max_length = u32::try_from(modifier.saturating_sub(4)).ok();
        }
        resolved
    }

    /// Whether a routine that returns it gives nothing.
    pub(super) fn is_void(&self, oid: u32) -> bool {
        matches!(self.0.get(&oid), Some(found) if found.name == "void")
    }

    fn kind(&self, oid: u32, depth: usize) -> Type {
        let Some(found) = self.0.get(&oid).filter(|_| depth < MAX_DEPTH) else {
            return Type::Other;
        };
        match found.kind {
            TypeKind::Domain => self.kind(found.base, depth + 1),
            TypeKind::Enumeration => Type::Enumeration(found.labels.clone()),
            TypeKind::Range => Type::Range,
            TypeKind::Composite => Type::Composite,
            TypeKind::Pseudo if found.name == "record" => Type::Composite,
            TypeKind::Pseudo => Type::Other,
            TypeKind::Base => self.base(found, depth),
        }
    }

    fn base(&self, found: &FoundType, depth: usize) -> Type {
        let integer = |bytes| Type::Integer { bytes, unsigned: false };
        match found.name.as_str() {
            "bool" => Type::Boolean,
            "int2" => integer(2),
            "int4" => integer(4),
            "int8" => integer(8),
            "float4" | "float8" => Type::Real,
            "numeric" => Type::Decimal,
            "bytea" => Type::Bytes,
            "uuid" => Type::Uuid,
            "date" => Type::Date,
            "time" | "timetz" => Type::Time,
            "timestamp" => Type::Timestamp,
            "timestamptz" => Type::Moment,
            "interval" => Type::Interval,
            "json" => Type::Json { binary: false },
            "jsonb" => Type::Json { binary: true },
            "tsvector" => Type::SearchVector,
            // Vectors of the catalogs are arrays that take no array's operators.
            "int2vector" | "oidvector" => Type::Other,
            _ if found.category == "A" && found.element != 0 => {
                Type::Array(Box::new(self.kind(found.element, depth + 1)))
            }
            // Strings of whatever kind: varchar, char, name, and citext of the extension.
            _ if found.category == "S" => Type::Text,
            _ => Type::Other,
        }
    }
}
