//! Which crates generated code names.

use proc_macro2::TokenStream;
use quote::quote;

/// The crates that the code needs, as paths.
pub(super) struct Crates {
    /// The API of modules.
    pub(super) api: TokenStream,
    /// For the derives.
    pub(super) serde: TokenStream,
    /// For values.
    pub(super) json: TokenStream,
    /// The attribute of what derives from serde, which otherwise expects a crate of that name.
    pub(super) derives_from: TokenStream,
}

impl Crates {
    /// Three crates; or one that has all that is public in `rivero_plugin_api`, and `serde` and
    /// `serde_json` as modules.
    pub(super) fn new(library: Option<&str>) -> Result<Self, syn::Error> {
        let Some(library) = library else {
            return Ok(Self {
                api: quote!(rivero_plugin_api),
                serde: quote!(serde),
                json: quote!(serde_json),
                derives_from: TokenStream::new(),
            });
        };
        let path: syn::Path = syn::parse_str(library)?;
        let serde = format!("{library}::serde");
        Ok(Self {
            api: quote!(#path),
            serde: quote!(#path::serde),
            json: quote!(#path::serde_json),
            derives_from: quote!(#[serde(crate = #serde)]),
        })
    }
}
