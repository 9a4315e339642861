//! `to: {split: …}`: a route that several services share.
//!
//! Every request has a place among [`WHOLE`]: at random, or by what tells clients apart, so that a client keeps its place. Each
//! part has some of the places, the last one the first of them. So a roll-out of the last part, or a larger weight for
//! it, moves clients to it and nobody back.

pub(crate) mod client;

use std::sync::Arc;

use portcullis_config::route::split::SplitKey;
use portcullis_core::{Backend, Ctx, Reply, Request};
use portcullis_resilience::rollout::WHOLE;

use self::client::Client;
use crate::counts::Count;

/// Several ends that share the requests of a route.
pub struct Split {
    /// In the order of their places.
    parts: Box<[Placed]>,
    client: Client,
}

/// One of the ends.
pub struct Part {
    /// Who answers.
    pub end: Arc<dyn Backend>,
    /// Its share, beside the others' weights.
    pub weight: u32,
    /// Counts the requests that it is given.
    pub count: Arc<Count>,
}

struct Placed {
    part: Part,
    /// The places that it and those before it have end here.
    end_of_places: u32,
}

impl Split {
    /// A split into these parts, the one in use first. At least one must have a weight. Clients keep their part by `by`.
    pub fn new(parts: Vec<Part>, by: Option<&SplitKey>) -> Split {
        let all: u64 = parts.iter().map(|part| u64::from(part.weight)).sum();
        let mut so_far = 0;
        let placed = parts.into_iter().rev().map(|part| {
            so_far += u64::from(part.weight);
            // Rounded up, so that the smallest weight gets something.
            let end = (so_far * u64::from(WHOLE)).div_ceil(all.max(1));
            Placed {
                part,
                end_of_places: u32::try_from(end).unwrap_or(WHOLE),
            }
        });
        Split {
            parts: placed.collect(),
            client: Client::told_by(by),
        }
    }

    /// The part that has that place.
    fn at(&self, place: u32) -> Option<&Part> {
        let placed = self.parts.iter().find(|placed| place < placed.end_of_places);
        placed.map(|placed| &placed.part)
    }
}

impl Backend for Split {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request) -> Reply<'a> {
        let place = self.client.place(cx, &request);
        let Some(part) = self.at(place.number) else {
            return Reply::from(client::nobody());
        };
        part.count.add();
        place.remembered(part.end.call(cx, request))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::client::tests::{context, request};
    use super::*;

    /// Answers with its name as a field.
    struct Says(&'static str);

    impl Backend for Says {
        fn call<'a>(&'a self, cx: &'a mut Ctx, _: Request) -> Reply<'a> {
            cx.upstream.service = Some(self.0.into());
            Reply::from(portcullis_core::Response::new(portcullis_core::Status::OK))
        }
    }

    fn split(parts: &[(&'static str, u32)], by: Option<&str>) -> Split {
        let part = |(name, weight): &(&'static str, u32)| Part {
            end: Arc::new(Says(name)),
            weight: *weight,
            count: Arc::default(),
        };
        let by = by.map(|by| by.parse::<SplitKey>().expect("it is a key"));
        Split::new(parts.iter().map(part).collect(), by.as_ref())
    }

    fn served(split: &Split, client: u32) -> String {
        let mut cx = context();
        let mut request = request();
        request.headers.append("x-tenant", client.to_string());
        drop(split.call(&mut cx, request));
        cx.upstream.service.map(|name| name.to_string()).unwrap_or_default()
    }

    fn shares(split: &Split, clients: u32) -> HashMap<String, u32> {
        let mut shares = HashMap::new();
        for client in 0..clients {
            *shares.entry(served(split, client)).or_default() += 1;
        }
        shares
    }

    #[test]
    fn requests_are_shared_by_weight() {
        for by in [None, Some("header:X-Tenant")] {
            let shares = shares(&split(&[("a", 70), ("b", 20), ("c", 10), ("d", 0)], by), 20_000);
            assert!((13_500..14_500).contains(&shares["a"]), "{shares:?}");
            assert!((3_700..4_300).contains(&shares["b"]), "{shares:?}");
            assert!((1_800..2_200).contains(&shares["c"]), "{shares:?}");
            assert_eq!(shares.get("d"), None);
        }
    }

    #[test]
    fn a_client_stays_where_it_is() {
        let split = split(&[("a", 50), ("b", 50)], Some("header:x-tenant"));
        for client in 0..100 {
            let first = served(&split, client);
            assert!((0..5).all(|_| served(&split, client) == first));
        }
    }

    #[test]
    fn as_the_new_one_grows_nobody_goes_back() {
        let mut new_before = Vec::new();
        for weight in [0, 1, 5, 25, 50, 99, 100] {
            let split = split(&[("old", 100 - weight), ("new", weight)], Some("header:X-Tenant"));
            let new: Vec<u32> = (0..2_000).filter(|client| served(&split, *client) == "new").collect();
            assert!(new_before.iter().all(|client| new.contains(client)), "at {weight}");
            assert!(new.len() >= new_before.len());
            new_before = new;
        }
        assert_eq!(new_before.len(), 2_000);
    }

    #[test]
    fn the_smallest_weight_gets_something_and_all_places_are_given() {
        let split = split(&[("a", 1000), ("b", 1)], None);
        assert_eq!(split.parts[0].end_of_places, 10);
        assert!((0..WHOLE).all(|place| split.at(place).is_some()));
        assert!(split.at(WHOLE).is_none());
    }
}
