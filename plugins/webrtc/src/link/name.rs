//! What STUN requests for a link begin with in their user name (RFC 8445 §7.2.2).

/// A name, and the one before until the shard has changed its routes.
pub(super) struct LinkName {
    current: String,
    former: Option<String>,
}

impl LinkName {
    pub(super) fn new(name: String) -> Self {
        Self {
            current: name,
            former: None,
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.current
    }

    pub(super) fn change(&mut self, name: String) {
        self.former = Some(std::mem::replace(&mut self.current, name));
    }

    pub(super) fn take_former(&mut self) -> Option<String> {
        self.former.take()
    }
}
