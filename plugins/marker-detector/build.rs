//! Generates the traits of the module's class.

fn main() -> Result<(), rivero_idl::Error> {
    rivero_idl::build::Module::new("markerdetector")
        .descriptor("markerdetector.kmd.json")
        .settings("settings.json")
        .settings("../lib/uri/settings.json")
        .generate()
}
