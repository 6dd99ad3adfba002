//! Round trips, misuse, and agreement with `rtc-srtp`.

use rivero_rtp::{ExtensionBlock, OutgoingHeader, RtpHeader};
use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;

use super::*;

const PROFILES: [SrtpProfile; 6] = [
    SrtpProfile::AeadAes128Gcm,
    SrtpProfile::AeadAes256Gcm,
    SrtpProfile::Aes128CmHmacSha1_80,
    SrtpProfile::Aes128CmHmacSha1_32,
    SrtpProfile::Aes256CmHmacSha1_80,
    SrtpProfile::Aes256CmHmacSha1_32,
];

fn key(profile: SrtpProfile) -> MasterKey {
    let (key, salt) = key_bytes(profile);
    MasterKey::new(&key, &salt)
}

fn key_bytes(profile: SrtpProfile) -> (Vec<u8>, Vec<u8>) {
    (
        (0u8..).take(profile.key_len()).collect(),
        (100u8..).take(profile.salt_len()).collect(),
    )
}

fn pair(profile: SrtpProfile) -> (SrtpSender, SrtpReceiver) {
    let key = key(profile);
    (
        SrtpSender::new(profile, &key).unwrap(),
        SrtpReceiver::new(profile, &key).unwrap(),
    )
}

/// `None` where `rtc-srtp` cannot take part.
fn rtc_context(profile: SrtpProfile) -> Option<Context> {
    let rtc_profile = match profile {
        SrtpProfile::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        SrtpProfile::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
        SrtpProfile::Aes128CmHmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        SrtpProfile::Aes128CmHmacSha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
        SrtpProfile::Aes256CmHmacSha1_80 | SrtpProfile::Aes256CmHmacSha1_32 => return None,
    };
    let (key, salt) = key_bytes(profile);
    let provider = rtc_crypto::default_provider().unwrap();
    Context::new(
        &key,
        &salt,
        rtc_profile,
        Some(srtp_replay_protection(1024)),
        Some(srtcp_replay_protection(1024)),
        provider.crypto(),
    )
    .ok()
}

fn protect(sender: &mut SrtpSender, sequence: u16, payload: &[u8], out: &mut Vec<u8>) -> usize {
    let mut extensions = ExtensionBlock::default();
    extensions.push(3, &[1, 2, 3]);
    let header = OutgoingHeader {
        marker: true,
        payload_type: 96,
        sequence,
        timestamp: 1234,
        ssrc: 0xcafe_f00d,
        extensions: &extensions,
        padding: 0,
    };
    sender.protect_rtp(&header, &[payload], out).unwrap()
}

fn unprotect(receiver: &mut SrtpReceiver, packet: &mut [u8]) -> Result<Vec<u8>, SrtpError> {
    let header = RtpHeader::parse(packet).unwrap();
    let len = receiver.unprotect_rtp(&header, packet)?;
    Ok(header.payload(&packet[..len]).unwrap().to_vec())
}

/// A receiver report about one source and a CNAME-less BYE: enough to be a compound packet.
fn report() -> Vec<u8> {
    let mut report = vec![0x81, 201, 0, 7, 0, 0, 0, 9];
    report.extend_from_slice(&[3; 24]);
    report
}

/// Bytes that protection adds to an RTP packet.
fn tag_len(profile: SrtpProfile) -> usize {
    profile.rtp_tag_len()
}

#[test]
fn packets_come_back_as_they_were() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let mut out = Vec::new();
        for sequence in [10, 12, 11, 13] {
            let payload = vec![sequence as u8; 100 + usize::from(sequence)];
            let start = out.len();
            let len = protect(&mut sender, sequence, &payload, &mut out);
            assert_eq!(len, 20 + payload.len() + tag_len(profile));
            let plain = unprotect(&mut receiver, &mut out[start..start + len]);
            assert_eq!(plain.unwrap(), payload, "{profile:?}");
        }
    }
}

