//! @module@.@class@ @purpose@.

use rivero_sdk::{
    Behaviour, Class, ElementContext, Error, PictureSink, PictureView, Result,
    picture_sink@in_range@, serde_json::Value,
};

rivero_sdk::generated!(api);
rivero_sdk::export_module! { classes: [class()] }

fn class() -> Class {
    picture_sink::<@class@>("@class@")
}

struct @class@ {
    brightness: u64,
}

impl Behaviour for @class@ {
    type Properties = api::@class@Params;

    fn new(_: ElementContext, _: &Self::Properties) -> Result<Self> {
        Ok(Self { brightness: 0 })
    }
@check@

    fn call(&mut self, operation: &str, _: Value) -> Result<Value> {
        match operation {
            "getBrightness" => Ok(self.brightness.into()),
            _ => Err(Error::no_such_operation(operation, 0)),
        }
    }
}

impl PictureSink for @class@ {
    fn see(&mut self, picture: &PictureView<'_>, _properties: &Self::Properties) {
        let sum: u64 = picture.luma().iter().map(|value| u64::from(*value)).sum();
        self.brightness = sum / (picture.luma().len() as u64).max(1);
    }
}

#[cfg(test)]
mod tests {
    use rivero_sdk::{serde_json::json, testing::Linked};

    use super::*;

    #[test]
    fn brightness_is_measured() -> Result<()> {
        let pipeline = rivero_sdk::testing::pipeline!();
        let sink = pipeline.create(class(), json!(@parameters@))?;
        let camera = pipeline.camera(64, 48);
        camera.connect(&sink);
        assert_eq!(sink.get("brightness")?, 0);
        camera.show([255, 255, 255]);
        assert_eq!(sink.get("brightness")?, 235);
        Ok(())
    }
@test_of_properties@
}
