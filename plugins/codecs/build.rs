//! Writes the manifest of a module without classes.

fn main() -> Result<(), rivero_idl::Error> {
    rivero_idl::build::Module::new("codecs").generate()
}
