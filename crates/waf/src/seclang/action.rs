//! What a rule does when it matches.

use super::template::Template;
use super::transform::Transform;
use super::variable::{self, Selector, Target};

/// The actions of a rule, as they are written.
#[derive(Clone, Debug, Default)]
pub(super) struct Actions {
    pub(super) id: Option<u32>,
    pub(super) phase: Option<u8>,
    /// `None` where the rule says nothing of them.
    pub(super) transforms: Option<Vec<Transform>>,
    pub(super) disruptive: Option<Disruptive>,
    pub(super) status: Option<u16>,
    pub(super) log: Option<bool>,
    pub(super) audit: Option<bool>,
    pub(super) capture: bool,
    pub(super) multi_match: bool,
    pub(super) chain: bool,
    pub(super) skip: Option<u32>,
    pub(super) skip_after: Option<String>,
    pub(super) message: Option<Template>,
    pub(super) data: Option<Template>,
    pub(super) tags: Vec<String>,
    pub(super) severity: Option<u8>,
    pub(super) version: Option<String>,
    pub(super) effects: Vec<Effect>,
    /// What has no meaning here, told once for each.
    pub(super) ignored: Vec<String>,
}

/// What becomes of the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Disruptive {
    Pass,
    /// What the phase's default says.
    Block,
    Deny,
    Redirect(String),
    Allow(Allowed),
}

/// How far an `allow` reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    Transaction,
    Phase,
    Request,
}

/// What a match changes in the transaction.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    /// Sets, adds to or removes a value of `TX`.
    Set {
        name: Template,
        change: Change,
    },
    Engine(Engine),
    RequestBody(bool),
    BodyProcessor(Processor),
    ForceBodyVariable(bool),
    RemoveRules(Selected),
    RemoveTargets(Selected, Target),
}

/// What becomes of a value.
#[derive(Clone, Debug)]
pub(super) enum Change {
    To(Template),
    Add(Template),
    Subtract(Template),
    Removed,
}

/// Whether rules act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    On,
    DetectionOnly,
    Off,
}

/// How a request's body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Processor {
    UrlEncoded,
    Multipart,
    Json,
    Xml,
}

/// Rules that something applies to.
#[derive(Clone, Debug)]
pub(super) enum Selected {
    /// First and last identifier of each range.
    Ids(Vec<(u32, u32)>),
    Tag(regex::bytes::Regex),
    Message(regex::bytes::Regex),
}

