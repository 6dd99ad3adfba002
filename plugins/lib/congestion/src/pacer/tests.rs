use super::*;

/// The pace is 1 Mbit/s then: a packet of 8000 bits takes 8 ms.
const ESTIMATE: u64 = 500_000;

fn packet(timestamp: u32, keyframe: bool) -> PacedPacket {
    PacedPacket {
        bytes: 1000,
        timestamp,
        keyframe,
    }
}

/// Runs a pacer by its own timer; gives what is sent and after how many milliseconds.
fn drain(pacer: &mut Pacer<usize>, begin: Instant, until: Duration) -> Vec<(usize, u128)> {
    let mut out = Vec::new();
    let mut now = begin;
    loop {
        while let Some((packet, passes)) = pacer.pop(now) {
            if passes {
                out.push((packet, now.duration_since(begin).as_millis()));
            }
        }
        match pacer.poll_timeout() {
            Some(next) if next <= begin + until => {
                assert!(next > now, "its turn has come, but nothing was given");
                now = next;
            }
            _ => return out,
        }
    }
}

fn paced(now: Instant) -> Pacer<usize> {
    let mut pacer = Pacer::default();
    pacer.set_estimate(now, ESTIMATE, false);
    pacer
}

#[test]
fn a_keyframe_leaves_at_twice_the_estimate_in_order() {
    let now = Instant::now();
    let mut pacer = paced(now);
    for number in 0..26 {
        pacer.push(now, packet(1, number == 0), number);
    }
    let out = drain(&mut pacer, now, Duration::from_secs(1));
    assert!(out.iter().map(|(packet, _)| *packet).eq(0..26));
    // 10 ms go at once.
    let (_, last) = out.last().unwrap();
    assert!((180..=195).contains(last), "{last}");
    let at_once = out.iter().filter(|(_, after)| *after == 0).count();
    assert_eq!(at_once, 2);
}

/// A timer that runs at once for ever holds up everybody on its thread.
#[test]
fn a_timer_that_fires_in_time_finds_something_to_send() {
    for estimate in (30_001..3_000_000).step_by(7_919) {
        let now = Instant::now();
        let mut pacer = Pacer::default();
        pacer.set_estimate(now, estimate, estimate % 2 == 0);
        for number in 0..50 {
            let paced = PacedPacket {
                bytes: 1 + number * 23,
                ..packet(1, false)
            };
            pacer.push(now, paced, number);
            pacer.push_retransmission(now, number as u16, 1 + number * 7, number);
        }
        let sent = drain(&mut pacer, now, Duration::from_secs(30));
        assert!(sent.len() >= 50, "{estimate}: {}", sent.len());
    }
}

#[test]
fn small_frames_do_not_wait() {
    let begin = Instant::now();
    let mut pacer = paced(begin);
    for number in 0..100 {
        let now = begin + Duration::from_millis(40) * number;
        pacer.push(now, packet(number, false), number as usize);
        assert_eq!(pacer.pop(now), Some((number as usize, true)));
    }
}

#[test]
fn what_is_left_out_keeps_its_place_and_costs_nothing() {
    let now = Instant::now();
    let mut pacer = paced(now);
    let mark = PacedPacket {
        bytes: 0,
        ..packet(1, false)
    };
    pacer.push(now, packet(1, false), 0);
    pacer.push(now, packet(1, false), 1);
    pacer.push(now, mark, 2);
    pacer.push(now, packet(1, false), 3);
    let out: Vec<_> = std::iter::from_fn(|| pacer.pop(now)).collect();
    assert_eq!(out, [(0, true), (1, true), (2, false)]);
    assert_eq!(pacer.pop(now + Duration::from_millis(20)), Some((3, true)));
}

#[test]
fn what_waited_too_long_is_dropped_up_to_the_next_keyframe() {
    let now = Instant::now();
    let mut pacer = paced(now);
    for number in 0..200 {
        pacer.push(now, packet(number as u32 / 4, number == 0), number);
    }
    let out = drain(&mut pacer, now, Duration::from_secs(2));
    // About a second of 8 ms each, and then the frame that was begun is sent to its end.
    let sent = out.len();
    assert!(
        (124..=132).contains(&sent) && sent.is_multiple_of(4),
        "{sent}"
    );
    assert!(out.iter().map(|(packet, _)| *packet).eq(0..sent));
    assert_eq!(pacer.dropped(), 200 - sent as u64);
    let later = now + Duration::from_secs(2);
    assert!(pacer.take_keyframe_request(later) && !pacer.take_keyframe_request(later));
    let later = later + Duration::from_secs(1);
    assert!(pacer.take_keyframe_request(later));
    pacer.push(later, packet(60, false), 300);
    pacer.push(later, packet(61, true), 301);
    pacer.push(later, packet(61, false), 302);
    let out = drain(&mut pacer, later, Duration::from_secs(1));
    assert!(
        out.iter().map(|(packet, _)| *packet).eq([301, 302]),
        "{out:?}"
    );
    assert!(!pacer.take_keyframe_request(later + Duration::from_secs(9)));
}

