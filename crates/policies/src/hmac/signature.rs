//! What a request says of its signatures (RFC 9421 §4).

use portcullis_core::Headers;
use sfv::{BareItem, Dictionary, FieldType as _, InnerList, Item, List, ListEntry, Parser};

use super::Refusal;
use super::base::Component;

/// The longest fields, both together.
const LONGEST: usize = 16 * 1024;

/// How many signatures a request may have: its own, and those of proxies on the way.
const MOST: usize = 4;

/// How many components one may cover.
const MOST_COMPONENTS: usize = 64;

/// A signature, and what it says it covers.
pub(super) struct Signature {
    /// In the order in which they were signed.
    pub(super) components: Vec<Component>,
    /// The parameters with the list, as they were signed (§2.3).
    pub(super) parameters: String,
    pub(super) key_id: Option<Box<str>>,
    pub(super) algorithm: Option<Box<str>>,
    pub(super) tag: Option<Box<str>>,
    /// In seconds since 1970.
    pub(super) created: Option<u64>,
    pub(super) expires: Option<u64>,
    pub(super) value: Vec<u8>,
}

impl Signature {
    /// Whether the request says that it is signed.
    pub(super) fn is_there(headers: &Headers) -> bool {
        headers.contains("Signature") || headers.contains("Signature-Input")
    }

    /// All signatures of a request; nothing where it says nothing of any.
    pub(super) fn all_of(headers: &Headers) -> Result<Option<Vec<Signature>>, Refusal> {
        if !Signature::is_there(headers) {
            return Ok(None);
        }
        let inputs = dictionary(headers, "Signature-Input")?;
        let mut values = dictionary(headers, "Signature")?;
        if inputs.len() > MOST || inputs.is_empty() {
            return Err(Refusal::Malformed("a request has one to four signatures"));
        }
        let mut signatures = Vec::with_capacity(inputs.len());
        for (label, input) in inputs {
            let value = values.shift_remove(&label);
            let (ListEntry::InnerList(input), Some(ListEntry::Item(value))) = (input, value) else {
                return Err(Refusal::Malformed(
                    "Signature-Input and Signature do not belong together",
                ));
            };
            let BareItem::ByteSequence(value) = value.bare_item else {
                return Err(Refusal::Malformed("Signature must hold byte sequences"));
            };
            signatures.push(Signature::new(input, value)?);
        }
        if values.is_empty() {
            Ok(Some(signatures))
        } else {
            Err(Refusal::Malformed(
                "Signature-Input and Signature do not belong together",
            ))
        }
    }

    fn new(input: InnerList, value: Vec<u8>) -> Result<Signature, Refusal> {
        if input.items.len() > MOST_COMPONENTS {
            return Err(Refusal::Malformed("a signature covers 64 components at the most"));
        }
        let mut components = Vec::with_capacity(input.items.len());
        for item in &input.items {
            let component = component_of(item)?;
            if components.contains(&component) {
                return Err(Refusal::Malformed("a signature covers a component twice"));
            }
            components.push(component);
        }
        let text = |name: &str| match input.params.get(name) {
            None => Ok(None),
            Some(BareItem::String(text)) => Ok(Some(Box::from(text.as_str()))),
            Some(_) => Err(Refusal::Malformed("keyid, alg, nonce and tag are strings")),
        };
        let time = |name: &str| match input.params.get(name) {
            None => Ok(None),
            Some(BareItem::Integer(seconds)) => u64::try_from(*seconds)
                .map(Some)
                .map_err(|_| Refusal::Malformed("created and expires are seconds since 1970")),
            Some(_) => Err(Refusal::Malformed("created and expires are seconds since 1970")),
        };
        text("nonce")?;
        Ok(Signature {
            components,
            key_id: text("keyid")?,
            algorithm: text("alg")?,
            tag: text("tag")?,
            created: time("created")?,
            expires: time("expires")?,
            parameters: serialized(input)?,
            value,
        })
    }

    /// Whether what is signed tells of this component.
    pub(super) fn covers(&self, wanted: &Component) -> bool {
        self.components.iter().any(|component| component.tells_of(wanted))
    }
}

fn component_of(item: &Item) -> Result<Component, Refusal> {
    let BareItem::String(name) = &item.bare_item else {
        return Err(Refusal::Malformed("components are strings"));
    };
    let name = name.as_str();
    if name == "@query-param" {
        let mut parameters = item.params.iter();
        return match (parameters.next(), parameters.next()) {
            (Some((key, BareItem::String(parameter))), None) if key.as_str() == "name" => {
                Ok(Component::QueryParameter(parameter.as_str().into()))
            }
            _ => Err(Refusal::Malformed("@query-param needs a name, and nothing else")),
        };
    }
    if !item.params.is_empty() {
        return Err(Refusal::Malformed("parameters of components are not understood"));
    }
    Component::parse(name).map_err(|_| Refusal::Malformed("the signature covers what a request does not have"))
}

/// The members of a field of that type; none, where the field isn't there.
fn dictionary(headers: &Headers, name: &str) -> Result<Dictionary, Refusal> {
    let mut text = Vec::new();
    for value in headers.get_all(name) {
        if !text.is_empty() {
            text.extend_from_slice(b", ");
        }
        text.extend_from_slice(value);
    }
    if text.len() > LONGEST {
        return Err(Refusal::Malformed("the signature is too long"));
    }
    let parsed = Parser::new(&text).parse::<Dictionary>();
    parsed.map_err(|_| Refusal::Malformed("Signature and Signature-Input must be dictionaries (RFC 9651)"))
}

/// The list and its parameters in their one form.
fn serialized(input: InnerList) -> Result<String, Refusal> {
    let list: List = vec![ListEntry::InnerList(input)];
    list.serialize()
        .ok_or(Refusal::Malformed("the signature covers nothing"))
}
