//! The recorder of the inspector: what happened between clients, service and app, in a bounded ring.
//!
//! While the inspector is off, there is no recorder, and the code that would record checks one `Option`. While it is
//! on, an event stores references and at most one copy of its bytes; events become JSON only when they are read.

mod activity;
mod body;
mod event;
mod hidden;
mod inspection;
mod peer;
mod read;
mod recorder;
mod render;
mod ring;
mod settings;
mod time;

#[cfg(test)]
mod tests;

pub use self::settings::Inspector;
pub(crate) use self::{
    body::Body,
    event::{
        Address, ClientResult, Conversation, Finished, GroupChange, Matter, Opened, Origin,
        Returned, Sent, Subject, Trouble, Via,
    },
    inspection::Inspection,
    peer::Peer,
    read::{Batch, Excess, Filter, Reader},
    recorder::{Recorder, RunningCall},
    time::{now, rfc3339},
};
