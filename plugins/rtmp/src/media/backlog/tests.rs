use super::*;

const SECOND: i64 = 1000 * MS;

fn frame(kind: Kind, at: i64, is_keyframe: bool) -> Frame {
    Frame {
        kind,
        format: 1,
        presentation_time: at,
        is_keyframe,
        data: vec![0; 100].into(),
    }
}

fn backlog(audio: bool, video: bool) -> Backlog {
    let mut backlog = Backlog::new();
    backlog.expect(Kind::Audio, audio, 0);
    backlog.expect(Kind::Video, video, 0);
    backlog
}

/// All that may go: kind and time in ms.
fn taken(backlog: &mut Backlog, now: i64) -> Vec<(Kind, i64)> {
    let popped = std::iter::from_fn(|| backlog.pop(now));
    popped
        .map(|outgoing| (outgoing.frame.kind, outgoing.time / MS))
        .collect()
}

#[test]
fn sound_that_goes_back_has_times_of_its_own_and_is_in_time_afterwards() {
    let mut backlog = backlog(true, false);
    for at in [1000, 1021, 1010, 1018, 1042, 1063] {
        backlog.push(frame(Kind::Audio, at * MS, true), at * MS);
    }
    let times: Vec<i64> = taken(&mut backlog, 2 * SECOND)
        .iter()
        .map(|(_, at)| *at)
        .collect();
    assert_eq!(times, [0, 21, 22, 23, 42, 63]);
}

/// Field report 31.
#[test]
fn sound_and_pictures_are_in_one_order_that_begins_at_0_with_a_keyframe() {
    let mut backlog = backlog(true, true);
    // Sound from before the keyframe, a picture that nothing can begin with, and pictures that come late.
    for at in (0..300).step_by(20) {
        backlog.push(frame(Kind::Audio, at * MS, true), at * MS);
    }
    backlog.push(frame(Kind::Video, 60 * MS, false), 300 * MS);
    assert_eq!(taken(&mut backlog, 300 * MS), []);
    for at in [100, 140, 180, 220, 260, 300] {
        backlog.push(frame(Kind::Video, at * MS, at == 100), 310 * MS);
    }
    let all = taken(&mut backlog, 310 * MS);
    assert_eq!(
        all[..3],
        [(Kind::Video, 0), (Kind::Audio, 0), (Kind::Audio, 20)]
    );
    assert!(all.is_sorted_by_key(|(_, time)| *time), "{all:?}");
    assert_eq!(all.len(), 5 + 10, "the last picture waits for sound");
    assert_eq!(
        taken(&mut backlog, 310 * MS + PATIENCE),
        [(Kind::Video, 200)]
    );
    assert_eq!(backlog.take_dropped(), 0);
    backlog.broken();
    backlog.push(frame(Kind::Video, 340 * MS, false), 340 * MS);
    assert_eq!(backlog.take_dropped(), 1);
}

#[test]
fn what_comes_too_late_goes_at_once_with_the_latest_time() {
    let mut backlog = backlog(true, true);
    backlog.push(frame(Kind::Video, SECOND, true), SECOND);
    backlog.push(
        frame(Kind::Video, SECOND + 500 * MS, false),
        SECOND + 500 * MS,
    );
    let now = SECOND + 500 * MS + PATIENCE;
    assert_eq!(
        taken(&mut backlog, now),
        [(Kind::Video, 0), (Kind::Video, 500)]
    );
    backlog.push(frame(Kind::Audio, SECOND + 100 * MS, true), now);
    backlog.push(frame(Kind::Video, SECOND + 540 * MS, false), now);
    assert_eq!(taken(&mut backlog, now), [(Kind::Audio, 500)]);
    assert_eq!(
        taken(&mut backlog, now + PATIENCE),
        [(Kind::Video, 540)],
        "more of such sound may come"
    );
}

