//! Malformed and unexpected messages of clients in both protocols, and their outcomes.

use super::peer::Protocol;

/// The expected outcome of an input.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    /// The connection ends with an error. A detailed error contains this text.
    Fatal(&'static str),
    /// The message has no effect.
    Ignored,
    /// The connection stays open, and the client receives this error for its invocation `7`.
    Refused(&'static str),
}

use Outcome::{Fatal, Ignored, Refused};

/// JSON messages without their separator.
const JSON: &[(&[u8], Outcome)] = &[
    // Invalid JSON, values that are not objects, and truncated objects.
    (b"", Fatal("error reading JSON")),
    (b" ", Fatal("error reading JSON")),
    (b"nonsense", Fatal("error reading JSON")),
    (b"[]", Fatal("a hub message object")),
    (b"6", Fatal("a hub message object")),
    (b"\"type\"", Fatal("a hub message object")),
    (b"null", Fatal("a hub message object")),
    (br#"{"type":6"#, Fatal("error reading JSON: EOF")),
    (br#"{"type":1,"target":"m","arguments":["#, Fatal("error reading JSON: EOF")),
    (br#"{"type":1,"target":"m","arguments":[1,]}"#, Fatal("error reading JSON")),
    (br#"{"type":6,}"#, Fatal("error reading JSON")),
    (br#"{/**/"type":6}"#, Fatal("error reading JSON")),
    (b"\xEF\xBB\xBF{\"type\":6}", Fatal("error reading JSON")),
    (b"{\"type\":1,\"target\":\"\xFF\",\"arguments\":[]}", Fatal("error reading JSON")),
    (b"{\"type\":1,\"target\":\"m\",\"arguments\":[\"\xFF\"]}", Fatal("error reading JSON")),
    // Invalid types.
    (b"{}", Fatal("missing required property 'type'")),
    (br#"{"Type":6}"#, Fatal("missing required property 'type'")),
    (br#"{"type":"6"}"#, Fatal("error reading JSON: invalid type: string")),
    (br#"{"type":6.5}"#, Fatal("error reading JSON: invalid type: floating point")),
    (br#"{"type":null}"#, Fatal("error reading JSON: invalid type: null")),
    (br#"{"type":0}"#, Ignored),
    (br#"{"type":10,"target":7}"#, Fatal("error reading JSON: invalid type: integer")),
    (br#"{"type":10,"novelty":{"a":[1]}}"#, Ignored),
    (br#"{"type":-1}"#, Ignored),
    // Missing properties.
    (br#"{"type":1,"arguments":[]}"#, Fatal("missing required property 'target'")),
    (br#"{"type":1,"target":"m"}"#, Fatal("missing required property 'arguments'")),
    (br#"{"type":2,"item":1}"#, Fatal("missing required property 'invocationId'")),
    (br#"{"type":2,"invocationId":"7"}"#, Fatal("missing required property 'item'")),
    (br#"{"type":3,"result":1}"#, Fatal("missing required property 'invocationId'")),
    (
        br#"{"type":4,"target":"m","arguments":[]}"#,
        Fatal("missing required property 'invocationId'"),
    ),
    (
        br#"{"type":4,"invocationId":"7","arguments":[]}"#,
        Fatal("missing required property 'target'"),
    ),
    (
        br#"{"type":4,"invocationId":"7","target":"m"}"#,
        Fatal("missing required property 'arguments'"),
    ),
    (br#"{"type":5}"#, Fatal("missing required property 'invocationId'")),
    (br#"{"type":8}"#, Fatal("missing required property 'sequenceId'")),
    (br#"{"type":9}"#, Fatal("missing required property 'sequenceId'")),
    // Properties of the wrong type.
    (br#"{"type":1,"target":"m","arguments":{}}"#, Fatal("invalid property 'arguments'")),
    (br#"{"type":1,"target":"m","arguments":null}"#, Fatal("invalid property 'arguments'")),
    (br#"{"type":1,"target":7,"arguments":[]}"#, Fatal("invalid type: integer `7`")),
    (br#"{"type":1,"target":null,"arguments":[]}"#, Fatal("invalid type: null")),
    (
        br#"{"type":1,"invocationId":7,"target":"m","arguments":[]}"#,
        Fatal("invalid type: integer `7`"),
    ),
    (
        br#"{"type":1,"target":"m","arguments":[],"streamIds":["a",null]}"#,
        Fatal("invalid type: null"),
    ),
    (br#"{"type":1,"target":"m","arguments":[],"streamIds":"a"}"#, Fatal("invalid type: string")),
    (
        br#"{"type":1,"target":"m","arguments":[],"headers":{"a":1}}"#,
        Fatal("invalid type: integer `1`"),
    ),
    (br#"{"type":1,"target":"m","arguments":[],"headers":[]}"#, Fatal("invalid type: sequence")),
    (br#"{"type":3,"invocationId":"7","error":7}"#, Fatal("invalid type: integer `7`")),
    (
        br#"{"type":3,"invocationId":"7","error":"e","result":1}"#,
        Fatal("the 'error' and 'result' properties are mutually exclusive"),
    ),
    (br#"{"type":7,"error":7}"#, Fatal("invalid type: integer `7`")),
    (br#"{"type":7,"allowReconnect":"yes"}"#, Fatal("invalid type: string")),
    (br#"{"type":8,"sequenceId":"1"}"#, Fatal("invalid type: string")),
    (br#"{"type":8,"sequenceId":-1}"#, Fatal("invalid property 'sequenceId'")),
    (br#"{"type":9,"sequenceId":0}"#, Fatal("invalid property 'sequenceId'")),
    (br#"{"type":9,"sequenceId":-1}"#, Fatal("invalid property 'sequenceId'")),
    (br#"{"type":9,"sequenceId":-9223372036854775808}"#, Fatal("invalid property 'sequenceId'")),
    (br#"{"type":9,"sequenceId":1.5}"#, Fatal("invalid type: floating point")),
    // A second handshake.
    (br#"{"protocol":"json","version":1}"#, Fatal("missing required property 'type'")),
    // Well-formed messages without effect.
    (br#"{"type":2,"invocationId":"7","item":1}"#, Ignored),
    (br#"{"type":3,"invocationId":"7","result":1}"#, Ignored),
    (br#"{"type":3,"invocationId":"7","error":"e"}"#, Ignored),
    (br#"{"type":5,"invocationId":"7"}"#, Ignored),
    (br#"{"type":2,"invocationId":"","item":1}"#, Ignored),
    (br#"{"type":3,"invocationId":"","error":"e"}"#, Ignored),
    (br#"{"type":5,"invocationId":""}"#, Ignored),
    (br#"{"type":8,"sequenceId":1}"#, Ignored),
    (br#"{"type":9,"sequenceId":1}"#, Ignored),
    (br#"{"type":6} and more"#, Ignored),
    (
        br#"{"type":4,"invocationId":"7","target":"m","arguments":[]}"#,
        Refused("serverless mode has no streams"),
    ),
    (
        br#"{"type":1,"invocationId":"7","target":"..","arguments":[]}"#,
        Refused("must not be `.` or `..`"),
    ),
    (
        br#"{"type":1,"invocationId":"7","target":"m","arguments":[],"streamIds":["1"]}"#,
        Refused("serverless mode has no streams"),
    ),
    (
        br#"{"type":1,"invocationId":"7","target":" m","arguments":[]}"#,
        Refused("must not begin or end with white space"),
    ),
    (
        "{\"type\":1,\"invocationId\":\"7\",\"target\":\"m\u{a0}\",\"arguments\":[]}".as_bytes(),
        Refused("must not begin or end with white space"),
    ),
];

/// MessagePack messages without their length.
const MESSAGE_PACK: &[(&[u8], Outcome)] = &[
    // Values that are not arrays, truncated arrays, and invalid MessagePack.
    (b"", Fatal("error reading MessagePack")),
    (b"\xC0", Fatal("error reading MessagePack")),
    (b"\x80", Fatal("error reading MessagePack")),
    (b"\xC1", Fatal("error reading MessagePack")),
    (b"\x91", Fatal("error reading MessagePack")),
    (b"\x96\x01\x80\xC0\xA1m", Fatal("error reading MessagePack")),
    (b"\x96\x01\x80\xC0\xA9m\x90\x90", Fatal("error reading MessagePack")),
    (b"\x96\x01\x80\xC0\xA1m\xDD\xFF\xFF\xFF\xFF\x90", Fatal("error reading MessagePack")),
    (b"{\"type\":6}", Fatal("error reading MessagePack")),
    // Invalid types.
    (b"\x90", Fatal("missing required property 'type'")),
    (b"\x91\xA16", Fatal("error reading MessagePack")),
    (b"\x91\xC0", Fatal("error reading MessagePack")),
    (b"\x91\xCB\x40\x18\0\0\0\0\0\0", Fatal("error reading MessagePack")),
    (b"\x91\x00", Ignored),
    (b"\x92\x0A\x01", Ignored),
    (b"\x91\xFF", Ignored),
    // Missing properties.
    (b"\x91\x01", Fatal("missing required property 'headers'")),
    (b"\x94\x01\x80\xC0\xA1m", Fatal("missing required property 'arguments'")),
    (b"\x93\x02\x80\xA17", Fatal("missing required property 'item'")),
    (b"\x93\x03\x80\xA17", Fatal("missing required property 'resultKind'")),
    (b"\x94\x03\x80\xA17\x01", Fatal("missing required property 'error'")),
    (b"\x94\x03\x80\xA17\x03", Fatal("missing required property 'result'")),
    (b"\x92\x05\x80", Fatal("missing required property 'invocationId'")),
    (b"\x91\x08", Fatal("missing required property 'sequenceId'")),
    (b"\x91\x09", Fatal("missing required property 'sequenceId'")),
    // Properties of the wrong type.
    (b"\x96\x01\x90\xC0\xA1m\x90\x90", Fatal("error reading MessagePack")),
    (b"\x96\x01\x81\xA1a\x01\xC0\xA1m\x90\x90", Fatal("error reading MessagePack")),
    (b"\x96\x01\x81\xA1a\xA0\xC0\xA1m\x90\x90", Fatal("invalid property 'headers'")),
    (b"\x96\x01\x80\x07\xA1m\x90\x90", Fatal("error reading MessagePack")),
    (b"\x96\x01\x80\xC0\xA0\x90\x90", Fatal("invalid property 'target'")),
    (b"\x96\x01\x80\xC0\xC0\x90\x90", Fatal("error reading MessagePack")),
    (b"\x96\x01\x80\xC0\xA1\xFF\x90\x90", Fatal("error reading MessagePack")),
    (b"\x96\x01\x80\xC0\xA1m\x80\x90", Fatal("error reading MessagePack")),
    (b"\x96\x01\x80\xC0\xA1m\x90\x91\xC0", Fatal("error reading MessagePack")),
    (b"\x96\x01\x80\xC0\xA1m\x90\x91\xA0", Fatal("invalid property 'streamIds'")),
    (b"\x96\x04\x80\xC0\xA1m\x90\x90", Fatal("error reading MessagePack")),
    (b"\x96\x04\x80\xA0\xA1m\x90\x90", Fatal("invalid property 'invocationId'")),
    (b"\x94\x03\x80\xA17\x04", Fatal("invalid property 'resultKind'")),
    (b"\x94\x03\x80\xA17\x00", Fatal("invalid property 'resultKind'")),
    (b"\x95\x03\x80\xA17\x01\x07", Fatal("error reading MessagePack")),
    (b"\x93\x07\xC0\xA1y", Fatal("invalid property 'allowReconnect'")),
    (b"\x92\x07\x07", Fatal("error reading MessagePack")),
    (b"\x92\x08\xFF", Fatal("invalid property 'sequenceId'")),
    (b"\x92\x09\x00", Fatal("invalid property 'sequenceId'")),
    (b"\x92\x09\xFF", Fatal("invalid property 'sequenceId'")),
    (b"\x92\x09\xD3\x80\0\0\0\0\0\0\0", Fatal("invalid property 'sequenceId'")),
    (b"\x92\x09\xA11", Fatal("error reading MessagePack")),
    // Well-formed messages without effect.
    (b"\x94\x02\x80\xA17\x05", Ignored),
    (b"\x95\x03\x80\xA17\x03\xC3", Ignored),
    (b"\x95\x03\x80\xA17\x01\xA1e", Ignored),
    (b"\x94\x03\x80\xA17\x02", Ignored),
    (b"\x93\x05\x80\xA17", Ignored),
    // An empty id names no invocation of the service, in both protocols.
    (b"\x94\x02\x80\xA0\x05", Ignored),
    (b"\x94\x03\x80\xA0\x02", Ignored),
    (b"\x95\x03\x80\xA0\x01\xA1e", Ignored),
    (b"\x93\x05\x80\xA0", Ignored),
    (b"\x92\x08\x01", Ignored),
    (b"\x92\x09\x01", Ignored),
    (b"\x96\x04\x80\xA17\xA1m\x90\x90", Refused("serverless mode has no streams")),
    (b"\x96\x01\x80\xA17\xA2..\x90\x90", Refused("must not be `.` or `..`")),
    (b"\x96\x01\x80\xA17\xA1m\x90\x91\xA11", Refused("serverless mode has no streams")),
    (b"\x96\x01\x80\xA17\xA2m \x90\x90", Refused("must not begin or end with white space")),
];

/// The inputs as sent over the transport, with their outcomes.
pub(super) fn inputs(protocol: Protocol) -> Vec<(Vec<u8>, Outcome)> {
    let table = match protocol {
        Protocol::Json => JSON,
        Protocol::MessagePack => MESSAGE_PACK,
    };
    let mut inputs: Vec<_> =
        table.iter().map(|(input, outcome)| (protocol.framed(input), *outcome)).collect();
    let deep = 70;
    match protocol {
        Protocol::Json => {
            let nested = format!("{}{}", "[".repeat(deep), "]".repeat(deep));
            let message = format!("{{\"type\":1,\"target\":\"m\",\"arguments\":{nested}}}");
            inputs.push((protocol.framed(message.as_bytes()), Fatal("deeper than 64 levels")));
        }
        Protocol::MessagePack => {
            let mut message = b"\x96\x01\x80\xC0\xA1m".to_vec();
            message.extend(std::iter::repeat_n(0x91, deep));
            message.extend(b"\xC0\x90");
            inputs.push((protocol.framed(&message), Fatal("deeper than 64 levels")));
            for length in [&b"\xFF\xFF\xFF\xFF\x08"[..], b"\x80\x80\x80\x80\x80\x00"] {
                let malformed = Fatal("the length of the message is malformed");
                inputs.push((length.to_vec(), malformed));
            }
        }
    }
    inputs
}
