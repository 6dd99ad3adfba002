//! @module@.@class@ @purpose@.

use rivero_sdk::{Behaviour, Class, ElementContext, Result, Sound, SoundFilter, sound_filter@in_range@};

rivero_sdk::generated!(api);
rivero_sdk::export_module! { classes: [class()] }

fn class() -> Class {
    sound_filter::<@class@>("@class@")
}

struct @class@;

impl Behaviour for @class@ {
    type Properties = api::@class@Params;

    fn new(_: ElementContext, _: &Self::Properties) -> Result<Self> {
        Ok(Self)
    }
@check@
}

impl SoundFilter for @class@ {
    fn process(&mut self, sound: &mut Sound, _properties: &Self::Properties) {
        for sample in &mut sound.samples {
            *sample /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use rivero_sdk::{serde_json::json, testing::Linked};

    use super::*;

    #[test]
    fn sound_is_half_as_loud() -> Result<()> {
        let pipeline = rivero_sdk::testing::pipeline!();
        let filter = pipeline.create(class(), json!(@parameters@))?;
        let (microphone, screen) = (pipeline.microphone(48_000, 2), pipeline.screen());
        microphone.connect(&filter);
        filter.connect(&screen);
        microphone.speak(&[1000, -1000, i16::MAX, i16::MIN]);
        assert_eq!(screen.sounds(), [[500, -500, 16_383, -16_384]]);
        Ok(())
    }
@test_of_properties@
}
