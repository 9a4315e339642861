use portcullis_config::units::ByteSize;

use super::*;
use crate::payload::fault::FaultKind;

fn limits() -> XmlLimits {
    XmlLimits {
        depth: 3,
        elements: 4,
        attributes: 2,
        text: ByteSize(8),
        name: 6,
        ..XmlLimits::default()
    }
}

fn refused(document: &str, what: &str) {
    let fault = check(document.as_bytes(), &limits()).unwrap_err();
    assert_eq!((fault.kind, &*fault.what), (FaultKind::Refused, what), "{document}");
}

fn malformed(document: &[u8]) {
    let fault = check(document, &XmlLimits::default()).expect_err(&String::from_utf8_lossy(document));
    assert_eq!(
        fault.kind,
        FaultKind::Malformed,
        "{}: {fault:?}",
        String::from_utf8_lossy(document)
    );
}

#[test]
fn what_keeps_the_limits_passes() {
    for document in [
        "<a/>",
        "\u{feff}<a/>",
        "<a></a >",
        " <a/> \n",
        "<?xml version=\"1.0\"?><a/>",
        "<a><b><c/></b><d/></a>",
        "<?xml version='1.0' encoding=\"utf-8\" standalone='yes' ?>\n<!-- a --><a b = '1' c=\"&lt;\">12345678</a><!---->",
        "<a>&#65;</a>",
        "<a>&amp;</a>",
        "<a><![CDATA[]]]]></a>",
        "<a b='>'/>",
        "<a>12345678<b/>12345678</a>",
        "<\u{e4}/>",
        "<a b='12345678'/>",
        "<abcdef/>",
        "<a>]]</a>",
    ] {
        assert_eq!(check(document.as_bytes(), &limits()), Ok(()), "{document}");
    }
    let namespaces = "<s:a xmlns:s=\"urn:s\" xmlns='http://www.w3.org/2003/05/soap-envelope' s:b=''><c/></s:a>";
    assert_eq!(check(namespaces.as_bytes(), &XmlLimits::default()), Ok(()));
}

#[test]
fn one_more_is_refused() {
    refused("<a><b><c><d/></c></b></a>", "elements nest deeper than 3 levels");
    refused("<a><b/><b/><b/><b/></a>", "there are more than 4 elements");
    refused("<a b='1' c='2' d='3'/>", "an element has more than 2 attributes");
    refused("<a>123456789</a>", "a text is longer than 8 bytes");
    refused("<a>1234<!-- -->5678<![CDATA[9]]></a>", "a text is longer than 8 bytes");
    refused("<a>&#65;&#65;</a>", "a text is longer than 8 bytes");
    refused("<a b='123456789'/>", "the value of an attribute is longer than 8 bytes");
    refused("<a><!--123456789--></a>", "a comment is longer than 8 bytes");
    refused("<abcdefg/>", "a name is longer than 6 bytes");
    refused("<a abcdefg=''/>", "a name is longer than 6 bytes");
}

#[test]
fn what_leads_elsewhere_or_expands_is_refused() {
    let laughs = "<!DOCTYPE a [<!ENTITY b \"ha\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]><a>&c;</a>";
    let outside = "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>";
    for document in [
        laughs,
        outside,
        "<!DOCTYPE a><a/>",
        "<!DOCTYPE a SYSTEM \"http://a.example/a.dtd\"><a/>",
        "<!doctype a><a/>",
        "<!DOCTYPE a [<!ENTITY % b SYSTEM \"http://a.example/\"> %b;]><a/>",
        "<!-- --><!DOCTYPE a><a/>",
        "<a><!DOCTYPE a></a>",
    ] {
        let fault = check(document.as_bytes(), &XmlLimits::default()).unwrap_err();
        assert_eq!(
            (fault.kind, &*fault.what),
            (FaultKind::Refused, "a document type is not taken"),
            "{document}"
        );
    }
    for (document, what) in [
        (
            "<?xml-stylesheet href=\"http://a.example/\"?><a/>",
            "a processing instruction is not taken",
        ),
        ("<a><?php echo ?></a>", "a processing instruction is not taken"),
        ("<a>&b;</a>", "an entity is used that is not one of the five of XML"),
        ("<a c='&b;'/>", "an entity is used that is not one of the five of XML"),
        (
            "<a xmlns:i='http://www.w3.org/2001/XInclude'><i:include href='/etc/passwd'/></a>",
            "XInclude is not taken",
        ),
        (
            "<include xmlns='http://www.w3.org/2001/XInclud&#101;' href='a'/>",
            "XInclude is not taken",
        ),
        (
            "<a x:schemaLocation='a http://a.example/'/>",
            "a hint where a schema lies is not taken",
        ),
        (
            "<a x:noNamespaceSchemaLocation='http://a.example/'/>",
            "a hint where a schema lies is not taken",
        ),
        ("<?xml version=\"1.1\"?><a/>", "only version 1.0 is taken"),
        ("<?xml version=\"1.0\" encoding=\"UTF-7\"?><a/>", "only UTF-8 is taken"),
        ("<?xml version=\"1.0\" encoding=\"utf-16\"?><a/>", "only UTF-8 is taken"),
        (
            "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><a/>",
            "only UTF-8 is taken",
        ),
    ] {
        let fault = check(document.as_bytes(), &XmlLimits::default()).unwrap_err();
        assert_eq!((fault.kind, &*fault.what), (FaultKind::Refused, what), "{document}");
    }
    // Nothing is expanded, however it is nested: what is declared is never read.
    let many = format!("<!DOCTYPE a [{}]><a/>", "<!ENTITY b \"&c;&c;&c;\">".repeat(10_000));
    assert!(check(many.as_bytes(), &XmlLimits::default()).is_err());
}