impl Actions {
    /// Reads a list of actions.
    pub(super) fn parse(text: &str) -> Result<Actions, String> {
        let mut actions = Actions::default();
        for item in items(text) {
            let (name, value) = item.split_once(':').map_or((&*item, ""), |(name, value)| (name, value));
            let value = value.trim();
            let unquoted = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
            actions.add(&name.trim().to_ascii_lowercase(), unquoted.unwrap_or(value))?;
        }
        Ok(actions)
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "id" => self.id = Some(parsed(name, value)?),
            "phase" => self.phase = Some(phase(value)?),
            "t" => self.add_transform(value)?,
            "pass" => self.disruptive = Some(Disruptive::Pass),
            "block" => self.disruptive = Some(Disruptive::Block),
            // `drop` closes the connection at once; a refusal is what a gate can do for one request of several.
            "deny" | "drop" => self.disruptive = Some(Disruptive::Deny),
            "redirect" => self.disruptive = Some(Disruptive::Redirect(value.to_owned())),
            "allow" => self.disruptive = Some(Disruptive::Allow(allowed(value)?)),
            "status" => self.status = Some(parsed(name, value)?),
            "log" => self.log = Some(true),
            "nolog" => (self.log, self.audit) = (Some(false), Some(false)),
            "auditlog" => self.audit = Some(true),
            "noauditlog" => self.audit = Some(false),
            "capture" => self.capture = true,
            "multimatch" => self.multi_match = true,
            "chain" => self.chain = true,
            "skip" => self.skip = Some(parsed(name, value)?),
            "skipafter" => self.skip_after = Some(value.to_owned()),
            "msg" => self.message = Some(Template::new(value)?),
            "logdata" => self.data = Some(Template::new(value)?),
            "tag" => self.tags.push(value.to_owned()),
            "severity" => self.severity = Some(severity(value)?),
            "ver" => self.version = Some(value.to_owned()),
            "setvar" => self.set_variable(value)?,
            "ctl" => self.control(value)?,
            "rev" | "maturity" | "accuracy" => {}
            "initcol"
            | "setsid"
            | "setuid"
            | "setrsc"
            | "expirevar"
            | "deprecatevar"
            | "setenv"
            | "append"
            | "prepend"
            | "pause"
            | "xmlns"
            | "sanitisearg"
            | "sanitizearg"
            | "sanitisematched"
            | "sanitizematched"
            | "sanitisematchedbytes"
            | "sanitizematchedbytes"
            | "sanitiserequestheader"
            | "sanitizerequestheader"
            | "sanitiseresponseheader"
            | "sanitizeresponseheader" => self.ignored.push(name.to_owned()),
            _ => return Err(format!("the action `{name}` can't be run")),
        }
        Ok(())
    }

    fn add_transform(&mut self, name: &str) -> Result<(), String> {
        let transforms = self.transforms.get_or_insert_default();
        if name.eq_ignore_ascii_case("none") {
            transforms.clear();
            return Ok(());
        }
        let transform = Transform::named(name).ok_or_else(|| format!("the transformation t:{name} can't be run"))?;
        transforms.push(transform);
        Ok(())
    }

    fn set_variable(&mut self, text: &str) -> Result<(), String> {
        let (text, removed) = text.strip_prefix('!').map_or((text, false), |text| (text, true));
        let (name, value) = text
            .split_once('=')
            .map_or((text, None), |(name, value)| (name, Some(value)));
        let (collection, name) = name
            .split_once(['.', ':'])
            .ok_or_else(|| format!("setvar:{text} names no collection"))?;
        if !collection.trim().eq_ignore_ascii_case("tx") {
            self.ignored.push(format!("setvar of {collection}"));
            return Ok(());
        }
        let value = value.map(str::trim);
        let change = match value {
            _ if removed => Change::Removed,
            None => Change::To(Template::new("1")?),
            Some(value) => match (value.strip_prefix('+'), value.strip_prefix('-')) {
                (Some(more), _) => Change::Add(Template::new(more)?),
                (_, Some(less)) => Change::Subtract(Template::new(less)?),
                _ => Change::To(Template::new(value)?),
            },
        };
        let name = Template::new(&name.trim().to_ascii_lowercase())?;
        self.effects.push(Effect::Set { name, change });
        Ok(())
    }

    fn control(&mut self, text: &str) -> Result<(), String> {
        let (name, value) = text.split_once('=').ok_or_else(|| format!("ctl:{text} has no value"))?;
        let on = || Ok::<bool, String>(value.eq_ignore_ascii_case("on") || value.eq_ignore_ascii_case("true"));
        let effect = match name.trim().to_ascii_lowercase().as_str() {
            "ruleengine" => Effect::Engine(engine(value)?),
            "requestbodyaccess" => Effect::RequestBody(on()?),
            "forcerequestbodyvariable" => Effect::ForceBodyVariable(on()?),
            "requestbodyprocessor" => Effect::BodyProcessor(processor(value)?),
            "ruleremovebyid" => Effect::RemoveRules(ids(value)?),
            "ruleremovebytag" => Effect::RemoveRules(Selected::Tag(search(value)?)),
            "ruleremovebymsg" => Effect::RemoveRules(Selected::Message(search(value)?)),
            "ruleremovetargetbyid" => {
                let (rules, target) = with_target(value)?;
                Effect::RemoveTargets(ids(rules)?, target)
            }
            "ruleremovetargetbytag" => {
                let (rules, target) = with_target(value)?;
                Effect::RemoveTargets(Selected::Tag(search(rules)?), target)
            }
            "ruleremovetargetbymsg" => {
                let (rules, target) = with_target(value)?;
                Effect::RemoveTargets(Selected::Message(search(rules)?), target)
            }
            // Limits and logs are the gate's own, set in its configuration.
            "auditengine" | "auditlogparts" | "debugloglevel" | "requestbodylimit" | "responsebodylimit"
            | "responsebodyaccess" | "parsexmlintoargs" | "hashengine" | "hashenforcement" => return Ok(()),
            _ => return Err(format!("ctl:{name} can't be run")),
        };
        self.effects.push(effect);
        Ok(())
    }
}

/// Splits at commas, but not within single quotes; `\'` in them is a quote.
fn items(text: &str) -> Vec<String> {
    let mut items = Vec::new();
    let mut item = String::new();
    let mut within = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.peek() == Some(&'\'') => item.extend(characters.next()),
            '\'' => {
                within = !within;
                item.push(character);
            }
            ',' if !within => items.push(std::mem::take(&mut item)),
            character => item.push(character),
        }
    }
    items.push(item);
    items
        .iter()
        .map(|item| item.trim().to_owned())
        .filter(|item| !item.is_empty())
        .collect()
}

fn parsed<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("{name}:{value} is no number that it can have"))
}

fn phase(value: &str) -> Result<u8, String> {
    match value.to_ascii_lowercase().as_str() {
        "request" => Ok(2),
        "response" => Ok(4),
        "logging" => Ok(5),
        number => match number.parse() {
            Ok(phase @ 1..=5) => Ok(phase),
            _ => Err(format!("phase:{value}: there are the phases 1 to 5")),
        },
    }
}

