//! What a module offers, and the macro that exports it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Class, Packet, Result, Upstream, abi::traits, abi::types::AbiUpstream};

/// Everything a module offers. Made by [`export_module!`](crate::export_module).
pub struct Module {
    /// Its classes.
    pub classes: Vec<Class>,
    /// Its converters.
    pub converters: Vec<ConverterFactory>,
}

/// A conversion between formats, `cost` relative to others (copying a frame = 1).
///
/// The manifest says the same (`rivero_idl::build::Module::conversion`), so that the host can
/// plan without loading the library; what only one of the two says is an error or unused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversion {
    /// Encoding and packaging that go in, such as `("VP8", Rtp)`.
    pub input: (String, crate::Packaging),
    /// What comes out.
    pub output: (String, crate::Packaging),
    /// The host takes the cheapest path.
    pub cost: u32,
}

/// Makes converters of one kind.
pub struct ConverterFactory {
    /// What it converts.
    pub conversion: Conversion,
    /// `(input format, output format, settings, output)`; settings are an object with those of
    /// `bitrate` (bit/s, to begin with), `width`, `height`, `frame_rate` (1/s), `sample_rate` (Hz)
    /// and `channels` that are asked for. Called on a worker of the host.
    pub create: CreateConverter,
}

/// Constructor of a converter, see [`ConverterFactory::create`]. It may hold what it likes.
pub type CreateConverter =
    Arc<dyn Fn(u32, u32, Value, ConverterOutput) -> Result<Box<dyn Converter>> + Send + Sync>;

impl ConverterFactory {
    /// Makes converters by `create`, see [`ConverterFactory::create`].
    pub fn new(
        conversion: Conversion,
        create: impl Fn(u32, u32, Value, ConverterOutput) -> Result<Box<dyn Converter>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self {
            conversion,
            create: Arc::new(create),
        }
    }
}

/// A running conversion; one instance may serve many consumers.
///
/// All calls come from workers of the host, one at a time. A panic ends the conversion.
pub trait Converter: Send + Sync + 'static {
    /// Media, in order; what a slow converter left waiting for too long was left out before.
    fn packets(&self, packets: &[Packet]);
    /// A message from the consumers: to a conversion that encodes, keyframe requests, target
    /// bitrates (already bounded) and loss. What else they say goes to the source.
    fn upstream(&self, message: Upstream);
    /// The last consumer went, or the input has another format now.
    fn stop(&self);
}

/// Where a converter's results go.
pub struct ConverterOutput(traits::ConverterOutput);

impl ConverterOutput {
    pub(crate) fn new(output: traits::ConverterOutput) -> Self {
        Self(output)
    }

    /// Converted media, from any thread. The host fills in the origin, and the format where it
    /// is 0 or the packets are RTP; and what the media of the same time had that went in: time of capture,
    /// level of sound, metadata.
    pub fn push(&self, packets: &[Packet]) {
        self.0.push(packets.into());
    }

    /// A message for the source, such as a keyframe request after loss.
    pub fn upstream(&self, message: Upstream) {
        self.0.upstream(AbiUpstream::from(message));
    }

    /// The conversion cannot go on.
    pub fn failed(&self, error: crate::Error) {
        self.0.failed(error.into());
    }
}