/// Field report 32.
#[test]
fn a_kind_that_does_not_come_is_not_waited_for() {
    let mut only_sound = backlog(true, true);
    only_sound.push(frame(Kind::Audio, 0, true), 0);
    assert_eq!(taken(&mut only_sound, SECOND - 1), []);
    assert_eq!(taken(&mut only_sound, SECOND), [(Kind::Audio, 0)]);
    // Pictures join.
    only_sound.push(frame(Kind::Video, 2 * SECOND, true), 2 * SECOND);
    only_sound.push(frame(Kind::Audio, 2 * SECOND, true), 2 * SECOND);
    assert_eq!(taken(&mut only_sound, 2 * SECOND)[0], (Kind::Video, 2000));
    for (audio, now) in [(false, 0), (true, SECOND)] {
        let mut backlog = backlog(audio, true);
        backlog.push(frame(Kind::Video, now, true), now);
        let begin = now + FIRST_PATIENCE;
        assert_eq!(taken(&mut backlog, begin), [(Kind::Video, 0)]);
        backlog.push(frame(Kind::Video, begin, false), begin);
        assert_eq!(taken(&mut backlog, begin).len(), 1, "at once");
    }
}

#[test]
fn a_slow_path_loses_whole_groups_of_pictures_and_no_sound() {
    let mut backlog = backlog(true, true);
    // A second of 25 pictures a group, and nothing is taken out but the first picture.
    backlog.push(frame(Kind::Video, -MS, true), 0);
    backlog.push(frame(Kind::Audio, 0, true), 0);
    assert_eq!(taken(&mut backlog, FIRST_PATIENCE).len(), 1);
    for at in (0..4000).step_by(40) {
        backlog.push(frame(Kind::Video, at * MS, at % 1000 == 0), at * MS);
        backlog.push(frame(Kind::Audio, at * MS, true), at * MS);
    }
    let dropped = backlog.take_dropped();
    assert_eq!(dropped % 25, 0, "whole groups");
    let mut pictures = 0;
    let mut sounds = 0;
    let mut is_first = true;
    while let Some(outgoing) = backlog.pop(6 * SECOND) {
        if outgoing.frame.kind == Kind::Audio {
            sounds += 1;
            continue;
        }
        assert!(outgoing.frame.is_keyframe || !is_first);
        is_first = false;
        pictures += 1;
    }
    assert_eq!((pictures + dropped, backlog.bytes), (100, 0));
    assert_eq!(sounds, 101);
}

#[test]
fn one_group_that_is_too_long_is_given_up_until_the_next() {
    let mut backlog = backlog(false, true);
    for at in (0..=1600).step_by(40) {
        backlog.push(frame(Kind::Video, at * MS, at == 0), at * MS);
    }
    assert!(backlog.needs_keyframe() && backlog.pop(2 * SECOND).is_none());
    backlog.push(frame(Kind::Video, 2 * SECOND, true), 2 * SECOND);
    assert!(!backlog.needs_keyframe() && backlog.pop(3 * SECOND).is_some());
}

#[test]
fn there_is_a_bound_of_bytes() {
    let mut backlog = backlog(false, true);
    for index in 0..100 {
        let mut large = frame(Kind::Video, index, index == 0);
        large.data = vec![0; 1 << 20].into();
        backlog.push(large, index);
        assert!(backlog.bytes <= MOST_BYTES);
    }
}

#[test]
fn reordered_pictures_are_decoded_before_they_are_shown_from_the_first_on() {
    let mut backlog = backlog(false, true);
    for (index, shown) in [0, 120, 40, 80, 240, 160, 200].into_iter().enumerate() {
        let came = 1000 + 40 * i64::try_from(index).unwrap();
        backlog.push(
            frame(Kind::Video, (1000 + shown) * MS, index == 0),
            came * MS,
        );
    }
    let popped = std::iter::from_fn(|| backlog.pop(2 * SECOND));
    let times: Vec<_> = popped
        .map(|outgoing| (outgoing.time / MS, outgoing.shown / MS))
        .collect();
    let shown: Vec<_> = times.iter().map(|(_, shown)| *shown).collect();
    assert_eq!(shown, [80, 200, 120, 160, 320, 240, 280]);
    assert!(times.is_sorted_by_key(|(time, _)| *time), "{times:?}");
    assert!(times.iter().all(|(time, shown)| time <= shown), "{times:?}");
}
