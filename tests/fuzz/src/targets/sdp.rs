//! Session descriptions: what is understood is written so that it means the same.

use rivero_sdp::{SessionDescription, TransportOffer, parse};

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Ok(session) = parse(text) {
        let written = session.to_string();
        let again = parse(&written);
        assert_eq!(again.as_ref(), Ok(&session), "{written}");
        assert_eq!(again.map(|session| session.to_string()), Ok(written));
        offered_keys(&session);
    }
}

/// Keys are read from text that is kept as it was, so they are compared on their own.
fn offered_keys(session: &SessionDescription) {
    for section in &session.media {
        if let Some(TransportOffer::Sdes(offer)) = TransportOffer::of(session, section) {
            for crypto in offer.crypto {
                assert_eq!(crypto.to_string().parse(), Ok(crypto));
            }
        }
    }
}
