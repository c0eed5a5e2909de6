//! The frames of one write.

use std::collections::VecDeque;

use super::{
    frame::Frame,
    segment::{Run, RunKey},
};

/// Frames in write order: frames for this client only, and runs of broadcast messages.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    items: VecDeque<Item>,
    frames: usize,
    bytes: usize,
}

#[derive(Debug)]
enum Item {
    One(Frame),
    Run(Run),
}

impl Batch {
    pub(crate) fn push(&mut self, frame: Frame) {
        self.frames += 1;
        self.bytes += frame.bytes().len();
        self.add(Item::One(frame));
    }

    pub(crate) fn push_run(&mut self, run: Run) {
        self.frames += run.messages();
        self.bytes += run.bytes();
        self.add(Item::Run(run));
    }

    fn add(&mut self, item: Item) {
        // The batch of an idle client keeps room for one item, its last ping, and not for four.
        if self.items.capacity() == 0 {
            self.items.reserve_exact(1);
        }
        self.items.push_back(item);
    }

    /// The number of frames.
    pub(crate) fn len(&self) -> usize {
        self.frames
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames == 0
    }

    /// The bytes of all frames.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Frame> {
        self.items.iter().flat_map(|item| {
            let (one, run) = match item {
                Item::One(frame) => (Some(frame), None),
                Item::Run(run) => (None, Some(run)),
            };
            one.into_iter().chain(run.into_iter().flat_map(Run::iter))
        })
    }

    /// Keys that identify the content, one per item. `None` for a frame that other clients do not share.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Option<RunKey>> {
        self.items.iter().map(|item| match item {
            Item::One(_) => None,
            Item::Run(run) => Some(run.key()),
        })
    }

    /// The bytes of the first frame.
    pub(crate) fn first_length(&self) -> Option<usize> {
        self.iter().next().map(|frame| frame.bytes().len())
    }

    pub(crate) fn pop_front(&mut self) -> Option<Frame> {
        let frame = loop {
            match self.items.front_mut()? {
                Item::One(_) => match self.items.pop_front()? {
                    Item::One(frame) => break frame,
                    Item::Run(_) => {}
                },
                Item::Run(run) => match run.pop_front() {
                    Some(frame) => break frame,
                    None => drop(self.items.pop_front()),
                },
            }
        };
        self.frames -= 1;
        self.bytes -= frame.bytes().len();
        Some(frame)
    }

    /// Takes all frames.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Frame> {
        std::iter::from_fn(|| self.pop_front())
    }

    pub(crate) fn clear(&mut self) {
        self.items.clear();
        (self.frames, self.bytes) = (0, 0);
    }
}

impl FromIterator<Frame> for Batch {
    fn from_iter<I: IntoIterator<Item = Frame>>(frames: I) -> Self {
        let mut batch = Self::default();
        frames.into_iter().for_each(|frame| batch.push(frame));
        batch
    }
}
