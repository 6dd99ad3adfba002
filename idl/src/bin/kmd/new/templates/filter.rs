//! @module@.@class@ @purpose@.

use rivero_sdk::{Behaviour, Class, ElementContext, Picture, PictureFilter, Result, picture_filter@in_range@};

rivero_sdk::generated!(api);
rivero_sdk::export_module! { classes: [class()] }

fn class() -> Class {
    picture_filter::<@class@>("@class@")
}

struct @class@;

impl Behaviour for @class@ {
    type Properties = api::@class@Params;

    fn new(_: ElementContext, _: &Self::Properties) -> Result<Self> {
        Ok(Self)
    }
@check@
}

impl PictureFilter for @class@ {
    fn process(&mut self, picture: &mut Picture<'_>, _properties: &Self::Properties) {
        for value in picture.luma() {
            *value = u8::MAX - *value;
        }
    }
}

#[cfg(test)]
mod tests {
    use rivero_sdk::{serde_json::json, testing::Linked};

    use super::*;

    #[test]
    fn white_becomes_black() -> Result<()> {
        let pipeline = rivero_sdk::testing::pipeline!();
        let filter = pipeline.create(class(), json!(@parameters@))?;
        let (camera, screen) = (pipeline.camera(64, 48), pipeline.screen());
        camera.connect(&filter);
        filter.connect(&screen);
        camera.show([255, 255, 255]);
        let pictures = screen.pictures();
        assert_eq!(pictures.len(), 1);
        assert!(pictures[0].colour().iter().all(|value| *value < 32));
        Ok(())
    }
@test_of_properties@
}
