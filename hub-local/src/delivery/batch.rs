//! What a writer takes at a time.

use std::collections::VecDeque;

use super::{
    frame::Frame,
    segment::{Run, RunKey},
};

/// Frames in the order in which they leave: a client's own, and runs of what everyone is sent.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pieces: VecDeque<Piece>,
    frames: usize,
    bytes: usize,
}

#[derive(Debug)]
enum Piece {
    One(Frame),
    Run(Run),
}

impl Batch {
    pub(crate) fn push(&mut self, frame: Frame) {
        self.frames += 1;
        self.bytes += frame.bytes().len();
        self.pieces.push_back(Piece::One(frame));
    }

    pub(crate) fn push_run(&mut self, run: Run) {
        self.frames += run.messages();
        self.bytes += run.bytes();
        self.pieces.push_back(Piece::Run(run));
    }

    /// How many frames there are.
    pub(crate) fn len(&self) -> usize {
        self.frames
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames == 0
    }

    /// What all frames have together.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Frame> {
        self.pieces.iter().flat_map(|piece| {
            let (one, run) = match piece {
                Piece::One(frame) => (Some(frame), None),
                Piece::Run(run) => (None, Some(run)),
            };
            one.into_iter().chain(run.into_iter().flat_map(Run::iter))
        })
    }

    /// What tells the batch from others, if all of it is shared with other clients.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Option<RunKey>> {
        self.pieces.iter().map(|piece| match piece {
            Piece::One(_) => None,
            Piece::Run(run) => Some(run.key()),
        })
    }

    /// The bytes of the first frame.
    pub(crate) fn first_length(&self) -> Option<usize> {
        self.iter().next().map(|frame| frame.bytes().len())
    }

    pub(crate) fn pop_front(&mut self) -> Option<Frame> {
        let frame = loop {
            match self.pieces.front_mut()? {
                Piece::One(_) => match self.pieces.pop_front()? {
                    Piece::One(frame) => break frame,
                    Piece::Run(_) => {}
                },
                Piece::Run(run) => match run.pop_front() {
                    Some(frame) => break frame,
                    None => drop(self.pieces.pop_front()),
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
        self.pieces.clear();
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
