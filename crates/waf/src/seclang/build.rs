//! Compiles rules together: what several have in common is kept once, and what can be found out before is.

use std::collections::HashMap;
use std::sync::Arc;

use aho_corasick::AhoCorasick;

use super::action::{Actions, Disruptive, Effect, Engine, Selected};
use super::bytes::ByteSet;
use super::draft::{Draft, Item, Link};
use super::lines::Problem;
use super::load::{Acting, Options, Update};
use super::operator::Operator;
use super::required::Required;
use super::rules::{Admission, Chain, Consequence, Decision, Rule, RuleSet, Settings, TargetList, TxName, Words};
use super::template::{Part, Template};
use super::transform::Transform;
use super::variable::{Kind, Name, Selector, Target};

/// The status of a refusal for which no rule says one.
const FORBIDDEN: u16 = 403;

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            engine: Engine::On,
            request_body: true,
            response_body: false,
            argument_separator: b'&',
            most_arguments: 1_000,
            json_depth: 64,
        }
    }
}

/// Changes rules as a directive says.
pub(super) fn update(items: &mut [Item], update: &Update) {
    for item in items {
        let Item::Rule(draft) = item else { continue };
        match update {
            Update::Remove(selected) if draft.is_selected(selected) => draft.removed = true,
            Update::Targets(selected, targets) if draft.is_selected(selected) => {
                if let Some((list, _)) = &mut draft.links[0].asked {
                    list.extend(targets.iter().cloned());
                }
            }
            Update::Actions(id, actions) if draft.id == *id => draft.update(actions),
            _ => {}
        }
    }
}

/// Compiles rules in their order.
pub(super) fn build(items: Vec<Item>, settings: Settings, warnings: Vec<Problem>, options: &Options) -> RuleSet {
    let mut builder = Builder::new(&items);
    let mut phases: [Vec<Rule>; 5] = Default::default();
    // For each phase where its next rule stands, at each marker: what is skipped to.
    let mut skips: Vec<(u8, usize, String)> = Vec::new();
    let mut markers: Vec<(String, [usize; 5])> = Vec::new();
    for item in items {
        match item {
            Item::Marker(name) => markers.push((name, std::array::from_fn(|phase| phases[phase].len()))),
            Item::Rule(draft) if draft.removed => {}
            Item::Rule(draft) => {
                let of_phase = &mut phases[usize::from(draft.phase - 1)];
                let place = of_phase.len();
                if let Some(name) = &draft.links[0].actions.skip_after {
                    skips.push((draft.phase, place, name.clone()));
                }
                let skip = draft.links[0].actions.skip;
                let mut rule = builder.rule(*draft);
                rule.skip_to = skip.map(|skipped| place + 1 + skipped as usize);
                of_phase.push(rule);
            }
        }
    }
    let mut warnings = warnings;
    for (phase, place, name) in skips {
        let at = usize::from(phase - 1);
        let found = markers
            .iter()
            .find(|(known, places)| *known == name && places[at] > place);
        let rule = &mut phases[at][place];
        rule.skip_to = Some(found.map_or(usize::MAX, |(_, places)| places[at]));
        if found.is_none() {
            let message = format!("skipAfter:{name}: no such marker follows, so the rest of the phase is skipped");
            warnings.push(Problem {
                place: rule.place.clone(),
                message,
            });
        }
    }
    builder.finish(phases, settings, warnings, options)
}

/// What is common to rules.
struct Builder {
    lists: Vec<TargetList>,
    list_places: HashMap<String, usize>,
    chains: Vec<Chain>,
    chain_places: HashMap<(usize, Transform), usize>,
    pairs: Vec<(usize, usize)>,
    pair_places: HashMap<(usize, usize), usize>,
    words: HashMap<Vec<u8>, Vec<u32>>,
    word_lists: HashMap<Vec<Vec<u8>>, u32>,
    tx_names: HashMap<Box<[u8]>, usize>,
    /// All rules by number, to find those that an effect selects.
    known: Vec<Known>,
    count: usize,
}

/// What is needed of a rule to find it.
struct Known {
    id: u32,
    tags: Vec<String>,
    message: Option<Box<[u8]>>,
}

