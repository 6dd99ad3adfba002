//! PassThrough: copies what comes in to what goes out