#[test]
fn a_keyframe_takes_the_place_of_what_waits_long() {
    let now = Instant::now();
    let mut pacer = paced(now);
    for number in 0..60 {
        pacer.push(now, packet(1 + number as u32 / 4, false), number);
    }
    let later = now + Duration::from_millis(150);
    let before = drain(&mut pacer, now, Duration::from_millis(140)).len();
    pacer.push(later, packet(99, true), 60);
    let out: Vec<_> = drain(&mut pacer, later, Duration::from_secs(1));
    // The rest of a frame of four, then the keyframe.
    let rest = (4 - before % 4) % 4;
    assert_eq!(out.len(), rest + 1, "{before}, {out:?}");
    assert_eq!(out.last().map(|(packet, _)| *packet), Some(60));
    assert_eq!(pacer.dropped() as usize, 60 - before - rest);
}

#[test]
fn a_keyframe_that_waits_already_is_where_it_goes_on() {
    let now = Instant::now();
    let mut pacer = paced(now);
    for number in 0..100 {
        pacer.push(now, packet(1 + number as u32, false), number);
    }
    let later = now + Duration::from_millis(900);
    pacer.push(later, packet(200, true), 100);
    pacer.push(later, packet(200, false), 101);
    let end = now + Duration::from_millis(1001);
    let sent = std::iter::from_fn(|| pacer.pop(end)).filter(|(_, passes)| *passes);
    assert!(sent.map(|(packet, _)| packet).eq([100, 101]));
    assert_eq!(
        (pacer.dropped(), pacer.take_keyframe_request(end)),
        (100, false)
    );
}

#[test]
fn what_did_not_wait_delays_what_does() {
    let now = Instant::now();
    let mut pacer = paced(now);
    pacer.on_unpaced_sent(5000);
    pacer.push(now, packet(1, false), 0);
    let out = drain(&mut pacer, now, Duration::from_secs(1));
    assert!((28..=32).contains(&out[0].1), "{out:?}");
}

#[test]
fn retransmissions_go_first_and_once() {
    let now = Instant::now();
    let mut pacer = paced(now);
    for number in 0..4 {
        pacer.push(now, packet(number, false), number as usize);
    }
    for number in [7, 8, 7] {
        pacer.push_retransmission(now, number, 1000, usize::from(number));
    }
    let out = drain(&mut pacer, now, Duration::from_secs(1));
    let order: Vec<_> = out.iter().map(|(packet, _)| *packet).collect();
    assert_eq!(order, [7, 8, 0, 1, 2, 3]);
    assert!(out[5].1 >= 30, "they share one pace: {out:?}");
}

/// Retransmissions of 8000 bits that leave in 4 s when 2 are asked for every 20 ms, and the media.
fn shares(overflows: bool) -> (usize, usize) {
    let begin = Instant::now();
    let mut pacer = paced(begin);
    let (mut repairs, mut media) = (0, 0);
    for tick in 0..200u16 {
        let now = begin + Duration::from_millis(20) * u32::from(tick);
        pacer.set_estimate(now, ESTIMATE, overflows);
        pacer.push(now, packet(u32::from(tick), false), 0);
        for number in [2 * tick, 2 * tick + 1] {
            pacer.push_retransmission(now, number, 1000, 1);
        }
        let until = Duration::from_millis(19);
        for (packet, _) in drain(&mut pacer, now, until) {
            (repairs, media) = (repairs + packet, media + 1 - packet);
        }
    }
    (repairs, media)
}

#[test]
fn retransmissions_have_a_share_and_a_lesser_one_where_a_queue_overflows() {
    // 2 Mbit in all: a quarter, 6 %, and what was saved up.
    let (repairs, media) = shares(false);
    assert!(
        (60..=80).contains(&repairs) && media >= 198,
        "{repairs}, {media}"
    );
    let (repairs, media) = shares(true);
    assert!(
        (20..=34).contains(&repairs) && media >= 198,
        "{repairs}, {media}"
    );
}

#[test]
fn a_retransmission_that_waits_too_long_is_left_out() {
    let now = Instant::now();
    let mut pacer = paced(now);
    for number in 0..200 {
        pacer.push_retransmission(now, number, 1000, usize::from(number));
    }
    let sent = drain(&mut pacer, now, Duration::from_secs(3)).len();
    assert!((15..=30).contains(&sent), "{sent}");
    assert_eq!(pacer.poll_timeout(), None);
}
