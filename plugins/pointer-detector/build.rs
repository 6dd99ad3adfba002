//! Generates the traits of the module's class.

fn main() -> Result<(), rivero_idl::Error> {
    rivero_idl::build::Module::new("pointerdetector")
        .descriptor("pointerdetector.kmd.json")
        .settings("../lib/uri/settings.json")
        .generate()
}
