//! Candidates, as in `addIceCandidate` and in `a=candidate` lines.

use rivero_sdp::Candidate;

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Ok(candidate) = text.parse::<Candidate>() {
        let written = candidate.to_string();
        let again = written.parse::<Candidate>();
        assert_eq!(again.as_ref(), Ok(&candidate), "{written}");
    }
}
