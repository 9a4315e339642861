//! Reads rule files: directives, what they include, and what they say of each other.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::action::{self, Actions, Selected};
use super::build;
use super::draft::{Draft, Item, Link};
use super::lines::{self, Directive, Place, Problem};
use super::operator;
use super::rules::{RuleSet, Settings};
use super::variable;

/// How deep files may include each other.
const DEEPEST_INCLUDE: u32 = 16;

/// The largest rule file.
const LARGEST_FILE: u64 = 16 << 20;

/// How many rules there may be.
const MOST_RULES: usize = 20_000;

/// Where rules come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A file; or a folder, of which `crs-setup.conf` is read first, then the other `*.conf`, then those of its `rules`.
    Path(PathBuf),
    /// Rules themselves, under a name for messages.
    Text(String, String),
}

/// What the operator says beside the files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// Values of `TX` that no rule changes.
    pub pinned: Vec<(String, String)>,
    /// Whether rules act.
    pub acting: Acting,
}

/// Whether rules act or only tell what they would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Acting {
    /// As `SecRuleEngine` says in the files.
    #[default]
    AsWritten,
    /// They act, whatever the files say.
    Enforce,
    /// They only tell, whatever the files say.
    Report,
}

/// Reads and compiles rules.
///
/// # Errors
/// Everything in the files that can't be run, with its place: a file that is missing, a directive, variable, operator,
/// transformation or action that is unknown, a pattern that isn't regular.
pub fn load(sources: &[Source], options: &Options) -> Result<RuleSet, Vec<Problem>> {
    let mut loader = Loader::new();
    for source in sources {
        match source {
            Source::Path(path) if path.is_dir() => loader.folder(path),
            Source::Path(path) => loader.file(
                path,
                0,
                &Place {
                    file: Arc::from(&**path),
                    line: 0,
                },
            ),
            Source::Text(name, text) => loader.text(Path::new(name), text, 0),
        }
    }
    loader.finish(options)
}

/// What is read so far.
struct Loader {
    items: Vec<Item>,
    /// A chain whose next rule is awaited.
    open: Option<Draft>,
    defaults: [Actions; 5],
    settings: Settings,
    /// What directives say about rules that may come later.
    updates: Vec<Update>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    rules: usize,
    read: Vec<PathBuf>,
}

/// A change of rules by a directive.
pub(super) enum Update {
    Remove(Selected),
    Targets(Selected, Vec<variable::Target>),
    Actions(u32, Box<Actions>),
}

impl Loader {
    fn new() -> Loader {
        Loader {
            items: Vec::new(),
            open: None,
            defaults: Default::default(),
            settings: Settings::default(),
            updates: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
            rules: 0,
            read: Vec::new(),
        }
    }

    fn folder(&mut self, folder: &Path) {
        let place = Place {
            file: Arc::from(folder),
            line: 0,
        };
        self.read.extend([folder.to_owned(), folder.join("rules")]);
        let mut files = matching(&folder.join("*.conf"));
        let setup = folder.join("crs-setup.conf");
        files.sort_by_key(|file| (*file != setup, file.clone()));
        files.extend(matching(&folder.join("rules/*.conf")));
        if files.is_empty() {
            self.problem(&place, "the folder has no file *.conf, and no folder `rules` with any");
        }
        for file in files {
            self.file(&file, 0, &place);
        }
    }

    fn file(&mut self, path: &Path, depth: u32, from: &Place) {
        self.read.push(path.to_owned());
        let told = |error: std::io::Error| format!("{}: {error}", path.display());
        let read = std::fs::metadata(path).map_err(told).and_then(|data| {
            if data.len() > LARGEST_FILE {
                return Err(format!("{}: it has more than {LARGEST_FILE} bytes", path.display()));
            }
            std::fs::read(path).map_err(told)
        });
        match read {
            Ok(bytes) => self.text(path, &String::from_utf8_lossy(&bytes), depth),
            Err(message) => self.problem(from, &message),
        }
    }

    fn text(&mut self, path: &Path, text: &str, depth: u32) {
        let file: Arc<Path> = Arc::from(path);
        match lines::directives(text) {
            Ok(directives) => {
                for directive in directives {
                    let line = directive.line;
                    let place = Place {
                        file: file.clone(),
                        line,
                    };
                    if let Err(message) = self.directive(directive, &place, depth) {
                        self.problem(&place, &message);
                    }
                }
            }
            Err((line, message)) => self.problem(&Place { file, line }, &message),
        }
    }

