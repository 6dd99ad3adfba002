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
    /// Who does each.
    providers: Vec<Arc<Provider>>,
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
            for conversion in &manifest.conversions {
                all.conversions.push(conversion.clone());
                all.providers.push(provider.clone());
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
        let provider = self.providers.get(conversion);
        let wanted = self.conversions.get(conversion);
        let (Some(provider), Some(wanted)) = (provider, wanted) else {
            return Err(Error::unexpected("there is no such conversion"));
        };
        let module = provider
            .load(&self.services)
            .map_err(|error| Error::unexpected(error.message))?;
        let exported = exported(&module.conversions())?;
        let index = exported.iter().position(|known| known == wanted);
        let index = index.and_then(|index| u32::try_from(index).ok());
        let index =
            index.ok_or_else(|| Error::unexpected("the module does not do that any more"))?;
        let (input, output) = formats;
        module
            .create_converter(
                index,
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

/// Whether a loaded module does what its manifest says; what it does beyond that can never be used.
pub(super) fn compare(manifest: &[Conversion], exported: &[Conversion]) -> Result<(), String> {
    let in_words = |conversion: &Conversion| {
        let ((from, as_input), (to, as_output)) = (&conversion.input, &conversion.output);
        let cost = conversion.cost;
        format!("{from} {as_input:?} to {to} {as_output:?} at cost {cost}")
    };
    if let Some(missing) = manifest.iter().find(|own| !exported.contains(own)) {
        let missing = in_words(missing);
        return Err(format!(
            "its manifest names the conversion {missing}, which it does not export: build.rs and export_module! have to say the same"
        ));
    }
    for hidden in exported.iter().filter(|own| !manifest.contains(own)) {
        let hidden = in_words(hidden);
        tracing::warn!(
            "a module exports the conversion {hidden}, which its manifest lacks: it is not used"
        );
    }
    Ok(())
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
        assert_eq!(compare(&[conversion(6)], &both), Ok(()));
        let refused = compare(&[conversion(7)], &both).unwrap_err();
        assert!(
            refused.contains("VP8 Frame to I420 Raw at cost 7"),
            "{refused}"
        );
        assert!(exported("no list").is_err());
    }
}
