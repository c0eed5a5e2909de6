//! The page of all REST operations: each path that has a route is on it.

use std::{collections::BTreeSet, fs, path::Path};

use super::*;
use crate::reference_page;

const COLLECTIONS: [(&str, &str); 4] = [
    ("groups", "{group}"),
    ("users", "{user}"),
    ("connections", "{connection}"),
    ("streams", "{stream}"),
];
const VERBS: [&str; 7] =
    [":send", ":closeConnections", ":execute", ":generateToken", ":invoke", REFRESH, ":complete"];
const METHODS: [Method; 5] = [Method::POST, Method::PUT, Method::GET, Method::HEAD, Method::DELETE];

/// What an operation does, and the method of the Rust API that calls it.
fn described(operation: &Operation) -> (&'static str, &'static str) {
    match operation {
        Operation::Send(Target::Everyone) => ("sends a message to all clients", "clients().all()"),
        Operation::Send(Target::Group(_)) => ("sends to a group", "clients().group(…)"),
        Operation::Send(Target::User(_)) => {
            ("sends to the connections of a user", "clients().user(…)")
        }
        Operation::Send(Target::Connection(_)) => ("sends to a connection", "clients().client(…)"),
        Operation::Close(Target::Everyone) => {
            ("closes all connections", "client_manager().close_all(…)")
        }
        Operation::Close(Target::Group(_)) => {
            ("closes the connections of a group", "client_manager().close_group(…)")
        }
        Operation::Close(Target::User(_)) => {
            ("closes the connections of a user", "client_manager().close_user(…)")
        }
        // `POST connections/{connection}/:closeConnections` is no operation.
        Operation::Close(Target::Connection(_)) | Operation::CloseConnection { .. } => {
            ("closes a connection", "client_manager().close(…)")
        }
        Operation::Exists(Target::Everyone) => unreachable!("there is no such route"),
        Operation::Exists(Target::Group(_)) => {
            ("whether a group has connections", "client_manager().group_exists(…)")
        }
        Operation::Exists(Target::User(_)) => {
            ("whether a user has connections", "client_manager().user_exists(…)")
        }
        Operation::Exists(Target::Connection(_)) => {
            ("whether a connection is open", "client_manager().connection_exists(…)")
        }
        Operation::Execute => {
            ("runs several commands on the connections that a filter selects", "")
        }
        Operation::GenerateToken => {
            ("makes a token for a client", "used by `negotiate` with Microsoft Entra")
        }
        Operation::Invoke { .. } => {
            ("calls a method of a client and returns its result", "clients().client(…).invoke(…)")
        }
        Operation::Refresh { connection: None } => {
            ("new claims for the connection whose token is in the body", "a hub's `refresh`")
        }
        Operation::Refresh { connection: Some(_) } => {
            ("new claims for a connection", "client_manager().refresh(…)")
        }
        Operation::SendToStream => {
            ("sends an item to a stream; without effect, because no stream is ever open", "")
        }
        Operation::CompleteStream => ("ends a stream; without effect", ""),
        Operation::AddToGroup { .. } => ("adds a connection to a group", "groups().add(…)"),
        Operation::RemoveFromGroup { .. } => {
            ("removes a connection from a group", "groups().remove(…)")
        }
        Operation::RemoveFromAllGroups { .. } => {
            ("removes a connection from all groups", "groups().remove_from_all(…)")
        }
        Operation::ListGroup { .. } => {
            ("lists the connections of a group, in pages", "groups().members(…)")
        }
        Operation::AddUserToGroup { .. } => {
            ("adds a user to a group, with `?ttl=` for so many seconds", "user_groups().add(…)")
        }
        Operation::IsUserInGroup { .. } => {
            ("whether a user is in a group", "user_groups().contains(…)")
        }
        Operation::RemoveUserFromGroup { .. } => {
            ("removes a user from a group", "user_groups().remove(…)")
        }
        Operation::RemoveUserFromAllGroups { .. } => {
            ("removes a user from all groups", "user_groups().remove_from_all(…)")
        }
    }
}

/// All paths below a hub: up to two collections with a name each, then perhaps a collection and a verb.
fn paths() -> BTreeSet<String> {
    let named = COLLECTIONS.map(|(collection, name)| format!("/{collection}/{name}"));
    let pairs =
        named.iter().flat_map(|first| named.iter().map(move |second| format!("{first}{second}")));
    let starts: Vec<_> = [String::new()].into_iter().chain(named.clone()).chain(pairs).collect();
    let collections = COLLECTIONS.map(|(collection, _)| format!("/{collection}"));
    let verbs = VERBS.map(|verb| format!("/{verb}"));
    let nested =
        collections.iter().flat_map(|it| verbs.iter().map(move |verb| format!("{it}{verb}")));
    let ends: Vec<_> = [String::new()]
        .into_iter()
        .chain(collections.clone())
        .chain(verbs.clone())
        .chain(nested)
        .collect();
    starts.iter().flat_map(|start| ends.iter().map(move |end| format!("{start}{end}"))).collect()
}

/// Description and Rust API of the request, if it has a route.
fn request(method: &Method, path: &str) -> Option<(&'static str, &'static str)> {
    match Route::of(method, &format!("/api/hubs/chat{path}")) {
        Ok(Route::Hub { operation, .. }) => Some(described(&operation)),
        _ => None,
    }
}

/// The path with a name in place of a verb that follows a collection: `groups/:send` is the group `:send`.
fn with_name(path: &str) -> Option<String> {
    let (start, verb) = path.rsplit_once('/')?;
    let (_, name) =
        COLLECTIONS.iter().find(|(collection, _)| start.ends_with(&format!("/{collection}")))?;
    VERBS.contains(&verb).then(|| format!("{start}/{name}"))
}

