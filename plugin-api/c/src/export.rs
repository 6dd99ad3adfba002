//! What the server looks for in a module. In Rust `export_module!` writes this, together with the section that
//! tells of the module, which `kmd gen c` writes for modules in C.

use crate::{class, object};
use rivero_plugin_api::abi::{abi_stable::library as sabi, module, traits};
use rivero_plugin_api::{Class, Module};

#[cfg(not(panic = "unwind"))]
compile_error!("panics must unwind, so that the server can contain them");

fn classes() -> Vec<Class> {
    let classes = class::all().into_iter().map(|(name, class)| {
        Class::new(name, move |context, params| {
            object::create(class, context, params)
        })
    });
    classes.collect()
}

fn definition() -> Module {
    Module {
        classes: classes(),
        converters: Vec::new(),
    }
}

extern "C" fn start(host: traits::Host) -> module::Started {
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

/// Found by the server under the name that abi_stable gives it; what `kmd gen c` writes refers to it, so that the
/// linker takes it from the library.
#[used]
#[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
// SAFETY: the function makes the root of exactly this type.
static ROOT: sabi::LibHeader = unsafe {
    sabi::LibHeader::from_constructor::<traits::RootRef>(erased_root, sabi::CheckTypeLayout::Yes)
};