    fn problem(&mut self, place: &Place, message: &str) {
        self.problems.push(Problem {
            place: place.clone(),
            message: message.to_owned(),
        });
    }

    fn warning(&mut self, place: &Place, message: String) {
        self.warnings.push(Problem {
            place: place.clone(),
            message,
        });
    }

    fn directive(&mut self, directive: Directive, place: &Place, depth: u32) -> Result<(), String> {
        let Directive { name, arguments, .. } = directive;
        let first = arguments.first().map_or("", String::as_str);
        let on = first.eq_ignore_ascii_case("on");
        match name.to_ascii_lowercase().as_str() {
            "secrule" => return self.rule(&arguments, place),
            "secaction" => return self.rule(&["".to_owned(), "".to_owned(), first.to_owned()], place),
            "secmarker" => self.items.push(Item::Marker(first.to_owned())),
            "secdefaultaction" => {
                let actions = Actions::parse(first)?;
                let phase = actions.phase.unwrap_or(2);
                self.defaults[usize::from(phase - 1)] = actions;
            }
            "secruleengine" => self.settings.engine = action::engine(first)?,
            "secrequestbodyaccess" => self.settings.request_body = on,
            "secresponsebodyaccess" => self.settings.response_body = on,
            "secargumentseparator" => match first.as_bytes() {
                [separator] => self.settings.argument_separator = *separator,
                _ => return Err("the separator is one character".to_owned()),
            },
            "secargumentslimit" => self.settings.most_arguments = count(first)?,
            "secrequestbodyjsondepthlimit" => self.settings.json_depth = count(first)?.min(128),
            "secruleremovebyid" => self.updates.push(Update::Remove(action::ids(&arguments.join(" "))?)),
            "secruleremovebytag" => self.updates.push(Update::Remove(Selected::Tag(action::search(first)?))),
            "secruleremovebymsg" => self
                .updates
                .push(Update::Remove(Selected::Message(action::search(first)?))),
            "secruleupdatetargetbyid" => self.update_targets(action::ids(first)?, &arguments)?,
            "secruleupdatetargetbytag" => self.update_targets(Selected::Tag(action::search(first)?), &arguments)?,
            "secruleupdatetargetbymsg" => self.update_targets(Selected::Message(action::search(first)?), &arguments)?,
            "secruleupdateactionbyid" => {
                let id = first
                    .parse()
                    .map_err(|_| format!("`{first}` is no identifier of a rule"))?;
                let actions = Actions::parse(arguments.get(1).map_or("", String::as_str))?;
                self.updates.push(Update::Actions(id, Box::new(actions)));
            }
            "include" | "includeoptional" => return self.include(first, place, depth, name.len() > "include".len()),
            "seccomponentsignature" => {}
            other if MEANINGLESS.contains(&other) => {
                self.warning(
                    place,
                    format!("{name} has no meaning here: the gate's own configuration says it"),
                );
            }
            _ => return Err(format!("the directive {name} is unknown")),
        }
        Ok(())
    }

    fn update_targets(&mut self, rules: Selected, arguments: &[String]) -> Result<(), String> {
        let written = arguments.get(1).ok_or("it names no variables")?;
        let targets = written
            .split(',')
            .map(variable::targets)
            .collect::<Result<Vec<_>, _>>()?;
        self.updates.push(Update::Targets(rules, targets.concat()));
        Ok(())
    }

    fn include(&mut self, pattern: &str, place: &Place, depth: u32, optional: bool) -> Result<(), String> {
        if depth >= DEEPEST_INCLUDE {
            return Err(format!("files include each other more than {DEEPEST_INCLUDE} deep"));
        }
        let path = place.file.parent().unwrap_or(Path::new("")).join(pattern);
        let files = if pattern.contains(['*', '?']) {
            self.read.extend(path.parent().map(Path::to_owned));
            matching(&path)
        } else {
            vec![path]
        };
        for file in files {
            if !optional || file.exists() {
                self.file(&file, depth + 1, place);
            }
        }
        Ok(())
    }

