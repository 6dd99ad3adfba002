//! Bytes of media.

use super::*;

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
        let packets = bench.packets(sequence..sequence + 2, Some(sequence));
        let size: u64 = packets.iter().map(|p| p.bytes.len() as u64).sum();
        source.push(&packets);
        let inputs = viewer.inputs();
        let [input] = &inputs[..] else {
            panic!("{inputs:?}")
        };
        assert!(size > 0 && input.flowing && input.kind == VIDEO && input.lost == 0);
        (input.packets, input.bytes / size)
    };
    assert_eq!(counted(0), (2, 1));
    assert_eq!(counted(2), (4, 2));
    assert!(camera.inputs().is_empty());
}
