//! A set of policies while it is compiled, and what its policies may be made of.

use std::path::Path;
use std::sync::Arc;

use portcullis_backends::swap::{Meanings, Named};
use portcullis_config::policy;
use portcullis_config::stores::soft::SoftStore;
use portcullis_core::{Backend, Policy};
use portcullis_policies::authenticate::Authenticator;
use portcullis_policies::order::Kind;
use portcullis_policies::rate_limit::store::Store;
use portcullis_policies::{anonymous, openapi, rate_limit};
use tokio::runtime::Handle;

use super::Set;
use crate::compile::durable::Durable;
use crate::compile::{Compiler, Purpose};
use crate::kept::Kept;
use crate::telemetry::log;

/// What a policy may be made of beside its own words.
pub(super) struct Around<'c> {
    /// The name of its set, or of the route for a set of its own: clients see it.
    pub(super) name: &'c str,
    /// The folder to which paths of files are relative.
    pub(super) base: &'c Path,
    /// What lives through reloads.
    pub(super) kept: &'c Kept,
    /// Where slow work is done.
    pub(super) slow: &'c Handle,
    /// Whether it will run, or is only looked at: then nothing is opened for writing, and nobody asked.
    pub(super) purpose: Purpose,
    /// What must not be lost.
    pub(super) durable: &'c Durable<'c>,
    soft: &'c SoftStore,
    services: Arc<Meanings>,
}

impl Around<'_> {
    /// The server in which several gates count; `None` where each counts for itself.
    ///
    /// # Errors
    /// When what it is verified by can't be read.
    pub(super) fn soft_store(&self) -> Result<Option<Arc<Store>>, String> {
        let slow = (self.purpose == Purpose::Run).then_some(self.slow);
        let tell = |line: &str| log::warn(line);
        self.kept.soft_stores.open(self.soft, self.base, slow, tell)
    }

    /// The service of that name, for a policy that asks it.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn service(&self, name: &str) -> Result<Arc<dyn Backend>, String> {
        let named = Named::new(name, None, self.services.clone());
        named
            .map(|named| Arc::new(named) as _)
            .ok_or_else(|| format!("there is no service `{name}`"))
    }
}

/// A set while it is compiled.
pub(super) struct Making<'m, 'c> {
    pub(super) compiler: &'m mut Compiler<'c>,
    /// Where it stands in the file.
    pub(super) place: &'m str,
    pub(super) name: &'m str,
    pub(super) set: Set,
}

impl Making<'_, '_> {
    /// The policy of that kind, if the file has it and nothing is wrong with it.
    fn made<C, P>(
        &mut self,
        kind: Kind,
        config: &Option<C>,
        make: impl FnOnce(&C, &Around<'_>) -> Result<P, String>,
    ) -> Option<P> {
        let around = Around {
            name: self.name,
            base: &self.compiler.loaded.base,
            kept: self.compiler.kept,
            slow: self.compiler.slow,
            purpose: self.compiler.purpose,
            durable: &self.compiler.durable,
            soft: &self.compiler.loaded.file.stores.soft,
            services: self.compiler.meanings.clone(),
        };
        let made = make(config.as_ref()?, &around);
        self.compiler.check(&format!("{}.{}", self.place, kind.name()), made)
    }

    /// A policy of which each that applies to a route is a layer.
    pub(super) fn layer<C, P: Policy + 'static>(
        &mut self,
        kind: Kind,
        config: &Option<C>,
        make: impl FnOnce(&C, &Around<'_>) -> Result<P, String>,
    ) {
        if let Some(policy) = self.made(kind, config, make) {
            self.set.layers.push((kind.place(), Arc::new(policy)));
        }
    }

    /// Limits of rates, which stand in two places.
    pub(super) fn rate_limits(&mut self, config: &Option<Vec<policy::rate_limit::RateLimit>>) {
        let stages = self.made(Kind::RateLimit, config, |config, around| {
            let store = around.soft_store()?;
            let counted = rate_limit::Where {
                registry: &around.kept.rate_limits,
                store: store.as_ref(),
            };
            rate_limit::Stages::new(config, around.name, counted)
        });
        let stages = stages.unwrap_or_default();
        let mut put = |kind: Kind, policy: Option<rate_limit::RateLimit>| {
            self.set
                .layers
                .extend(policy.map(|policy| (kind.place(), Arc::new(policy) as _)));
        };
        put(Kind::RateLimit, stages.before);
        put(Kind::RateLimitBehind, stages.behind);
    }

    /// A way of finding out who it is, of which any suffices.
    pub(super) fn way<C, A: Authenticator + 'static>(
        &mut self,
        kind: Kind,
        config: &Option<C>,
        make: impl FnOnce(&C, &Around<'_>) -> Result<A, String>,
    ) {
        if let Some(way) = self.made(kind, config, make) {
            self.set.ways.push((kind.place(), Arc::new(way)));
        }
    }

    /// A policy of which the last one that applies to a route counts; nothing is made of one that is turned off.
    pub(super) fn alone<C, P: Policy + 'static>(
        &mut self,
        kind: Kind,
        config: &Option<C>,
        make: impl FnOnce(&C, &Around<'_>) -> Result<Option<P>, String>,
    ) {
        if let Some(made) = self.made(kind, config, make) {
            let policy = made.map(|policy| Arc::new(policy) as _);
            self.set.alone.push((kind.place(), policy));
        }
    }

    /// What lets in those who show nothing, of which the last one counts.
    pub(super) fn anonymous(&mut self, config: &Option<policy::anonymous::Anonymous>) {
        let made = self.made(Kind::Anonymous, config, |config, _| {
            Ok((config.enabled, anonymous::Anonymous::new(config)?))
        });
        self.set.anonymous = made.map(|(enabled, way)| enabled.then(|| Arc::new(way) as _));
    }

    /// The description of an API, which judges requests in one place and responses in another.
    pub(super) fn contract(&mut self, config: &Option<policy::openapi::OpenApi>) {
        let made = self.made(Kind::OpenApi, config, |config, around| {
            openapi::OpenApi::new(config, around.name, around.base, around.slow, &around.kept.reported)
        });
        if let Some(contract) = made {
            let responses = contract.responses().map(|it| Arc::new(it) as _);
            let responses = responses.map(|it| (Kind::OpenApiResponses.place(), it));
            self.set.layers.extend(responses);
            self.set.layers.push((Kind::OpenApi.place(), Arc::new(contract)));
        }
    }
}
