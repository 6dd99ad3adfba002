//! Generates the traits of the module's class.

fn main() -> Result<(), rivero_idl::Error> {
    rivero_idl::build::Module::new("videosampler")
        .descriptor("videosampler.kmd.json")
        .settings("../lib/uri/settings.json")
        .generate()
}
