//! Viewers come and go from many threads while media flows.

use std::sync::atomic::AtomicBool;

use super::*;

#[test]
fn viewers_come_and_go_under_load() {
    let studio = Studio::new();
    let camera = studio.camera();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0u16;
            while !done.load(Relaxed) {
                camera
                    .source
                    .push(&studio.packets(number..number.saturating_add(4)));
                number = (number + 4) % 60_000;
                std::thread::yield_now();
            }
        });
        let visitors: Vec<_> = (0..4)
            .map(|visitor| {
                let (studio, camera) = (&studio, &camera);
                scope.spawn(move || {
                    for visit in 0..50 {
                        let format = ["H264", "VP9", "VP8"][(visitor + visit) % 3];
                        let name = format!("{visitor}/{visit}");
                        let viewer = studio.connected(camera, &name, studio.format(format));
                        assert!(!viewer.wait_for(1).is_empty(), "{name} sees {format}");
                        viewer.node.release();
                    }
                })
            })
            .collect();
        let outcomes: Vec<_> = visitors.into_iter().map(|visitor| visitor.join()).collect();
        done.store(true, Relaxed);
        outcomes.into_iter().for_each(|outcome| outcome.unwrap());
    });
    studio.wait_until_running(0);
    assert!(camera.node.sink_connections(None, None).is_empty());
    assert_eq!(
        studio.toys.starts.all().len(),
        studio.toys.stops.all().len()
    );
}
