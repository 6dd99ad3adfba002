//! Generates the traits of the module's classes.

fn main() -> Result<(), rivero_idl::Error> {
    rivero_idl::build::Module::new("elements")
        .classes(&[
            "AlphaBlending",
            "Composite",
            "Dispatcher",
            "DispatcherOneToMany",
            "Mixer",
        ])
        .settings("settings.json")
        .generate()
}
