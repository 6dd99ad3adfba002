//! The server's settings: command line, environment, and Kurento's configuration files.
//!
//! Files become one JSON tree; the values that the server knows are read out of it leniently
//! (a number may be written as a string, as in INI files), and whatever it does not know is
//! reported with the nearest key that it does.

mod auth;
mod changes;
mod command_line;
mod document;
mod keys;
mod known;
mod limits;
mod load;
mod module_keys;
mod settings;

pub use changes::{Difference, Effect, Tree};
pub use command_line::CommandLine;
pub use document::{Document, Problem};
pub use limits::LimitError;
pub use load::{Configuration, Error, load};
pub use module_keys::Readers;
pub use settings::Settings;