impl Builder {
    fn new(items: &[Item]) -> Builder {
        let drafts = items.iter().filter_map(Item::rule).filter(|draft| !draft.removed);
        let known = drafts.map(|draft| Known {
            id: draft.id,
            tags: draft.links[0].actions.tags.clone(),
            message: draft.links[0]
                .actions
                .message
                .as_ref()
                .and_then(|text| text.constant())
                .map(Into::into),
        });
        Builder {
            lists: Vec::new(),
            list_places: HashMap::new(),
            chains: vec![Chain {
                last: None,
                needs: Some(ByteSet::EMPTY),
            }],
            chain_places: HashMap::new(),
            pairs: Vec::new(),
            pair_places: HashMap::new(),
            words: HashMap::new(),
            word_lists: HashMap::new(),
            tx_names: HashMap::new(),
            known: known.collect(),
            count: 0,
        }
    }

    fn rule(&mut self, draft: Draft) -> Rule {
        let number = self.count;
        self.count += 1;
        let disruptive = draft.disruptive();
        let own_status = draft.links[0].actions.status;
        let status = own_status.or(draft.defaults.status);
        let log = draft.links[0].actions.log.or(draft.defaults.log).unwrap_or(true);
        let transforms = draft.defaults.transforms.clone().unwrap_or_default();
        let id = draft.id;
        let mut next = None;
        for link in draft.links.into_iter().rev() {
            let mut rule = self.link(link, number, &transforms);
            rule.next = next.take();
            next = Some(Box::new(rule));
        }
        let mut rule = *next.expect("a rule has at least one link");
        rule.id = id;
        rule.log = log;
        rule.disruptive = match disruptive {
            Disruptive::Pass | Disruptive::Block => Decision::Pass,
            Disruptive::Deny => Decision::Deny(status.unwrap_or(FORBIDDEN)),
            Disruptive::Redirect(to) => Decision::Redirect(own_status.unwrap_or(302), to.into()),
            Disruptive::Allow(how) => Decision::Allow(how),
        };
        rule
    }

    fn link(&mut self, link: Link, number: usize, default_transforms: &[Transform]) -> Rule {
        let Link { place, asked, actions } = link;
        let steps = actions.transforms.as_deref().unwrap_or(default_transforms);
        let chain = self.chain(steps);
        let (list, operator, negated, required) = match asked {
            Some((targets, (negated, operator, required))) => (Some(self.list(targets)), operator, negated, required),
            None => (None, Operator::Always, false, Required::default()),
        };
        let admission = if negated {
            Admission::default()
        } else {
            self.admission(required)
        };
        let pair = self.pair(list.unwrap_or_default(), chain);
        self.names_of(operator.argument());
        let Actions {
            effects,
            message,
            data,
            tags,
            severity,
            capture,
            multi_match,
            ..
        } = actions;
        self.names_of(message.as_ref());
        self.names_of(data.as_ref());
        Rule {
            id: 0,
            number,
            place,
            list,
            chain,
            pair,
            operator,
            negated,
            admission,
            capture,
            multi_match,
            effects: effects.into_iter().map(|effect| self.consequence(effect)).collect(),
            disruptive: Decision::Pass,
            skip_to: None,
            log: false,
            message,
            data,
            tags: tags.into_iter().map(Into::into).collect(),
            severity,
            next: None,
        }
    }

    fn list(&mut self, targets: Vec<Target>) -> usize {
        for target in &targets {
            self.name_of(target);
        }
        let place = self.lists.len();
        let found = *self.list_places.entry(format!("{targets:?}")).or_insert(place);
        if found == place {
            let lasting = targets
                .iter()
                .all(|target| matches!(target.name.kind(), Kind::Single | Kind::Named));
            self.lists.push(TargetList { targets, lasting });
        }
        found
    }

    /// The chain of these steps; each beginning of it becomes a chain of its own, so that work is shared.
    fn chain(&mut self, steps: &[Transform]) -> usize {
        let mut chain = 0;
        for step in steps {
            let new = self.chains.len();
            let next = *self.chain_places.entry((chain, *step)).or_insert(new);
            if next == new {
                let needs = self.chains[chain].needs.zip(step.needs()).map(|(mut needs, more)| {
                    needs.union(&more);
                    needs
                });
                self.chains.push(Chain {
                    last: Some((chain, *step)),
                    needs,
                });
            }
            chain = next;
        }
        chain
    }

    fn pair(&mut self, list: usize, chain: usize) -> usize {
        let new = self.pairs.len();
        let pair = *self.pair_places.entry((list, chain)).or_insert(new);
        if pair == new {
            self.pairs.push((list, chain));
        }
        pair
    }

