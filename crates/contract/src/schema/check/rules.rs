//! Each rule of a schema, held against a value.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::super::node::{Condition, Contains, DynamicRef, Items, Members, NodeId, Rule, Types};
use super::super::seen::Seen;
use super::{Place, Run};
use crate::json::shown;
use crate::pattern::Pattern;
use crate::{number, sameness};

type Marks<'m> = Option<&'m mut Seen>;

impl<'s> Run<'s> {
    pub(super) fn rule(&mut self, rule: &'s Rule, value: &Value, place: &Place<'_>, seen: Marks<'_>) -> bool {
        match (rule, value) {
            (Rule::Const(constants) | Rule::Enum(constants), value) => {
                self.step(1 + constants.len() as u64 / 16);
                constants.contain(value)
                    || self.fail(place, || "this must be one of the values that are allowed".to_owned())
            }
            (Rule::Members(rule), Value::Object(members)) => self.members(rule, members, place, seen),
            (Rule::Items(rule), Value::Array(items)) => self.items(rule, items, place, seen),
            (Rule::Contains(rule), Value::Array(items)) => self.contains(rule, items, place, seen),
            (Rule::PropertyNames(name), Value::Object(members)) => self.names(*name, members, place),
            (Rule::UnevaluatedProperties(rest), Value::Object(members)) => {
                self.unevaluated_members(*rest, members, place, seen)
            }
            (Rule::UnevaluatedItems(rest), Value::Array(items)) => self.unevaluated_items(*rest, items, place, seen),
            (Rule::Ref(target), value) => self.holds(*target, value, place, seen),
            (Rule::DynamicRef(reference), value) => {
                let target = self.dynamic_target(reference);
                self.holds(target, value, place, seen)
            }
            (Rule::AllOf(all), value) => self.all_of(all, value, place, seen),
            (Rule::AnyOf(any), value) => self.any_of(any, value, place, seen),
            (Rule::OneOf(one), value) => self.one_of(one, value, place, seen),
            (Rule::Not(not), value) => {
                let holds = self.silently(|run| run.holds(*not, value, place, None));
                (!holds && !self.undecided) || self.fail(place, || "this may not be so".to_owned())
            }
            (Rule::If(rule), value) => self.condition(rule, value, place, seen),
            (Rule::DependentSchemas(dependent), Value::Object(members)) => {
                self.dependent(dependent, members, value, place, seen)
            }
            (rule, Value::Number(value)) => self.number(rule, value, place),
            (rule, Value::String(text)) => self.text(rule, value, text, place),
            (rule, Value::Array(items)) => self.list(rule, items, place),
            (rule, Value::Object(members)) => self.group(rule, members, place),
            _ => true,
        }
    }

    fn number(&mut self, rule: &Rule, value: &Number, place: &Place<'_>) -> bool {
        let order = |limit: &Number| number::compare(value, limit);
        match rule {
            Rule::Minimum(limit) => {
                order(limit) != Ordering::Less || self.fail(place, || format!("this must be at least {limit}"))
            }
            Rule::Maximum(limit) => {
                order(limit) != Ordering::Greater || self.fail(place, || format!("this must be at most {limit}"))
            }
            Rule::ExclusiveMinimum(limit) => {
                order(limit) == Ordering::Greater || self.fail(place, || format!("this must be above {limit}"))
            }
            Rule::ExclusiveMaximum(limit) => {
                order(limit) == Ordering::Less || self.fail(place, || format!("this must be below {limit}"))
            }
            Rule::MultipleOf(of) => {
                number::is_multiple(value, of) || self.fail(place, || format!("this must be a multiple of {of}"))
            }
            Rule::Format(format) => {
                format.holds(&Value::Number(value.clone()))
                    || self.fail(place, || format!("this must be of the format {}", format.word()))
            }
            _ => true,
        }
    }

