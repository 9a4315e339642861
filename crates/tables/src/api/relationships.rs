//! How the resources of an API are related: along foreign keys, in both directions, and through tables between.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Join, Relationship, Resource};
use crate::schema::{ForeignKey, Relation, Schema};

/// Ways through tables between that one resource may have: in a schema where everything refers to everything, their
/// number grows with the third power.
const MAX_RELATIONSHIPS: usize = 1000;

/// The resources of each relation.
type Exposures = HashMap<usize, Vec<usize>>;

/// Fills in the relationships of all resources. One is there only where all columns that it goes over can be read: an
/// embed would tell them.
pub(super) fn find(schema: &Schema, resources: &mut [Resource]) {
    let mut exposures = Exposures::new();
    for (place, resource) in resources.iter().enumerate() {
        exposures.entry(address(&resource.relation)).or_default().push(place);
    }
    let mut found: Vec<Vec<Relationship>> = resources.iter().map(|_| Vec::new()).collect();
    for (place, resource) in resources.iter().enumerate() {
        for key in keys(resource) {
            for target in referred_to(schema, resources, &exposures, key) {
                found[place].push(forward(key, target));
                found[target].push(backward(&resource.relation, key, place));
            }
        }
    }
    for (place, resource) in resources.iter().enumerate() {
        let referred: Vec<(&ForeignKey, Vec<usize>)> = keys(resource)
            .map(|key| (key, referred_to(schema, resources, &exposures, key)))
            .collect();
        through(place, &resource.relation, &referred, &mut found);
    }
    for (resource, mut relationships) in resources.iter_mut().zip(found) {
        relationships.truncate(MAX_RELATIONSHIPS);
        resource.relationships = relationships;
    }
}

/// What tells a relation from others: where it is.
fn address(relation: &Arc<Relation>) -> usize {
    Arc::as_ptr(relation) as usize
}

/// The foreign keys whose columns can be read.
fn keys(resource: &Resource) -> impl Iterator<Item = &ForeignKey> {
    let is_readable = |key: &&ForeignKey| key.columns.iter().all(|place| resource.readable.contains(place));
    resource.relation.foreign_keys.iter().filter(is_readable)
}

/// The resources that a foreign key refers to: those over the relation whose columns can be read.
fn referred_to(schema: &Schema, resources: &[Resource], exposures: &Exposures, key: &ForeignKey) -> Vec<usize> {
    let is_readable = |place: &&usize| {
        let readable = &resources[**place].readable;
        key.referred.iter().all(|column| readable.contains(column))
    };
    let known = exposures.get(&address(&schema.relations()[key.relation]));
    known.into_iter().flatten().filter(is_readable).copied().collect()
}

fn forward(key: &ForeignKey, target: usize) -> Relationship {
    Relationship {
        constraint: key.name.clone(),
        target,
        to_one: true,
        join: Join::Direct {
            here: key.columns.clone(),
            there: key.referred.clone(),
        },
    }
}

fn backward(referring: &Relation, key: &ForeignKey, target: usize) -> Relationship {
    Relationship {
        constraint: key.name.clone(),
        target,
        to_one: referring.is_key(&key.columns),
        join: Join::Direct {
            here: key.referred.clone(),
            there: key.columns.clone(),
        },
    }
}

/// Relates what a table between refers to: one whose two foreign keys lie within one of its keys, so that it tells of
/// no pair twice.
fn through(
    between: usize,
    relation: &Relation,
    referred: &[(&ForeignKey, Vec<usize>)],
    found: &mut [Vec<Relationship>],
) {
    let pairs = referred
        .iter()
        .flat_map(|one| referred.iter().map(move |other| (one, other)))
        .filter(|((one, _), (other, _))| one.name != other.name && is_junction(relation, one, other));
    for ((one, origins), (other, targets)) in pairs {
        for origin in origins {
            for target in targets {
                if found[*origin].len() >= MAX_RELATIONSHIPS {
                    break;
                }
                found[*origin].push(Relationship {
                    constraint: other.name.clone(),
                    target: *target,
                    to_one: false,
                    join: Join::Through {
                        between,
                        constraint: other.name.clone(),
                        here: one.referred.clone(),
                        from: one.columns.clone(),
                        to: other.columns.clone(),
                        there: other.referred.clone(),
                    },
                });
            }
        }
    }
}

fn is_junction(relation: &Relation, one: &ForeignKey, other: &ForeignKey) -> bool {
    let covers = |key: &Vec<usize>| {
        one.columns
            .iter()
            .chain(&other.columns)
            .all(|place| key.contains(place))
    };
    covers(&relation.primary_key) || relation.unique.iter().any(covers)
}

#[cfg(test)]
mod tests {
    use crate::api::Join;
    use crate::fixture;
    use crate::schema::Engine;

    /// What a resource is related to, as `target constraint >` (one) or `*` (several), with the table between.
    fn related(name: &str) -> Vec<String> {
        let api = fixture::api(Engine::Postgres);
        let (_, resource) = api.resource(name).expect(name);
        let mut related: Vec<String> = resource
            .relationships
            .iter()
            .map(|related| {
                let between = match &related.join {
                    Join::Direct { .. } => String::new(),
                    Join::Through { between, .. } => format!(" by {}", api.resources()[*between].name),
                };
                let count = if related.to_one { '1' } else { '*' };
                format!(
                    "{count} {} {}{between}",
                    api.resources()[related.target].name,
                    related.constraint
                )
            })
            .collect();
        related.sort();
        related
    }

    #[test]
    fn foreign_keys_are_followed_both_ways() {
        assert_eq!(
            related("customers"),
            [
                "* archived_orders archived_orders_customer_id_fkey",
                "* orders orders_customer_id_fkey"
            ]
        );
        assert_eq!(
            related("orders"),
            [
                "* lines lines_order_id_fkey",
                "* order_tags order_tags_order_id_fkey",
                "* shipments shipments_order_id_fkey",
                "* tags order_tags_tag_id_fkey by order_tags",
                "1 customers orders_customer_id_fkey",
                "1 invoices invoices_order_id_fkey",
            ]
        );
        assert_eq!(
            related("employees"),
            [
                "* employees employees_manager_id_fkey",
                "1 employees employees_manager_id_fkey"
            ]
        );
        // A product is in many lines, but the lines' key is of orders and numbers: nothing says that it is no pair twice.
        assert_eq!(related("products"), ["* lines lines_product_id_fkey"]);
        assert!(related("order_totals").is_empty());
    }

    #[test]
    fn a_column_that_is_hidden_relates_nothing() {
        let mut exposed = fixture::exposed();
        for (name, resource) in &mut exposed.resources {
            if name == "orders" {
                resource.columns = Some(vec!["id".to_owned(), "owner".to_owned(), "lock_version".to_owned()]);
                resource.filters = None;
            }
        }
        let api = crate::api::Api::new(fixture::schema(Engine::Postgres), exposed).expect("it fits");
        let (_, customers) = api.resource("customers").expect("it is there");
        let targets: Vec<&str> = customers
            .relationships
            .iter()
            .map(|related| &*api.resources()[related.target].name)
            .collect();
        assert_eq!(targets, ["archived_orders"]);
    }
}
