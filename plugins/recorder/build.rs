//! Generates the traits of the module's classes.

fn main() -> Result<(), rivero_idl::Error> {
    rivero_idl::build::Module::new("elements")
        .classes(&["RecorderEndpoint"])
        .settings("settings.json")
        .settings("../lib/uri/settings.json")
        .inline()
        .generate()
}
