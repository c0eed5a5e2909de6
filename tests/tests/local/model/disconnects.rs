//! Operations in which clients leave, lose their transports and resume.

use bytes::Bytes;
use hub_core::protocol::Message;

use super::{
    client_model::{PIPE, Stage},
    driver::{Driver, Failure},
    operations::{Leaving, Method, Transport},
    readers::Reading,
    reference::{LOST, close},
};
use crate::support::settle;

impl Driver {
    pub(super) async fn leave(&mut self, slot: usize, how: Leaving) -> Result<(), Failure> {
        let Some(it) = self.slots[slot] else { return Ok(()) };
        let model = &mut self.reference.models[it];
        if model.stage == Stage::Closed || model.suspended || model.deaf {
            return Ok(());
        }
        let is_live = model.is_live();
        match (how, model.transport) {
            (Leaving::Message, _) if is_live => {
                let message = Message::Close { error: None, allow_reconnect: false };
                self.clients[it].send(&message).await;
                self.reference.end(it, Some(close(None, false)), None);
            }
            (Leaving::Message, _) => {}
            (Leaving::Transport, Transport::WebSockets | Transport::Polling) => {
                let closed = self.clients[it].close_transport().await;
                self.answered("leave", u16::from(closed), 1)?;
                // A poll that waits gets a close message.
                let waits = is_live && self.reference.models[it].reads;
                let polls = self.reference.models[it].transport == Transport::Polling;
                let last_line = (waits && polls).then(|| close(None, true));
                self.reference.end(it, last_line, None);
            }
            (Leaving::Transport | Leaving::Abrupt, Transport::Events) => {
                model.deaf = true;
                self.clients[it].hang_up();
                self.reference.end(it, None, None);
            }
            (Leaving::Abrupt, Transport::WebSockets) if is_live && model.resumes => {
                self.clients[it].hang_up();
                self.reference.breaks(it);
            }
            (Leaving::Abrupt, Transport::Polling) if is_live => {
                model.deaf = true;
                let polls = model.reads;
                self.clients[it].hang_up();
                if polls {
                    self.reference.pauses(it);
                }
            }
            (Leaving::Abrupt, Transport::WebSockets | Transport::Polling) => {
                model.deaf = true;
                self.clients[it].hang_up();
                self.reference.end(it, None, Some(LOST));
            }
        }
        Ok(())
    }

    pub(super) async fn cut(
        &mut self,
        slot: usize,
        sends: usize,
        heard: usize,
        methods: &[Method],
        said: usize,
    ) -> Result<(), Failure> {
        let is_cut = |it: &usize| {
            let model = &self.reference.models[*it];
            model.reads && model.transport != Transport::Polling
        };
        let Some(it) = self.speaker(slot).filter(is_cut) else { return Ok(()) };
        self.clients[it].reads(Reading::Bytes(0));
        self.reference.pauses(it);
        for _ in 0..sends {
            self.send_to(it, 0).await?;
        }
        let calls: Vec<_> = methods.iter().map(|method| self.call(*method, true)).collect();
        let frames = self.frames(it, &calls);
        let bytes = frames.concat();
        let transport = self.reference.models[it].transport;
        // The service receives a post completely or not at all.
        let end =
            if transport == Transport::Events { bytes.len() } else { bytes.len() * said / 100 };
        let ends = frames.iter().scan(0, |at, frame: &Bytes| {
            *at += frame.len();
            Some(*at)
        });
        let arrived = ends.take_while(|at| *at <= end).count();
        self.clients[it].write(&bytes[..end]).await;
        settle().await;
        self.reference.calls(it, &calls[..arrived]);
        self.reference.models[it].kept = calls[arrived..].to_vec();
        self.clients[it].reads(Reading::Bytes(heard * 3));
        settle().await;
        self.clients[it].hang_up();
        let model = &mut self.reference.models[it];
        if model.resumes {
            model.reads = true;
            self.reference.breaks(it);
        } else {
            model.deaf = true;
            let error = (transport == Transport::WebSockets).then_some(LOST);
            self.reference.end(it, None, error);
        }
        Ok(())
    }

    pub(super) async fn resume(&mut self, slot: usize) -> Result<(), Failure> {
        let Some(it) = self.slots[slot] else { return Ok(()) };
        let model = &self.reference.models[it];
        // The service keeps a connection until its socket is closed.
        let is_known = model.is_live() && !model.deaf;
        let is_gone = model.stage == Stage::Closed && model.suspended;
        if !model.resumes || !(is_known || is_gone) {
            return Ok(());
        }
        let status = self.clients[it].resume(PIPE).await.err().unwrap_or(101);
        self.answered("resume", status, if is_gone { 404 } else { 101 })?;
        if is_known {
            self.reference.resumes(it);
        }
        Ok(())
    }
}
