//! Session descriptions: what is understood is written so that it means the same.

use rivero_sdp::parse;

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Ok(session) = parse(text) {
        let written = session.to_string();
        let again = parse(&written).map(|session| session.to_string());
        assert_eq!(again.as_deref(), Ok(written.as_str()));
    }
}
