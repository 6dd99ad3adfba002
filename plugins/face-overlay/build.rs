//! Generates the traits of the module's classes.

fn main() -> Result<(), rivero_idl::Error> {
    rivero_idl::build::Module::new("filters")
        .classes(&["FaceOverlayFilter"])
        .settings("../lib/faces/settings.json")
        .settings("../lib/uri/settings.json")
        .generate()
}
