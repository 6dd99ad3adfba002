//! VignetteFilter darkens pictures towards their edges: a filter on the author's kit, with a property that is checked, and an
//! event.

use api::VignetteFilterEvents;
use rivero_sdk::{
    Behaviour, Class, ElementContext, Picture, PictureFilter, Result, in_range, picture_filter,
};

rivero_sdk::generated!(api);
rivero_sdk::export_module! { classes: [class()] }

fn class() -> Class {
    picture_filter::<Vignette>("VignetteFilter")
}

struct Vignette {
    /// Until the first picture has come.
    context: Option<ElementContext>,
}

impl Behaviour for Vignette {
    type Properties = api::VignetteFilterParams;

    fn new(context: ElementContext, _: &Self::Properties) -> Result<Self> {
        let context = Some(context);
        Ok(Self { context })
    }

    fn check(properties: &Self::Properties) -> Result<()> {
        in_range("strength", properties.strength, 0.0..=1.0)
    }
}

impl PictureFilter for Vignette {
    fn process(&mut self, picture: &mut Picture<'_>, properties: &Self::Properties) {
        let (width, height) = (picture.width(), picture.height());
        for (y, row) in picture.luma().chunks_mut(width).enumerate() {
            for (x, value) in row.iter_mut().enumerate() {
                let off_centre = |at, side| 2.0 * at as f64 / side as f64 - 1.0;
                let [x, y] = [off_centre(x, width), off_centre(y, height)];
                let kept = 1.0 - properties.strength * (x * x + y * y) / 2.0;
                *value = 16 + (f64::from(value.saturating_sub(16)) * kept) as u8;
            }
        }
        if let Some(context) = self.context.take() {
            context.darkened(width as i32, height as i32);
        }
    }
}

#[cfg(test)]
mod tests {
    use rivero_sdk::{
        serde_json::json,
        testing::{Linked, pipeline},
    };

    use super::*;

    #[test]
    fn corners_are_darker_than_the_centre_by_the_strength() -> Result<()> {
        let pipeline = pipeline!();
        let filter = pipeline.create(class(), json!({}))?;
        let (camera, screen) = (pipeline.camera(64, 48), pipeline.screen());
        camera.connect(&filter);
        filter.connect(&screen);
        for (strength, corner) in [(0.0, 235..=235), (0.5, 123..=130), (1.0, 16..=20)] {
            filter.set("strength", strength)?;
            camera.show([255, 255, 255]);
            let pictures = screen.pictures();
            let luma = pictures[0].view().luma();
            assert!(corner.contains(&luma[0]), "{strength}: {}", luma[0]);
            assert!(luma[64 * 24 + 32] > 230);
        }
        let size = json!({ "width": 64, "height": 48 });
        assert_eq!(filter.events(), [("Darkened".to_owned(), size)], "once");
        Ok(())
    }

    #[test]
    fn the_strength_is_kept_and_checked() -> Result<()> {
        let pipeline = pipeline!();
        let filter = pipeline.create(class(), json!({ "strength": 0.25 }))?;
        assert_eq!(filter.get("strength")?, 0.25);
        assert_eq!(filter.set("strength", 2).unwrap_err().code, 40107);
        assert_eq!(filter.get("strength")?, 0.25);
        assert!(pipeline.create(class(), json!({ "strength": -1 })).is_err());
        Ok(())
    }
}