    fn text(&mut self, rule: &Rule, value: &Value, text: &str, place: &Place<'_>) -> bool {
        match rule {
            Rule::MinLength(limit) => {
                self.characters(text, *limit) >= *limit
                    || self.fail(place, || format!("this must have at least {limit} characters"))
            }
            Rule::MaxLength(limit) => {
                self.characters(text, limit.saturating_add(1)) <= *limit
                    || self.fail(place, || format!("this may have at most {limit} characters"))
            }
            Rule::Pattern(pattern) => {
                self.matches(pattern, text)
                    || self.fail(place, || {
                        format!("this must match the pattern {}", shown(pattern.source()))
                    })
            }
            Rule::Format(format) => {
                self.step(text.len() as u64 / 32);
                format.holds(value) || self.fail(place, || format!("this must be of the format {}", format.word()))
            }
            _ => true,
        }
    }

    fn list(&mut self, rule: &Rule, items: &[Value], place: &Place<'_>) -> bool {
        let count = items.len() as u64;
        match rule {
            Rule::MinItems(limit) => {
                count >= *limit || self.fail(place, || format!("this must have at least {limit} items"))
            }
            Rule::MaxItems(limit) => {
                count <= *limit || self.fail(place, || format!("this may have at most {limit} items"))
            }
            Rule::UniqueItems => {
                for item in items {
                    self.weigh(item);
                }
                if self.undecided {
                    return false;
                }
                sameness::all_different(items) || self.fail(place, || "no two items of this may be the same".to_owned())
            }
            _ => true,
        }
    }

    fn group(&mut self, rule: &Rule, members: &Map<String, Value>, place: &Place<'_>) -> bool {
        let count = members.len() as u64;
        match rule {
            Rule::MinProperties(limit) => {
                count >= *limit || self.fail(place, || format!("this must have at least {limit} members"))
            }
            Rule::MaxProperties(limit) => {
                count <= *limit || self.fail(place, || format!("this may have at most {limit} members"))
            }
            Rule::Required(names) => self.required(names, members, place),
            Rule::DependentRequired(dependent) => {
                let mut holds = true;
                for (name, names) in dependent {
                    if members.contains_key(&**name) {
                        holds &= self.required(names, members, place);
                    }
                }
                holds
            }
            _ => true,
        }
    }

    fn required(&mut self, names: &[Box<str>], members: &Map<String, Value>, place: &Place<'_>) -> bool {
        self.step(names.len() as u64 / 4);
        let mut holds = true;
        for name in names {
            if !members.contains_key(&**name) {
                holds = self.fail(place, || format!("the member `{}` is missing", shown(name)));
                if !self.reports() {
                    return false;
                }
            }
        }
        holds
    }

    fn members(
        &mut self,
        rule: &'s Members,
        members: &Map<String, Value>,
        place: &Place<'_>,
        mut seen: Marks<'_>,
    ) -> bool {
        let mut holds = true;
        for (index, (name, value)) in members.iter().enumerate() {
            if !self.step(1) {
                return false;
            }
            let below = Place::Member(place, name);
            let mut known = false;
            if let Some(node) = rule.named(name) {
                known = true;
                holds &= self.holds(node, value, &below, None);
            }
            for (pattern, node) in &rule.patterns {
                if self.matches(pattern, name) {
                    known = true;
                    holds &= self.holds(*node, value, &below, None);
                }
            }
            if !known && let Some(node) = rule.others {
                known = true;
                holds &= self.holds(node, value, &below, None);
            }
            if known && let Some(seen) = seen.as_deref_mut() {
                seen.mark(index);
            }
            if self.undecided || (!holds && !self.reports()) {
                return false;
            }
        }
        holds
    }

    fn names(&mut self, name: NodeId, members: &Map<String, Value>, place: &Place<'_>) -> bool {
        let mut holds = true;
        for key in members.keys() {
            // A name is a value of its own, so no result for another one may be taken for it.
            let text = Value::String(key.clone());
            self.step(key.len() as u64 / 32);
            if !self.silently(|run| run.holds(name, &text, place, None)) {
                holds = self.fail(&Place::Member(place, key), || "no member may have this name".to_owned());
            }
            if self.undecided || (!holds && !self.reports()) {
                return false;
            }
        }
        holds
    }

