use super::*;

const DRAIN: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// The phases that events at seconds lead to.
fn phases(drain: Duration, events: &[(u32, Event)]) -> Vec<Phase> {
    let start = Instant::now();
    let mut machine = Machine::new(drain);
    let step = |(second, event): &(u32, Event)| machine.step(*event, start + SECOND * *second);
    events.iter().map(step).collect()
}

#[test]
fn without_draining_a_stop_leads_to_the_end_at_once() {
    let events = [(0, Event::Emptied), (1, Event::Stop), (2, Event::Finished)];
    let expected = [Phase::Running, Phase::Ending, Phase::Ended];
    assert_eq!(phases(Duration::ZERO, &events), expected);
}

#[test]
fn draining_ends_with_its_time() {
    let events = [(5, Event::Stop), (64, Event::Time), (65, Event::Time)];
    let expected = [Phase::Draining, Phase::Draining, Phase::Ending];
    assert_eq!(phases(DRAIN, &events), expected);
}

#[test]
fn draining_ends_with_the_last_object() {
    let events = [(0, Event::Stop), (1, Event::Finished), (2, Event::Emptied)];
    let expected = [Phase::Draining, Phase::Draining, Phase::Ending];
    assert_eq!(phases(DRAIN, &events), expected);
}

#[test]
fn ending_takes_20_s_at_most_however_long_draining_took() {
    let events = [
        (0, Event::Stop),
        (60, Event::Time),
        (79, Event::Emptied),
        (80, Event::Time),
    ];
    let expected = [Phase::Draining, Phase::Ending, Phase::Ending, Phase::Ended];
    assert_eq!(phases(DRAIN, &events), expected);
}

#[test]
fn a_second_stop_ends_at_once() {
    let twice = [(0, Event::Stop), (1, Event::Stop)];
    assert_eq!(phases(DRAIN, &twice), [Phase::Draining, Phase::Ended]);
    assert_eq!(
        phases(Duration::ZERO, &twice),
        [Phase::Ending, Phase::Ended]
    );
}

#[test]
fn only_what_is_finished_is_complete() {
    for last in [Event::Finished, Event::GivenUp, Event::Stop] {
        let mut machine = Machine::new(Duration::ZERO);
        machine.step(Event::Stop, Instant::now());
        assert_eq!(machine.step(last, Instant::now()), Phase::Ended);
        assert_eq!(machine.is_complete(), last == Event::Finished);
    }
}

#[test]
fn nothing_leads_back() {
    let start = Instant::now();
    for drain in [Duration::ZERO, DRAIN] {
        let all = [Event::Stop, Event::Emptied, Event::GivenUp, Event::Time];
        for order in 0..256_usize {
            let mut machine = Machine::new(drain);
            let mut phase = Phase::Running;
            for place in 0..4 {
                let event = all[order >> (2 * place) & 3];
                let next = machine.step(event, start + DRAIN * place);
                assert!(next >= phase);
                phase = next;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn time_leads_to_the_end() {
    let lifecycle = Lifecycle::new(DRAIN);
    let start = Instant::now();
    lifecycle.step(Event::Stop);
    lifecycle.keep_time().await;
    assert_eq!(lifecycle.phase(), Phase::Ended);
    let took = start.elapsed().as_secs();
    assert_eq!(took, (DRAIN + ENDING).as_secs());
}

#[tokio::test]
async fn the_end_waits_for_what_is_under_way() {
    let lifecycle = Arc::new(Lifecycle::new(Duration::ZERO));
    let work = lifecycle.begin();
    let waiting = tokio::spawn({
        let lifecycle = lifecycle.clone();
        async move { lifecycle.all_done().await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop(work);
    waiting.await.unwrap();
}

#[test]
fn what_is_new_is_refused_first_and_then_everything() {
    let lifecycle = Lifecycle::new(DRAIN);
    let verdicts = || {
        let admitted = [
            lifecycle.admit(),
            lifecycle.admit_session(),
            lifecycle.admit_pipeline(),
        ];
        admitted.map(|verdict| verdict.err().map(|error| error.code))
    };
    assert_eq!(verdicts(), [None, None, None]);
    lifecycle.step(Event::Stop);
    assert_eq!(verdicts(), [None, Some(40009), Some(40009)]);
    lifecycle.step(Event::Emptied);
    assert_eq!(verdicts(), [Some(40009); 3]);
}

#[test]
fn after_a_handover_calls_last_as_long_as_they_do() {
    let day = 86_400;
    let events = [
        (0, Event::HandedOver),
        (day, Event::Time),
        (2 * day, Event::Emptied),
    ];
    let expected = [Phase::HandedOver, Phase::HandedOver, Phase::Ending];
    assert_eq!(phases(Duration::ZERO, &events), expected);
}

#[test]
fn after_a_handover_the_time_for_draining_is_a_bound_and_a_stop_is_as_ever() {
    let late = [(0, Event::HandedOver), (59, Event::Time), (60, Event::Time)];
    let expected = [Phase::HandedOver, Phase::HandedOver, Phase::Ending];
    assert_eq!(phases(DRAIN, &late), expected);
    let stopped = [(0, Event::HandedOver), (1, Event::Stop), (61, Event::Time)];
    let expected = [Phase::HandedOver, Phase::Draining, Phase::Ending];
    assert_eq!(phases(DRAIN, &stopped), expected);
    assert_eq!(phases(Duration::ZERO, &stopped)[1], Phase::Ending);
    let too_late = [(0, Event::Stop), (1, Event::HandedOver)];
    assert_eq!(phases(DRAIN, &too_late), [Phase::Draining; 2]);
}

#[tokio::test]
async fn what_the_process_before_has_keeps_this_one_from_being_empty() {
    let lifecycle = Lifecycle::new(DRAIN);
    lifecycle.follow();
    lifecycle.step(Event::Stop);
    assert_eq!(lifecycle.step(Event::Emptied), Phase::Draining);
    lifecycle.follow_no_more();
    lifecycle.alone().await;
    assert_eq!(lifecycle.step(Event::Emptied), Phase::Ending);
}
