//! Whose media counts for the quotas on it.

use std::fmt;
use std::sync::Arc;

use rivero_media::Node;

use crate::accounts::Carrier;
use crate::registry::Object;

/// What every class has whose objects exchange media with the outside.
const ENDPOINT: &str = "kurento.Endpoint";

/// What an endpoint has from the outside, and gives there.
struct Endpoint(Arc<Node>);

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoint").field(self.0.id()).finish()
    }
}

impl Carrier for Endpoint {
    fn bytes(&self) -> u64 {
        let carried = self.0.carried();
        carried.given.saturating_add(carried.taken)
    }
}

/// Has the media of an object count for its account, if it is an endpoint of a principal: others have no
/// quotas.
pub(super) fn meter(object: &Object) {
    if object.account().owner().is_none() || !object.class.is_a(ENDPOINT) {
        return;
    }
    if let Some(node) = object.node() {
        object.meter(Arc::new(Endpoint(node.clone())));
    }
}
