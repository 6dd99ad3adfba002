//! Generates the traits of the module's classes.

fn main() -> Result<(), rivero_idl::Error> {
    rivero_idl::build::Module::new("elements")
        .classes(&["WebRtcEndpoint"])
        .settings("../lib/endpoint/settings.json")
        .settings("settings.json")
        .inline()
        .generate()
}
