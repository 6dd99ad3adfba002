//! @module@.@class@ @purpose@.

use opencv::{core::Mat, imgproc, prelude::*};
use rivero_sdk::{Behaviour, Class, ElementContext, Picture, PictureFilter, Result, picture_filter, tracing@in_range@};

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
        if let Err(error) = changed(picture) {
            tracing::warn!("a picture stays as it is: {error}");
        }
    }
}

/// Each pixel becomes the median of those around it.
fn changed(picture: &mut Picture<'_>) -> opencv::Result<()> {
    let (rows, columns) = (picture.height() as i32, picture.width() as i32);
    let mut changed = Mat::default();
    imgproc::median_blur(&Mat::new_rows_cols_with_data(rows, columns, &*picture.luma())?, &mut changed, 5)?;
    picture.luma().copy_from_slice(changed.data_bytes()?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use rivero_sdk::{serde_json::json, testing::Linked};

    use super::*;

    #[test]
    fn a_single_dot_vanishes() -> Result<()> {
        let pipeline = rivero_sdk::testing::pipeline!();
        let filter = pipeline.create(class(), json!(@parameters@))?;
        let (camera, screen) = (pipeline.camera(64, 48), pipeline.screen());
        camera.connect(&filter);
        filter.connect(&screen);
        camera.show_drawn(|picture| picture.luma()[64 * 20 + 20] = 235);
        let pictures = screen.pictures();
        assert_eq!(pictures.len(), 1);
        assert!(pictures[0].view().luma().iter().all(|value| *value == 16));
        Ok(())
    }
@test_of_properties@
}
