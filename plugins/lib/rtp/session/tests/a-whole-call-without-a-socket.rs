//! Two sessions joined by a path that delays, loses and throttles, in virtual time: media in both
//! directions, losses that retransmissions repair, keyframe requests, reports, an estimate. No socket,
//! no thread, and the only clock is a number.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed call fails the test"
)]

mod call;

use std::{collections::BTreeSet, time::Duration};

use call::{ALICE, BOB, Call, DELAY, rtx_ssrc, ssrc};
use rivero_plugin_api::{MediaKind, Packet, Upstream};
use rivero_relay::Conditions;
use rivero_rtp_session::{SessionEvent, Track};

const SECOND: Duration = Duration::from_secs(1);

fn sequences(packets: &[(Duration, Packet)]) -> BTreeSet<u16> {
    packets
        .iter()
        .map(|(_, packet)| packet.rtp.sequence)
        .collect()
}

fn is_complete(packets: &[(Duration, Packet)]) -> bool {
    let numbers = sequences(packets);
    let Some(last) = numbers.last() else {
        return false;
    };
    numbers.len() == usize::from(*last) + 1
}

fn keyframes(packets: &[(Duration, Packet)]) -> usize {
    packets
        .iter()
        .filter(|(_, packet)| packet.is_keyframe())
        .count()
}

#[test]
fn media_flows_both_ways_and_reports_bring_the_round_trip() {
    let mut call = Call::new(1_000_000);
    call.run(3 * SECOND);
    for (side, other) in [(ALICE, BOB), (BOB, ALICE)] {
        for kind in [MediaKind::Audio, MediaKind::Video] {
            let packets = call.received(side, kind);
            let sent = call.captured(other, kind);
            assert!(is_complete(&packets), "{kind:?}");
            // What was sent last is still on its way.
            assert!(packets.len() + 10 >= sent && sent > 70, "{kind:?}: {sent}");
            let (at, first) = &packets[0];
            assert_eq!(*at, call.sent_at(other, first) + DELAY);
            assert_eq!(
                first.presentation_time,
                i64::try_from(at.as_nanos()).unwrap()
            );
        }
        let snapshot = call.snapshot(side);
        for (kind, sent) in &snapshot.sent {
            let round_trip = sent.round_trip.unwrap();
            assert!(
                round_trip >= 2 * DELAY && round_trip < 2 * DELAY + Duration::from_millis(5),
                "{kind:?}: {round_trip:?}"
            );
            assert_eq!(sent.remote.unwrap().cumulative_lost, 0);
            assert_eq!(sent.feedback.nack, 0);
        }
        let (_, video) = snapshot
            .received
            .iter()
            .find(|(kind, _)| *kind == MediaKind::Video)
            .unwrap();
        assert!(
            (900_000..1_150_000).contains(&video.bitrate),
            "{}",
            video.bitrate
        );
        assert!(
            (23.0..27.0).contains(&video.frame_rate),
            "{}",
            video.frame_rate
        );
        assert_eq!(snapshot.path_estimate, None, "the path has shown no limit");
        assert_eq!(call.events(side), [SessionEvent::MediaActive(true)]);
    }
}

#[test]
fn what_is_lost_is_asked_for_and_comes_again() {
    let mut call = Call::new(1_000_000);
    call.run(SECOND);
    call.set_path(
        ALICE,
        Conditions {
            loss: 5.0,
            ..Call::conditions()
        },
    );
    call.run(5 * SECOND);
    call.set_path(ALICE, Call::conditions());
    call.run(SECOND);
    let video = call.received(BOB, MediaKind::Video);
    assert!(is_complete(&video), "all of it came");
    let sent = call.sent_payloads(ALICE, MediaKind::Video);
    for (_, packet) in &video {
        let original = &sent[usize::from(packet.rtp.sequence)];
        assert_eq!(packet.payload(), original, "{}", packet.rtp.sequence);
    }
    assert_eq!(keyframes(&video), 1, "nothing was given up");

    let (alice, bob) = (call.snapshot(ALICE), call.snapshot(BOB));
    let (_, sent) = alice
        .sent
        .iter()
        .find(|(k, _)| *k == MediaKind::Video)
        .unwrap();
    let (_, got) = bob
        .received
        .iter()
        .find(|(k, _)| *k == MediaKind::Video)
        .unwrap();
    assert!(sent.feedback.nack > 10 && got.counters.nack >= sent.feedback.nack);
    assert!(sent.feedback.retransmitted >= got.counters.repaired);
    assert!(got.counters.repaired > 20, "{}", got.counters.repaired);
    assert_eq!(got.counters.pli, 0);
    // Retransmissions are another stream's: what was lost stays lost in reports.
    assert!(sent.remote.unwrap().cumulative_lost > 20);
    let is_loss = |message: &Upstream| matches!(message, Upstream::Loss { .. });
    assert!(call.upstream(ALICE, MediaKind::Video).iter().any(is_loss));
}