fn allowed(value: &str) -> Result<Allowed, String> {
    match value.to_ascii_lowercase().as_str() {
        "" => Ok(Allowed::Transaction),
        "phase" => Ok(Allowed::Phase),
        "request" => Ok(Allowed::Request),
        _ => Err(format!("allow:{value}: it is `phase` or `request`")),
    }
}

fn severity(value: &str) -> Result<u8, String> {
    const NAMES: [&str; 8] = [
        "EMERGENCY",
        "ALERT",
        "CRITICAL",
        "ERROR",
        "WARNING",
        "NOTICE",
        "INFO",
        "DEBUG",
    ];
    let named = NAMES.iter().zip(0..).find(|(name, _)| name.eq_ignore_ascii_case(value));
    match named.map(|(_, number)| number).or_else(|| value.parse().ok()) {
        Some(number @ 0..=7) => Ok(number),
        _ => Err(format!("severity:{value} is none")),
    }
}

pub(super) fn engine(value: &str) -> Result<Engine, String> {
    match value.to_ascii_lowercase().as_str() {
        "on" => Ok(Engine::On),
        "off" => Ok(Engine::Off),
        "detectiononly" => Ok(Engine::DetectionOnly),
        _ => Err(format!("`{value}`: the engine is On, Off or DetectionOnly")),
    }
}

fn processor(value: &str) -> Result<Processor, String> {
    match value.to_ascii_uppercase().as_str() {
        "URLENCODED" => Ok(Processor::UrlEncoded),
        "MULTIPART" => Ok(Processor::Multipart),
        "JSON" => Ok(Processor::Json),
        "XML" => Ok(Processor::Xml),
        _ => Err(format!("the body processor {value} can't be run")),
    }
}

/// Reads identifiers and ranges of them, between commas or spaces.
pub(super) fn ids(text: &str) -> Result<Selected, String> {
    let items = text.split([',', ' ']).map(str::trim).filter(|item| !item.is_empty());
    let ranges = items.map(|item| {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        match (first.parse(), last.parse()) {
            (Ok(first), Ok(last)) if first <= last => Ok((first, last)),
            _ => Err(format!("`{item}` is no identifier of a rule and no range of them")),
        }
    });
    ranges.collect::<Result<_, _>>().map(Selected::Ids)
}

/// A pattern for tags or messages.
pub(super) fn search(text: &str) -> Result<regex::bytes::Regex, String> {
    super::pattern::compile(&super::pcre::translate(text.as_bytes())?.text)
}

fn with_target(value: &str) -> Result<(&str, Target), String> {
    let (rules, target) = value
        .split_once(';')
        .ok_or_else(|| format!("`{value}` names no variable behind a `;`"))?;
    let mut target = variable::target(target.trim())?;
    target.excluded = true;
    // `ARGS:` with nothing behind it is what some generators write for all of them.
    if matches!(&target.selector, Selector::Key(name) if name.is_empty()) {
        target.selector = Selector::All;
    }
    Ok((rules, target))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read() {
        let actions = Actions::parse(
            "id:942100, phase:request,block,t:none,t:lowercase,msg:'a, b\\'c %{TX.0}',tag:'x/y',severity:'CRITICAL',\
             setvar:'tx.score=+%{tx.critical}',setvar:!tx.gone,setvar:ip.x=1,skipAfter:END,status:403,\
             ctl:ruleRemoveTargetById=1-3;ARGS:a,ctl:auditEngine=Off,capture,multiMatch,chain,log",
        )
        .unwrap();
        assert_eq!(
            (actions.id, actions.phase, actions.severity),
            (Some(942_100), Some(2), Some(2))
        );
        assert_eq!(actions.disruptive, Some(Disruptive::Block));
        assert_eq!(actions.transforms, Some(vec![Transform::Lowercase]));
        assert_eq!(actions.effects.len(), 3);
        assert_eq!(actions.ignored, ["setvar of ip"]);
        assert_eq!(actions.skip_after.as_deref(), Some("END"));
        assert!(actions.capture && actions.multi_match && actions.chain && actions.log == Some(true));
        assert!(matches!(
            &actions.effects[0],
            Effect::Set {
                change: Change::Add(_),
                ..
            }
        ));
        assert!(matches!(
            &actions.effects[1],
            Effect::Set {
                change: Change::Removed,
                ..
            }
        ));
        assert!(matches!(&actions.effects[2], Effect::RemoveTargets(Selected::Ids(ids), _) if ids[..] == [(1, 3)]));
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for text in [
            "exec:/bin/x",
            "proxy:x",
            "t:nothing",
            "phase:6",
            "id:x",
            "severity:9",
            "ctl:x=y",
            "ctl:ruleEngine",
            "setvar:x",
            "allow:all",
            "msg:'%{nothing}'",
            "nothing",
        ] {
            assert!(Actions::parse(text).is_err(), "{text}");
        }
    }
}
