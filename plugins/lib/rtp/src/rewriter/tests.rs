use super::*;

fn rewriter() -> (StreamRewriter, Instant) {
    (StreamRewriter::new(90_000, 1000, 5000), Instant::now())
}

fn sequence(r: &mut StreamRewriter, now: Instant, source: u64, input: u16) -> Option<u16> {
    r.rewrite(now, source, input, 0, 0).map(|out| out.sequence)
}

#[test]
fn gaps_and_reordering_are_kept() {
    let (mut r, now) = rewriter();
    let inputs = [65_533u16, 65_535, 65_534, 2, 0];
    let outputs: Vec<_> = inputs.map(|i| sequence(&mut r, now, 1, i).unwrap()).into();
    assert_eq!(outputs, [1000, 1002, 1001, 1005, 1003]);
    assert_eq!(
        sequence(&mut r, now, 1, 65_532),
        None,
        "from before the beginning"
    );
}

#[test]
fn a_repeated_packet_has_no_place() {
    let (mut r, now) = rewriter();
    for input in [10, 12, 13] {
        assert!(sequence(&mut r, now, 1, input).is_some());
    }
    assert_eq!(sequence(&mut r, now, 1, 12), None);
    assert_eq!(sequence(&mut r, now, 1, 11), Some(1001), "late, but new");
    assert_eq!(sequence(&mut r, now, 1, 11), None);
    assert_eq!(sequence(&mut r, now, 1, 13), None);
    sequence(&mut r, now, 1, 13 + REMEMBERED);
    assert_eq!(sequence(&mut r, now, 1, 14), Some(1004), "just remembered");
    assert_eq!(sequence(&mut r, now, 1, 9), None);
    assert_eq!(r.mark(1004), None);
    let mark = Mark {
        transport_sequence: 77,
        send_time: [1, 2, 3],
    };
    r.set_mark(1004, mark);
    assert_eq!(r.mark(1004), Some(mark));
    assert_eq!(r.mark(1004 + REMEMBERED), None);
}

#[test]
fn it_is_known_whether_something_is_missing_before_a_packet() {
    let (mut r, now) = rewriter();
    assert!(!r.continues(1, 10), "nothing came");
    assert_eq!(sequence(&mut r, now, 1, 10), Some(1000));
    assert!(r.continues(1, 11) && !r.continues(1, 12) && !r.continues(2, 11));
    let later = now + LONGEST_PAUSE;
    assert!(r.has_paused(later) && !r.has_paused(now));
    assert_eq!(sequence(&mut r, later, 1, 300), Some(1001), "no gap");
}

#[test]
fn what_came_before_the_first_packet_can_be_sent_late() {
    let (mut r, now) = rewriter();
    assert_eq!(sequence(&mut r, now, 1, 10), Some(1000));
    r.skipped(12);
    // 11, 13 and 14 came before 10, when nothing was sent.
    assert_eq!(sequence(&mut r, now, 1, 15), Some(1004));
    assert_eq!(r.never_sent(1000), None, "was sent");
    assert_eq!(r.never_sent(1001), Some((1, 11)));
    assert_eq!(r.never_sent(1002), Some((1, 13)));
    assert_eq!(r.never_sent(1003), Some((1, 14)));
    assert_eq!(r.never_sent(1005), None, "nor will it be soon");
    r.on_sent_late(1002, 13);
    assert_eq!((r.never_sent(1002), r.origin(1002)), (None, Some((1, 13))));
    sequence(&mut r, now, 2, 7);
    assert_eq!(r.never_sent(1001), None, "of the former source");
}

#[test]
fn packets_of_our_own_move_what_follows() {
    let (mut r, now) = rewriter();
    let insert = |r: &mut StreamRewriter, input| r.insert(now, 1, input, 0, 0);
    assert_eq!(insert(&mut r, 10), Some(1000), "at the very beginning");
    assert_eq!(insert(&mut r, 10), Some(1001));
    assert_eq!(sequence(&mut r, now, 1, 10), Some(1002));
    assert_eq!(sequence(&mut r, now, 1, 12), Some(1004));
    assert_eq!(insert(&mut r, 14), Some(1006));
    assert_eq!(sequence(&mut r, now, 1, 14), Some(1007));
    assert_eq!(sequence(&mut r, now, 1, 11), Some(1003), "late");
    assert_eq!(sequence(&mut r, now, 1, 13), Some(1005), "late");
    assert_eq!(insert(&mut r, 13), None, "what follows has been sent");
    for input in 15..10_000 {
        assert!(insert(&mut r, input).is_some());
        assert!(sequence(&mut r, now, 1, input).is_some());
    }
    assert_eq!(r.inserts.len(), REMEMBERED_INSERTS);
}

#[test]
fn a_switch_goes_on_by_presentation_where_that_is_plausible() {
    const MS: i64 = 1_000_000;
    let timestamp = |presented: i64| {
        let (mut r, begin) = rewriter();
        r.rewrite(begin, 1, 50, 777, 1000 * MS).unwrap();
        // Sent 100 ms later.
        let later = begin + Duration::from_millis(100);
        r.rewrite(later, 2, 9000, 123, presented).unwrap().timestamp
    };
    assert_eq!(timestamp(1033 * MS), 5000 + 33 * 90, "it was held up");
    assert_eq!(timestamp(1500 * MS), 5000 + 500 * 90);
    assert_eq!(timestamp(900 * MS), 5001, "never back");
    assert_eq!(timestamp(0), 5000 + 9000);
    assert_eq!(timestamp(3000 * MS), 5000 + 9000, "no time of ours");
    assert_eq!(timestamp(i64::MIN), 5000 + 9000);
}

