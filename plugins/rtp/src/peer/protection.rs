//! What protects the packets of a section: SRTP under the keys of the descriptions, or nothing.

use std::collections::VecDeque;

use rivero_plugin_api::{Error, Result};
use rivero_rtp::{OutgoingHeader, RtpHeader};
use rivero_rtp_session::Protect;
use rivero_sdp::{Crypto, CryptoSuite, SdesKeys};
use rivero_srtp::{MasterKey, Mki, SrtpError, SrtpProfile, SrtpReceiver, SrtpSender};

/// So many packets before its end a key is said to be nearly used up: at a thousand packets a second there
/// is a minute left to take another one.
const SOFT_LIMIT: u64 = 1 << 16;
/// … or this part of a shorter lifetime.
const SOFT_PART: u64 = 16;
/// Keys that were given up and may return: one of each suite.
const RETIRED: usize = 4;

/// Protects what is sent.
#[derive(Default)]
pub(crate) struct Outbound {
    keys: Option<OutboundKeys>,
    /// Those before, the latest first.
    retired: VecDeque<OutboundKeys>,
    /// Where the peer is known to be.
    pub(crate) has_target: bool,
}

struct OutboundKeys {
    line: Crypto,
    srtp: SrtpSender,
    soft_limit: u64,
    /// The owner has been told that the key is nearly used up.
    told: bool,
}

/// Opens what is received.
#[derive(Default)]
pub(crate) struct Inbound(Option<(Crypto, SrtpReceiver)>);

/// Both, of one negotiation.
pub(crate) fn check(keys: Option<&SdesKeys>) -> Result<()> {
    let Some(keys) = keys else { return Ok(()) };
    sender(&keys.local)?;
    receiver(&keys.remote)?;
    Ok(())
}

impl Outbound {
    /// Takes the keys of a negotiation. The same key goes on with its counters, also after another one: no number
    /// may be used for two packets under it (RFC 3711 §9.1), and the peer goes on counting, too.
    pub(crate) fn set_keys(&mut self, keys: Option<&SdesKeys>) -> Result<()> {
        let line = keys.map(|keys| &keys.local);
        let known = self.keys.as_ref().map(|keys| &keys.line);
        if same_key(line, known) {
            return Ok(());
        }
        let returns = |known: &OutboundKeys| same_key(line, Some(&known.line));
        let next = match self.retired.iter().position(returns) {
            Some(position) => self.retired.remove(position),
            None => line.map(sender).transpose()?,
        };
        if let Some(former) = std::mem::replace(&mut self.keys, next) {
            self.retired.truncate(RETIRED - 1);
            self.retired.push_front(former);
        }
        Ok(())
    }

    /// Once, when the key is nearly used up.
    pub(crate) fn take_soft_limit(&mut self) -> bool {
        let Some(keys) = &mut self.keys else {
            return false;
        };
        let is_near = keys.srtp.packets_left() <= keys.soft_limit;
        is_near && !std::mem::replace(&mut keys.told, true)
    }
}

impl Protect for Outbound {
    type Error = SrtpError;

    fn can_send(&self) -> bool {
        self.has_target
    }

    #[inline]
    fn protect_rtp(
        &mut self,
        header: &OutgoingHeader<'_>,
        payload: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> std::result::Result<usize, SrtpError> {
        if let Some(keys) = &mut self.keys {
            return keys.srtp.protect_rtp(header, payload, out);
        }
        let start = out.len();
        header.write_to(out);
        payload.iter().for_each(|part| out.extend_from_slice(part));
        header.write_padding(out);
        Ok(out.len() - start)
    }

    fn protect_rtcp(
        &mut self,
        plain: &[u8],
        out: &mut Vec<u8>,
    ) -> std::result::Result<usize, SrtpError> {
        if let Some(keys) = &mut self.keys {
            return keys.srtp.protect_rtcp(plain, out);
        }
        out.extend_from_slice(plain);
        Ok(plain.len())
    }
}

impl Inbound {
    /// Takes the keys of a negotiation, in place of others or going on with the same.
    pub(crate) fn set_keys(&mut self, keys: Option<&SdesKeys>) -> Result<()> {
        let line = keys.map(|keys| &keys.remote);
        if same_key(line, self.0.as_ref().map(|(line, _)| line)) {
            return Ok(());
        }
        let next = line.map(receiver).transpose()?;
        self.0 = match (self.0.take(), next) {
            (Some((_, former)), Some((line, srtp))) => Some((line, srtp.succeeding(&former))),
            (_, next) => next,
        };
        Ok(())
    }