/// Exports a module: its classes and, where it has any, its converters.
///
/// `build.rs` must have written `module.json` into `OUT_DIR` (`rivero_idl::build`). With
/// `panic = "abort"` in the profile it does not compile: a panic would end the server.
///
/// ```ignore
/// rivero_plugin_api::export_module! {
///     classes: [api::chroma_filter::<Chroma>()],
///     converters: [decoder(), encoder()],
/// }
/// ```
///
/// A module of converters alone may name a function that makes the list:
/// `export_module! { converters: conversions::all }`.
#[macro_export]
macro_rules! export_module {
    (converters: [$($converter:expr),* $(,)?] $(,)?) => {
        $crate::export_module! { @module vec![], vec![$($converter),*] }
    };
    (converters: $converters:path $(,)?) => {
        $crate::export_module! { @module vec![], $converters() }
    };
    (classes: [$($class:expr),* $(,)?] $(, converters: [$($converter:expr),* $(,)?])? $(,)?) => {
        $crate::export_module! { @module vec![$($class),*], vec![$($($converter),*)?] }
    };
    (@module $classes:expr, $converters:expr) => {
        #[allow(unsafe_code, missing_docs, unreachable_pub)]
        mod rivero_module_export {
            use super::*;
            use $crate::abi::{abi_stable::library as sabi, module, section, traits};

            // A module that aborts takes the server with it: nothing could contain its panics.
            #[cfg(not(panic = "unwind"))]
            compile_error!(
                "a module's panics must unwind, so that the server can contain them: take \
                 `panic = \"abort\"` out of the profiles in Cargo.toml, and `-C panic=abort` out of RUSTFLAGS"
            );

            // The server asks the file, however it was built.
            const FLAGS: u32 = if cfg!(panic = "unwind") { section::UNWINDS } else { 0 };
            const MANIFEST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/module.json"));
            const LENGTH: usize = section::HEADER + MANIFEST.len();

            #[used]
            #[unsafe(link_section = ".rivero.module")]
            static SECTION: [u8; LENGTH] = section::encode::<LENGTH>(MANIFEST, FLAGS);

            fn classes() -> Vec<$crate::Class> {
                $classes
            }

            fn definition() -> $crate::Module {
                $crate::Module {
                    classes: classes(),
                    converters: $converters,
                }
            }

            extern "C" fn start(
                host: traits::Host,
            ) -> module::Started {
                module::start(host, definition)
            }

            extern "C" fn class_names() -> module::ClassNames {
                module::class_names(classes)
            }

            fn root() -> traits::RootRef {
                module::root(start, class_names)
            }

            extern "C" fn erased_root() -> sabi::RootModuleResult {
                sabi::__call_root_module_loader(root)
            }

            /// Found by the host under the name that abi_stable gives it.
            #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
            pub static ROOT: sabi::LibHeader = unsafe {
                sabi::LibHeader::from_constructor::<traits::RootRef>(
                    erased_root,
                    sabi::CheckTypeLayout::Yes,
                )
            };
        }
    };
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use abi_stable::library::ROOT_MODULE_LOADER_NAME;

    /// What the compiler says to a module that is nothing but the macro.
    fn compiled(panic: &str) -> String {
        let begin = macro_text().find("#[macro_export]").unwrap();
        let end = macro_text().find("#[cfg(test)]").unwrap();
        let directory = std::env::temp_dir().join(format!("rivero-{panic}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let source = directory.join("module.rs");
        let text = format!(
            "{}\nexport_module! {{ classes: [] }}\n",
            &macro_text()[begin..end]
        );
        fs::write(&source, text).unwrap();
        let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
        let output = Command::new(compiler)
            .args([
                "--edition=2024",
                "--crate-type=lib",
                "--emit=metadata",
                "-C",
            ])
            .arg(format!("panic={panic}"))
            .arg("--out-dir")
            .args([&directory, &source])
            .output()
            .unwrap();
        fs::remove_dir_all(&directory).unwrap();
        String::from_utf8(output.stderr).unwrap()
    }

    fn macro_text() -> &'static str {
        include_str!("export.rs")
    }

    /// Of the other errors of such a file there is no end: it has no crate below it.
    #[test]
    fn a_module_whose_panics_abort_does_not_compile() {
        let refusal = "error: a module's panics must unwind";
        let said = compiled("abort");
        assert!(said.contains(refusal), "{said}");
        let said = compiled("unwind");
        assert!(said.contains("error") && !said.contains(refusal), "{said}");
    }

    /// `export_name` takes a literal only, so the macro repeats the name.
    #[test]
    fn the_root_is_exported_under_the_name_the_loader_looks_for() {
        assert!(
            macro_text().contains(&format!("export_name = \"{ROOT_MODULE_LOADER_NAME}\"")),
            "the loader looks for {ROOT_MODULE_LOADER_NAME}"
        );
    }
}