/// One row for each description, in the order of the paths: the requests of its operations.
fn operations() -> String {
    let mut rows: Vec<(&str, &str, Vec<String>)> = Vec::new();
    for path in paths() {
        let mut requests: Vec<(&str, &str, Vec<Method>)> = Vec::new();
        for method in METHODS {
            let Some((text, api)) = request(&method, &path) else { continue };
            if with_name(&path).is_some_and(|named| request(&method, &named) == Some((text, api))) {
                continue;
            }
            match requests.iter_mut().find(|(known, ..)| *known == text) {
                Some((.., methods)) => methods.push(method),
                None => requests.push((text, api, vec![method])),
            }
        }
        for (text, api, methods) in requests {
            let methods: Vec<_> = methods.iter().map(Method::as_str).collect();
            let path =
                if path.is_empty() { "to the hub itself".to_owned() } else { format!("`{path}`") };
            let request = format!("`{}` {path}", methods.join("` or `"));
            match rows.iter_mut().find(|(known, ..)| *known == text) {
                Some((.., known)) => known.push(request),
                None => rows.push((text, api, vec![request])),
            }
        }
    }
    let row = |(text, api, requests): (&str, &str, Vec<String>)| {
        let api =
            if api.is_empty() || api.contains('`') { api.to_owned() } else { format!("`{api}`") };
        format!("| {text} | {} | {api} |\n", requests.join("; "))
    };
    rows.into_iter().map(row).collect()
}

/// Status and meaning of each error code.
const CODES: [(&str, &str, &str); 17] = [
    (
        "Error.Connection.ClientError",
        "400",
        "`:invoke`: the client returned an error; its text is the message",
    ),
    (
        "Error.Connection.NotExisted",
        "404",
        "a change of the groups of a connection that does not exist",
    ),
    (
        "Error.Connection.PermissionChangeRejected",
        "403",
        "`:refreshAuth`: the connection belongs to another user",
    ),
    ("Error.Connection.TimedOut", "504", "`:invoke`: the client did not answer in time"),
    (
        "Error.Group.TooMany",
        "400",
        "a limit on groups or memberships is reached: `--groups`, `--memberships`",
    ),
    ("Error.Request.HeadersTooLarge", "431", "the headers have more than 16 KiB"),
    (
        "Error.Request.Invalid",
        "400",
        "a part of the request is not valid; `target` and `message` name it",
    ),
    (
        "Error.Request.MethodNotAllowed",
        "405",
        "the path exists for other methods, which the header `Allow` lists",
    ),
    ("Error.Request.NotExisted", "404", "no operation has this path"),
    ("Error.Request.TimedOut", "408", "the body did not arrive in time: `--request-body`"),
    ("Error.Request.TooLarge", "413", "the body is larger than the limit: `--rest-body`"),
    (
        "Error.Request.Unauthorized",
        "401",
        "the token is missing or refused; `message` has the reason",
    ),
    (
        "Error.Request.UnsupportedMediaType",
        "415",
        "the content type or an encoding is not supported",
    ),
    ("Info.User.NotInGroup", "404", "the user is not in the group"),
    ("Warning.Connection.NotExisted", "404", "the connection does not exist"),
    ("Warning.Group.NotExisted", "404", "the group has no connections"),
    ("Warning.User.NotExisted", "404", "the user has no connections"),
];

/// The codes in the sources.
fn codes_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            codes_in(&path, found);
        } else if path.file_name().is_some_and(|name| name != "reference.rs" && name != "tests.rs")
        {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let literals = text.split('"').filter(|part| {
                let mut words = part.split('.');
                matches!(words.next(), Some("Error" | "Info" | "Warning"))
                    && words.all(|word| {
                        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic())
                    })
            });
            found.extend(literals.filter(|part| part.contains('.')).map(str::to_owned));
        }
    }
}

#[test]
fn the_page_has_every_operation_and_every_code() {
    let mut found = BTreeSet::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    codes_in(&root.join("src"), &mut found);
    codes_in(&root.join("../hub-core/src"), &mut found);
    let described: BTreeSet<_> = CODES.iter().map(|(code, ..)| (*code).to_owned()).collect();
    assert_eq!(found, described);

    let mut page = reference_page::head(
        "REST operations",
        "the routes in `hub-local/src/rest`",
        "--lib reference",
    );
    page += "\
The REST API of the service, as apps and Microsoft's SDKs call it. Each path is below `/api/hubs/{hub}`; `/api/v1/hubs/{hub}` has the same paths. Names in a path
are percent-encoded. The token of a request and the form of a message are described in
[An app in any language](../../hub-local/README.md#an-app-in-any-language); where Microsoft's documents leave something open, the decision is in
[Deviations and decisions](../../hub-local/README.md#rest). The last column has the method of `hub-runtime` that sends the request, of a `Context` or a `HubContext`.

| Operation | Request | In Rust |
|---|---|---|
";
    page += &operations();
    page += "
`GET /api/health`, without a token: 200, or 503 while the service stops. `GET /api/auth/accessKey`: the key that signed the token of the caller.

## Errors

The header `x-ms-error-code` has the code. The body is `{\"code\",\"message\",\"target\"}`, for `/api/v1` the message as plain text.
For calls refused with `Error.Request.*` or `Error.Group.TooMany`, the log of the service has a warning with the field `check`: [Causes of failures](causes.md#refused-rest-calls-beyond-the-tokens).

| Code | Status | Meaning |
|---|---|---|
";
    for (code, status, meaning) in CODES {
        page += &format!("| `{code}` | {status} | {meaning} |\n");
    }
    reference_page::check("rest.md", &page);
}
