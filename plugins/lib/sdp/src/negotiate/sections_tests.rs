//! Several sections of a kind, and sections that are switched off.

use super::*;
use crate::{
    Direction, MediaKind, SessionDescription,
    samples::{config, read},
};

const HEADER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";

/// An offer in one bundle: kind, mid, and direction or `0` for a port that says no.
fn offer_of(sections: &[(&str, &str, &str)]) -> SessionDescription {
    let mut text = format!("{HEADER}a=group:BUNDLE");
    for (_, mid, direction) in sections {
        if *direction != "0" {
            text += &format!(" {mid}");
        }
    }
    for (kind, mid, direction) in sections {
        let (format, codec) = match *kind {
            "audio" => (111, "opus/48000/2"),
            _ => (96, "VP8/90000"),
        };
        let port = if *direction == "0" { 0 } else { 9 };
        let direction = direction.replace('0', "inactive");
        text += &format!(
            "\r\nm={kind} {port} UDP/TLS/RTP/SAVPF {format}\r\na=rtpmap:{format} {codec}\r\n\
             a=mid:{mid}\r\na={direction}\r\na=rtcp-mux\r\na=setup:actpass\r\na=ice-ufrag:abcd\r\n\
             a=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 {}",
            ["AB"; 32].join(":")
        );
    }
    read(&text)
}

fn fresh() -> LocalConfig {
    let mut config = config();
    for (number, ice) in config.transport.ice.iter_mut().enumerate() {
        ice.ufrag = format!("fresh{number}");
    }
    config
}

/// The accepted sections' directions, `idle` and `0` for a rejected one.
fn answers(negotiated: &Negotiated) -> Vec<&'static str> {
    let sections = negotiated.local.media.iter().enumerate();
    let answer = |(index, section): (usize, &crate::MediaSection)| match (
        section.is_rejected(),
        negotiated.idle_transport(index),
    ) {
        (true, _) => "0",
        (_, Some(_)) => "idle",
        _ => section.direction.as_str(),
    };
    sections.map(answer).collect()
}

#[test]
fn the_section_that_sends_is_taken_and_not_the_one_before_it() {
    for (directions, expected) in [
        (["recvonly", "sendonly"], ["sendonly", "recvonly"]),
        (["sendonly", "recvonly"], ["recvonly", "sendonly"]),
        (["recvonly", "sendrecv"], ["0", "sendrecv"]),
        (["sendonly", "sendrecv"], ["recvonly", "0"]),
        (["recvonly", "recvonly"], ["sendonly", "0"]),
        (["inactive", "recvonly"], ["idle", "sendonly"]),
        (["inactive", "sendonly"], ["idle", "recvonly"]),
        (["sendrecv", "inactive"], ["sendrecv", "idle"]),
        (["inactive", "inactive"], ["inactive", "idle"]),
        (["0", "sendonly"], ["0", "recvonly"]),
        (["0", "0"], ["0", "0"]),
    ] {
        let [one, other] = directions;
        let offer = offer_of(&[("video", "0", one), ("video", "1", other)]);
        let negotiated = answer(&config(), &offer).unwrap();
        assert_eq!(answers(&negotiated), expected, "{directions:?}");
    }
}

/// A page that has watched adds its camera and microphone.
#[test]
fn a_camera_that_is_added_arrives_and_the_section_before_it_goes_on() {
    let watching = offer_of(&[("audio", "0", "recvonly"), ("video", "1", "recvonly")]);
    let before = answer(&config(), &watching).unwrap();
    assert_eq!(answers(&before), ["sendonly", "sendonly"]);
    let both = offer_of(&[
        ("audio", "0", "recvonly"),
        ("video", "1", "recvonly"),
        ("audio", "2", "sendonly"),
        ("video", "3", "sendonly"),
    ]);
    let after = answer_again(&fresh(), &before, &both).unwrap();
    assert_eq!(
        answers(&after),
        ["sendonly", "sendonly", "recvonly", "recvonly"]
    );
    let video: Vec<_> = { after.media.iter() }
        .filter(|media| media.kind == MediaKind::Video)
        .map(|media| {
            (
                media.mline_index,
                media.send,
                media.receive,
                media.local_ssrc,
            )
        })
        .collect();
    let ssrc = before.media_of(&MediaKind::Video).unwrap().local_ssrc;
    assert!(ssrc.is_some());
    assert_eq!(video, [(1, true, false, ssrc), (3, false, true, None)]);
    assert_eq!(after.local.groups[0].mids, ["0", "1", "2", "3"]);
    let [transport] = after.transports.as_slice() else {
        panic!("{:?}", after.transports)
    };
    // It is the same connection with the same credentials.
    assert_eq!(transport.continues, Some(0));
    assert!(!transport.restarts_ice);
    assert_eq!(transport.mline_indexes, [0, 1, 2, 3]);
    for section in &after.local.media {
        assert_eq!(section.ice.as_ref(), Some(&before.transports[0].local_ice));
        assert!(section.rtcp_mux && !section.fingerprints.is_empty());
    }
    assert_eq!(after.local.media[0].sources, before.local.media[0].sources);
    assert!(after.local.media[2].sources.is_empty());

    // Our own offer keeps to it, and what the peer answers is the same.
    let ours = offer_again(&fresh(), &after, OfferOptions::default(), false).unwrap();
    let directions = ours.media.iter().map(|section| section.direction);
    let kept = [
        Direction::SendOnly,
        Direction::SendOnly,
        Direction::RecvOnly,
        Direction::RecvOnly,
    ];
    assert_eq!(directions.take(4).collect::<Vec<_>>(), kept);

    // The camera goes, and what is watched stays.
    let watching = offer_of(&[
        ("audio", "0", "recvonly"),
        ("video", "1", "recvonly"),
        ("audio", "2", "inactive"),
        ("video", "3", "inactive"),
    ]);
    let last = answer_again(&fresh(), &after, &watching).unwrap();
    assert_eq!(answers(&last), ["sendonly", "sendonly", "idle", "idle"]);
    assert_eq!(last.media_of(&MediaKind::Video).unwrap().local_ssrc, ssrc);
    assert_eq!(last.transports[0].continues, Some(0));
}

