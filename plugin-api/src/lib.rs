//! Everything the author of a Rivero module needs, and the ABI below it
