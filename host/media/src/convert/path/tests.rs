use super::*;

/// For short.
const RTP: Packaging = Packaging::Rtp;
const FRAME: Packaging = Packaging::Frame;
const RAW: Packaging = Packaging::Raw;

fn conversion(input: (&str, Packaging), output: (&str, Packaging), cost: u32) -> Conversion {
    Conversion {
        input: (input.0.to_owned(), input.1),
        output: (output.0.to_owned(), output.1),
        cost,
    }
}

fn codecs() -> Vec<Conversion> {
    let mut all = Vec::new();
    for name in ["VP8", "H264"] {
        all.push(conversion((name, RTP), (name, FRAME), 2));
        all.push(conversion((name, FRAME), (name, RTP), 2));
        all.push(conversion((name, FRAME), ("I420", RAW), 40));
        all.push(conversion(("I420", RAW), (name, FRAME), 100));
    }
    all
}

fn network<'a>(conversions: &'a [Conversion], packaging: &'a [String]) -> Network<'a> {
    Network {
        conversions,
        packaging_parameters: packaging,
        excluded: &[],
    }
}

fn plan(conversions: &[Conversion], source: &Format, targets: &[Target]) -> Option<Path> {
    let packaging = ["packetization-mode".to_owned()];
    cheapest(network(conversions, &packaging), source, targets, false)
}

fn h264(profile: &str, mode: &str) -> Format {
    Format::rtp("H264", 90_000, 0)
        .with("profile", profile)
        .with("packetization-mode", mode)
}

fn texts(path: &Path) -> Vec<String> {
    path.steps
        .iter()
        .map(|(_, format)| format.to_string())
        .collect()
}

#[test]
fn the_same_format_needs_no_step() {
    let vp8 = Format::rtp("VP8", 90_000, 0);
    let targets = [h264("main", "1"), vp8.clone()].map(Target::Format);
    let path = plan(&codecs(), &vp8, &targets).unwrap();
    assert_eq!((path.steps.len(), path.target), (0, 1));
}

#[test]
fn another_codec_is_reached_through_raw_with_formats_on_the_way() {
    let vp8 = Format::rtp("VP8", 90_000, 0);
    let path = plan(&codecs(), &vp8, &[Target::Format(h264("main", "1"))]).unwrap();
    assert_eq!(
        texts(&path),
        [
            "VP8/90000 (Frame)",
            "I420/0 (Raw)",
            "H264/90000;packetization-mode=1;profile=main (Frame)",
            "H264/90000;packetization-mode=1;profile=main (Rtp)",
        ]
    );
}

#[test]
fn another_packetization_is_packed_anew_but_another_profile_encoded_anew() {
    let (from, all) = (h264("main", "1"), codecs());
    let packed = plan(&all, &from, &[Target::Format(h264("main", "0"))]).unwrap();
    assert_eq!(packed.steps.len(), 2);
    let encoded = plan(&all, &from, &[Target::Format(h264("high", "1"))]).unwrap();
    assert_eq!(encoded.steps.len(), 4);
    let last = encoded.steps.last().map(|(_, format)| format.clone());
    assert_eq!(last, Some(h264("high", "1")));
}

#[test]
fn what_a_consumer_of_frames_leaves_open_fits() {
    let open = Format {
        packaging: FRAME,
        ..Format::rtp("H264", 0, 0)
    };
    let path = plan(
        &codecs(),
        &h264("main", "1"),
        &[Target::Format(open.clone())],
    )
    .unwrap();
    assert_eq!(texts(&path), ["H264/90000;profile=main (Frame)"]);
    let frames = Format {
        packaging: FRAME,
        ..h264("main", "1")
    };
    let direct = plan(&codecs(), &frames, &[Target::Format(open)]).unwrap();
    assert!(direct.steps.is_empty());
}

#[test]
fn the_cheapest_target_wins_and_the_order_breaks_ties() {
    let vp8 = Format::rtp("VP8", 90_000, 0);
    let frames = Format {
        packaging: FRAME,
        ..vp8.clone()
    };
    let targets = [h264("main", "1"), frames].map(Target::Format);
    assert_eq!(plan(&codecs(), &vp8, &targets).unwrap().target, 1);
    let equal = [h264("main", "1"), h264("high", "1")].map(Target::Format);
    assert_eq!(plan(&codecs(), &vp8, &equal).unwrap().target, 0);
}

