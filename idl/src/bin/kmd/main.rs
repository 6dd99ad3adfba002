fn main() {
    let model = rivero_idl::Model::standard().unwrap();
    let request = rivero_idl::rust::Request { classes: std::env::args().skip(1).collect(), types: vec![] };
    print!("{}", rivero_idl::rust::generate(&model, &request).unwrap_or_else(|error| error.to_string()));
}
