//! What the association says: channels that open and close, messages, acknowledgements.

use super::*;

impl DataTransport {
    /// Does what the association's events ask for, until there are none.
    pub(super) fn drain(&mut self, now: Instant) {
        while let Some(event) = self.next_event() {
            match event {
                Event::Connected => {
                    self.up = true;
                    self.events.push_back(DataEvent::Up);
                }
                Event::HandshakeFailed { reason } => {
                    tracing::warn!(%reason, "no SCTP association");
                    self.end();
                }
                Event::AssociationLost { id, .. } => self.lost(id),
                Event::Stream(StreamEvent::Readable { id }) => self.read(now, id),
                _ => {}
            }
        }
        if self.up && !self.wanted.is_empty() {
            self.open_wanted(now);
        }
        self.gather(now);
        let lost = self
            .association
            .as_ref()
            .is_some_and(|(_, association)| association.is_closed() || association.is_drained());
        if lost && self.up {
            self.end();
        }
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        let (handle, association) = self.association.as_mut()?;
        while association.accept_stream().is_some() {}
        while let Some(event) = association.poll_endpoint_event() {
            self.endpoint.handle_event(*handle, event);
        }
        association.poll()
    }

    /// A stream was reset, by either side.
    pub(super) fn lost(&mut self, id: u16) {
        if self.channels.0.remove(&id).is_some() {
            self.closed += 1;
            self.events.push_back(DataEvent::Closed(id));
        }
    }

    pub(super) fn read(&mut self, now: Instant, id: u16) {
        while let Some((_, association)) = &mut self.association
            && let Ok(mut stream) = association.stream(id)
            && let Ok(Some(chunks)) = stream.read_sctp()
        {
            let limit = MAX_MESSAGE_SIZE as usize;
            match chunks.to_payload(limit) {
                Ok(data) => self.message(now, id, chunks.ppi, data.freeze()),
                Err(error) => {
                    // More than we said that we take.
                    tracing::debug!(id, %error, "a message is too large");
                    return self.refuse(now, id);
                }
            }
        }
    }

    pub(super) fn refuse(&mut self, now: Instant, id: u16) {
        if self.close(now, id).is_err() {
            self.reset(now, id);
        }
    }

    fn message(&mut self, now: Instant, id: u16, ppid: Ppid, data: Bytes) {
        if ppid == Ppid::Dcep {
            return match Dcep::parse(&data) {
                Some(Dcep::Open(options)) => self.opened_by_peer(now, id, options),
                Some(Dcep::Ack) => self.acknowledged(id),
                None => tracing::debug!(id, "an unknown message about a data channel"),
            };
        }
        let (text, data) = match ppid {
            Ppid::String => (true, data),
            Ppid::Binary => (false, data),
            Ppid::StringEmpty => (true, Bytes::new()),
            Ppid::BinaryEmpty => (false, Bytes::new()),
            _ => return,
        };
        let Some(channel) = self.channels.0.get_mut(&id) else {
            return;
        };
        channel.received.add(data.len());
        let name = channel.name;
        self.events
            .push_back(DataEvent::Message { name, text, data });
    }

    fn opened_by_peer(&mut self, now: Instant, id: u16, options: ChannelOptions) {
        let Some((_, association)) = &mut self.association else {
            return;
        };
        let ours = id.is_multiple_of(2) == (self.role == DtlsRole::Client);
        if ours || self.channels.0.contains_key(&id) || !self.channels.has_room() {
            tracing::debug!(
                id,
                "the peer opens a channel on a stream that is not its own"
            );
            return self.refuse(now, id);
        }
        set_reliability(association, id, &options);
        let acknowledged = write(
            association,
            now,
            id,
            Ppid::Dcep,
            Dcep::Ack.to_bytes().into(),
        );
        if acknowledged.is_ok() {
            self.add(id, options, ChannelState::Open);
            self.opened += 1;
            self.events.push_back(DataEvent::Opened(id));
        }
    }

    pub(super) fn acknowledged(&mut self, id: u16) {
        if let Some(channel) = self.channels.0.get_mut(&id)
            && channel.state == ChannelState::Connecting
        {
            channel.state = ChannelState::Open;
            self.opened += 1;
            self.events.push_back(DataEvent::Opened(id));
        }
    }

    /// Collects what the association sends now.
    pub(super) fn gather(&mut self, now: Instant) {
        let Some((_, association)) = &mut self.association else {
            return;
        };
        while let Some(transmit) = association.poll_transmit(now) {
            let Payload::RawEncode(packets) = transmit.message else {
                continue;
            };
            for packet in packets {
                self.acknowledged.sent(&packet);
                self.packets.push_back(match self.ports {
                    USUAL_PORTS => packet,
                    ports => with_ports(&packet, ports),
                });
            }
        }
    }
}