    /// Whether what can be opened can only be the peer's.
    pub(crate) fn is_authentic(&self) -> bool {
        self.0.is_some()
    }

    /// Opens an RTP packet in place; gives the length of the plain one.
    #[inline]
    pub(crate) fn open_rtp(&mut self, header: &RtpHeader, packet: &mut [u8]) -> Option<usize> {
        match &mut self.0 {
            Some((_, srtp)) => srtp.unprotect_rtp(header, packet).ok(),
            None => Some(packet.len()),
        }
    }

    /// Opens an RTCP packet in place; gives the length of the plain one.
    pub(crate) fn open_rtcp(&mut self, packet: &mut [u8]) -> Option<usize> {
        match &mut self.0 {
            Some((_, srtp)) => srtp.unprotect_rtcp(packet).ok(),
            None => Some(packet.len()),
        }
    }
}

/// Whether two lines mean the same key: their tags may differ from offer to offer.
fn same_key(one: Option<&Crypto>, other: Option<&Crypto>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            one.suite == other.suite && one.keys.first() == other.keys.first()
        }
        _ => false,
    }
}

fn sender(line: &Crypto) -> Result<OutboundKeys> {
    let (key, mki, lifetime) = first_key(line)?;
    let srtp = SrtpSender::new(profile(line.suite), &key).map_err(unusable)?;
    let srtp = srtp.with_mki(mki).with_lifetime(lifetime);
    Ok(OutboundKeys {
        line: line.clone(),
        srtp,
        soft_limit: SOFT_LIMIT.min(lifetime / SOFT_PART),
        told: false,
    })
}

fn receiver(line: &Crypto) -> Result<(Crypto, SrtpReceiver)> {
    let (key, mki, _) = first_key(line)?;
    let srtp = SrtpReceiver::new(profile(line.suite), &key).map_err(unusable)?;
    Ok((line.clone(), srtp.with_mki(mki)))
}

/// The key that a line begins with: others are for later, and no peer has been seen to change to them.
fn first_key(line: &Crypto) -> Result<(MasterKey, Option<Mki>, u64)> {
    let first = line.keys.first();
    let first = first.ok_or_else(|| unusable("a line without a key"))?;
    let key = MasterKey::new(&first.key, &first.salt);
    let mki = first.mki.map(|mki| Mki::new(mki.value, mki.bytes));
    Ok((key, mki, first.lifetime.unwrap_or(u64::MAX)))
}

fn unusable(reason: impl std::fmt::Display) -> Error {
    rivero_endpoint::error::unusable_offer(&format!("the keys are not usable: {reason}"))
}

fn profile(suite: CryptoSuite) -> SrtpProfile {
    match suite {
        CryptoSuite::AesCm128HmacSha1_80 => SrtpProfile::Aes128CmHmacSha1_80,
        CryptoSuite::AesCm128HmacSha1_32 => SrtpProfile::Aes128CmHmacSha1_32,
        CryptoSuite::Aes256CmHmacSha1_80 => SrtpProfile::Aes256CmHmacSha1_80,
        CryptoSuite::Aes256CmHmacSha1_32 => SrtpProfile::Aes256CmHmacSha1_32,
    }
}

#[cfg(test)]
mod tests {
    use rivero_rtp::ExtensionBlock;

    use super::*;

