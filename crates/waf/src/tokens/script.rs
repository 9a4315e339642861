//! Whether a value runs a script in the page that it is put into.

mod html;
mod suspects;
mod url;

use memchr::{memchr, memchr2};

use html::{Markup, Place, Tokenizer};

/// Looks at the input in each of the places where it may stand, until it runs a script in one.
pub(super) fn injected(input: &[u8]) -> bool {
    let markup = memchr(b'<', input).is_some();
    let values = memchr(b'=', input).is_some();
    if markup && runs(input, Place::Content) {
        return true;
    }
    // Out of a value leads an attribute, which has an equals sign, or the end of the tag and another one.
    if markup || values {
        for (place, ends) in [
            (Place::Unquoted, None),
            (Place::Quoted(b'\''), Some(b'\'')),
            (Place::Quoted(b'"'), Some(b'"')),
            (Place::Quoted(b'`'), Some(b'`')),
        ] {
            if ends.is_none_or(|quote| memchr(quote, input).is_some()) && runs(input, place) {
                return true;
            }
        }
    }
    memchr2(b':', b'&', input).is_some() && url::is_program(input)
}

fn runs(input: &[u8], place: Place) -> bool {
    let mut tag: &[u8] = b"";
    Tokenizer::new(input, place).any(|token| match token {
        Markup::Tag(name) => {
            tag = name;
            suspects::tag(name)
        }
        Markup::ClosingTag(name) => suspects::closing_tag(name),
        Markup::Attribute { name, value } => suspects::attribute(tag, name, value),
        Markup::Declaration(text) => suspects::declaration(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_found_wherever_the_value_stands() {
        for attack in [
            // As content.
            "<script>alert(1)</script>",
            "<SCRIPT SRC=//evil.example/x.js>",
            "<svg:script>alert(1)</svg:script>",
            "text <img src=x onerror=alert(1)>",
            "<svg/onload=alert(1)>",
            "<body\nonpageshow\n=\nalert(1)>",
            "<details open ontoggle=confirm()>",
            "<a href=javascript:alert(1)>x</a>",
            "<a href=\" \u{1}java\tscript\n:alert(1)\">x</a>",
            "<a href=&#106;&#x61vascript&colon;alert(1)>x</a>",
            "<a href='&#0000106avascript:alert(1)'>",
            "<form><button formaction=javascript:alert(1)>",
            "<a href=javas%26#99;ript:alert(1)>",
            "<a href='data:text/html;base64,PHNjcmlwdD4='>",
            "<use xlink:href='data:image/svg+xml,<svg/>'>",
            "<a href=vbscript:msgbox(1)>",
            "<iframe srcdoc='&lt;script&gt;'>",
            "<object data=x.swf>",
            "<meta http-equiv=refresh content='0;url=//evil.example'>",
            "<link rel=stylesheet href=//evil.example>",
            "<base href=//evil.example>",
            "<style>@import '//evil.example'</style><style x=1>",
            "<p style='width: expression(alert(1))'>",
            "<p style='background: url(javascript:alert(1))'>",
            "<set attributeName=onmouseover to=alert(1)>",
            "<animate attributeName=href values=javascript:alert(1)>",
            "<!DOCTYPE html>",
            "<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>",
            "<!--[if IE]><img src=x onerror=alert(1)><![endif]-->",
            "<?xml-stylesheet href='javascript:alert(1)'?>",
            "<!-- a comment --><script>",
            "</script><b>",
            "1 < 2 and <script>",
            // Out of an attribute's value.
            "x onmouseover=alert(1)",
            "\" onfocus=alert(1) autofocus x=\"",
            "' onfocus = 'alert(1)",
            "` onclick=alert(1)",
            "\"onClick=\"(prompt)(1)",
            "\"><script>",
            "<a b=\"><script>alert(1)</script>",
            "x' style='width:expression(alert(1))",
            // As the whole value of an address.
            "javascript:alert(1)",
            " JaVaScRiPt&colon;alert(document.cookie)",
            "java&#09;script:alert`1`",
        ] {
            assert!(injected(attack.as_bytes()), "{attack}");
        }
    }

    #[test]
    fn honest_texts_are_left_alone() {
        for benign in [
            "",
            "<",
            "a < b && c > d",
            "if a <b and c> d, then online = yes",
            "I <3 you",
            "<a href=javascript.html?a=b&c=d>x</a>",
            "the <b>bold</b> and <i class=\"x\">italic</i>",
            "<a href=\"https://example.com/?a=b&amp;c=d\">link</a>",
            "<img src=\"data:image/png;base64,iVBORw0KGgo=\" alt=''>",
            "<p style=\"color: red; text-align: center\">",
            "Name <someone@example.com>",
            "https://example.com/?on=1&online=true&one=2",
            "onion=1 onward=2 ongoing=3",
            "JavaScript: The Definitive Guide (7th edition)",
            "use the <link> or the <object> element",
            "Vec<Option<Box<dyn Fn(&str) -> Result<u8, Error>>>>",
            "<!-- a comment -->",
            "<?xml version=\"1.0\"?><note><to>Tove</to></note>",
            "data: 5, 6, 7",
            "He said \"it's on = off\" and left",
            "{\"on\": true, \"online\": \"yes\"}",
            "x = y \" z = 5",
            "emoticons >:( <:-) =)",
        ] {
            assert!(!injected(benign.as_bytes()), "{benign}");
        }
    }

    #[test]
    fn what_never_ends_takes_linear_time() {
        for piece in ["<a ", "<a b=", "<!--", "<![CDATA[", "&#", "<a 'b", "\"<", "=&#x6a"] {
            let long = piece.repeat(1 << 16);
            let start = std::time::Instant::now();
            injected(long.as_bytes());
            assert!(start.elapsed().as_secs() < 2, "{piece}");
        }
    }
}