#[test]
fn parts_are_joined_and_empty_payloads_survive() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let extensions = ExtensionBlock::default();
        let mut header = OutgoingHeader {
            marker: false,
            payload_type: 96,
            sequence: 1,
            timestamp: 0,
            ssrc: 1,
            extensions: &extensions,
            padding: 0,
        };
        let mut out = Vec::new();
        sender
            .protect_rtp(&header, &[b"ab", b"", b"c"], &mut out)
            .unwrap();
        assert_eq!(unprotect(&mut receiver, &mut out).unwrap(), b"abc");
        header.sequence = 2;
        out.clear();
        sender.protect_rtp(&header, &[], &mut out).unwrap();
        assert_eq!(unprotect(&mut receiver, &mut out).unwrap(), b"");
    }
}

#[test]
fn replays_and_forgeries_are_refused() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let mut packet = Vec::new();
        protect(&mut sender, 5, b"payload", &mut packet);

        for position in [1, 13, 22, packet.len() - 1] {
            let mut forged = packet.clone();
            forged[position] ^= 1;
            let result = unprotect(&mut receiver, &mut forged);
            assert_eq!(result, Err(SrtpError::Authentication), "{profile:?}");
        }
        assert!(receiver.streams.is_empty(), "forgeries leave no state");

        unprotect(&mut receiver, &mut packet.clone()).unwrap();
        let again = unprotect(&mut receiver, &mut packet);
        assert_eq!(again, Err(SrtpError::Replayed));
    }
}

#[test]
fn short_packets_are_errors() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let mut rtp = Vec::new();
        protect(&mut sender, 5, b"payload", &mut rtp);
        for len in 12..rtp.len() {
            let mut cut = rtp[..len].to_vec();
            if let Ok(header) = RtpHeader::parse(&cut) {
                assert!(receiver.unprotect_rtp(&header, &mut cut).is_err());
            }
        }
        let mut rtcp = Vec::new();
        sender.protect_rtcp(&report(), &mut rtcp).unwrap();
        for len in 0..rtcp.len() {
            assert!(receiver.unprotect_rtcp(&mut rtcp[..len].to_vec()).is_err());
        }
        assert_eq!(
            sender.protect_rtcp(&[0; 7], &mut rtcp),
            Err(SrtpError::TooShort)
        );
    }
}

#[test]
fn the_rollover_counter_follows_long_streams() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let mut out = Vec::new();
        for step in 0..60u32 {
            let sequence = (step * 5000) as u16;
            out.clear();
            protect(&mut sender, sequence, b"x", &mut out);
            unprotect(&mut receiver, &mut out).unwrap();
        }
    }
}

#[test]
fn reports_come_back_as_they_were() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let mut out = Vec::new();
        sender.protect_rtcp(&report(), &mut out).unwrap();
        let replay = out.clone();
        let len = receiver.unprotect_rtcp(&mut out).unwrap();
        assert_eq!(out[..len], report());
        assert_eq!(
            receiver.unprotect_rtcp(&mut replay.clone()),
            Err(SrtpError::Replayed)
        );
        out.clear();
        sender.protect_rtcp(&report(), &mut out).unwrap();
        out[9] ^= 1;
        assert_eq!(
            receiver.unprotect_rtcp(&mut out),
            Err(SrtpError::Authentication)
        );
    }
}

#[test]
fn streams_per_session_are_bounded() {
    let profile = SrtpProfile::AeadAes128Gcm;
    let (mut sender, _) = pair(profile);
    let extensions = ExtensionBlock::default();
    let mut send = |ssrc| {
        let header = OutgoingHeader {
            marker: false,
            payload_type: 0,
            sequence: 1,
            timestamp: 0,
            ssrc,
            extensions: &extensions,
            padding: 0,
        };
        sender.protect_rtp(&header, &[b"x"], &mut Vec::new())
    };
    assert!((0..128).all(|ssrc| send(ssrc).is_ok()));
    assert_eq!(send(128), Err(SrtpError::TooManyStreams));
}

