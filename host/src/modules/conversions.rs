//! What a file says that it converts, and whether its module does.

use rivero_plugin_api::{Conversion, Error};

/// Conversions of one file are bounded: planning looks at all of them.
pub(super) const LIMIT: usize = 1024;

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
    use rivero_plugin_api::Packaging;

    use super::*;

    #[test]
    fn a_module_has_to_export_what_its_manifest_promises() {
        let conversion = |cost| Conversion {
            input: ("VP8".to_owned(), Packaging::Frame),
            output: ("I420".to_owned(), Packaging::Raw),
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
