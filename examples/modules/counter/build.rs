//! Generates the traits of the module's class.

fn main() -> Result<(), rivero_idl::Error> {
    rivero_idl::build::Module::new("counter")
        .descriptor("counter.kmd.json")
        .generate()
}
