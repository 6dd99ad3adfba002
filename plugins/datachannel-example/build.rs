//! Generates the traits of the module's classes.

fn main() -> Result<(), rivero_idl::Error> {
    rivero_idl::build::Module::new("datachannelexample")
        .descriptor("datachannelexample.kmd.json")
        .settings("../lib/faces/settings.json")
        .generate()
}
