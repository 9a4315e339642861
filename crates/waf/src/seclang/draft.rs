//! Rules as they are read, before they are compiled together.

use super::action::{Actions, Disruptive, Selected};
use super::lines::Place;
use super::operator::Operator;
use super::required::Required;
use super::variable::Target;

/// A rule or a place to skip to, in the order of the files.
pub(super) enum Item {
    Rule(Box<Draft>),
    Marker(String),
}

/// A rule with what is chained to it.
pub(super) struct Draft {
    pub(super) id: u32,
    pub(super) phase: u8,
    /// What the phase's `SecDefaultAction` said where the rule stands.
    pub(super) defaults: Actions,
    pub(super) removed: bool,
    pub(super) links: Vec<Link>,
}

/// One rule of a chain.
pub(super) struct Link {
    pub(super) place: Place,
    /// `None` for a `SecAction`.
    pub(super) asked: Option<(Vec<Target>, (bool, Operator, Required))>,
    pub(super) actions: Actions,
}

impl Item {
    pub(super) fn rule(&self) -> Option<&Draft> {
        match self {
            Item::Rule(draft) => Some(draft),
            Item::Marker(_) => None,
        }
    }
}

impl Draft {
    /// A rule; `None` where it has no identifier.
    pub(super) fn new(first: Link, phase: u8, defaults: Actions) -> Option<Draft> {
        Some(Draft {
            id: first.actions.id?,
            phase,
            defaults,
            removed: false,
            links: vec![first],
        })
    }

    pub(super) fn is_selected(&self, selected: &Selected) -> bool {
        let actions = &self.links[0].actions;
        match selected {
            Selected::Ids(ranges) => ranges.iter().any(|(first, last)| (*first..=*last).contains(&self.id)),
            Selected::Tag(pattern) => actions.tags.iter().any(|tag| pattern.is_match(tag.as_bytes())),
            Selected::Message(pattern) => {
                let message = actions.message.as_ref().and_then(|message| message.constant());
                message.is_some_and(|message| pattern.is_match(message))
            }
        }
    }

    /// What the rule does to the transaction; `block` is what the default says.
    pub(super) fn disruptive(&self) -> Disruptive {
        let of_default = || self.defaults.disruptive.clone().unwrap_or(Disruptive::Pass);
        match &self.links[0].actions.disruptive {
            None | Some(Disruptive::Block) => of_default(),
            Some(other) => other.clone(),
        }
    }

    /// Puts actions of a `SecRuleUpdateActionById` over those that the rule has.
    pub(super) fn update(&mut self, new: &Actions) {
        let actions = &mut self.links[0].actions;
        macro_rules! replace {
            ($($field:ident),*) => { $(if new.$field.is_some() { actions.$field = new.$field.clone(); })* };
        }
        replace!(
            transforms, disruptive, status, log, audit, skip, skip_after, message, data, severity
        );
        actions.capture |= new.capture;
        actions.multi_match |= new.multi_match;
        actions.tags.extend(new.tags.iter().cloned());
        actions.effects.extend(new.effects.iter().cloned());
    }
}
