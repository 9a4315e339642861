//! A place in a description, which knows where it is and follows references.

use serde_json::Value;

use crate::schema::{Documents, Problem};
use crate::{pointer, uri};

/// How many references may follow each other.
const MOST_HOPS: usize = 16;

/// A value of a document.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'d> {
    documents: &'d Documents,
    pub(super) document: String,
    pub(super) pointer: String,
    pub(super) value: &'d Value,
}

impl<'d> Cursor<'d> {
    pub(super) fn root(documents: &'d Documents, document: &str) -> Option<Cursor<'d>> {
        Some(Cursor {
            documents,
            document: document.to_owned(),
            pointer: String::new(),
            value: documents.get(document)?,
        })
    }

    /// The member of that name.
    pub(super) fn get(&self, name: &str) -> Option<Cursor<'d>> {
        let value = self.value.as_object()?.get(name)?;
        let mut pointer = self.pointer.clone();
        pointer::push(&mut pointer, name);
        Some(self.at(pointer, value))
    }

    /// The text of a member.
    pub(super) fn text(&self, name: &str) -> Option<&'d str> {
        self.value.get(name)?.as_str()
    }

    /// Whether a member is `true`.
    pub(super) fn is(&self, name: &str) -> bool {
        self.value.get(name) == Some(&Value::Bool(true))
    }

    /// The members of a group, but for extensions.
    pub(super) fn members(&self) -> impl Iterator<Item = (&'d str, Cursor<'d>)> + use<'d> {
        let members = self.value.as_object().into_iter().flatten();
        let here = self.clone();
        members
            .filter(|(name, _)| !name.starts_with("x-"))
            .map(move |(name, value)| {
                let mut pointer = here.pointer.clone();
                pointer::push(&mut pointer, name);
                (name.as_str(), here.at(pointer, value))
            })
    }

    /// The items of a list.
    pub(super) fn items(&self) -> impl Iterator<Item = Cursor<'d>> + use<'d> {
        let items = self.value.as_array().into_iter().flatten().enumerate();
        let here = self.clone();
        items.map(move |(index, value)| {
            let mut pointer = here.pointer.clone();
            pointer::push_index(&mut pointer, index);
            here.at(pointer, value)
        })
    }

    /// What a reference leads to; this place, where there is none.
    pub(super) fn resolved(self) -> Result<Cursor<'d>, Problem> {
        let mut here = self;
        for _ in 0..MOST_HOPS {
            let Some(reference) = here.text("$ref") else {
                return Ok(here);
            };
            let (address, fragment) = uri::split_fragment(reference);
            let document = if address.is_empty() {
                here.document.clone()
            } else {
                uri::resolve(&here.document, address)
            };
            let found = here.documents.get(&document).and_then(|root| {
                let pointer = uri::decoded(fragment)?;
                let (value, _) = pointer::follow(root, &pointer)?;
                Some((pointer, value))
            });
            let Some((pointer, value)) = found else {
                return Err(here.problem(format!(
                    "the reference `{}` leads nowhere",
                    crate::json::shown(reference)
                )));
            };
            here = Cursor {
                document,
                ..here.at(pointer, value)
            };
        }
        Err(here.problem("references follow each other without an end".to_owned()))
    }

    pub(super) fn problem(&self, what: String) -> Problem {
        Problem {
            place: format!("{}#{}", self.document, self.pointer),
            what,
        }
    }

    fn at(&self, pointer: String, value: &'d Value) -> Cursor<'d> {
        Cursor {
            documents: self.documents,
            document: self.document.clone(),
            pointer,
            value,
        }
    }
}