    fn items(&mut self, rule: &'s Items, items: &[Value], place: &Place<'_>, mut seen: Marks<'_>) -> bool {
        let mut holds = true;
        for (index, item) in items.iter().enumerate() {
            let Some(node) = rule.first.get(index).copied().or(rule.rest) else {
                break;
            };
            holds &= self.holds(node, item, &Place::Item(place, index), None);
            if let Some(seen) = seen.as_deref_mut() {
                seen.mark(index);
            }
            if self.undecided || (!holds && !self.reports()) {
                return false;
            }
        }
        holds
    }

    fn contains(&mut self, rule: &'s Contains, items: &[Value], place: &Place<'_>, mut seen: Marks<'_>) -> bool {
        let mut count = 0;
        for (index, item) in items.iter().enumerate() {
            let below = Place::Item(place, index);
            if self.silently(|run| run.holds(rule.item, item, &below, None)) {
                count += 1;
                if rule.evaluates
                    && let Some(seen) = seen.as_deref_mut()
                {
                    seen.mark(index);
                }
            }
            if self.undecided {
                return false;
            }
            if seen.is_none() && rule.max.is_none() && count >= rule.min {
                break;
            }
        }
        if count < rule.min {
            return self.fail(place, || {
                format!("at least {} items of this must be as the schema says", rule.min)
            });
        }
        match rule.max {
            Some(max) if count > max => self.fail(place, || {
                format!("at most {max} items of this may be as the schema says")
            }),
            _ => true,
        }
    }

    fn all_of(&mut self, all: &'s [NodeId], value: &Value, place: &Place<'_>, mut seen: Marks<'_>) -> bool {
        let mut holds = true;
        for node in all {
            holds &= self.holds(*node, value, place, seen.as_deref_mut());
            if self.undecided || (!holds && !self.reports()) {
                return false;
            }
        }
        holds
    }

    fn any_of(&mut self, any: &'s [NodeId], value: &Value, place: &Place<'_>, mut seen: Marks<'_>) -> bool {
        let mut holds = false;
        for node in any {
            holds |= self.alternative(*node, value, place, seen.as_deref_mut());
            // Each one that holds says what it has looked at; without that, one is enough.
            if self.undecided || (holds && seen.is_none()) {
                break;
            }
        }
        (holds && !self.undecided) || self.no_alternative(any, value, place)
    }

    fn one_of(&mut self, one: &'s [NodeId], value: &Value, place: &Place<'_>, mut seen: Marks<'_>) -> bool {
        let mut count = 0;
        for node in one {
            count += usize::from(self.alternative(*node, value, place, seen.as_deref_mut()));
            if self.undecided || count > 1 {
                break;
            }
        }
        match count {
            _ if self.undecided => false,
            0 => self.no_alternative(one, value, place),
            1 => true,
            _ => self.fail(place, || "this fits more than one of the alternatives".to_owned()),
        }
    }

    /// Whether a value keeps one of several schemas. What it has looked at counts only if so.
    fn alternative(&mut self, node: NodeId, value: &Value, place: &Place<'_>, seen: Marks<'_>) -> bool {
        let Some(seen) = seen else {
            return self.silently(|run| run.holds(node, value, place, None));
        };
        self.step(seen.count() as u64 / 16);
        let mut own = Seen::none_of(seen.count());
        let holds = self.silently(|run| run.holds(node, value, place, Some(&mut own)));
        if holds {
            seen.merge(&own);
        }
        holds
    }

