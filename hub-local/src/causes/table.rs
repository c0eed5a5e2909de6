//! The table.

use hub_net::{idle_sockets::TOO_MANY_IDLE, listen::ACCEPT_FAILED};

macro_rules! causes {
    ($($group:literal { $($(#[$attribute:meta])* $cause:ident, $id:literal: $text:expr => $check:expr;)* })*) => {
        /// The cause of a failure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Cause {
            $($($(#[$attribute])* $cause,)*)*
        }

        impl Cause {
            /// All causes in their groups, in the order of the page.
            #[cfg(test)]
            pub(crate) const GROUPS: &[(&str, &[Self])] = &[$(($group, &[$(Self::$cause),*])),*];

            /// The name in events and recordings, which never changes.
            pub(crate) const fn id(self) -> &'static str {
                match self {
                    $($(Self::$cause => $id,)*)*
                }
            }

            /// The text of the log, without the values of one failure.
            pub(crate) const fn text(self) -> &'static str {
                match self {
                    $($(Self::$cause => $text,)*)*
                }
            }

            /// What to check: the end of a sentence that begins with "Check".
            pub(crate) const fn check(self) -> &'static str {
                match self {
                    $($(Self::$cause => $check,)*)*
                }
            }
        }
    };
}

causes! {
    "Calls of the app without a response" {
        NoTemplate, "no_template": "no upstream template matches this event"
            => "the patterns of the templates; categories and events are case-sensitive. An `invoke` gets an error";
        NoUpstream, "no_upstream": "no upstream is configured for this event"
            => "that `--upstream` is set, or a `settings.json` exists in the working directory of the command";
        ConnectionRefused, "connection_refused": "the upstream cannot be reached: connection refused"
            => "that the app runs, and listens on the port of the URL. In a container, `localhost` is the container itself: use `host.docker.internal` or the name of the app's service";
        ConnectTimedOut, "connect_timed_out": "the upstream cannot be reached: no connection in time"
            => "the host and port of the URL, and firewalls";
        Unreachable, "unreachable": "the upstream cannot be reached"
            => "that the app runs, and that host, port and scheme of the URL are right";
        RefusedAddress, "refused_address": "link-local and metadata addresses are refused"
            => "the host of the URL, and the addresses that it resolves to";
        RefusedName, "refused_name": "the name of the hub or of the event cannot be part of a URL"
            => "the method name that the client called";
        TimedOut, "timed_out": "the upstream did not respond in time"
            => "whether something blocks the app: a breakpoint, a lock, a call to itself. `--upstream-time` sets the timeout";
        NoResponse, "no_response": "the server closed the connection; nothing was answered"
            => "the log of the app for a crash, and the timeouts of proxies in front of it";
        KeptConnection, "kept_connection": "the server closed a kept connection; nothing was answered"
            => "the app's keep-alive timeout (the service keeps idle connections for 1.5 s) and its log for a crash. The call may have run, so it is not repeated";
        CutResponse, "cut_response": "the response of the upstream cannot be read"
            => "the log of the app for a crash, and the timeouts of proxies in front of it: the connection was closed before the end of the response";
        NotHttp, "not_http": "the response is not HTTP/1.1"
            => "host, port and scheme of the URL: what responds there does not speak HTTP/1.1";
        LongHead, "long_head": "the response has more than 100 header lines, or its head more than 131072 bytes"
            => "the headers that the app, or a proxy in front of it, adds to the response";
        InvalidResponse, "invalid_response": "the status, the length or a chunk of the response is not valid"
            => "the server of the app, and proxies in front of it: the response is not valid HTTP/1.1";
        LargeResponse, "large_response": "the response of the upstream is too large"
            => "the size of the result: results over 16 MiB must be sent as messages";
    }

    "Calls of the app with a response that is no success" {
        Redirect, "redirect": "status 3xx"
            => "the URL: redirects are not followed. Configure the final URL (`https`, trailing slash)";
        Unauthorized, "unauthorized": "status 401"
            => "that the app's connection string has the key of this service, and that the URL has the `?code=` of a Functions app. If the app checks the signature itself: its hex is upper case, so compare the bytes";
        Forbidden, "forbidden": "status 403"
            => "the logs of the app and of proxies: a filter, the `connected` handler, or a proxy refused the client";
        NotFound, "not_found": "status 404"
            => "the path of the URL, and that the app has this hub and event. Functions match names case-insensitively, other apps may not";
        MethodNotAllowed, "method_not_allowed": "status 405"
            => "that the path of the URL accepts `POST`";
        SlowApp, "slow_app": "status 408 or 504"
            => "why the app or a proxy in front of it is slow";
        LargeBody, "large_body": "status 413"
            => "the body limits of the app and of proxies in front of it";
        ContentType, "content_type": "status 415, or status 400 to a call with the content type `application/x-msgpack`"
            => "that the app accepts `application/x-msgpack` from MessagePack clients, and `application/json` for everything else";
        Throttled, "throttled": "status 429"
            => "the rate limit of the app: the client calls too often";
        BadRequest, "bad_request": "another status 4xx"
            => "the response: the app refused the request";
        NotAvailable, "not_available": "status 502 or 503"
            => "that the app runs behind its proxy, and is not stopping or overloaded";
        AppFailed, "app_failed": "another status 5xx"
            => "the log of the app: the app failed";
        OtherStatus, "other_status": "another status"
            => "the response: an `invoke` requires status 200 or 204";
        NoCompletion, "no_completion": "the response of the app is no completion of the call"
            => "`problem` and `send` of the line. An `invoke` needs status 200 with `{\"type\":3,\"invocationId\":\"<that of the request>\",\"result\":…}` and the byte 0x1E (MessagePack: the length and `[3, {}, id, 3, …]`), or status 204. The client gets `Invocation failed, response is no completion.`";
        EmptyError, "empty_error": "the app completed a call with an empty error, which clients read as success: the client gets a fixed text instead"
            => "that the method gives each error a text";
    }

    "What clients send" {
        EmptyId, "empty_id": "the client completes an invocation without an id; such completions are ignored"
            => "the client: a completion needs the id of the invocation that it answers";
        ReusedId, "reused_id": "the client uses an invocation id again: each call runs, but their completions look the same"
            => "the client: each invocation needs an id of its own";
        Streams, "streams": "a call with a stream was dropped, and its client expects no response: serverless mode has no streams"
            => "the client: serverless mode needs an ordinary method, which sends messages to the caller";
        LargeMessage, "large_message": "closed: a message of the client is too large"
            => "the size of the arguments; `--max-message` sets the limit";
        SlowClient, "slow_client": "closed: slow client, its outbox was full"
            => "the network and the code of the client: it does not read its messages as fast as the app sends them";
        DroppedCalls, "dropped_calls": "dropped calls of a client that has disconnected: the memory for such calls is used up"
            => "whether the app responds";
        MissedGroups, "missed_groups": "a connection receives no messages of some groups of its user: the service can store no more group memberships"
            => "`--memberships`, and that the app removes memberships that are no longer used";
        SilentClient, "silent_client": "the client sent nothing in its time (`--client-timeout`)"
            => "the network of the client, and whether something blocks it: a breakpoint, a page in the background";
        LostTransport, "lost_transport": "the client's transport was lost without a close handshake"
            => "the network of the client, and the timeouts of proxies in front of the service";
        Malformed, "malformed": "the client sent data that is no hub message of its protocol"
            => "the client library, and proxies that change messages";
        WaitingCalls, "waiting_calls": "closed: too many messages wait for their upstream calls"
            => "whether the app responds, and how often the client calls";
        Handshake, "handshake": "the handshake of a client was refused"
            => "protocol and version of the client library, and that it sends the handshake within `--handshake`";
    }

    "Refused clients and callers" {
        NoToken, "no_token": "the request has no access token"
            => "that the client uses the URL and the access token of the app's negotiate response";
        LongToken, "long_token": "the access token is too long"
            => "the claims of the token: the cloud service accepts 4,096 characters";
        InvalidToken, "invalid_token": "the token is not valid"
            => "how the token is made: a JSON web token with HS256, and with `exp` as a number of seconds since 1970";
        WrongKey, "wrong_key": "the token is not signed with a key of this service"
            => "that the connection string of the app has the key of this service; without `--key`, an embedded service has a new key after each start";
        ExpiredToken, "expired_token": "the token expired … s ago"
            => "that the client negotiates again before it reconnects, and the clocks of both machines";
        EarlyToken, "early_token": "the token is not valid until … s from now"
            => "the clocks of both machines";
        WrongAudience, "wrong_audience": "the audience of the token is not this …"
            => "`aud` of the token: the URL that is called, with the same hub or path";
        WrongUser, "wrong_user": "the claim `…`, the user id, must be a text or an integer"
            => "the claims of the token";
        InvalidClient, "invalid_client": "the request of a client is not valid"
            => "that the client uses the URL of the app's negotiate response without a change";
        UnknownConnection, "unknown_connection": "No Connection with that ID"
            => "that the client connects within `--connect-within` after its negotiate, and to the same service; the service was perhaps started again";
        OtherConnection, "other_connection": "the connection was negotiated for another user or hub"
            => "that each client negotiates for itself";
        OpenConnection, "open_connection": "the connection is open already"
            => "that the client connects once for each negotiate, and does not change its transport";
        LargePost, "large_post": "the body of a client's request is too large, or did not arrive in time"
            => "the size of the messages; `--max-message` and `--request-body` set the limits";
        LostUpgrade, "lost_upgrade": "this request has Sec-WebSocket-Key, but not both `Upgrade: websocket` and `Connection: Upgrade`"
            => "that the proxy in front of the service passes on both (nginx: `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\";`)";
        OldHttp, "old_http": "a WebSocket needs HTTP/1.1, and this request is older"
            => "that the proxy in front of the service calls it with HTTP/1.1 (nginx: `proxy_http_version 1.1`)";
        ServerlessOnly, "serverless_only": "this service is serverless only"
            => "that the app uses the transient (REST) transport (ServiceTransportType.Transient in the Management SDK); AddAzureSignalR() needs a service in default mode";
        WrongHost, "wrong_host": "requests for the host … are refused, because any page can point its name to this machine (DNS rebinding)"
            => "the address that the client uses; `--allow-host` allows the host";
        WrongOrigin, "wrong_origin": "pages of … are refused, because the service holds the well-known key, with which any page can make tokens"
            => "`--allow-origin`, or set a key of your own";
        Stopping, "stopping": "the service is stopping"
            => "that the service starts again; clients then reconnect";
        NoDescriptors, "no_descriptors": "the service has no file descriptors for more clients"
            => "`ulimit -n`, `LimitNOFILE=` of systemd, `--ulimit nofile=` of docker";
        #[allow(dead_code, reason = "hub-net writes the line")]
        IdleSockets, "idle_sockets": TOO_MANY_IDLE
            => "what opens sockets to the service and sends nothing: a port scan, a health check without a request";
        #[allow(dead_code, reason = "hub-net writes the line")]
        AcceptFailed, "accept_failed": ACCEPT_FAILED
            => "`error` of the line: mostly a limit of the system for files or memory";
        WeakKey, "weak_key": "an access key of the service …"
            => "the key: make one with `openssl rand -base64 32`, and set it in the service and in the app";
    }

    "Refused REST calls, beyond the tokens" {
        UnknownOperation, "unknown_operation": "REST: the operation does not exist"
            => "method, path and `api-version` of the call";
        InvalidCall, "invalid_call": "REST: a part of the request is not valid"
            => "the `message` of the line, which names the part";
        WrongContentType, "wrong_content_type": "REST: content type or encoding is not supported"
            => "that the content type is `application/json`, or `application/octet-stream` for a message, and that the body is not compressed";
        LargeCall, "large_call": "REST: headers or body are too large, or the body did not arrive in time"
            => "the size of the message; `--rest-body` and `--request-body` set the limits";
        FullGroups, "full_groups": "REST: too many groups or group memberships"
            => "`--groups` and `--memberships`, and that the app removes memberships that are no longer used";
    }
}