    const KEY: &str = "inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";
    const OTHER: &str = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    fn keys(key: &str) -> SdesKeys {
        let line: Crypto = format!("1 AES_CM_128_HMAC_SHA1_80 {key}").parse().unwrap();
        SdesKeys {
            local: line.clone(),
            remote: line,
        }
    }

    fn packet(outbound: &mut Outbound, sequence: u16) -> Vec<u8> {
        let extensions = ExtensionBlock::default();
        let header = OutgoingHeader {
            marker: false,
            payload_type: 0,
            sequence,
            timestamp: 0,
            ssrc: 7,
            extensions: &extensions,
            padding: 0,
        };
        let mut out = Vec::new();
        outbound
            .protect_rtp(&header, &[&[5; 160]], &mut out)
            .unwrap();
        out
    }

    fn opens(inbound: &mut Inbound, packet: &[u8]) -> bool {
        let header = RtpHeader::parse(packet).unwrap();
        inbound.open_rtp(&header, &mut packet.to_vec()) == Some(172)
    }

    /// A session refresh after the sequence has wrapped: the roll-over counter goes on.
    #[test]
    fn the_same_key_again_changes_nothing() {
        let (mut outbound, mut inbound) = (Outbound::default(), Inbound::default());
        let first = keys(KEY);
        outbound.set_keys(Some(&first)).unwrap();
        inbound.set_keys(Some(&first)).unwrap();
        for sequence in [65_500, 65_535, 3] {
            let packet = packet(&mut outbound, sequence);
            assert!(opens(&mut inbound, &packet));
        }
        let mut refreshed = keys(KEY);
        refreshed.remote.tag = 2;
        outbound.set_keys(Some(&refreshed)).unwrap();
        inbound.set_keys(Some(&refreshed)).unwrap();
        let next = packet(&mut outbound, 4);
        assert!(opens(&mut inbound, &next));
        assert!(!opens(&mut inbound, &next), "the window goes on, too");
    }

    #[test]
    fn a_new_key_replaces_the_former_and_none_ends_protection() {
        let (mut outbound, mut inbound) = (Outbound::default(), Inbound::default());
        outbound.set_keys(Some(&keys(KEY))).unwrap();
        inbound.set_keys(Some(&keys(KEY))).unwrap();
        let old = packet(&mut outbound, 1);
        assert!(inbound.is_authentic() && opens(&mut inbound, &old));
        outbound.set_keys(Some(&keys(OTHER))).unwrap();
        let new = packet(&mut outbound, 2);
        assert!(!opens(&mut inbound, &new));
        inbound.set_keys(Some(&keys(OTHER))).unwrap();
        assert!(opens(&mut inbound, &new));
        outbound.set_keys(None).unwrap();
        inbound.set_keys(None).unwrap();
        assert!(opens(&mut inbound, &packet(&mut outbound, 3)) && !inbound.is_authentic());
    }

    #[test]
    fn a_key_that_returns_goes_on_with_its_counters() {
        let (mut outbound, mut inbound) = (Outbound::default(), Inbound::default());
        let first = keys(KEY);
        inbound.set_keys(Some(&first)).unwrap();
        outbound.set_keys(Some(&first)).unwrap();
        for sequence in [65_000, 100] {
            let packet = packet(&mut outbound, sequence);
            assert!(opens(&mut inbound, &packet));
        }
        for other in [None, Some(keys(OTHER))] {
            outbound.set_keys(other.as_ref()).unwrap();
            packet(&mut outbound, 200);
            outbound.set_keys(Some(&first)).unwrap();
        }
        let next = packet(&mut outbound, 300);
        assert!(opens(&mut inbound, &next), "in the second round of numbers");
    }

    #[test]
    fn a_key_that_is_nearly_used_up_is_told_once() {
        let mut outbound = Outbound::default();
        outbound
            .set_keys(Some(&keys(&format!("{KEY}|32"))))
            .unwrap();
        let told: Vec<u16> = (1..=32)
            .filter(|sequence| {
                packet(&mut outbound, *sequence);
                outbound.take_soft_limit()
            })
            .collect();
        assert_eq!(told, [30]);
    }
}