    /// Tells why no alternative holds. Where only one is for values of this type, that is the one that was meant.
    fn no_alternative(&mut self, all: &'s [NodeId], value: &Value, place: &Place<'_>) -> bool {
        if !self.reports() || self.undecided {
            return false;
        }
        let types = Types::of(value);
        let set = self.set;
        let mut fitting = all.iter().filter(|node| set.node(**node).accepts.overlaps(types));
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => self.holds(*only, value, place, None),
            _ => self.fail(place, || format!("this fits none of {} alternatives", all.len())),
        }
    }

    fn condition(&mut self, rule: &'s Condition, value: &Value, place: &Place<'_>, mut seen: Marks<'_>) -> bool {
        let holds = self.alternative(rule.condition, value, place, seen.as_deref_mut());
        if self.undecided {
            return false;
        }
        let next = if holds { rule.then } else { rule.otherwise };
        next.is_none_or(|next| self.holds(next, value, place, seen))
    }

    fn dependent(
        &mut self,
        dependent: &'s [(Box<str>, NodeId)],
        members: &Map<String, Value>,
        value: &Value,
        place: &Place<'_>,
        mut seen: Marks<'_>,
    ) -> bool {
        let mut holds = true;
        for (name, node) in dependent {
            if members.contains_key(&**name) {
                holds &= self.holds(*node, value, place, seen.as_deref_mut());
            }
            if self.undecided || (!holds && !self.reports()) {
                return false;
            }
        }
        holds
    }

    fn unevaluated_members(
        &mut self,
        rest: NodeId,
        members: &Map<String, Value>,
        place: &Place<'_>,
        seen: Marks<'_>,
    ) -> bool {
        let Some(seen) = seen else { return true };
        let mut holds = true;
        for (index, (name, value)) in members.iter().enumerate() {
            if !seen.has(index) {
                holds &= self.holds(rest, value, &Place::Member(place, name), None);
                seen.mark(index);
            }
            if self.undecided || (!holds && !self.reports()) {
                return false;
            }
        }
        holds
    }

    fn unevaluated_items(&mut self, rest: NodeId, items: &[Value], place: &Place<'_>, seen: Marks<'_>) -> bool {
        let Some(seen) = seen else { return true };
        let mut holds = true;
        for (index, item) in items.iter().enumerate() {
            if !seen.has(index) {
                holds &= self.holds(rest, item, &Place::Item(place, index), None);
                seen.mark(index);
            }
            if self.undecided || (!holds && !self.reports()) {
                return false;
            }
        }
        holds
    }

    /// Where a dynamic reference leads: to the outermost resource on the way that has such an anchor.
    fn dynamic_target(&mut self, reference: &DynamicRef) -> NodeId {
        if reference.anchors.is_empty() {
            return reference.target;
        }
        self.step(self.scope.len() as u64);
        let of = |resource| reference.anchors.iter().find(|(known, _)| known == resource);
        let outermost = self.scope.iter().find_map(of);
        outermost.map_or(reference.target, |(_, node)| *node)
    }

    /// How many characters a text has, counted up to a limit.
    fn characters(&mut self, text: &str, limit: u64) -> u64 {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.step(text.len().min(limit) as u64 / 64);
        text.chars().take(limit).count() as u64
    }

    /// Whether a pattern matches; undecided when the match was given up.
    fn matches(&mut self, pattern: &Pattern, text: &str) -> bool {
        if !self.step(pattern.cost() + text.len() as u64 / 32) {
            return false;
        }
        match pattern.is_match(text) {
            Ok(matches) => matches,
            Err(_) => {
                self.undecided = true;
                false
            }
        }
    }

    /// Takes a step for each value in a value.
    fn weigh(&mut self, value: &Value) {
        if !self.step(1) {
            return;
        }
        match value {
            Value::String(text) => {
                self.step(text.len() as u64 / 64);
            }
            Value::Array(items) => items.iter().for_each(|item| self.weigh(item)),
            Value::Object(members) => members.values().for_each(|value| self.weigh(value)),
            _ => {}
        }
    }
}
