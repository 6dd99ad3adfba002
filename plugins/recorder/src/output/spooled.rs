//! Files in the spool, from where they are brought to a store.

use std::{io, os::unix::fs::FileExt, sync::Arc};

use super::file::synced;
use crate::{
    container::Output,
    s3::Object,
    spool::{Recorded, Spool, UploadEvents},
};

/// A file in the spool, or one after the other. Each is brought away when it is complete.
pub(super) struct SpooledOutput {
    spool: Arc<Spool>,
    object: Object,
    content_type: &'static str,
    events: UploadEvents,
    /// Number of the present file of a split recording.
    part: Option<u32>,
    recorded: Recorded,
    length: u64,
}

impl SpooledOutput {
    /// Makes the file.
    ///
    /// # Errors
    /// Those of the system; [`io::ErrorKind::QuotaExceeded`] when the spool is full
    pub(super) fn create(
        spool: &Arc<Spool>,
        object: Object,
        is_split: bool,
        content_type: &'static str,
        events: UploadEvents,
    ) -> io::Result<Self> {
        let part = is_split.then_some(0);
        let first = part.map_or_else(|| object.clone(), |part| object.part(part));
        Ok(Self {
            recorded: spool.begin(first, content_type, &events)?,
            spool: spool.clone(),
            object,
            content_type,
            events,
            part,
            length: 0,
        })
    }
}

impl Output for SpooledOutput {
    fn append(&mut self, data: &[u8]) -> io::Result<()> {
        let added = data.len() as u64;
        self.recorded.grow(added)?;
        let file = self.recorded.file();
        match file.write_all_at(data, self.length) {
            Ok(()) => {
                self.length += added;
                Ok(())
            }
            Err(error) => {
                // Half a chunk is no use to anybody.
                let _ = file.set_len(self.length);
                Err(error)
            }
        }
    }

    fn patch(&mut self, position: u64, data: &[u8]) -> io::Result<()> {
        self.recorded.file().write_all_at(data, position)
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn can_patch(&self) -> bool {
        true
    }

    fn sync(&mut self) -> io::Result<()> {
        synced(self.recorded.file().sync_data())
    }

    fn next_file(&mut self) -> io::Result<()> {
        let part = self.part.map(|part| part + 1);
        let object = part.map_or_else(|| self.object.clone(), |part| self.object.part(part));
        let next = self.spool.begin(object, self.content_type, &self.events)?;
        self.close()?;
        (self.recorded, self.part, self.length) = (next, part, 0);
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        synced(self.recorded.file().sync_all())?;
        self.recorded.complete()
    }
}
