//! Whatever passes the limits of XML has no document type and no entity, and whatever does not is told where.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_config::policy::payload::XmlLimits;
use portcullis_config::units::ByteSize;
use portcullis_policies::payload::xml::check;

fuzz_target!(|input: &[u8]| {
    let small = XmlLimits {
        enabled: true,
        depth: 5,
        elements: 20,
        attributes: 4,
        text: ByteSize(100),
        name: 20,
    };
    match check(input, &small) {
        Ok(()) => {
            let text = std::str::from_utf8(input).expect("it is UTF-8");
            assert!(!text.contains('\0') && text.contains('<'));
            // Such words pass in what is not read as markup only.
            let is_quoted = text.contains("<![CDATA[") || text.contains("<!--");
            assert!(is_quoted || !text.to_ascii_lowercase().contains("<!doctype") && !text.contains("<!ENTITY"));
            // Larger limits let more pass, never less.
            assert_eq!(check(input, &XmlLimits::default()), Ok(()));
        }
        Err(fault) => assert!(fault.at <= input.len() && !fault.what.is_empty()),
    }
});
