//! What the installed modules convert, known without loading them.

use std::{path::PathBuf, sync::Arc};

use rivero_media::{ConverterSettings, Converters};
use rivero_plugin_api::{
    Conversion, Error, Packaging,
    abi::traits::{Converter, ConverterOutput},
};
use serde_json::{Map, Value};

use super::{
    held,
    overdue::{self, Manner},
    provider::Provider,
    services::Environment,
};

/// The converters of all modules; one of them is loaded when it is first needed.
///
/// Running conversions, and paths that were planned a moment ago, name a conversion by its number.
/// So whatever files come and go, a number is never another conversion's: the list of a later
/// moment begins with all of the earlier one, of which those that nobody does any more cannot be used.
pub(super) struct ModuleConverters {
    conversions: Vec<Conversion>,
    /// Whose each number is, and who does it.
    places: Vec<Place>,
    packaging_parameters: Vec<String>,
    environment: Arc<Environment>,
}

#[derive(Clone)]
struct Place {
    file: PathBuf,
    conversion: Conversion,
    /// Who does it, and where it is in that file's manifest.
    provider: Option<(Arc<Provider>, usize)>,
}

impl ModuleConverters {
    /// Those of these files, after `former` ones.
    pub(super) fn new<'p>(
        providers: impl Iterator<Item = &'p Arc<Provider>>,
        environment: &Arc<Environment>,
        former: Option<&Self>,
    ) -> Self {
        let mut places = former.map_or_else(Vec::new, |former| former.places.clone());
        for place in &mut places {
            place.provider = None;
        }
        let mut packaging_parameters = Vec::new();
        for provider in providers {
            let (file, manifest) = (provider.file(), provider.manifest());
            packaging_parameters.extend(manifest.packaging_parameters.iter().cloned());
            for (position, conversion) in manifest.conversions.iter().enumerate() {
                let provider = Some((provider.clone(), position));
                let is_its = |place: &&mut Place| {
                    place.provider.is_none()
                        && place.file == file
                        && place.conversion == *conversion
                };
                match places.iter_mut().find(is_its) {
                    Some(place) => place.provider = provider,
                    None => places.push(Place {
                        file: file.to_owned(),
                        conversion: conversion.clone(),
                        provider,
                    }),
                }
            }
        }
        let usable = |place: &Place| match place.provider {
            Some(_) => place.conversion.clone(),
            None => unusable(),
        };
        Self {
            conversions: places.iter().map(usable).collect(),
            places,
            packaging_parameters,
            environment: environment.clone(),
        }
    }
}

/// In place of a conversion that nobody does any more: no format has such a name.
fn unusable() -> Conversion {
    let nothing = || ("\0".to_owned(), Packaging::Raw);
    Conversion {
        input: nothing(),
        output: nothing(),
        cost: u32::MAX,
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
        let unknown = || Error::unexpected("there is no such conversion any more");
        let place = self.places.get(conversion).ok_or_else(unknown)?;
        let (provider, position) = place.provider.as_ref().ok_or_else(unknown)?;
        let loaded = provider
            .load(&self.environment)
            .map_err(|error| Error::unexpected(error.message))?;
        let number = loaded.conversions.get(*position).ok_or_else(unknown)?;
        let ((input, output), generation) = (formats, loaded.module.generation());
        let callee = generation.threads().as_callee();
        let settings = in_json(settings).to_string();
        let output_handle = held::converter_output(sink, generation);
        let create = || {
            let (module, settings) = (&loaded.module, settings.as_str().into());
            module.create_converter(*number, input, output, settings, output_handle)
        };
        let name = "the constructor of a converter";
        let created = overdue::call(&callee, name, Manner::Conversion, create);
        let converter = created.into_result().map_err(Error::from)?;
        Ok(held::converter(converter, &callee, generation))
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
