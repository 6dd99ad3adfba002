//! Bytes of media.

use super::*;
use crate::Carried;

/// Bytes of each packet.
const SIZE: u64 = 100;

#[test]
fn the_bytes_of_media_are_counted() {
    let bench = TestBench::new();
    let (camera, _) = bench.node("camera");
    let (viewer, _) = bench.node("viewer");
    let source = camera
        .add_source(VIDEO, "default", source_handler(&Log::default()))
        .unwrap();
    viewer
        .add_sink(VIDEO, "default", sink_handler(&Log::default()), None, 0)
        .unwrap();
    camera.set_format(VIDEO, "default", bench.vp8);
    viewer.set_accepted(VIDEO, "default", &[bench.vp8]);
    camera.connect(&viewer, VIDEO, "default", "default");
    let counted = |sequence| {
        let mut packets = bench.packets(sequence..sequence + 2, Some(sequence));
        for packet in &mut packets {
            packet.bytes = vec![0; SIZE as usize].into();
        }
        source.push(&packets);
        let inputs = viewer.inputs();
        let [input] = &inputs[..] else {
            panic!("{inputs:?}")
        };
        assert!(input.flowing && input.kind == VIDEO && input.lost == 0);
        (input.packets, input.bytes)
    };
    assert_eq!(counted(0), (2, 2 * SIZE));
    assert_eq!(counted(2), (4, 4 * SIZE));
    assert!(camera.inputs().is_empty());
    let both = |given, taken| [Carried { given, taken: 0 }, Carried { given: 0, taken }];
    let carried = || [camera.carried(), viewer.carried()];
    assert_eq!(carried(), both(4 * SIZE, 4 * SIZE));
    // What is closed has carried what it has.
    viewer.remove_sink(VIDEO, "default");
    assert_eq!(carried(), both(4 * SIZE, 4 * SIZE));
    camera.release();
    assert_eq!(carried(), both(4 * SIZE, 4 * SIZE));
}