#[test]
fn what_is_no_xml_is_malformed() {
    for document in [
        "",
        " ",
        "a",
        "<",
        "<>",
        "</a>",
        "<a",
        "<a>",
        "<a></b>",
        "<a></a></a>",
        "<a/><b/>",
        "<a/>b",
        "b<a/>",
        "<a/>&lt;",
        "<a b/>",
        "<a b=/>",
        "<a b=c/>",
        "<a b='/>",
        "<a b='1'c='2'/>",
        "<a b='1' b='2'/>",
        "<a b='<'/>",
        "<a b='&'/>",
        "<a b='&lt'/>",
        "<a =''/>",
        "<1/>",
        "<-a/>",
        "<a 1=''/>",
        "<a><!-- -- --></a>",
        "<a><!-- ---></a>",
        "<a><!--</a>",
        "<a><![CDATA[</a>",
        "<a><![cdata[]]></a>",
        "<a>]]></a>",
        "<a>&</a>",
        "<a>&#0;</a>",
        "<a>&#xd800;</a>",
        "<a>&#x110000;</a>",
        "<a>&#;</a>",
        "<a>&#+65;</a>",
        "<a>&#x1;</a>",
        "<a>\u{1}</a>",
        "<a>\0</a>",
        "<a>\u{fffe}</a>",
        " <?xml version='1.0'?><a/>",
        "<a><?xml version='1.0'?></a>",
        "<?xml version='1.0' encoding='utf-8' encoding='utf-16'?><a/>",
        "<!-- a -->",
        "<?xml version='1.0' standalone='maybe'?><a/>",
        "<?xml encoding='utf-8' version='1.0'?><a/>",
        "<a<b/>",
        "<a/ >",
        "<![CDATA[]]><a/>",
        "<?xml version='1.0'?",
        "<a></a b='1'>",
    ] {
        malformed(document.as_bytes());
    }
    malformed(b"<a>\xff</a>");
    malformed(b"\xff\xfe<\x00a\x00/\x00>\x00");
    malformed(b"\x00<\x00a\x00/\x00>");
}

#[test]
fn depth_and_number_end_where_their_limit_is() {
    let deep = "<a>".repeat(100_000);
    let fault = check(deep.as_bytes(), &XmlLimits::default()).unwrap_err();
    assert_eq!((fault.kind, fault.at), (FaultKind::Refused, 32 * 3));
    let wide = format!("<a>{}</a>", "<b/>".repeat(100_000));
    let fault = check(wide.as_bytes(), &XmlLimits::default()).unwrap_err();
    assert_eq!((fault.kind, fault.at), (FaultKind::Refused, 3 + 9_999 * 4));
    let attributes: String = (0..100_000).map(|nth| format!(" a{nth}=''")).collect();
    let fault = check(format!("<a{attributes}/>").as_bytes(), &XmlLimits::default()).unwrap_err();
    assert_eq!(fault.what, "an element has more than 64 attributes");
}

proptest::proptest! {
    #[test]
    fn what_passes_has_nothing_that_expands(pieces in proptest::collection::vec(proptest::sample::select(vec![
        "<a>", "</a>", "<b/>", "<a b='", "'>", "\"", "<!DOCTYPE a>", "<!doctype", "<!ENTITY c \"d\">", "[", "]>", "<![CDATA[", "]]>", "<!--",
        "-->", "-", "<?", "?>", "<?xml version='1.0'?>", "&lt;", "&b;", "&#65;", "&", ";", "<", ">", " ", "\n", "a", "=", "\u{feff}", "\0", "\u{e4}",
    ]), 0..12)) {
        let document = pieces.concat();
        match check(document.as_bytes(), &XmlLimits::default()) {
            Ok(()) => {
                // Such words are text where they are quoted, and markup nowhere.
                let is_quoted = document.contains("<![CDATA[") || document.contains("<!--");
                let lower = document.to_ascii_lowercase();
                proptest::prop_assert!(is_quoted || !(lower.contains("<!doctype") || lower.contains("<!entity") || lower.contains("&b;")));
            }
            Err(fault) => proptest::prop_assert!(fault.at <= document.len()),
        }
    }
}
