//! Object ids and what clients read out of them.
//!
//! Clients take the text after the last `_` as `<namespace>.<Class>`, an id that ends in
//! `_kurento.MediaPipeline` as a pipeline, and an id that starts with a pipeline's id as its child.

use std::sync::Arc;

use uuid::Uuid;

/// The id of the one object that exists from the start.
pub const SERVER_MANAGER: &str = "manager_ServerManager";

/// A new id: `<parent>/<uuid>_<namespace>.<Class>`, or without the first part for a root.
#[must_use]
pub fn object_id(parent: Option<&str>, qualified_class: &str) -> Arc<str> {
    let mut buffer = Uuid::encode_buffer();
    let unique: &str = Uuid::new_v4().hyphenated().encode_lower(&mut buffer);
    match parent {
        Some(parent) => format!("{parent}/{unique}_{qualified_class}").into(),
        None => format!("{unique}_{qualified_class}").into(),
    }
}

/// A new id of a session or subscription.
#[must_use]
pub fn unique_id() -> Arc<str> {
    let mut buffer = Uuid::encode_buffer();
    Arc::from(&*Uuid::new_v4().hyphenated().encode_lower(&mut buffer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_start_with_their_parent() {
        let pipeline = object_id(None, "kurento.MediaPipeline");
        let child = object_id(Some(&pipeline), "kurento.PassThrough");
        assert!(pipeline.ends_with("_kurento.MediaPipeline") && child.starts_with(&*pipeline));
        assert_eq!(child.rsplit('_').next(), Some("kurento.PassThrough"));
        assert_ne!(unique_id(), unique_id());
    }
}
