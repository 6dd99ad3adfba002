//! What the installed modules convert, known without loading them.

use std::sync::Arc;

use rivero_media::{ConverterSettings, Converters};
use rivero_plugin_api::{
    Conversion, Error,
    abi::traits::{Converter, ConverterOutput},
};
use serde_json::{Map, Value};

use super::{catalogue::Provider, services::Services};

/// Conversions of one file are bounded: planning looks at all of them.
pub(super) const LIMIT: usize = 1024;

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
        bitrate,
    } = *settings;
    let all = [
        ("width", width.map(Value::from)),
        ("height", height.map(Value::from)),
        ("channels", channels.map(Value::from)),
        ("sample_rate", sample_rate.map(Value::from)),
        ("frame_rate", frame_rate.map(Value::from)),
        ("bitrate", bitrate.map(Value::from)),
    ];
    let given = all.into_iter();
    let given = given.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect::<Map<_, _>>())
}

/// The list that a loaded module gives.
pub(super) fn exported(list: &str) -> Result<Vec<Conversion>, Error> {
    serde_json::from_str(list).map_err(|error| {
        Error::unexpected(format!(
            "the module's list of conversions is malformed: {error}"
        ))
    })
}

/// Where in the list of a loaded module the conversions of its manifest are, which names nothing
/// that the module does not do; what it does beyond that can never be used.
pub(super) fn compare(
    manifest: &[Conversion],
    exported: &[Conversion],
) -> Result<Vec<u32>, String> {
    let in_words = |conversion: &Conversion| {
        let ((from, as_input), (to, as_output)) = (&conversion.input, &conversion.output);
        let cost = conversion.cost;
        format!("{from} {as_input:?} to {to} {as_output:?} at cost {cost}")
    };
    let number = |own: &Conversion| {
        let position = exported.iter().position(|known| known == own);
        let number = position.and_then(|position| u32::try_from(position).ok());
        number.ok_or_else(|| {
            let missing = in_words(own);
            format!(
                "its manifest names the conversion {missing}, which it does not export: build.rs and export_module! have to say the same"
            )
        })
    };
    let numbers: Vec<u32> = manifest.iter().map(number).collect::<Result<_, _>>()?;
    for hidden in exported.iter().filter(|own| !manifest.contains(own)) {
        let hidden = in_words(hidden);
        tracing::warn!(
            "a module exports the conversion {hidden}, which its manifest lacks: it is not used"
        );
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use rivero_plugin_api::Packaging::{Frame, Raw};

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

    #[test]
    fn a_module_has_to_export_what_its_manifest_promises() {
        let conversion = |cost| Conversion {
            input: ("VP8".to_owned(), Frame),
            output: ("I420".to_owned(), Raw),
            cost,
        };
        let text = serde_json::to_string(&[conversion(5), conversion(6)]).unwrap();
        let both = exported(&text).unwrap();
        assert_eq!(compare(&[conversion(6)], &both), Ok(vec![1]));
        let refused = compare(&[conversion(7)], &both).unwrap_err();
        assert!(
            refused.contains("VP8 Frame to I420 Raw at cost 7"),
            "{refused}"
        );
        assert!(exported("no list").is_err());
    }
}