    fn admission(&mut self, required: Required) -> Admission {
        let mut admission = Admission::default();
        for (slot, set) in admission.bytes.iter_mut().zip(required.bytes) {
            *slot = Some(set);
        }
        for (slot, list) in admission.words.iter_mut().zip(required.words) {
            let new = u32::try_from(self.word_lists.len()).expect("there are fewer rules than that");
            let place = *self.word_lists.entry(list.clone()).or_insert(new);
            if place == new {
                for word in list {
                    self.words.entry(word).or_default().push(place);
                }
            }
            *slot = Some(place);
        }
        admission
    }

    fn tx(&mut self, name: &[u8]) -> usize {
        let new = self.tx_names.len();
        *self.tx_names.entry(name.to_ascii_lowercase().into()).or_insert(new)
    }

    fn name_of(&mut self, target: &Target) {
        if let (Name::Tx, Selector::Key(name)) = (target.name, &target.selector) {
            self.tx(name);
        }
    }

    fn names_of(&mut self, template: Option<&Template>) {
        for part in template.iter().flat_map(|template| &template.parts) {
            if let Part::Value(target) = part {
                self.name_of(target);
            }
        }
    }

    fn consequence(&mut self, effect: Effect) -> Consequence {
        match effect {
            Effect::Set { name, change } => {
                self.names_of(Some(&name));
                let name = match name.constant() {
                    Some(constant) => TxName::Known(self.tx(constant)),
                    None => TxName::Made(name),
                };
                Consequence::Set { name, change }
            }
            Effect::Engine(engine) => Consequence::Engine(engine),
            Effect::RequestBody(on) => Consequence::RequestBody(on),
            Effect::BodyProcessor(processor) => Consequence::BodyProcessor(processor),
            Effect::ForceBodyVariable(on) => Consequence::ForceBodyVariable(on),
            Effect::RemoveRules(selected) => Consequence::RemoveRules(self.selected(&selected)),
            Effect::RemoveTargets(selected, target) => {
                self.name_of(&target);
                Consequence::RemoveTarget(self.selected(&selected), Arc::new(target))
            }
        }
    }

    fn selected(&self, selected: &Selected) -> Arc<[usize]> {
        let is_selected = |rule: &Known| match selected {
            Selected::Ids(ranges) => ranges.iter().any(|(first, last)| (*first..=*last).contains(&rule.id)),
            Selected::Tag(pattern) => rule.tags.iter().any(|tag| pattern.is_match(tag.as_bytes())),
            Selected::Message(pattern) => rule.message.as_ref().is_some_and(|message| pattern.is_match(message)),
        };
        let found = self.known.iter().enumerate().filter(|(_, rule)| is_selected(rule));
        found.map(|(number, _)| number).collect()
    }

    fn finish(
        mut self,
        phases: [Vec<Rule>; 5],
        mut settings: Settings,
        warnings: Vec<Problem>,
        options: &Options,
    ) -> RuleSet {
        settings.engine = match options.acting {
            Acting::AsWritten => settings.engine,
            Acting::Enforce => Engine::On,
            Acting::Report => Engine::DetectionOnly,
        };
        let pinned = options.pinned.iter();
        let pinned = pinned
            .map(|(name, value)| (self.tx(name.as_bytes()), value.as_bytes().into()))
            .collect();
        let capture_places = std::array::from_fn(|group| self.tx(group.to_string().as_bytes()));
        RuleSet {
            phases,
            words: Words::new(self.words, self.word_lists.len()),
            lists: self.lists,
            chains: self.chains,
            pairs: self.pairs,
            tx_names: self.tx_names,
            pinned,
            capture_places,
            settings,
            warnings,
            count: self.count,
            files: Vec::new(),
        }
    }
}

impl Words {
    fn new(words: HashMap<Vec<u8>, Vec<u32>>, count: usize) -> Words {
        let mut words: Vec<(Vec<u8>, Vec<u32>)> = words.into_iter().collect();
        words.sort();
        let (mut starts, mut lists) = (vec![0], Vec::new());
        for (_, of_word) in &words {
            lists.extend_from_slice(of_word);
            starts.push(u32::try_from(lists.len()).expect("a rule set is limited to less"));
        }
        let searcher = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(words.iter().map(|(word, _)| word))
            .ok()
            .filter(|_| !words.is_empty());
        // Without a searcher, no rule could be admitted; then none is ruled out by words.
        Words {
            searcher,
            starts,
            lists,
            count,
        }
    }
}
