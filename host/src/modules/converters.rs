//! What the installed modules convert, known without loading them.

use std::sync::Arc;

use rivero_media::{ConverterSettings, Converters};
use rivero_plugin_api::{
    Conversion, Error,
    abi::traits::{Converter, ConverterOutput},
};
use serde_json::{Map, Value};

use super::{catalogue::Provider, services::Services};

/// The converters of all modules; one of them is loaded when it is first needed.
pub(super) struct ModuleConverters {
    conversions: Vec<Conversion>,
    /// Who does each, and where it is in that file's manifest.
    providers: Vec<(Arc<Provider>, usize)>,
    packaging_parameters: Vec<String>,
    services: Arc<Services>,
}

impl ModuleConverters {
    pub(super) fn new(providers: &[Arc<Provider>], services: &Arc<Services>) -> Self {
        let mut all = Self {
            conversions: Vec::new(),
            providers: Vec::new(),
            packaging_parameters: Vec::new(),
            services: services.clone(),
        };
        for provider in providers {
            let manifest = provider.manifest();
            for (position, conversion) in manifest.conversions.iter().enumerate() {
                all.conversions.push(conversion.clone());
                all.providers.push((provider.clone(), position));
            }
            all.packaging_parameters
                .extend(manifest.packaging_parameters.iter().cloned());
        }
        all
    }
}

impl Converters for ModuleConverters {
    fn conversions(&self) -> &[Conversion] {
        &self.conversions
    }

    fn packaging_parameters(&self) -> &[String] {
        &self.packaging_parameters
    }

    fn create(
        &self,
        conversion: usize,
        formats: (u32, u32),
        settings: &ConverterSettings,
        sink: ConverterOutput,
    ) -> Result<Converter, Error> {
        let unknown = || Error::unexpected("there is no such conversion");
        let (provider, position) = self.providers.get(conversion).ok_or_else(unknown)?;
        let loaded = provider
            .load(&self.services)
            .map_err(|error| Error::unexpected(error.message))?;
        let number = loaded.conversions.get(*position).ok_or_else(unknown)?;
        let (input, output) = formats;
        loaded
            .module
            .create_converter(
                *number,
                input,
                output,
                in_json(settings).to_string().as_str().into(),
                sink,
            )
            .into_result()
            .map_err(Error::from)
    }
}

/// Settings as they cross the boundary: an object of what is asked for, and nothing else.
fn in_json(settings: &ConverterSettings) -> Value {
    let ConverterSettings {
        width,
        height,
        channels,
        sample_rate,
        frame_rate,
        keyframe_interval,
        bitrate,
    } = *settings;
    let all = [
        ("width", width.map(Value::from)),
        ("height", height.map(Value::from)),
        ("channels", channels.map(Value::from)),
        ("sample_rate", sample_rate.map(Value::from)),
        ("frame_rate", frame_rate.map(Value::from)),
        ("keyframe_interval", keyframe_interval.map(Value::from)),
        ("bitrate", bitrate.map(Value::from)),
    ];
    let given = all.into_iter();
    let given = given.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_hold_what_is_asked_for_and_nothing_else() {
        assert_eq!(in_json(&ConverterSettings::default()).to_string(), "{}");
        let settings = ConverterSettings {
            channels: Some(2),
            frame_rate: Some(12.5),
            bitrate: Some(600_000),
            ..ConverterSettings::default()
        };
        let expected = serde_json::json!({"channels": 2, "frame_rate": 12.5, "bitrate": 600_000});
        assert_eq!(in_json(&settings), expected);
    }
}
