//! Modules in C and C++: what `include/rivero.h` declares, over the same traits that modules in Rust
//! implement.
//!
//! The library is linked into a module, whose classes it finds in the array `rivero_classes`, and exports
//! what the server looks for. Of Rust's types nothing shows in C: contexts, values and answers are pointers
//! without a known content.
//!
//! `unsafe` is allowed here and nowhere else outside of the ABI, because that is what this crate is for: it
//! dereferences what C hands over and calls what C points to. Each place says what the header promises.

#![allow(
    unsafe_code,
    reason = "the boundary to C: pointers of C are dereferenced, functions of C are called"
)]
#![allow(
    improper_ctypes_definitions,
    reason = "contexts, values and answers are pointers in C, which never looks behind them"
)]

mod answer;
mod class;
mod export;
mod lane;
mod object;
mod server;
mod text;
mod values;