#[test]
fn new_streams_are_taken_for_as_long_as_the_session_lasts() {
    let profile = SrtpProfile::AeadAes128Gcm;
    let (_, mut receiver) = pair(profile);
    let seal = |ssrc: u32, sequence| {
        let mut sender = SrtpSender::new(profile, &key(profile)).unwrap();
        let header = OutgoingHeader {
            marker: false,
            payload_type: 96,
            sequence,
            timestamp: 0,
            ssrc,
            extensions: &ExtensionBlock::default(),
            padding: 0,
        };
        let (mut packet, mut report) = (Vec::new(), self::report());
        sender.protect_rtp(&header, &[b"x"], &mut packet).unwrap();
        report[4..8].copy_from_slice(&ssrc.to_be_bytes());
        let mut sealed = Vec::new();
        sender.protect_rtcp(&report, &mut sealed).unwrap();
        (packet, sealed)
    };
    for ssrc in 0..300 {
        let (mut packet, mut report) = seal(ssrc, 100);
        assert_eq!(unprotect(&mut receiver, &mut packet).unwrap(), b"x");
        receiver.unprotect_rtcp(&mut report).unwrap();
    }
    let (mut packet, mut report) = seal(0, 100);
    let replayed = unprotect(&mut receiver, &mut packet);
    assert_eq!(replayed, Err(SrtpError::TooOld));
    let replayed = receiver.unprotect_rtcp(&mut report);
    assert_eq!(replayed, Err(SrtpError::TooOld));
    let (mut packet, _) = seal(0, 101);
    assert_eq!(unprotect(&mut receiver, &mut packet).unwrap(), b"x");
}

#[test]
fn identical_retransmissions_are_identical_and_restarts_are_refused() {
    let (mut sender, _) = pair(SrtpProfile::AeadAes128Gcm);
    let mut packets = [Vec::new(), Vec::new()];
    for packet in &mut packets {
        protect(&mut sender, 5000, b"x", packet);
        protect(&mut sender, 7000, b"y", &mut Vec::new());
    }
    assert_eq!(packets[0], packets[1]);
    let extensions = ExtensionBlock::default();
    let header = OutgoingHeader {
        marker: false,
        payload_type: 96,
        sequence: 4000,
        timestamp: 0,
        ssrc: 0xcafe_f00d,
        extensions: &extensions,
        padding: 0,
    };
    let again = sender.protect_rtp(&header, &[b"z"], &mut Vec::new());
    assert_eq!(again, Err(SrtpError::TooOld));
}

#[test]
fn rtc_srtp_opens_what_we_seal() {
    for profile in PROFILES {
        let Some(mut theirs) = rtc_context(profile) else {
            continue;
        };
        let (mut sender, _) = pair(profile);
        for sequence in [25_000u16, 30_000, 50_000, 3, 20] {
            let mut packet = Vec::new();
            protect(&mut sender, sequence, b"over there", &mut packet);
            let plain = theirs.decrypt_rtp(&packet).unwrap();
            assert!(plain.ends_with(b"over there"), "{profile:?}");
        }
        let mut rtcp = Vec::new();
        sender.protect_rtcp(&report(), &mut rtcp).unwrap();
        assert_eq!(theirs.decrypt_rtcp(&rtcp).unwrap(), report());
    }
}

#[test]
fn we_open_what_rtc_srtp_seals() {
    for profile in PROFILES {
        let Some(mut theirs) = rtc_context(profile) else {
            continue;
        };
        let (_, mut receiver) = pair(profile);
        let mut plain = vec![0x80, 96, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2];
        plain.extend_from_slice(b"over here");
        let mut sealed = theirs.encrypt_rtp(&plain).unwrap();
        assert_eq!(unprotect(&mut receiver, &mut sealed).unwrap(), b"over here");

        let mut sealed = theirs.encrypt_rtcp(&report()).unwrap();
        let len = receiver.unprotect_rtcp(&mut sealed).unwrap();
        assert_eq!(sealed[..len], report());
    }
}