#[test]
fn what_is_encoded_is_what_the_consumer_names_first_unless_it_is_much_dearer() {
    let mut all = codecs();
    for (name, cost) in [("VP9", 180), ("AV1", 900)] {
        all.push(conversion((name, FRAME), (name, RTP), 2));
        all.push(conversion(("I420", RAW), (name, FRAME), cost));
    }
    let pictures = Format {
        packaging: RAW,
        ..Format::rtp("I420", 0, 0)
    };
    let of = |names: &[&str]| {
        let format = |name: &&str| Target::Format(Format::rtp(*name, 90_000, 0));
        let targets: Vec<Target> = names.iter().map(format).collect();
        names[plan(&all, &pictures, &targets).unwrap().target].to_owned()
    };
    assert_eq!(of(&["VP8", "H264"]), "VP8");
    assert_eq!(of(&["H264", "VP8"]), "H264");
    assert_eq!(of(&["VP9", "VP8", "H264"]), "VP9");
    assert_eq!(of(&["AV1", "VP9", "VP8"]), "VP9");
    assert_eq!(of(&["AV1"]), "AV1");
}

#[test]
fn a_lower_cost_wins_unless_it_is_excluded() {
    let mut all = codecs();
    all.push(conversion(("VP8", FRAME), ("H264", FRAME), 50));
    let vp8 = Format::rtp("VP8", 90_000, 0);
    let target = [Target::Format(h264("main", "1"))];
    let direct = plan(&all, &vp8, &target).unwrap();
    assert_eq!(direct.steps.len(), 3);
    let hardware = all.len() - 1;
    assert_eq!(
        direct.steps.get(1).map(|(number, _)| *number),
        Some(hardware)
    );
    let without = Network {
        excluded: &[hardware],
        ..network(&all, &[])
    };
    let path = cheapest(without, &vp8, &target, false).unwrap();
    assert_eq!(path.steps.len(), 4);
}

#[test]
fn an_encoding_or_raw_media_can_be_asked_for_by_name() {
    let vp8 = Format::rtp("VP8", 90_000, 0);
    let same = plan(&codecs(), &vp8, &[Target::Encoding("VP8".into())]).unwrap();
    assert!(same.steps.is_empty());
    let other = plan(&codecs(), &vp8, &[Target::Encoding("H264".into())]).unwrap();
    assert_eq!(texts(&other).last().unwrap(), "H264/0 (Frame)");
    let raw = plan(&codecs(), &vp8, &[Target::Raw]).unwrap();
    assert_eq!(texts(&raw).last().unwrap(), "I420/0 (Raw)");
}

#[test]
fn a_path_can_be_forced_through_raw_media() {
    let vp8 = Format::rtp("VP8", 90_000, 0);
    let all = codecs();
    let target = [Target::Format(vp8.clone())];
    let path = cheapest(network(&all, &[]), &vp8, &target, true).unwrap();
    assert_eq!(
        texts(&path),
        [
            "VP8/90000 (Frame)",
            "I420/0 (Raw)",
            "VP8/90000 (Frame)",
            "VP8/90000 (Rtp)"
        ]
    );
}

#[test]
fn a_name_that_only_rtp_uses_does_not_mean_encoding_anew() {
    let all = [
        conversion(("MPEG4-GENERIC", RTP), ("AAC", FRAME), 2),
        conversion(("AAC", FRAME), ("MPEG4-GENERIC", RTP), 2),
    ];
    let speech = Format::rtp("MPEG4-GENERIC", 44_100, 2).with("config", "1210");
    let frames = Format {
        packaging: FRAME,
        ..Format::rtp("AAC", 0, 0)
    };
    let path = plan(&all, &speech, &[Target::Format(frames)]).unwrap();
    assert_eq!(texts(&path), ["AAC/44100/2;config=1210 (Frame)"]);
    assert!(!all.iter().any(re_encodes));
}

#[test]
fn without_a_way_there_is_none() {
    let opus = Format::rtp("OPUS", 48_000, 2);
    assert_eq!(
        plan(&codecs(), &opus, &[Target::Format(h264("main", "1"))]),
        None
    );
    let endless = [conversion(("A", FRAME), ("A", FRAME), 0)];
    assert_eq!(plan(&endless, &opus, &[Target::Raw]), None);
}
