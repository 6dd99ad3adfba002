//! What clients attach to an object: a name and tags.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::accounts::{Account, Claim, Resource};
use crate::error::CallError;

/// What a tag costs beside its texts.
const TAG_OVERHEAD: usize = 64;

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// The labels of one object.
#[derive(Debug)]
pub struct Labels {
    name: Option<String>,
    /// Shared with the events that carry them.
    tags: Arc<Tags>,
    /// Whether events carry the tags.
    pub send_tags_in_events: bool,
    claim: Claim,
}

impl Labels {
    /// No labels; those to come count for `account`.
    #[must_use]
    pub fn new(account: &Arc<Account>) -> Labels {
        Labels {
            name: None,
            tags: Arc::default(),
            send_tags_in_events: false,
            claim: Claim::none(account, Resource::LabelBytes),
        }
    }

    /// `None` shows the id.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// All tags.
    #[must_use]
    pub fn tags(&self) -> &Arc<Tags> {
        &self.tags
    }

    /// Gives the object a name; an empty one takes it away.
    ///
    /// # Errors
    /// 40009 when it is too long, or the account has too many labels.
    pub fn set_name(&mut self, name: &str) -> Result<(), CallError> {
        let former = self.name.as_ref().map_or(0, String::len);
        self.replace(former, name.len())?;
        self.name = (!name.is_empty()).then(|| name.to_owned());
        Ok(())
    }

    /// Sets a tag.
    ///
    /// # Errors
    /// As [`Labels::set_name`].
    pub fn add_tag(&mut self, key: &str, value: &str) -> Result<(), CallError> {
        let former = self.tags.get(key).map_or(0, |value| size(key, value));
        self.replace(former, size(key, value))?;
        Arc::make_mut(&mut self.tags).insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// Takes a tag away, if it is there.
    pub fn remove_tag(&mut self, key: &str) {
        if let Some(value) = self.tags.get(key) {
            self.claim.shrink(size(key, value) as u64);
            Arc::make_mut(&mut self.tags).remove(key);
        }
    }

    /// Claims what something new takes in the place of something old.
    fn replace(&mut self, former: usize, new: usize) -> Result<(), CallError> {
        let wanted = self.claim.amount().saturating_sub(former as u64) + new as u64;
        let limit = self.claim.account().limits().object_label_bytes;
        if wanted > limit {
            return Err(CallError::not_enough_resources(format!(
                "The name and the tags of an object may have {limit} bytes together (mediaServer.limits.object.labelBytes)"
            )));
        }
        Ok(self.claim.resize(wanted)?)
    }
}

fn size(key: &str, value: &str) -> usize {
    key.len() + value.len() + TAG_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_bounded_together_and_free_when_taken_away() {
        let account = Account::alone();
        let mut labels = Labels::new(&account);
        labels.set_name(&"n".repeat(4_000)).unwrap();
        labels.add_tag("k", &"v".repeat(4_000)).unwrap();
        let error = labels.add_tag("l", &"v".repeat(200)).unwrap_err();
        assert!(error.code == 40009 && error.message.contains("limits.object.labelBytes"));
        // In the place of a former one there is room.
        labels.add_tag("k", &"w".repeat(3_000)).unwrap();
        labels.add_tag("l", &"v".repeat(200)).unwrap();
        labels.set_name("").unwrap();
        labels.remove_tag("k");
        labels.remove_tag("l");
        assert_eq!(
            (account.usage(Resource::LabelBytes), labels.tags().len()),
            (0, 0)
        );
    }
}