#[test]
fn reports_under_a_short_tag_have_a_long_one() {
    let (mut sender, mut receiver) = pair(SrtpProfile::Aes256CmHmacSha1_32);
    let mut out = Vec::new();
    let len = sender.protect_rtcp(&report(), &mut out).unwrap();
    assert_eq!(len, report().len() + 4 + 10);
    let plain = receiver.unprotect_rtcp(&mut out).unwrap();
    assert_eq!(out[..plain], report());
}

#[test]
fn an_identifier_of_the_key_stands_before_the_tag_and_is_asked_for() {
    let profile = SrtpProfile::Aes128CmHmacSha1_32;
    let (sender, receiver) = pair(profile);
    let mut sender = sender.with_mki(Some(Mki::new(0x0102, 2)));
    let mut receiver = receiver.with_mki(Some(Mki::new(0x0102, 2)));
    let mut out = Vec::new();
    let len = protect(&mut sender, 7, &[5; 40], &mut out);
    assert_eq!(len, 20 + 40 + 2 + 4);
    assert_eq!(out[60..62], [1, 2]);
    assert_eq!(unprotect(&mut receiver, &mut out.clone()).unwrap(), [5; 40]);
    let (_, mut other) = pair(profile);
    assert_eq!(
        unprotect(&mut other, &mut out),
        Err(SrtpError::Authentication)
    );
    let mut reports = Vec::new();
    sender.protect_rtcp(&report(), &mut reports).unwrap();
    let plain = receiver.unprotect_rtcp(&mut reports).unwrap();
    assert_eq!(reports[..plain], report());
}

#[test]
fn a_key_ends_with_its_lifetime() {
    let (sender, _) = pair(SrtpProfile::Aes128CmHmacSha1_80);
    let mut sender = sender.with_lifetime(2);
    let mut out = Vec::new();
    protect(&mut sender, 7, &[0; 4], &mut out);
    protect(&mut sender, 8, &[0; 4], &mut out);
    assert_eq!(sender.packets_left(), 0);
    let extensions = ExtensionBlock::default();
    let header = OutgoingHeader {
        marker: false,
        payload_type: 96,
        sequence: 9,
        timestamp: 0,
        ssrc: 1,
        extensions: &extensions,
        padding: 0,
    };
    let refused = sender.protect_rtp(&header, &[&[0]], &mut out);
    assert_eq!(refused, Err(SrtpError::KeyExhausted));
}

/// Both kinds of senders exist.
#[test]
fn under_a_new_key_the_rollover_counter_goes_on_or_begins_anew() {
    let profile = SrtpProfile::Aes128CmHmacSha1_80;
    let (mut old_sender, mut old) = pair(profile);
    for sequence in [65_500, 65_530, 10, 20] {
        let mut out = Vec::new();
        protect(&mut old_sender, sequence, &[1], &mut out);
        unprotect(&mut old, &mut out).unwrap();
    }
    let new_key = MasterKey::new(&[9; 16], &[8; 14]);
    for goes_on in [true, false] {
        let mut sender = SrtpSender::new(profile, &new_key).unwrap();
        if goes_on {
            for sequence in [65_530, 10] {
                protect(&mut sender, sequence, &[1], &mut Vec::new());
            }
        }
        let receiver = SrtpReceiver::new(profile, &new_key).unwrap();
        let mut receiver = receiver.succeeding(&old);
        for sequence in [25, 26, 24] {
            let mut out = Vec::new();
            protect(&mut sender, sequence, &[7], &mut out);
            assert_eq!(
                unprotect(&mut receiver, &mut out).unwrap(),
                [7],
                "{goes_on}"
            );
        }
    }
}
