//! Types of columns, as far as clients and statements tell them apart.

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// True or false.
    Boolean,
    /// An integer of at most that many bytes: 1, 2, 3, 4 or 8.
    Integer {
        /// Its bytes.
        bytes: u8,
        /// Whether it has no sign.
        unsigned: bool,
    },
    /// A binary floating-point number.
    Real,
    /// A number of decimal digits.
    Decimal,
    /// A number where the value is one, else text: SQLite's NUMERIC affinity.
    Numeric,
    /// Text.
    Text,
    /// Bytes; in JSON, base64 (RFC 4648 §4).
    Bytes,
    /// A UUID.
    Uuid,
    /// A date.
    Date,
    /// A time of day.
    Time,
    /// A date and time without a zone.
    Timestamp,
    /// A moment.
    Moment,
    /// A length of time.
    Interval,
    /// A JSON document; `binary` tells PostgreSQL's `jsonb`.
    Json {
        /// Whether the database keeps it parsed.
        binary: bool,
    },
    /// One of these words.
    Enumeration(Vec<String>),
    /// An array.
    Array(Box<Type>),
    /// A range of values.
    Range,
    /// Text that is prepared for full-text search.
    SearchVector,
    /// A row of its own: a composite type.
    Composite,
    /// No type was declared: SQLite's ANY, and columns without one.
    Any,
    /// A type that only the database knows; values are its text form.
    Other,
}

/// A type that a client may cast a selected column to. A closed list: no client's text stands in a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Cast {
    Text,
    Boolean,
    SmallInteger,
    Integer,
    BigInteger,
    Real,
    Double,
    Decimal,
    Date,
    Time,
    Timestamp,
    Moment,
    Interval,
    Uuid,
    Json,
    JsonBinary,
    TextArray,
    IntegerArray,
}

impl Cast {
    /// The cast of that name, in PostgreSQL's words and the standard's.
    pub fn named(name: &str) -> Option<Cast> {
        Some(match name {
            "text" | "varchar" | "char" => Cast::Text,
            "boolean" | "bool" => Cast::Boolean,
            "smallint" | "int2" => Cast::SmallInteger,
            "integer" | "int" | "int4" => Cast::Integer,
            "bigint" | "int8" => Cast::BigInteger,
            "real" | "float4" => Cast::Real,
            "double precision" | "double" | "float8" | "float" => Cast::Double,
            "numeric" | "decimal" => Cast::Decimal,
            "date" => Cast::Date,
            "time" => Cast::Time,
            "timestamp" => Cast::Timestamp,
            "timestamptz" => Cast::Moment,
            "interval" => Cast::Interval,
            "uuid" => Cast::Uuid,
            "json" => Cast::Json,
            "jsonb" => Cast::JsonBinary,
            "text[]" | "_text" => Cast::TextArray,
            "int[]" | "integer[]" | "int4[]" | "_int4" => Cast::IntegerArray,
            _ => return None,
        })
    }

    /// What a column holds after it.
    pub fn kind(self) -> Type {
        let integer = |bytes| Type::Integer { bytes, unsigned: false };
        match self {
            Cast::Text => Type::Text,
            Cast::Boolean => Type::Boolean,
            Cast::SmallInteger => integer(2),
            Cast::Integer => integer(4),
            Cast::BigInteger => integer(8),
            Cast::Real | Cast::Double => Type::Real,
            Cast::Decimal => Type::Decimal,
            Cast::Date => Type::Date,
            Cast::Time => Type::Time,
            Cast::Timestamp => Type::Timestamp,
            Cast::Moment => Type::Moment,
            Cast::Interval => Type::Interval,
            Cast::Uuid => Type::Uuid,
            Cast::Json => Type::Json { binary: false },
            Cast::JsonBinary => Type::Json { binary: true },
            Cast::TextArray => Type::Array(Box::new(Type::Text)),
            Cast::IntegerArray => Type::Array(Box::new(integer(4))),
        }
    }
}

impl Type {
    /// What it takes, in words for a client.
    pub fn description(&self) -> &'static str {
        match self {
            Type::Boolean => "true or false",
            Type::Integer { bytes: 1, .. } => "an integer of 8 bits",
            Type::Integer { bytes: 2, .. } => "an integer of 16 bits",
            Type::Integer { bytes: 3 | 4, .. } => "an integer of 32 bits",
            Type::Integer { .. } => "an integer of 64 bits",
            Type::Real | Type::Decimal => "a number",
            Type::Numeric => "a number or a text",
            Type::Text => "a text",
            Type::Bytes => "bytes in base64",
            Type::Uuid => "a UUID",
            Type::Date => "a date such as 2026-01-31",
            Type::Time => "a time such as 12:30:00",
            Type::Timestamp => "a date and time such as 2026-01-31T12:30:00",
            Type::Moment => "a date and time with a zone such as 2026-01-31T12:30:00Z",
            Type::Interval => "a length of time",
            Type::Json { .. } => "JSON",
            Type::Enumeration(_) => "one of its words",
            Type::Array(_) => "an array",
            Type::Range => "a range",
            Type::SearchVector => "text for searching",
            Type::Composite => "an object",
            Type::Any => "a text, a number, true or false",
            Type::Other => "a value in the database's own form",
        }
    }
}
