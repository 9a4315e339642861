//! Conditions on rows.

use portcullis_core::Result;

use super::dialect::{Dialect, operator};
use super::field::Operand;
use super::write::{Alias, Writer, unsupported};
use crate::query::{Comparison, Containment, Filter, Is, Item, Quantifier, RangeTest, Test};
use crate::schema::Type;
use crate::value::Value;

/// The table that conditions are about.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'q> {
    /// The resource, by its place in the API.
    pub(crate) resource: usize,
    /// The table's alias, or none where it is the only one.
    pub(crate) alias: Option<Alias>,
    /// The items that [`Filter::Embedded`] counts.
    pub(crate) items: &'q [Item],
}

impl Writer<'_> {
    /// A condition on the rows of a resource, in parentheses. Where the table has no alias, it must be the only one of
    /// the statement.
    ///
    /// # Errors
    /// `bad_query` where the engine can't do what is asked for.
    pub(crate) fn filter(&mut self, resource: usize, alias: Option<Alias>, filter: &Filter) -> Result<()> {
        self.condition(
            Scope {
                resource,
                alias,
                items: &[],
            },
            filter,
        )
    }

    /// A condition on the rows of a table, in parentheses.
    ///
    /// # Errors
    /// `bad_query` where the engine can't do what is asked for.
    pub(crate) fn condition(&mut self, scope: Scope<'_>, filter: &Filter) -> Result<()> {
        match filter {
            Filter::And(filters) if filters.is_empty() => {
                self.words("TRUE");
                Ok(())
            }
            Filter::Or(filters) if filters.is_empty() => {
                self.words("FALSE");
                Ok(())
            }
            Filter::And(filters) => self.conditions(scope, " AND ", filters),
            Filter::Or(filters) => self.conditions(scope, " OR ", filters),
            Filter::Not(filter) => {
                self.words("(NOT ");
                self.condition(scope, filter)?;
                self.words(")");
                Ok(())
            }
            Filter::Test { field, test } => {
                let relation = self.relation_of(scope.resource);
                let operand = Operand {
                    alias: scope.alias,
                    relation,
                    field,
                };
                self.words("(");
                self.test(operand, test)?;
                self.words(")");
                Ok(())
            }
            Filter::Embedded { item, present } => self.embedded(scope, *item, *present),
            Filter::Keys { columns, step } => {
                let relation = self.relation_of(scope.resource);
                self.keys(relation, scope.alias, columns, *step)
            }
        }
    }

    fn conditions(&mut self, scope: Scope<'_>, separator: &'static str, filters: &[Filter]) -> Result<()> {
        self.words("(");
        self.list(separator, filters, |writer, filter| writer.condition(scope, filter))?;
        self.words(")");
        Ok(())
    }

    fn test(&mut self, operand: Operand<'_>, test: &Test) -> Result<()> {
        match test {
            Test::Compare(comparison, value) => self.compare(operand, operator(*comparison), value),
            Test::Quantified(Comparison::Equal, Quantifier::Any, values) | Test::In(values) => {
                self.member(operand, values);
            }
            Test::Quantified(comparison, quantifier, values) => {
                if self.dialect() == Dialect::Postgres {
                    self.comparable(operand).words(operator(*comparison));
                    self.quantified_list(*quantifier, Value::List(values.clone()));
                    return Ok(());
                }
                self.each(*quantifier, values, |writer, value| {
                    writer.compare(operand, operator(*comparison), value);
                });
            }
            Test::Like { insensitive, pattern } => {
                self.like(operand, *insensitive, pattern);
            }
            Test::QuantifiedLike {
                insensitive,
                quantifier,
                patterns,
            } => {
                self.quantified_like(operand, *insensitive, *quantifier, patterns);
            }
            Test::Match {
                insensitive,
                patterns,
                quantifier,
            } => {
                return self.regular(operand, *insensitive, *quantifier, patterns);
            }
            Test::Is(is) => {
                let dialect = self.dialect();
                self.operand(operand).words(match is {
                    Is::Null => " IS NULL",
                    Is::NotNull => " IS NOT NULL",
                    Is::True => " IS TRUE",
                    Is::False => " IS FALSE",
                    Is::Unknown if dialect == Dialect::Sqlite => " IS NULL",
                    Is::Unknown => " IS UNKNOWN",
                });
            }
            Test::Distinct(value) => match self.dialect() {
                Dialect::Postgres => self.compare(operand, " IS DISTINCT FROM ", value),
                Dialect::Sqlite => self.compare(operand, " IS NOT ", value),
                Dialect::MariaDb { .. } => {
                    self.words("NOT (");
                    self.compare(operand, " <=> ", value);
                    self.words(")");
                }
            },
            Test::Search(search) => return self.search(operand, search),
            Test::Contain(containment, value) => return self.contain(operand, *containment, value),
            Test::Range(test, value) => return self.range(operand, *test, value),
        };
        Ok(())
    }

    /// The field compared with a value.
    pub(crate) fn compare(&mut self, operand: Operand<'_>, operator: &'static str, value: &Value) {
        self.comparable(operand)
            .words(operator)
            .comparand(operand, value.clone());
    }

    /// The field in a form that can be compared: PostgreSQL has no comparison of type `json`.
    pub(crate) fn comparable(&mut self, operand: Operand<'_>) -> &mut Self {
        self.operand(operand);
        if self.dialect() == Dialect::Postgres && operand.kind() == (Type::Json { binary: false }) {
            self.words("::jsonb");
        }
        self
    }

    /// A placeholder for a value that the field is compared with. PostgreSQL takes the type from the field, and so do
    /// SQLite's affinities.
    fn comparand(&mut self, operand: Operand<'_>, value: Value) -> &mut Self {
        let textual = matches!(value, Value::Text(_));
        match (self.dialect(), operand.kind()) {
            (Dialect::Postgres, Type::Json { .. }) => self.value(value).words("::jsonb"),
            (Dialect::Sqlite, Type::Json { .. }) if !operand.field.path.is_empty() => {
                self.words("json(").value(value).words(")")
            }
            // A decimal that is compared with a text is compared as a binary number, which has 15 digits only.
            (Dialect::MariaDb { .. }, Type::Decimal) if textual => {
                self.words("CAST(").value(value).words(" AS DECIMAL(65, 30))")
            }
            _ => self.value(value),
        }
    }

    /// Whether the field's value is one of these. The text is the same for lists of all lengths, or, where the engine
    /// has no lists, of lengths up to the same power of two.
    fn member(&mut self, operand: Operand<'_>, values: &[Value]) {
        let bytes = values.iter().any(|value| matches!(value, Value::Bytes(_)));
        match self.dialect() {
            Dialect::Postgres => {
                self.comparable(operand).words(" = ");
                self.quantified_list(Quantifier::Any, Value::List(values.to_vec()));
            }
            Dialect::Sqlite if !bytes => {
                self.operand(operand).words(" IN (SELECT value FROM json_each(");
                self.value(Value::List(values.to_vec())).words("))");
            }
            // `IN ()` is no SQL.
            _ if values.is_empty() => {
                self.words("FALSE");
            }
            _ => {
                self.operand(operand).words(" IN (");
                for (at, value) in padded(values).enumerate() {
                    self.words(if at > 0 { ", " } else { "" })
                        .comparand(operand, value.clone());
                }
                self.words(")");
            }
        }
    }

    /// `ANY($1)` or `ALL($1)`: PostgreSQL takes the array's type from what stands before.
    pub(crate) fn quantified_list(&mut self, quantifier: Quantifier, list: Value) -> &mut Self {
        self.words(match quantifier {
            Quantifier::Any => "ANY(",
            Quantifier::All => "ALL(",
        });
        self.value(list).words(")")
    }

    /// One condition for each value, padded to a power of two.
    pub(crate) fn each<T>(&mut self, quantifier: Quantifier, values: &[T], mut write: impl FnMut(&mut Self, &T)) {
        let (separator, of_none) = match quantifier {
            Quantifier::Any => (" OR ", "FALSE"),
            Quantifier::All => (" AND ", "TRUE"),
        };
        if values.is_empty() {
            self.words(of_none);
        }
        for (at, value) in padded(values).enumerate() {
            self.words(if at > 0 { separator } else { "" });
            write(self, value);
        }
    }

    fn contain(&mut self, operand: Operand<'_>, containment: Containment, value: &Value) -> Result<()> {
        let json = matches!(operand.kind(), Type::Json { .. });
        let value = value.clone();
        match (self.dialect(), containment) {
            (Dialect::Postgres, _) => {
                self.comparable(operand).words(match containment {
                    Containment::Contains => " @> ",
                    Containment::ContainedIn => " <@ ",
                    Containment::Overlaps => " && ",
                });
                self.comparand(operand, value);
            }
            (Dialect::MariaDb { .. }, Containment::Contains) if json => {
                self.words("JSON_CONTAINS(")
                    .operand(operand)
                    .words(", ")
                    .value(value)
                    .words(")");
            }
            (Dialect::MariaDb { .. }, Containment::ContainedIn) if json => {
                self.words("JSON_CONTAINS(")
                    .value(value)
                    .words(", ")
                    .operand(operand)
                    .words(")");
            }
            _ => return Err(unsupported("`cs`, `cd`, `ov`: this database can't compare such values")),
        }
        Ok(())
    }

    fn range(&mut self, operand: Operand<'_>, test: RangeTest, value: &Value) -> Result<()> {
        if self.dialect() != Dialect::Postgres {
            return Err(unsupported(
                "`sl`, `sr`, `nxl`, `nxr`, `adj`: this database has no ranges",
            ));
        }
        let operator = match test {
            RangeTest::StrictlyLeft => " << ",
            RangeTest::StrictlyRight => " >> ",
            RangeTest::NotRight => " &< ",
            RangeTest::NotLeft => " &> ",
            RangeTest::Adjacent => " -|- ",
        };
        self.compare(operand, operator, value);
        Ok(())
    }
}

/// The values, filled up to a power of two with the last one, so that lists of all lengths share a dozen statements.
pub(crate) fn padded<T>(values: &[T]) -> impl Iterator<Item = &T> {
    let filled = if values.is_empty() {
        0
    } else {
        values.len().next_power_of_two() - values.len()
    };
    values.iter().chain(values.last().into_iter().cycle().take(filled))
}
