//! @module@.@class@ @purpose@.

use rivero_sdk::{Behaviour, Class, ElementContext, Result, SwitchHub, switch_hub@in_range@};

rivero_sdk::generated!(api);
rivero_sdk::export_module! { classes: [class()] }

fn class() -> Class {
    switch_hub::<@class@>("@class@")
}

struct @class@;

impl Behaviour for @class@ {
    type Properties = api::@class@Params;

    fn new(_: ElementContext, _: &Self::Properties) -> Result<Self> {
        Ok(Self)
    }
@check@
}

impl SwitchHub for @class@ {
    fn source_of(&mut self, port: &str, ports: &[String], _: &Self::Properties) -> Option<String> {
        ports.first().filter(|first| *first != port).cloned()
    }
}

#[cfg(test)]
mod tests {
    use rivero_sdk::{serde_json::json, testing::Linked};

    use super::*;

    #[test]
    fn all_ports_see_the_first_one() -> Result<()> {
        let pipeline = rivero_sdk::testing::pipeline!();
        let hub = pipeline.create(class(), json!(@parameters@))?;
        let (first, second) = (pipeline.port(&hub)?, pipeline.port(&hub)?);
        let (camera, screen) = (pipeline.camera(64, 48), pipeline.screen());
        camera.connect(&first);
        second.connect(&screen);
        camera.show([255, 0, 0]);
        assert_eq!(screen.pictures().len(), 1);
        drop(first);
        camera.show([255, 0, 0]);
        assert_eq!(screen.pictures().len(), 0);
        Ok(())
    }
@test_of_properties@
}
