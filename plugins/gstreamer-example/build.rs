//! Generates the traits of the module's class.

fn main() -> Result<(), rivero_idl::Error> {
    rivero_idl::build::Module::new("gstreamerexample")
        .descriptor("gstreamerexample.kmd.json")
        .generate()
}
