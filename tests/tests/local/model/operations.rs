//! The operations on a service, chosen at random.
//!
//! Operations name clients by slot, and users and groups by number. An operation applies to the current
//! client of the slot, and does nothing if that client does not fit. Therefore any operation can be removed
//! from a list.

use super::random::Random;

pub(super) const SLOTS: usize = 8;
pub(super) const HUBS: usize = 2;
const USERS: usize = 3;
const GROUPS: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    WebSockets,
    Events,
    Polling,
}

/// The lifetime of a client's token and connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenLifetime {
    Lasting,
    /// The token has expired before the connection is opened.
    Expired,
    /// The token makes the service close the connection after this many seconds.
    ClosesAfter(u64),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectOptions {
    pub(super) hub: usize,
    pub(super) user: Option<usize>,
    pub(super) transport: Transport,
    /// Whether the client uses the MessagePack protocol.
    pub(super) messagepack: bool,
    pub(super) resumes: bool,
    pub(super) token_lifetime: TokenLifetime,
    /// The time between negotiate and the request that opens the connection.
    pub(super) delay_seconds: u64,
    /// Whether the client sends its handshake immediately.
    pub(super) sends_handshake: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// The client sends a close message of the hub protocol.
    Message,
    /// The client closes the transport with a closing handshake.
    Transport,
    /// The client drops the transport without a closing handshake.
    Abrupt,
}

/// The reaction of the app to a call of this method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Result,
    Nothing,
    Empty,
    Fails,
    Unreachable,
    Slow,
    /// The app sends the caller a message before it responds.
    Tells,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    Everyone,
    Group(usize),
    User(usize),
    Slot(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    Preview2020,
    V2022,
    V2024,
}

