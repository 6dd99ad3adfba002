use super::*;
use crate::{
    LocalConfig, MediaKind, Negotiated, OfferOptions, accept_answer, answer, offer,
    samples::{self, config, read},
};

fn offered() -> SessionDescription {
    offer(&config(), OfferOptions::default()).unwrap()
}

fn answer_text() -> String {
    let config = LocalConfig {
        session_id: 1,
        ..config()
    };
    answer(&config, &offered()).unwrap().local.to_string()
}

/// The text without the lines that begin so.
fn without(text: &str, prefixes: &[&str]) -> String {
    let kept = text.lines().filter(|line| {
        let mut prefixes = prefixes.iter();
        !prefixes.any(|prefix| line.starts_with(prefix))
    });
    kept.map(|line| format!("{line}\r\n")).collect()
}

/// The text without its section of a kind.
fn without_section(text: &str, kind: &str) -> String {
    let sections = text.split_inclusive("\r\n").fold(
        vec![String::new()],
        |mut sections: Vec<String>, line| {
            if line.starts_with("m=") {
                sections.push(String::new());
            }
            sections.last_mut().unwrap().push_str(line);
            sections
        },
    );
    let head = format!("m={kind} ");
    let kept = sections
        .into_iter()
        .filter(|section| !section.starts_with(&head));
    kept.collect()
}

fn kinds(negotiated: &Negotiated) -> Vec<&'static str> {
    let name = |kind: &MediaKind| match kind {
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
        _ => "data",
    };
    negotiated
        .media
        .iter()
        .map(|media| name(&media.kind))
        .collect()
}

fn accepted(text: &str) -> Negotiated {
    accept_answer(&offered(), &read(text)).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn a_section_that_is_left_out_is_a_rejected_one() {
    let all = answer_text();
    for (left_out, rest, indexes) in [
        ("audio", ["video", "data"], [1, 2]),
        ("video", ["audio", "data"], [0, 2]),
        ("application", ["audio", "video"], [0, 1]),
    ] {
        for text in [all.clone(), without(&all, &["a=mid"])] {
            let negotiated = accepted(&without_section(&text, left_out));
            assert_eq!(kinds(&negotiated), rest, "{left_out}");
            assert_eq!(negotiated.transports.len(), 1, "{left_out}");
            assert_eq!(negotiated.transports[0].mline_indexes, indexes);
            assert_eq!(negotiated.local, offered());
        }
    }
    let audio = without_section(&without_section(&all, "video"), "application");
    assert_eq!(kinds(&accepted(&audio)), ["audio"]);
}

#[test]
fn mids_and_groups_that_are_left_out() {
    let all = answer_text();
    for left_out in [
        &["a=mid"][..],
        &["a=group"],
        &["a=mid", "a=group"],
        &["a=mid", "a=group", "a=msid", "a=ssrc", "s=", "t=", "c="],
    ] {
        let negotiated = accepted(&without(&all, left_out));
        assert_eq!(
            kinds(&negotiated),
            ["audio", "video", "data"],
            "{left_out:?}"
        );
        assert_eq!(negotiated.transports.len(), 1, "{left_out:?}");
        assert_eq!(negotiated.transports[0].mline_indexes, [0, 1, 2]);
    }
}

#[test]
fn a_group_of_names_that_no_section_has() {
    let text = without(&answer_text(), &["a=mid"]).replace("BUNDLE audio0 video0", "BUNDLE 0 1");
    let negotiated = accepted(&text.replace(" application0", " 2"));
    assert_eq!(negotiated.transports.len(), 1);
    assert_eq!(negotiated.transports[0].mline_indexes, [0, 1, 2]);
}

#[test]
fn sections_that_nobody_offered() {
    let all = answer_text();
    let short = without_section(&all, "audio");
    for text in [
        short.replace("a=mid:video0", "a=mid:other"),
        short
            .replace("m=video", "m=text")
            .replace("a=mid:video0\r\n", ""),
        short.replace("a=mid:application0", "a=mid:video0"),
    ] {
        let error = accept_answer(&offered(), &read(&text)).unwrap_err();
        assert!(matches!(error, SdpError::SectionMismatch { .. }), "{error}");
    }
    let none = accept_answer(&offered(), &read("v=0")).unwrap_err();
    let (offered, answered) = (3, 0);
    assert_eq!(none, SdpError::SectionCount { offered, answered });
}

#[test]
fn an_offer_without_mids_gets_those_of_its_group() {
    for sample in [samples::CHROMIUM, samples::FIREFOX, samples::AIORTC] {
        let whole = answer(&config(), &read(sample)).unwrap();
        let spoilt = answer(&config(), &read(&without(sample, &["a=mid"]))).unwrap();
        assert_eq!(spoilt.local.to_string(), whole.local.to_string());
        assert_eq!(spoilt.transports.len(), whole.transports.len());
    }
    // One of three is as clear, two of three with one name are not.
    let text = samples::CHROMIUM;
    let one = answer(&config(), &read(&text.replace("a=mid:1", "a=x"))).unwrap();
    assert_eq!(one.local.media[1].mid.as_deref(), Some("1"));
    let group = text.replace("BUNDLE 0 1 2", "BUNDLE 0 1");
    let unclear = without(&group, &["a=mid:1", "a=mid:2"]);
    let unclear = answer(&config(), &read(&unclear)).unwrap();
    assert_eq!(unclear.local.media[1].mid, None);
    assert_eq!(unclear.media.len(), 3);
}

#[test]
fn an_offer_without_group_and_mids_has_a_transport_for_each_section() {
    let text = without(samples::AIORTC, &["a=mid", "a=group"]);
    let negotiated = answer(&config(), &read(&text)).unwrap();
    assert_eq!(negotiated.transports.len(), 2);
    assert_eq!(kinds(&negotiated), ["audio", "video"]);
}
