//! @module@.@class@ @purpose@.

use rivero_sdk::{Behaviour, Class, ElementContext, Picture, PictureSource, Result, picture_source@in_range@};

rivero_sdk::generated!(api);
rivero_sdk::export_module! { classes: [class()] }

fn class() -> Class {
    picture_source::<@class@>("@class@")
}

struct @class@ {
    column: usize,
}

impl Behaviour for @class@ {
    type Properties = api::@class@Params;

    fn new(_: ElementContext, _: &Self::Properties) -> Result<Self> {
        Ok(Self { column: 0 })
    }
@check@
}

impl PictureSource for @class@ {
    fn draw(&mut self, picture: &mut Picture<'_>, _properties: &Self::Properties) {
        let width = picture.width();
        for row in picture.luma().chunks_mut(width) {
            row[self.column % width] = 235;
        }
        self.column += 1;
    }
}

#[cfg(test)]
mod tests {
    use rivero_sdk::{serde_json::json, testing::Linked};

    use super::*;

    #[test]
    fn pictures_come_at_their_rate_and_move() -> Result<()> {
        let pipeline = rivero_sdk::testing::pipeline!();
        let source = pipeline.create(class(), json!(@parameters@))?;
        let screen = pipeline.screen();
        source.connect(&screen);
        pipeline.advance(std::time::Duration::from_millis(100));
        let pictures = screen.pictures();
        assert_eq!(pictures.len(), 3, "at 0, 40 and 80 ms");
        assert_ne!(pictures[0].view().luma(), pictures[1].view().luma());
        Ok(())
    }
@test_of_properties@
}
