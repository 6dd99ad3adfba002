//! The one dependency of whoever writes a Rivero module.
//!
//! It has all of `rivero_plugin_api`, what elements of the usual kinds stand on ([`picture_filter`], [`sound_filter`],
//! [`picture_sink`], [`picture_source`], [`switch_hub`], [`endpoint`]), and by features what `build.rs` calls ([`build`]) and
//! a pipeline without a server for tests ([`testing`]). `kmd new` writes a module that uses it, in whose `Cargo.toml` it
//! stands three times: for the module, for its `build.rs` and for its tests.
//!
//! ```ignore
//! rivero_sdk::generated!(api);
//! rivero_sdk::export_module! { classes: [picture_filter::<Blur>("Blur")] }
//! ```

#[cfg(feature = "build")]
pub mod build;
#[cfg(feature = "module")]
mod elements;

#[cfg(feature = "module")]
pub use rivero_plugin_api::*;

#[cfg(feature = "module")]
pub use elements::{
    endpoint::{Endpoint, Outlet, endpoint},
    hub::{SwitchHub, switch_hub},
    sink::{PictureSink, picture_sink},
    source::{PictureSource, picture_source},
};
/// Pads, raw pictures and looks at them, as the server's own filters have them.
#[cfg(feature = "module")]
pub use rivero_filter as filter;
#[cfg(feature = "module")]
pub use rivero_filter::{
    Colours, PictureFormat,
    base::{
        Behaviour, Instance, Pads, Picture, PictureFilter, PictureView, Properties, Sound,
        SoundFilter, class, in_range, picture_filter, sound_filter,
    },
};
/// A pipeline without a server, for tests.
#[cfg(feature = "testing")]
pub use rivero_testing as testing;
/// For the generated code, and for values of one's own.
#[cfg(feature = "module")]
pub use serde;
/// For the generated code, and for values of one's own.
#[cfg(feature = "module")]
pub use serde_json;
/// `tracing::info!` and its like write into the server's log.
#[cfg(feature = "module")]
pub use tracing;

/// Includes what `build.rs` generated of the descriptor, as a module of this name.
#[cfg(feature = "module")]
#[macro_export]
macro_rules! generated {
    ($name:ident) => {
        mod $name {
            include!(concat!(env!("OUT_DIR"), "/api.rs"));
        }
    };
}
