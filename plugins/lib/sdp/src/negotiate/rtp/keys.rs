//! Choosing keys and profiles.

use super::{RtpConfig, SdesKeys};
use crate::{Attribute, Crypto, CryptoSuite, InlineKey, MediaSection, Protocol};

/// Lines of keys that are looked at in one section; there are four suites.
const MAX_LINES: usize = 32;

/// The keys of a section of the peer that can be read, in its order of preference.
pub(super) fn lines(section: &MediaSection) -> Vec<Crypto> {
    let lines = section.attribute_values("crypto");
    // A line of an unknown suite is passed over: the others are there for that (RFC 4568 §5.1.2).
    let readable = lines.filter_map(|line| line.parse().ok());
    readable.take(MAX_LINES).collect()
}

/// How a section that the peer offers would be protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Protection {
    Plain,
    Keys(SdesKeys),
}

/// `None` for a profile that is not spoken here, or not with these keys.
pub(super) fn of_offered(config: &RtpConfig, offered: &MediaSection) -> Option<Protection> {
    let is_secure = matches!(offered.protocol, Protocol::RtpSavp | Protocol::RtpSavpf);
    let is_plain = matches!(offered.protocol, Protocol::RtpAvp | Protocol::RtpAvpf);
    if !is_secure && !is_plain || is_secure && !config.secure {
        return None;
    }
    let chosen = lines(offered)
        .into_iter()
        .filter(Crypto::is_plain_srtp)
        .find_map(|remote| {
            let key = key_of(config, remote.suite)?.clone();
            // The answer repeats the tag of the line that it chooses (RFC 4568 §5.1.2).
            let local = line(remote.tag, remote.suite, key);
            Some(SdesKeys { local, remote })
        });
    match chosen {
        Some(keys) => Some(Protection::Keys(keys)),
        // A plain profile whose keys nobody here can use is still plain RTP to an endpoint without keys.
        None if is_plain && !config.secure => Some(Protection::Plain),
        None => None,
    }
}

/// What a peer's answer makes of a section that was offered with or without keys. `None` where it leaves
/// keys out of a secure profile, or has none that fits.
pub(super) fn of_answered(
    config: &RtpConfig,
    offered: &MediaSection,
    answered: &MediaSection,
) -> Option<Protection> {
    let ours = lines(offered);
    let theirs = lines(answered);
    let chosen = theirs.into_iter().find_map(|remote| {
        // By suite: there are answerers that count their tags anew.
        let mut ours = ours.iter();
        let local = ours.find(|local| local.suite == remote.suite)?.clone();
        remote.is_plain_srtp().then_some(SdesKeys { local, remote })
    });
    match chosen {
        Some(keys) => Some(Protection::Keys(keys)),
        None if config.secure => None,
        None => Some(Protection::Plain),
    }
}

fn key_of(config: &RtpConfig, suite: CryptoSuite) -> Option<&InlineKey> {
    let mut keys = config.keys.iter();
    keys.find(|(known, _)| *known == suite).map(|(_, key)| key)
}

fn line(tag: u32, suite: CryptoSuite, key: InlineKey) -> Crypto {
    Crypto {
        tag,
        suite,
        keys: vec![key],
        session_parameters: Vec::new(),
    }
}

/// The lines of an offer: our suites, numbered from 1.
pub(super) fn offered_lines(config: &RtpConfig) -> Vec<Attribute> {
    let keys = config.keys.iter().filter(|_| config.secure);
    let lines = (1..)
        .zip(keys)
        .map(|(tag, (suite, key))| line(tag, *suite, key.clone()));
    lines.map(|crypto| attribute(&crypto)).collect()
}

pub(super) fn attribute(crypto: &Crypto) -> Attribute {
    Attribute::with_value("crypto", crypto.to_string())
}