    /// Reads a rule: variables, operator, actions. It begins a chain or goes on with the open one.
    fn rule(&mut self, arguments: &[String], place: &Place) -> Result<(), String> {
        let open = self.open.take();
        let [targets, operator, rest @ ..] = arguments else {
            return Err("a rule has variables, an operator and actions".to_owned());
        };
        let actions = Actions::parse(rest.first().map_or("", String::as_str))?;
        for ignored in &actions.ignored {
            self.warning(
                place,
                format!("{ignored} has no meaning here: nothing is kept from one request to another"),
            );
        }
        let folder = place.file.parent().unwrap_or(Path::new(""));
        let asked = match targets.is_empty() {
            true => None,
            false => Some((
                variable::targets(targets)?,
                operator::parse(operator, folder, &mut self.read)?,
            )),
        };
        let goes_on = actions.chain;
        let link = Link {
            place: place.clone(),
            asked,
            actions,
        };
        let draft = match open {
            Some(mut draft) => {
                draft.links.push(link);
                draft
            }
            None => {
                self.rules += 1;
                if self.rules > MOST_RULES {
                    return Err(format!("there are more than {MOST_RULES} rules"));
                }
                let phase = link.actions.phase.unwrap_or(2);
                let defaults = self.defaults[usize::from(phase - 1)].clone();
                Draft::new(link, phase, defaults).ok_or("a rule needs an `id`")?
            }
        };
        if goes_on {
            self.open = Some(draft);
        } else {
            self.items.push(Item::Rule(Box::new(draft)));
        }
        Ok(())
    }

    fn finish(mut self, options: &Options) -> Result<RuleSet, Vec<Problem>> {
        if let Some(draft) = self.open.take() {
            let place = draft.links[0].place.clone();
            self.problem(&place, "the chain goes on with no rule");
        }
        let mut seen = std::collections::HashMap::new();
        let mut twice = Vec::new();
        for draft in self.items.iter().filter_map(Item::rule) {
            if let Some(first) = seen.insert(draft.id, draft.links[0].place.clone()) {
                twice.push((
                    draft.links[0].place.clone(),
                    format!("rule {} stands at {first} too", draft.id),
                ));
            }
        }
        for (place, message) in twice {
            self.problem(&place, &message);
        }
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        for update in &self.updates {
            build::update(&mut self.items, update);
        }
        Ok(build::build(self.items, self.settings, self.warnings, options).with_files(self.read))
    }
}

fn count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

/// The files that a path with `*` and `?` in its last part names, in their order.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let name = pattern
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let Some(Ok(entries)) = pattern.parent().map(std::fs::read_dir) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name()
                .is_some_and(|file| glob(name.as_bytes(), file.as_encoded_bytes()))
        })
        .collect();
    files.sort();
    files
}

/// Whether a name matches a pattern with `*` and `?`.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=name.len()).any(|skipped| glob(rest, &name[skipped..])),
        (Some((wanted, rest)), Some((byte, after))) => (*wanted == b'?' || wanted == byte) && glob(rest, after),
        _ => false,
    }
}

/// Directives that are known, and speak of what is not ours: logs, limits and files of another program.
const MEANINGLESS: &[&str] = &[
    "secargumentslimitaction",
    "secauditengine",
    "secauditlog",
    "secauditlog2",
    "secauditlogdirmode",
    "secauditlogfilemode",
    "secauditlogformat",
    "secauditlogparts",
    "secauditlogrelevantstatus",
    "secauditlogstoragedir",
    "secauditlogtype",
    "seccachetransformations",
    "secchrootdir",
    "seccollectiontimeout",
    "secconnengine",
    "secconnreadstatelimit",
    "secconnwritestatelimit",
    "seccontentinjection",
    "seccookieformat",
    "seccookiev0separator",
    "secdatadir",
    "secdebuglog",
    "secdebugloglevel",
    "secdisablebackendcompression",
    "secgeolookupdb",
    "secgsblookupdb",
    "secguardianlog",
    "sechttpblkey",
    "secinterceptonerror",
    "secpcrematchlimit",
    "secpcrematchlimitrecursion",
    "secremoterules",
    "secremoterulesfailaction",
    "secrequestbodyinmemorylimit",
    "secrequestbodylimit",
    "secrequestbodylimitaction",
    "secrequestbodynofileslimit",
    "secresponsebodylimit",
    "secresponsebodylimitaction",
    "secresponsebodymimetype",
    "secresponsebodymimetypesclear",
    "secruleinheritance",
    "secruleperftime",
    "secsensorid",
    "secserversignature",
    "secstatusengine",
    "secstreaminbodyinspection",
    "secstreamoutbodyinspection",
    "sectmpdir",
    "sectmpsaveuploadedfiles",
    "secunicodecodepage",
    "secunicodemapfile",
    "secuploaddir",
    "secuploadfilelimit",
    "secuploadfilemode",
    "secuploadkeepfiles",
    "secwebappid",
    "secxmlexternalentity",
];
