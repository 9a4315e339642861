//! Routes that end in services: one, several that share the requests, or a new one in an old one's place.

use std::sync::Arc;

use portcullis_backends::mirror::Mirrored;
use portcullis_backends::rollout::{self, Rollout};
use portcullis_backends::split::{self, Split};
use portcullis_backends::swap::Named;
use portcullis_config::route::mirror::Mirror;
use portcullis_config::route::rollout::ToRollout;
use portcullis_config::route::split::ToSplit;
use portcullis_config::route::{To, ToService};
use portcullis_core::Backend;
use portcullis_resilience::rollout::seen::Pair;

use super::Compiler;

impl Compiler<'_> {
    /// The end of a route in a service.
    pub(super) fn service(&mut self, to: &ToService) -> Option<Arc<dyn Backend>> {
        let end = self.named(&to.service, to.strip.as_deref())?;
        self.mirrored(end, to.mirror.as_ref(), to.strip.as_deref())
    }

    /// The end of the route of that name in several services.
    pub(super) fn split(&mut self, route: &str, to: &ToSplit) -> Option<Arc<dyn Backend>> {
        let mut parts = Vec::with_capacity(to.split.len());
        for part in &to.split {
            parts.push(split::Part {
                end: self.named(&part.service, to.strip.as_deref())?,
                weight: part.weight,
                count: self.kept.shares.of(route, &part.service),
            });
        }
        let end = Arc::new(Split::new(parts, to.by.as_ref()));
        self.mirrored(end, to.mirror.as_ref(), to.strip.as_deref())
    }

    /// The end of the route of that name in two versions of a service.
    pub(super) fn rollout(&mut self, route: &'static str, to: &ToRollout) -> Option<Arc<dyn Backend>> {
        let mut version = |service: &str| {
            Some(rollout::Version {
                end: self.named(service, to.strip.as_deref())?,
                count: self.kept.shares.of(route, service),
            })
        };
        let versions = Pair {
            old: version(&to.rollout.from)?,
            new: version(&to.rollout.to)?,
        };
        let course = self.kept.rollouts.course(route, &to.rollout);
        let progress = course.progress.clone();
        self.rollouts.push(course);
        Some(Arc::new(Rollout::new(versions, to.by.as_ref(), progress)))
    }

    /// The end, with copies of its requests where those are wanted.
    fn mirrored(
        &mut self,
        end: Arc<dyn Backend>,
        config: Option<&Mirror>,
        strip: Option<&str>,
    ) -> Option<Arc<dyn Backend>> {
        let Some(config) = config else { return Some(end) };
        let mirror = self.named(&config.service, strip)?;
        Some(Arc::new(Mirrored::new(end, mirror, config, &self.kept.mirrored)))
    }

    /// The end in whatever service that name means. One that could not be compiled has a problem of its own.
    fn named(&mut self, service: &str, strip: Option<&str>) -> Option<Arc<dyn Backend>> {
        let key = (service.to_owned(), strip.map(str::to_owned));
        if let Some(known) = self.forwards.get(&key) {
            return Some(known.clone());
        }
        let end: Arc<dyn Backend> = Arc::new(Named::new(service, strip, self.meanings.clone())?);
        self.forwards.insert(key, end.clone());
        Some(end)
    }
}

/// What a route ends in, in a few words.
pub(super) fn in_words(to: &To) -> String {
    match to {
        To::Service(to) => format!("service {}{}", to.service, copies(to.mirror.as_ref())),
        To::Split(to) => {
            let parts = to.split.iter().map(|part| format!("{} {}", part.service, part.weight));
            let parts: Vec<String> = parts.collect();
            format!("services {}{}", parts.join(", "), copies(to.mirror.as_ref()))
        }
        To::Rollout(to) => format!("roll-out from {} to {}", to.rollout.from, to.rollout.to),
        To::Table(to) => format!("table {}", to.table),
        To::Tables(to) => format!("tables of {}", to.tables.database),
        To::Files(to) => format!("files in {}", to.files.display()),
        To::Respond(to) => format!("respond with {}", to.respond.status),
        To::Redirect(to) => format!("redirect to {}", to.redirect.url),
    }
}

fn copies(mirror: Option<&Mirror>) -> String {
    mirror.map_or_else(String::new, |mirror| format!(", copies to {}", mirror.service))
}