#[test]
fn what_does_not_come_again_becomes_a_keyframe_request() {
    let mut call = Call::new(1_000_000);
    call.run(2 * SECOND);
    assert_eq!(call.keyframe_requests(ALICE), 0);
    let nothing = Conditions {
        loss: 100.0,
        ..Call::conditions()
    };
    call.set_path(ALICE, nothing);
    call.run(3 * SECOND / 2);
    call.set_path(ALICE, Call::conditions());
    let back = call.now();
    call.run(SECOND);
    let bob = call.snapshot(BOB);
    let (_, got) = bob
        .received
        .iter()
        .find(|(k, _)| *k == MediaKind::Video)
        .unwrap();
    assert!(got.counters.pli >= 1);
    assert!(call.keyframe_requests(ALICE) >= 1);
    let keyframe = call
        .received(BOB, MediaKind::Video)
        .into_iter()
        .find(|(at, packet)| *at > back && packet.is_keyframe());
    let (at, _) = keyframe.unwrap();
    // The gap is seen, the request goes one way, the next frame the other.
    assert!(
        at < back + 2 * DELAY + Duration::from_millis(150),
        "{:?}",
        at - back
    );
}

#[test]
fn a_viewer_who_needs_a_keyframe_gets_one_and_no_more() {
    let mut call = Call::new(1_000_000);
    call.run(SECOND);
    call.keyframe_needed(BOB, Track::number(MediaKind::Video));
    call.run(SECOND);
    assert_eq!(call.keyframe_requests(ALICE), 1);
    assert_eq!(keyframes(&call.received(BOB, MediaKind::Video)), 2);
    let alice = call.snapshot(ALICE);
    let (_, sent) = alice
        .sent
        .iter()
        .find(|(k, _)| *k == MediaKind::Video)
        .unwrap();
    assert_eq!((sent.feedback.pli, sent.feedback.fir), (1, 0));
}

#[test]
fn a_narrow_path_brings_an_estimate_that_the_source_follows() {
    let mut call = Call::new(1_500_000);
    call.run(2 * SECOND);
    call.set_path(
        ALICE,
        Conditions {
            rate: 700.0,
            queue: 300.0,
            ..Call::conditions()
        },
    );
    call.run(15 * SECOND);
    let snapshot = call.snapshot(ALICE);
    let estimate = snapshot.path_estimate.unwrap();
    assert!((450_000..=720_000).contains(&estimate), "{estimate}");
    let asked = call.bitrate_limit(ALICE).unwrap();
    assert!(
        asked <= estimate && asked >= 400_000,
        "{asked} of {estimate}"
    );

    // Without a queue that grows, sound arrives when it did before.
    let before = call.now();
    call.run(3 * SECOND);
    let late = call.received(BOB, MediaKind::Audio);
    let late = late.iter().filter(|(at, _)| *at > before);
    let waited: Vec<Duration> = late
        .map(|(at, packet)| *at - call.sent_at(ALICE, packet))
        .collect();
    let longest = waited.iter().max().unwrap();
    assert!(*longest < DELAY + Duration::from_millis(100), "{longest:?}");
    let video = call.received(BOB, MediaKind::Video);
    let bytes: usize = video
        .iter()
        .filter(|(at, _)| *at > before)
        .map(|(_, packet)| packet.payload().len())
        .sum();
    assert!(bytes * 8 / 3 > 400_000, "{} bit/s of video", bytes * 8 / 3);
}

