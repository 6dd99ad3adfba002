use super::*;

fn frame(at: i64, duration: i64, keyframe: bool) -> Frame {
    Frame {
        format: 1,
        presentation_time: at * MS,
        duration: duration * MS,
        keyframe,
        discontinuity: false,
        data: rivero_plugin_api::Bytes::default(),
    }
}

fn both() -> PerKind<bool> {
    PerKind {
        audio: true,
        video: true,
    }
}

fn timeline(gaps: Gaps, expected: &[MediaKind]) -> Timeline {
    let mut timeline = Timeline::new(gaps, both());
    expected
        .iter()
        .for_each(|kind| timeline.expect(*kind, true));
    timeline.begin(0);
    timeline
}

/// Pushes sound and pictures of the milliseconds `range`, as a live source
/// does: 20 ms of sound, pictures every 40 ms, a keyframe at the first.
fn live(timeline: &mut Timeline, range: std::ops::Range<i64>) -> Vec<(MediaKind, i64)> {
    let mut placed = Vec::new();
    for at in (range.start..range.end).step_by(20) {
        placed.extend(timeline.push(MediaKind::Audio, frame(at, 20, true), at * MS));
        if (at - range.start) % 40 == 0 {
            let keyframe = at == range.start;
            placed.extend(timeline.push(MediaKind::Video, frame(at, 40, keyframe), at * MS));
        }
    }
    placed
        .into_iter()
        .map(|placed| (placed.kind, placed.time / MS))
        .collect()
}

fn of(placed: &[(MediaKind, i64)], kind: MediaKind) -> Vec<i64> {
    placed
        .iter()
        .filter(|(of, _)| *of == kind)
        .map(|(_, time)| *time)
        .collect()
}

fn pushed(timeline: &mut Timeline, kind: MediaKind, frame: Frame) -> Vec<i64> {
    let now = frame.presentation_time;
    timeline
        .push(kind, frame, now)
        .iter()
        .map(|placed| placed.time / MS)
        .collect()
}

#[test]
fn it_begins_at_zero_with_the_keyframe() {
    let mut timeline = timeline(Gaps::Keep, &[MediaKind::Audio, MediaKind::Video]);
    for at in [0, 20, 40] {
        assert!(pushed(&mut timeline, MediaKind::Audio, frame(at, 20, true)).is_empty());
    }
    assert!(pushed(&mut timeline, MediaKind::Video, frame(30, 40, false)).is_empty());
    assert!(timeline.needs_keyframe());
    let placed = timeline.push(MediaKind::Video, frame(30, 40, true), 60 * MS);
    let placed: Vec<_> = placed
        .iter()
        .map(|placed| (placed.kind, placed.time / MS))
        .collect();
    assert_eq!(placed, [(MediaKind::Audio, 10), (MediaKind::Video, 0)]);
}

#[test]
fn what_does_not_come_is_not_waited_for_long() {
    let mut timeline = timeline(Gaps::Keep, &[MediaKind::Audio]);
    let placed: Vec<i64> = (0..20)
        .flat_map(|n| pushed(&mut timeline, MediaKind::Audio, frame(n * 20, 20, true)))
        .collect();
    assert_eq!(placed, (0..20).map(|n| n * 20).collect::<Vec<_>>());
    // Late video keeps its distance to the sound.
    assert_eq!(
        pushed(&mut timeline, MediaKind::Video, frame(5000, 40, true)),
        [5000]
    );
}

#[test]
fn a_stretch_opens_by_time_alone() {
    let mut timeline = timeline(Gaps::Keep, &[MediaKind::Audio, MediaKind::Video]);
    assert!(pushed(&mut timeline, MediaKind::Audio, frame(0, 20, true)).is_empty());
    assert!(timeline.tick(999 * MS).is_empty());
    assert_eq!(timeline.tick(1000 * MS).len(), 1);
}

#[test]
fn pauses_leave_no_hole_and_no_offset() {
    let mut timeline = timeline(Gaps::Keep, &[MediaKind::Audio, MediaKind::Video]);
    live(&mut timeline, 0..1000);
    assert!(timeline.pause(1000 * MS).is_empty());
    assert!(live(&mut timeline, 1000..5000).is_empty());
    timeline.begin(5000 * MS);
    let resumed = live(&mut timeline, 5007..6000);
    assert_eq!(of(&resumed, MediaKind::Audio)[..3], [1000, 1020, 1040]);
    assert_eq!(of(&resumed, MediaKind::Video)[..3], [1000, 1040, 1080]);
}

#[test]
fn a_pause_before_the_opening_keeps_what_came() {
    let mut timeline = timeline(Gaps::Keep, &[MediaKind::Audio, MediaKind::Video]);
    pushed(&mut timeline, MediaKind::Audio, frame(0, 20, true));
    assert_eq!(timeline.pause(20 * MS).len(), 1);
}