/// Two transports have two pads of a kind, which an endpoint has not.
#[test]
fn without_a_bundle_one_section_of_a_kind_is_taken() {
    let mut offer = offer_of(&[("video", "0", "recvonly"), ("video", "1", "sendonly")]);
    offer.groups.clear();
    let negotiated = answer(&config(), &offer).unwrap();
    assert_eq!(answers(&negotiated), ["0", "recvonly"]);
}

#[test]
fn a_first_section_that_is_switched_off_keeps_the_transport() {
    let first = answer(&config(), &offer_of(&[("video", "0", "sendrecv")])).unwrap();
    let next = offer_of(&[("video", "0", "inactive"), ("video", "1", "sendrecv")]);
    let again = answer_again(&fresh(), &first, &next).unwrap();
    assert_eq!(answers(&again), ["idle", "sendrecv"]);
    assert_eq!(again.transports[0].continues, Some(0));
    // And back again.
    let back = offer_of(&[("video", "0", "sendrecv"), ("video", "1", "inactive")]);
    let third = answer_again(&fresh(), &again, &back).unwrap();
    assert_eq!(answers(&third), ["sendrecv", "idle"]);
    assert_eq!(third.transports[0].continues, Some(0));
}

#[test]
fn a_first_section_that_is_stopped_leaves_the_transport_to_the_next() {
    let first = answer(&config(), &offer_of(&[("video", "0", "sendrecv")])).unwrap();
    let next = offer_of(&[("video", "0", "0"), ("video", "1", "sendrecv")]);
    let again = answer_again(&fresh(), &first, &next).unwrap();
    assert_eq!(answers(&again), ["0", "sendrecv"]);
    assert_eq!(again.transports[0].continues, Some(0));
    assert_eq!(again.local.groups[0].mids, ["1"]);
}

#[test]
fn an_offer_that_rejects_everything_is_answered_and_so_is_the_next() {
    let nothing = offer_of(&[("audio", "0", "0"), ("video", "1", "0")]);
    let first = answer(&config(), &nothing).unwrap();
    assert_eq!(answers(&first), ["0", "0"]);
    assert!(first.transports.is_empty());
    let next = offer_of(&[
        ("audio", "0", "0"),
        ("video", "1", "0"),
        ("video", "2", "sendonly"),
    ]);
    let again = answer_again(&fresh(), &first, &next).unwrap();
    assert_eq!(answers(&again), ["0", "0", "recvonly"]);
    assert_eq!(again.transports[0].continues, None);
}

#[test]
fn an_idle_section_stays_so_in_our_own_offer() {
    let first = answer(
        &config(),
        &offer_of(&[("video", "0", "inactive"), ("video", "1", "sendrecv")]),
    );
    let first = first.unwrap();
    let ours = offer_again(&fresh(), &first, OfferOptions::default(), false).unwrap();
    let video = ours
        .media
        .iter()
        .filter(|section| section.kind == MediaKind::Video);
    let video: Vec<_> = video.collect();
    assert_eq!(video[0].direction, Direction::Inactive);
    assert!(!video[0].is_rejected());
    assert_eq!(video[0].ice, video[1].ice);
    assert!(
        ours.groups[0]
            .mids
            .starts_with(&["0".to_owned(), "1".to_owned()])
    );
    // The peer accepts it, and still one section carries the media.
    let mut peer = fresh();
    peer.transport.ice[0] = first.transports[0].remote_ice.clone();
    peer.transport.fingerprint = first.transports[0].remote_fingerprints[0].clone();
    let mut theirs = answer(&peer, &ours).unwrap().local;
    for section in &mut theirs.media {
        section.ice = Some(first.transports[0].remote_ice.clone());
    }
    let result = accept_answer_again(&first, &ours, &theirs).unwrap();
    let video = result
        .media
        .iter()
        .filter(|media| media.kind == MediaKind::Video);
    assert_eq!(
        video.map(|media| media.mline_index).collect::<Vec<_>>(),
        [1]
    );
    assert_eq!(result.transports[0].continues, Some(0));
    assert!(result.idle_transport(0).is_some());
}
