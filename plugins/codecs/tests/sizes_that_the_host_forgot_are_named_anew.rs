//! The host forgets sizes of pictures that nobody asks for: a decoder that has made the same size
//! for hours must not go on with a number that means nothing to consumers that come later.

use crate::rig::{Running, frames, picture, raw, rtp};
use rivero_plugin_api::MediaKind;
use serde_json::json;

#[test]
fn a_running_decoder_goes_on_with_a_format_that_is_known() {
    let (raw, vp8) = (raw(MediaKind::Video), frames(&rtp("VP8")));
    let encoder = Running::new(&raw, &vp8, &json!({})).unwrap();
    let decoder = Running::new(&vp8, &raw, &json!({})).unwrap();
    let decoded = |number| {
        let encoded = encoder.convert(&[picture::picture(number, 320, 240)]);
        decoder.convert(&encoded).pop().unwrap()
    };
    let (first, second) = (decoded(0), decoded(1));
    assert_eq!(first.format, second.format);
    crate::rig::host::forget_format(first.format);
    let third = decoded(2);
    assert_ne!(third.format, first.format);
    assert_eq!(picture::size(&third), (320, 240));
}