#[test]
fn pictures_from_before_the_recording_are_left_out() {
    let mut timeline = Timeline::new(Gaps::Keep, both());
    timeline.expect(MediaKind::Audio, true);
    timeline.expect(MediaKind::Video, true);
    timeline.begin(1000 * MS);
    let mut push = |kind, frame| timeline.push(kind, frame, 1010 * MS).len();
    assert_eq!(push(MediaKind::Video, frame(500, 40, true)), 0);
    assert_eq!(push(MediaKind::Video, frame(540, 40, false)), 0);
    assert_eq!(push(MediaKind::Audio, frame(1000, 20, true)), 0);
    assert_eq!(push(MediaKind::Video, frame(990, 40, true)), 2);
}

#[test]
fn gaps_stay_or_are_closed() {
    let mut kept = timeline(Gaps::Keep, &[MediaKind::Audio, MediaKind::Video]);
    live(&mut kept, 0..1000);
    assert_eq!(of(&live(&mut kept, 3000..4000), MediaKind::Audio)[0], 3000);

    let mut closed = timeline(Gaps::Close, &[MediaKind::Audio, MediaKind::Video]);
    live(&mut closed, 0..1000);
    let after = live(&mut closed, 3000..4000);
    assert_eq!(
        (
            of(&after, MediaKind::Audio)[0],
            of(&after, MediaKind::Video)[0]
        ),
        (1000, 1000)
    );
    assert_eq!(of(&after, MediaKind::Audio).last(), Some(&1980));
}

#[test]
fn a_gap_of_one_track_stays_for_the_sake_of_the_other() {
    let mut timeline = timeline(Gaps::Close, &[MediaKind::Audio, MediaKind::Video]);
    live(&mut timeline, 0..1000);
    for at in (1000..3000).step_by(20) {
        assert_eq!(
            pushed(&mut timeline, MediaKind::Audio, frame(at, 20, true)),
            [at]
        );
    }
    assert_eq!(
        pushed(&mut timeline, MediaKind::Video, frame(3000, 40, false)),
        [3000]
    );
}

#[test]
fn frames_after_loss_wait_for_a_keyframe() {
    let mut timeline = timeline(Gaps::Keep, &[MediaKind::Audio, MediaKind::Video]);
    live(&mut timeline, 0..1000);
    let mut broken = frame(1000, 40, false);
    broken.discontinuity = true;
    assert!(pushed(&mut timeline, MediaKind::Video, broken).is_empty());
    assert!(timeline.needs_keyframe());
    assert!(pushed(&mut timeline, MediaKind::Video, frame(1040, 40, false)).is_empty());
    assert_eq!(
        pushed(&mut timeline, MediaKind::Video, frame(1080, 40, true)),
        [1080]
    );
}

#[test]
fn another_source_may_lag_behind() {
    let mut timeline = timeline(Gaps::Keep, &[MediaKind::Audio, MediaKind::Video]);
    live(&mut timeline, 0..1000);
    timeline.expect(MediaKind::Video, false);
    timeline.expect(MediaKind::Video, true);
    assert!(pushed(&mut timeline, MediaKind::Video, frame(900, 40, false)).is_empty());
    assert_eq!(
        pushed(&mut timeline, MediaKind::Video, frame(900, 40, true)),
        [961]
    );
    assert_eq!(
        pushed(&mut timeline, MediaKind::Video, frame(930, 40, false)),
        [962]
    );
    assert_eq!(
        pushed(&mut timeline, MediaKind::Video, frame(940, 40, false)),
        [963]
    );
    assert_eq!(
        pushed(&mut timeline, MediaKind::Video, frame(980, 40, false)),
        [980]
    );
    assert!(pushed(&mut timeline, MediaKind::Audio, frame(940, 20, true)).is_empty());
    assert_eq!(
        pushed(&mut timeline, MediaKind::Audio, frame(990, 20, true)),
        [990]
    );
}

#[test]
fn pictures_that_lead_a_keyframe_keep_their_times() {
    let mut timeline = timeline(Gaps::Keep, &[MediaKind::Video]);
    let order = [
        (0, true),
        (120, false),
        (40, false),
        (80, false),
        (240, true),
        (160, false),
        (200, false),
        (280, false),
    ];
    let mut placed = Vec::new();
    for (at, keyframe) in order {
        placed.extend(timeline.push(MediaKind::Video, frame(at, 40, keyframe), 300 * MS));
    }
    placed.extend(timeline.tick(2000 * MS));
    let times: Vec<_> = placed.iter().map(|placed| placed.time / MS).collect();
    assert_eq!(times, order.map(|(at, _)| at));
}

#[test]
fn reordered_pictures_keep_their_times() {
    let mut timeline = timeline(Gaps::Keep, &[MediaKind::Video]);
    let order = [
        (0, true),
        (160, false),
        (80, false),
        (40, false),
        (120, false),
    ];
    let mut placed = Vec::new();
    for (at, keyframe) in order {
        let now = (300 + at) * MS;
        placed.extend(timeline.push(MediaKind::Video, frame(at, 40, keyframe), now));
    }
    placed.extend(timeline.tick(2000 * MS));
    let times: Vec<_> = placed.iter().map(|placed| placed.time / MS).collect();
    assert_eq!(times, [0, 160, 80, 40, 120]);
}
