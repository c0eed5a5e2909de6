//! How clients of the driver leave, lose their streams and come back.

use bytes::Bytes;
use hub_core::protocol::Message;

use super::{
    driver::{Driver, Failure},
    operations::{Leaving, Method, Way},
    peer::{PIPE, Stage},
    readers::Reading,
    reference::{LOST, close},
};
use crate::support::settle;

impl Driver {
    pub(super) async fn leave(&mut self, slot: usize, how: Leaving) -> Result<(), Failure> {
        let Some(it) = self.slots[slot] else { return Ok(()) };
        let peer = &mut self.reference.peers[it];
        if peer.stage == Stage::Over || peer.suspended || peer.deaf {
            return Ok(());
        }
        let is_live = peer.is_live();
        match (how, peer.way) {
            (Leaving::Message, _) if is_live => {
                let message = Message::Close { error: None, allow_reconnect: false };
                self.clients[it].say(&message).await;
                self.reference.end(it, Some(close(None, false)), None);
            }
            (Leaving::Message, _) => {}
            (Leaving::Transport, Way::WebSockets | Way::Polling) => {
                let closed = self.clients[it].close_transport().await;
                self.answered("leave", u16::from(closed), 1)?;
                self.reference.end(it, None, None);
            }
            (Leaving::Transport | Leaving::Abrupt, Way::Events) => {
                peer.deaf = true;
                self.clients[it].hang_up();
                self.reference.end(it, None, None);
            }
            (Leaving::Abrupt, Way::WebSockets) if is_live && peer.resumes => {
                self.clients[it].hang_up();
                self.reference.breaks(it);
            }
            (Leaving::Abrupt, Way::Polling) if is_live => {
                peer.deaf = true;
                let polls = peer.reads;
                self.clients[it].hang_up();
                if polls {
                    self.reference.pauses(it);
                }
            }
            (Leaving::Abrupt, Way::WebSockets | Way::Polling) => {
                peer.deaf = true;
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
            let peer = &self.reference.peers[*it];
            peer.reads && peer.way != Way::Polling
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
        let way = self.reference.peers[it].way;
        // A post is taken whole or not at all.
        let end = if way == Way::Events { bytes.len() } else { bytes.len() * said / 100 };
        let ends = frames.iter().scan(0, |at, frame: &Bytes| {
            *at += frame.len();
            Some(*at)
        });
        let arrived = ends.take_while(|at| *at <= end).count();
        self.clients[it].write(&bytes[..end]).await;
        settle().await;
        self.reference.calls(it, &calls[..arrived]);
        self.reference.peers[it].kept = calls[arrived..].to_vec();
        self.clients[it].reads(Reading::Bytes(heard * 3));
        settle().await;
        self.clients[it].hang_up();
        let peer = &mut self.reference.peers[it];
        if peer.resumes {
            peer.reads = true;
            self.reference.breaks(it);
        } else {
            peer.deaf = true;
            let error = (way == Way::WebSockets).then_some(LOST);
            self.reference.end(it, None, error);
        }
        Ok(())
    }

    pub(super) async fn resume(&mut self, slot: usize) -> Result<(), Failure> {
        let Some(it) = self.slots[slot] else { return Ok(()) };
        let peer = &self.reference.peers[it];
        // One that ended with its socket open may be known until that is closed.
        let is_known = peer.is_live() && !peer.deaf;
        let is_gone = peer.stage == Stage::Over && peer.suspended;
        if !peer.resumes || !(is_known || is_gone) {
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
