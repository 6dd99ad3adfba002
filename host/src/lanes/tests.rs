use super::*;
use std::sync::mpsc;

fn lane_of(max_threads: usize, idle: Duration) -> Lane {
    Lane::new("toys".into(), max_threads, idle)
}

#[tokio::test]
async fn blocked_calls_do_not_delay_others() {
    let lane = lane_of(2, IDLE);
    let (unblock, blocked) = mpsc::channel::<()>();
    let waiting = tokio::spawn({
        let lane = lane.clone();
        async move { lane.call(move || blocked.recv().is_ok()).await }
    });
    assert_eq!(lane.call(|| 7).await, Ok(7));
    unblock.send(()).unwrap();
    assert_eq!(waiting.await.unwrap(), Ok(true));
}

#[tokio::test]
async fn a_panic_is_an_error_of_its_call_only() {
    let lane = lane_of(1, IDLE);
    assert_eq!(
        lane.call(|| -> () { panic!("on purpose") })
            .await
            .unwrap_err()
            .code,
        40003
    );
    assert_eq!(lane.call(|| 7).await, Ok(7));
}

#[tokio::test]
async fn a_wider_lane_runs_what_waits() {
    let lane = lane_of(1, IDLE);
    let (unblock, blocked) = mpsc::channel::<()>();
    lane.run(move || {
        let _ = blocked.recv();
    });
    let waiting = tokio::spawn({
        let lane = lane.clone();
        async move { lane.call(|| 7).await }
    });
    while lane.shared.state.lock().jobs.is_empty() {
        tokio::task::yield_now().await;
    }
    lane.widen(2);
    assert_eq!(waiting.await.unwrap(), Ok(7));
    drop(unblock);
}

#[test]
fn threads_are_bounded_and_end() {
    let lane = lane_of(3, Duration::ZERO);
    let (sender, receiver) = mpsc::channel();
    for number in 0..50 {
        let sender = sender.clone();
        lane.run(move || sender.send(number).unwrap());
    }
    assert_eq!((0..50).map(|_| receiver.recv().unwrap()).sum::<i32>(), 1225);
    assert!(lane.shared.state.lock().threads <= 3);
    while lane.shared.state.lock().threads > 0 {
        std::thread::yield_now();
    }
}

/// A lane with one thread, which is busy until the sender is dropped.
fn busy() -> (Lane, mpsc::Sender<()>) {
    let lane = lane_of(1, IDLE);
    let (unblock, blocked) = mpsc::channel::<()>();
    lane.run(move || {
        let _ = blocked.recv();
    });
    while !lane.shared.state.lock().jobs.is_empty() {
        std::thread::yield_now();
    }
    (lane, unblock)
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_not_begun() {
    let (lane, unblock) = busy();
    let (begun, has_begun) = mpsc::channel();
    let call = lane.call(move || begun.send(()).unwrap());
    assert!(
        tokio::time::timeout(Duration::from_millis(10), call)
            .await
            .is_err()
    );
    drop(unblock);
    assert_eq!(lane.call(|| 7).await, Ok(7));
    assert!(has_begun.recv().is_err(), "its job is dropped");
}

#[tokio::test]
async fn too_many_calls_are_refused_and_the_end_of_objects_is_not() {
    let (lane, unblock) = busy();
    for _ in 0..MAX_WAITING {
        lane.try_run(|| ()).unwrap();
    }
    let refused = lane.call(|| ()).await.unwrap_err();
    assert_eq!(refused.code, 40009);
    assert!(refused.message.contains("toys"), "{}", refused.message);
    let (end, ended) = mpsc::channel();
    lane.run(move || end.send(()).unwrap());
    drop(unblock);
    ended.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(lane.call(|| 7).await, Ok(7));
}

/// A job of a lane that does not return before the sender is dropped.
fn hang(lane: &Lane) -> mpsc::Sender<()> {
    let (begin, begun) = mpsc::channel();
    let (unblock, blocked) = mpsc::channel::<()>();
    lane.run(move || {
        begin.send(()).unwrap();
        let _ = blocked.recv();
    });
    begun.recv_timeout(Duration::from_secs(30)).unwrap();
    unblock
}

#[test]
fn lost_threads_are_replaced_a_few_times_and_what_cannot_run_any_more_is_dropped() {
    let lane = lane_of(1, IDLE);
    let mut hanging = vec![hang(&lane)];
    for lost in 1..=SPARE {
        assert_eq!(lane.lose(), lost);
        hanging.push(hang(&lane));
    }
    let (waits, dropped) = mpsc::channel::<()>();
    let later = waits.clone();
    lane.run(move || waits.send(()).unwrap());
    assert_eq!(lane.lose(), SPARE + 1);
    lane.run(move || later.send(()).unwrap());
    let end = dropped.recv_timeout(Duration::from_secs(30));
    assert_eq!(end, Err(mpsc::RecvTimeoutError::Disconnected));

    hanging.clear();
    (0..=SPARE).for_each(|_| lane.regain());
    let (run, is_run) = mpsc::channel();
    lane.run(move || run.send(()).unwrap());
    is_run.recv_timeout(Duration::from_secs(30)).unwrap();
    while lane.shared.state.lock().threads > 1 {
        std::thread::yield_now();
    }
}

#[test]
fn the_threads_of_a_closed_lane_end_after_what_waits() {
    let lane = lane_of(1, Duration::from_secs(3600));
    let unblock = hang(&lane);
    let (run, is_run) = mpsc::channel();
    let of_lane = lane.clone();
    lane.run(move || run.send((of_lane.is_current(), current_module())).unwrap());
    lane.close();
    drop(unblock);
    let last = is_run.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(last, (true, Some("toys".into())));
    while lane.shared.state.lock().threads > 0 {
        std::thread::yield_now();
    }
    assert!(!lane.is_current() && current_module().is_none());
}

#[test]
fn a_module_has_one_lane_and_its_figures() {
    let lanes = Lanes::default();
    let (slow, _unblock) = {
        let (unblock, blocked) = mpsc::channel::<()>();
        let slow = lanes.of("slow");
        slow.run(move || {
            let _ = blocked.recv();
        });
        (slow, unblock)
    };
    let (done, is_done) = mpsc::channel();
    lanes.of("quick").run(move || done.send(()).unwrap());
    is_done.recv_timeout(Duration::from_secs(30)).unwrap();
    assert!(Arc::ptr_eq(&slow.shared, &lanes.of("slow").shared));
    let running = lanes
        .figures()
        .into_iter()
        .find(|family| family.name().ends_with("running"));
    let slow = Labels::one("module", "slow");
    assert_eq!(running.unwrap().value(&slow), Some(1.0));
}