#[derive(Clone, Debug)]
pub(super) struct Sending {
    pub(super) hub: usize,
    pub(super) to: To,
    pub(super) excluded: Vec<usize>,
    pub(super) version: Version,
    /// The number of padding characters in the message.
    pub(super) padding: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Membership {
    Add { slot: usize, group: usize },
    Remove { slot: usize, group: usize },
    RemoveFromAll { slot: usize },
    AddUser { user: usize, group: usize, ttl: Option<u64> },
    RemoveUser { user: usize, group: usize },
    RemoveUserFromAll { user: usize },
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Question {
    Exists(To),
    IsUserInGroup { user: usize, group: usize },
    List { group: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Result,
    Void,
    Error,
}

#[derive(Clone, Debug)]
pub(super) enum Operation {
    Connect(usize, ConnectOptions),
    Greet(usize),
    /// Another user requests this connection.
    Intrude(usize),
    Leave(usize, Leaving),
    /// The stream breaks while messages are in flight. The percentages are the shares of the bytes that
    /// arrive in each direction.
    Cut {
        slot: usize,
        sends: usize,
        heard: usize,
        calls: Vec<Method>,
        said: usize,
    },
    Resume(usize),
    /// The client stops reading.
    Pause(usize),
    Read(usize),
    /// Calls in one write, or in two writes that are split after this share of the bytes.
    Call {
        slot: usize,
        calls: Vec<(Method, bool)>,
        part: usize,
    },
    Ping(usize),
    Acknowledge(usize),
    Ask(usize),
    Answer(usize, Reply),
    /// Concurrent messages.
    Send(Vec<Sending>),
    /// Many big messages to a client that may not read.
    Flood {
        slot: usize,
        messages: usize,
        padding: usize,
    },
    Close {
        hub: usize,
        to: To,
        excluded: Vec<usize>,
        version: Version,
        reason: Option<usize>,
    },
    Change {
        hub: usize,
        change: Membership,
        version: Version,
    },
    Look {
        hub: usize,
        question: Question,
        version: Version,
    },
    /// A REST call with an expired token.
    Stale(usize),
    /// A wait of this many milliseconds.
    Wait(u64),
}

pub(super) fn choose(random: &mut Random, count: usize) -> Vec<Operation> {
    let mut operations = Vec::with_capacity(count);
    while operations.len() < count {
        operations.push(operation(random));
    }
    operations
}

fn operation(random: &mut Random) -> Operation {
    let slot = random.below(SLOTS);
    match random.below(100) {
        0..18 => Operation::Connect(slot, connect_options(random)),
        18..20 => Operation::Greet(slot),
        20..21 => Operation::Intrude(slot),
        21..24 => Operation::Leave(slot, leaving(random)),
        24..27 => Operation::Cut {
            slot,
            sends: random.below(4),
            heard: random.below(101),
            calls: random.some(3, method),
            said: random.below(101),
        },
        27..31 => Operation::Resume(slot),
        31..35 => Operation::Pause(slot),
        35..37 => Operation::Read(slot),
        37..46 => Operation::Call {
            slot,
            calls: random.some(3, |random| (method(random), random.percent(75))),
            part: random.below(101),
        },
        46..48 => Operation::Ping(slot),
        48..50 => Operation::Acknowledge(slot),
        50..54 => Operation::Ask(slot),
        54..58 => {
            Operation::Answer(slot, random.one_of(&[Reply::Result, Reply::Void, Reply::Error]))
        }
        58..69 => Operation::Send(vec![sending(random)]),
        69..72 => Operation::Send(random.some(4, sending)),
        72..75 => {
            let padding = random.one_of(&[100, 1000, 2000]);
            Operation::Flood { slot, messages: 5 + random.below(40), padding }
        }
        75..77 => close(random),
        77..87 => {
            let (hub, version) = (random.below(HUBS), version(random));
            Operation::Change { hub, change: membership(random), version }
        }
        87..93 => {
            let (hub, version) = (random.below(HUBS), version(random));
            Operation::Look { hub, question: question(random), version }
        }
        93 => Operation::Stale(random.below(HUBS)),
        _ => Operation::Wait(wait(random)),
    }
}

fn connect_options(random: &mut Random) -> ConnectOptions {
    let transport = random.one_of(&[
        Transport::WebSockets,
        Transport::WebSockets,
        Transport::Events,
        Transport::Polling,
    ]);
    ConnectOptions {
        hub: random.below(HUBS),
        user: random.percent(80).then(|| random.below(USERS)),
        transport,
        messagepack: random.percent(if transport == Transport::Events { 5 } else { 40 }),
        resumes: transport == Transport::WebSockets && random.percent(60),
        token_lifetime: match random.below(20) {
            0 => TokenLifetime::Expired,
            1..3 => TokenLifetime::ClosesAfter(random.below(120) as u64),
            _ => TokenLifetime::Lasting,
        },
        delay_seconds: if random.percent(90) { 0 } else { random.one_of(&[3, 14, 16, 40]) },
        sends_handshake: random.percent(95),
    }
}

fn leaving(random: &mut Random) -> Leaving {
    random.one_of(&[Leaving::Message, Leaving::Transport, Leaving::Abrupt])
}

fn method(random: &mut Random) -> Method {
    random.one_of(&[
        Method::Result,
        Method::Result,
        Method::Nothing,
        Method::Empty,
        Method::Fails,
        Method::Unreachable,
        Method::Slow,
        Method::Tells,
    ])
}

fn version(random: &mut Random) -> Version {
    random.one_of(&[Version::V1, Version::Preview2020, Version::V2022, Version::V2024])
}

fn to(random: &mut Random) -> To {
    match random.below(10) {
        0..3 => To::Everyone,
        3..7 => To::Group(random.below(GROUPS)),
        7..9 => To::User(random.below(USERS)),
        _ => To::Slot(random.below(SLOTS)),
    }
}

fn sending(random: &mut Random) -> Sending {
    let excluded = if random.percent(60) { 0 } else { 3 };
    Sending {
        hub: random.below(HUBS),
        to: to(random),
        excluded: random.some(excluded, |random| random.below(SLOTS)),
        version: version(random),
        padding: random.one_of(&[0, 0, 10, 300]),
    }
}

fn close(random: &mut Random) -> Operation {
    // A close rarely addresses everyone, because few connections would be left for later operations.
    let slot = To::Slot(random.below(SLOTS));
    let to = if random.percent(60) { slot } else { to(random) };
    Operation::Close {
        hub: random.below(HUBS),
        to,
        excluded: random.some(3, |random| random.below(SLOTS)),
        version: version(random),
        reason: random.percent(50).then(|| random.below(3)),
    }
}

fn membership(random: &mut Random) -> Membership {
    let (slot, user, group) = (random.below(SLOTS), random.below(USERS), random.below(GROUPS));
    match random.below(12) {
        0..5 => Membership::Add { slot, group },
        5..6 => Membership::Remove { slot, group },
        6..7 => Membership::RemoveFromAll { slot },
        7..10 => {
            let ttl = random.one_of(&[None, Some(0), Some(5), Some(5), Some(20)]);
            Membership::AddUser { user, group, ttl }
        }
        10 => Membership::RemoveUser { user, group },
        _ => Membership::RemoveUserFromAll { user },
    }
}

fn question(random: &mut Random) -> Question {
    let (user, group) = (random.below(USERS), random.below(GROUPS));
    match random.below(8) {
        0..4 => Question::Exists(to(random)),
        4..6 => Question::IsUserInGroup { user, group },
        _ => Question::List { group },
    }
}

fn wait(random: &mut Random) -> u64 {
    1000 * random.one_of(&[1, 1, 2, 2, 3, 6, 11, 16, 31, 100, 300])
}
