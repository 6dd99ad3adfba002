//! Raw pictures come in any number of sizes.

use super::*;
use crate::RecentFormats;

fn pictures(width: u32) -> Format {
    let raw = Format {
        packaging: Packaging::Raw,
        ..Format::rtp("I420", 0, 0)
    };
    raw.with("height", "480").with("width", width.to_string())
}

#[test]
fn the_size_that_a_sink_accepts_is_known_after_any_number_of_others() {
    let studio = Studio::new();
    let formats = studio.bench.graph.plane().formats();
    let module = RecentFormats::default();
    let wanted = module.number(formats, pictures(640));
    let screen = studio.viewer("screen", &[wanted]);
    for width in 1_000..21_000 {
        assert_ne!(module.number(formats, pictures(width)), 0);
    }
    let camera = studio.camera();
    camera
        .node
        .connect(&screen.node, VIDEO, "default", "default");
    camera.source.push(&studio.packets(0..1));
    assert_eq!(screen.wait_for(1), ["0>0>1"]);
    assert_eq!(screen.formats.all(), [wanted]);
}
