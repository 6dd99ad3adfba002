//! Kurento module descriptors (KMD): parse, check, generate
