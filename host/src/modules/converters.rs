//! What the installed modules convert, known without loading them.

use std::sync::Arc;

use rivero_plugin_api::{
    Conversion, Error,
    abi::traits::{Converter, ConverterOutput},
};

use super::{catalogue::Provider, services::Services};
use crate::media::Converters;

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
        settings: &serde_json::Value,
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
                settings.to_string().as_str().into(),
                sink,
            )
            .into_result()
            .map_err(Error::from)
    }
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