#[test]
fn what_is_forgotten_is_known_up_to_the_latest_switch() {
    let (mut r, now) = rewriter();
    for input in 0..=REMEMBERED {
        sequence(&mut r, now, 1, input);
    }
    assert!(r.is_forgotten(1000) && !r.is_forgotten(1001));
    assert!(!r.is_forgotten(999), "never sent");
    let highest = 1000 + REMEMBERED;
    assert_eq!(r.extended(highest) - r.extended(1000), REMEMBERED.into());
    sequence(&mut r, now, 2, 7);
    assert!(!r.is_forgotten(1000), "of the former source");
}

#[test]
fn a_switch_continues_numbers_and_time() {
    const LATER: i64 = 100_000_000;
    let (mut r, begin) = rewriter();
    let first = r.rewrite(begin, 1, 50, 777, 0).unwrap();
    assert_eq!(
        first,
        Rewritten {
            sequence: 1000,
            timestamp: 5000
        }
    );
    let later = begin + Duration::from_millis(100);
    let switched = r.rewrite(later, 2, 9000, 123_456, LATER).unwrap();
    assert_eq!(
        switched,
        Rewritten {
            sequence: 1001,
            timestamp: 5000 + 9000
        }
    );
    let next = r.rewrite(later, 2, 9001, 123_456 + 3000, LATER).unwrap();
    assert_eq!(
        next,
        Rewritten {
            sequence: 1002,
            timestamp: 5000 + 12_000
        }
    );
    assert_eq!(sequence(&mut r, later, 2, 8999), None);
    let back = r.rewrite(later, 1, 60, 777, LATER).unwrap();
    assert_eq!(
        back,
        Rewritten {
            sequence: 1003,
            timestamp: 5000 + 12_001
        }
    );
    assert_eq!(r.origin(1003), Some((1, 60)));
    assert_eq!(
        r.origin(1000),
        None,
        "the same source, with another timestamp then"
    );
    assert_eq!(r.origin(1001), None);
    assert_eq!(r.origin(1004), None);
    assert_eq!(r.origin(999), None);
}

#[test]
fn a_switch_counts_in_the_units_of_what_comes() {
    const LATER: i64 = 500_000_000;
    let (mut r, begin) = (StreamRewriter::new(48_000, 1000, 5000), Instant::now());
    r.set_clock_rate(8000);
    assert_eq!(r.rewrite(begin, 1, 50, 777, 0).unwrap().timestamp, 5000);
    let later = begin + Duration::from_millis(500);
    let switched = r.rewrite(later, 2, 9000, 123_456, LATER).unwrap();
    assert_eq!(switched.timestamp, 5000 + 4000);
    r.set_clock_rate(48_000);
    let switched = r.rewrite(later + Duration::from_millis(500), 1, 60, 0, 2 * LATER);
    assert_eq!(switched.unwrap().timestamp, 9000 + 24_000);
}

#[test]
fn left_out_packets_leave_no_gap() {
    let (mut r, now) = rewriter();
    assert_eq!(sequence(&mut r, now, 1, 10), Some(1000));
    r.skipped(11);
    r.skipped(12);
    assert_eq!(sequence(&mut r, now, 1, 13), Some(1001));
    assert_eq!(sequence(&mut r, now, 1, 15), Some(1003));
    r.skipped(16);
    assert_eq!(sequence(&mut r, now, 1, 17), Some(1004));
    assert_eq!(
        sequence(&mut r, now, 1, 14),
        Some(1002),
        "late, by the old offset"
    );
    assert_eq!(sequence(&mut r, now, 1, 12), None, "was left out");
    for (output, input) in [(1000, 10), (1001, 13), (1002, 14), (1003, 15), (1004, 17)] {
        assert_eq!(r.origin(output), Some((1, input)));
    }
}

#[test]
fn every_other_packet_can_be_left_out_for_ever() {
    let (mut r, now) = rewriter();
    for step in 0..200_000u32 {
        let input = step as u16;
        if step % 2 == 1 {
            r.skipped(input);
        } else {
            let output = sequence(&mut r, now, 1, input).unwrap();
            assert_eq!(output, (1000 + step / 2) as u16);
            assert_eq!(r.origin(output), Some((1, input)));
        }
    }
    assert_eq!(r.skips.len(), REMEMBERED_SKIPS);
}

#[test]
fn origins_are_remembered_for_a_while() {
    let (mut r, now) = rewriter();
    for input in 0..1000 {
        sequence(&mut r, now, 1, input);
    }
    assert_eq!(r.origin(1999), Some((1, 999)));
    assert_eq!(r.origin(1488), Some((1, 488)));
    assert_eq!(r.origin(1487), None);
}

#[test]
fn after_a_long_pause_numbers_go_on_whatever_the_source_did_meanwhile() {
    let (mut r, begin) = rewriter();
    assert_eq!(sequence(&mut r, begin, 1, 1000), Some(1000));
    // The source has gone round almost once: that is not a packet from before.
    let later = begin + Duration::from_secs(600);
    assert_eq!(sequence(&mut r, later, 1, 900), Some(1001));
    assert_eq!(r.origin(1000), None);
    assert_eq!(r.origin(1001), Some((1, 900)));
}

#[test]
fn a_new_section_gives_out_no_number_twice() {
    let (mut r, now) = rewriter();
    for input in [10, 12] {
        sequence(&mut r, now, 1, input).unwrap();
    }
    r.begin_section();
    assert_eq!(r.origin(1002), None, "cannot be repeated to the bit");
    assert_eq!(sequence(&mut r, now, 1, 11), None, "late");
    assert_eq!(sequence(&mut r, now, 1, 13), Some(1003));
    r.forget_source();
    assert_eq!(sequence(&mut r, now, 1, 5), Some(1004));
}