#[test]
fn a_path_that_is_wide_again_is_found_by_probes_when_there_is_something_to_gain() {
    let mut call = Call::new(1_500_000);
    let narrow = Conditions {
        rate: 700.0,
        queue: 300.0,
        ..Call::conditions()
    };
    call.set_path(ALICE, narrow);
    call.run(5 * SECOND);
    call.set_path(ALICE, Call::conditions());
    call.set_best(ALICE, 400_000);
    call.run(10 * SECOND);
    let alone = call.snapshot(ALICE).path_estimate.unwrap();
    assert!(alone < 800_000, "{alone}: what arrives shows no more");
    let retransmitted = |call: &Call| {
        let snapshot = call.snapshot(ALICE);
        let video = snapshot.sent.iter().find(|(k, _)| *k == MediaKind::Video);
        video.unwrap().1.feedback.retransmitted
    };
    let before = (
        retransmitted(&call),
        call.received(BOB, MediaKind::Video).len(),
    );

    call.offer_better(ALICE, 1_000_000);
    call.run(5 * SECOND);
    let estimate = call.snapshot(ALICE).path_estimate.unwrap();
    assert!(estimate >= 1_200_000, "{estimate}");
    // Probes repeat packets that came already: nobody asked for them, and the pad gets none twice.
    assert_eq!(retransmitted(&call), before.0);
    let video = call.received(BOB, MediaKind::Video);
    let latest = &video[before.1..];
    assert_eq!(sequences(latest).len(), latest.len());
}

#[test]
fn a_peer_that_falls_silent_is_noticed_once() {
    let mut call = Call::new(500_000);
    call.run(2 * SECOND);
    let nothing = Conditions {
        loss: 100.0,
        ..Call::conditions()
    };
    call.set_path(ALICE, nothing);
    call.run(7 * SECOND);
    let (begun, ended) = (
        SessionEvent::MediaActive(true),
        SessionEvent::MediaActive(false),
    );
    assert_eq!(call.events(BOB), [begun, ended]);
    assert_eq!(call.events(ALICE), [begun]);
}

#[test]
fn who_says_good_bye_is_gone_a_moment_later() {
    let mut call = Call::new(500_000);
    call.run(2 * SECOND);
    call.leave(ALICE);
    let nothing = Conditions {
        loss: 100.0,
        ..Call::conditions()
    };
    call.set_path(ALICE, nothing);
    call.run(2 * SECOND);
    let (begun, ended) = (
        SessionEvent::MediaActive(true),
        SessionEvent::MediaActive(false),
    );
    assert_eq!(call.events(BOB), [begun, ended]);
    assert_eq!(call.events(ALICE), [begun]);
}

#[test]
fn the_same_call_again_is_the_same_call() {
    let run = || {
        let mut call = Call::new(1_500_000);
        let narrow = Conditions {
            rate: 900.0,
            loss: 2.0,
            jitter: 10.0,
            ..Call::conditions()
        };
        call.set_path(ALICE, narrow);
        call.run(8 * SECOND);
        let received = call.received(BOB, MediaKind::Video);
        let times: Vec<(Duration, u16)> = received
            .iter()
            .map(|(at, packet)| (*at, packet.rtp.sequence))
            .collect();
        (times, call.snapshot(ALICE).path_estimate)
    };
    assert_eq!(run(), run());
}

#[test]
fn packets_name_their_section_until_the_peer_knows_it() {
    let mut call = Call::naming_sections(1_000_000);
    call.set_path(
        ALICE,
        Conditions {
            loss: 5.0,
            ..Call::conditions()
        },
    );
    call.run(6 * SECOND);
    for kind in [MediaKind::Audio, MediaKind::Video] {
        // One payload type for both: nothing but the names tells the first packets apart.
        let received = call.received(BOB, kind);
        assert!(received.len() > 200, "{kind:?}: {}", received.len());
        assert!(received.iter().all(|(_, packet)| packet.kind == kind));
        let name = if kind == MediaKind::Audio {
            "sound"
        } else {
            "video"
        };
        let mut names = call.names(ssrc(ALICE, kind));
        names.sort_unstable();
        let named = names.iter().take_while(|(_, mid)| mid.is_some()).count();
        assert!((5..names.len() / 2).contains(&named), "{kind:?}: {named}");
        let is_name = |mid: &Option<Vec<u8>>| mid.as_deref() == Some(name.as_bytes());
        assert!(names[..named].iter().all(|(_, mid)| is_name(mid)));
        assert!(names[named..].iter().all(|(_, mid)| mid.is_none()));
    }
    let repaired = call.names(rtx_ssrc(ALICE));
    let are_named = repaired.iter().all(|(_, mid)| mid.is_some());
    assert!(repaired.len() > 10 && are_named, "{}", repaired.len());
    assert!(call.names(ssrc(BOB, MediaKind::Video))[0].1.is_some());
    // A peer that its description tells nothing of names is sent none.
    let mut call = Call::new(1_000_000);
    call.run(SECOND);
    let names = call.names(ssrc(ALICE, MediaKind::Video));
    assert!(names.iter().all(|(_, mid)| mid.is_none()));
}
