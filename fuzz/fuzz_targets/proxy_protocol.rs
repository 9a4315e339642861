//! A header of the PROXY protocol is taken, refused or waited for the same however it arrives, and only its own bytes count.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_core::proxy_protocol::{self, Header, LONGEST, Version};

fuzz_target!(|input: &[u8]| {
    let whole = proxy_protocol::parse(input);
    // A connection that sent this many bytes and no header must not be waited for.
    assert!(input.len() < LONGEST || whole != Ok(None));
    match first_verdict(input) {
        Some((end, Ok(header))) => {
            assert_eq!(whole, Ok(Some(header)), "what follows a header doesn't change it");
            assert_eq!(header.length, end, "it is taken as soon as it is whole, and not before");
            check_ends(&header);
        }
        Some((_, Err(_))) => assert!(whole.is_err(), "what was refused early is not taken later"),
        None => assert_eq!(whole, Ok(None)),
    }
});

/// After how many bytes it is known what this is, when they come one by one.
fn first_verdict(input: &[u8]) -> Option<(usize, Result<Header, &'static str>)> {
    (0..=input.len().min(LONGEST)).find_map(|end| {
        let verdict = proxy_protocol::parse(&input[..end]).transpose()?;
        Some((end, verdict))
    })
}

fn check_ends(header: &Header) {
    assert!((1..=LONGEST).contains(&header.length));
    let Some((source, destination)) = header.ends else {
        return;
    };
    for version in [Version::V1, Version::V2] {
        let told = proxy_protocol::encode(version, source, destination);
        let heard = proxy_protocol::parse(&told).expect("it is valid").expect("it is whole");
        assert_eq!((heard.length, heard.ends), (told.len(), header.ends));
    }
}
