use super::{super::version::ApiVersion, *};

fn at(method: &Method, path: &str) -> Result<Operation, u16> {
    match Route::of(method, path) {
        Ok(Route::Hub { operation, .. }) => Ok(operation),
        Ok(Route::AccessKey) => Err(200),
        Err(error) => Err(error.into_response(ApiVersion::Dated).status().as_u16()),
    }
}

fn route(method: &Method, below: &str) -> Result<Operation, u16> {
    at(method, &format!("/api/hubs/chat/{below}"))
}

#[test]
fn both_prefixes_have_the_same_operations() {
    for below in ["groups/g", "groups/g/:send", "users/u/groups/g", "connections/c"] {
        for method in [Method::POST, Method::PUT, Method::GET, Method::DELETE] {
            let old = at(&method, &format!("/api/v1/hubs/chat/{below}"));
            assert_eq!(route(&method, below), old, "{method} {below}");
        }
    }
}

#[test]
fn a_post_on_the_resource_itself_sends() {
    let name = || "x".to_owned();
    for (resource, to) in [
        ("groups/x", Target::Group(name())),
        ("users/x", Target::User(name())),
        ("connections/x", Target::Connection(name())),
    ] {
        let bare = route(&Method::POST, resource).unwrap();
        assert_eq!(bare, route(&Method::POST, &format!("{resource}/:send")).unwrap());
        assert_eq!(bare, Operation::Send(to));
    }
    let everyone = Ok(Operation::Send(Target::Everyone));
    assert_eq!(at(&Method::POST, "/api/v1/hubs/chat"), everyone);
    assert_eq!(at(&Method::POST, "/api/hubs/chat/:send"), everyone);
}

#[test]
fn group_and_member_are_accepted_in_both_orders() {
    for method in [Method::PUT, Method::DELETE] {
        assert_eq!(
            route(&method, "groups/g/connections/c").unwrap(),
            route(&method, "connections/c/groups/g").unwrap()
        );
        assert_eq!(
            route(&method, "groups/g/users/u").unwrap(),
            route(&method, "users/u/groups/g").unwrap()
        );
    }
    let (user, group) = ("u".to_owned(), "g".to_owned());
    let asked = route(&Method::HEAD, "groups/g/users/u").unwrap();
    assert_eq!(asked, Operation::IsUserInGroup { user, group });
}

#[test]
fn streams_have_two_verbs() {
    let sent = route(&Method::POST, "connections/c/streams/a%2Fb/:send");
    assert_eq!(sent, Ok(Operation::SendToStream));
    let completed = route(&Method::POST, "connections/c/streams/a/:complete");
    assert_eq!(completed, Ok(Operation::CompleteStream));
    assert_eq!(route(&Method::POST, "connections/c/streams/a"), Err(404));
    assert_eq!(route(&Method::PUT, "connections/c/streams/a/:send"), Err(405));
    assert_eq!(route(&Method::POST, "connections/c/streams//:send"), Err(400));
}

#[test]
fn a_slash_in_a_name_stays_in_the_name() {
    let found = route(&Method::PUT, "groups/a%2Fb/connections/c%20d").unwrap();

    let (connection, group) = ("c d".to_owned(), "a/b".to_owned());
    assert_eq!(found, Operation::AddToGroup { connection, group });
    assert_eq!(route(&Method::POST, "groups/a/b/:send"), Err(404));
}

#[test]
fn a_percent_encoded_verb_is_a_name_where_a_name_is_expected() {
    let sends = |user: &str| Ok(Operation::Send(Target::User(user.to_owned())));

    assert_eq!(route(&Method::POST, "users/%3Asend/:send"), sends(":send"));
    assert_eq!(route(&Method::POST, "users/x/%3Asend"), sends("x"));
}

#[test]
fn dots_are_refused_in_every_spelling() {
    for dots in ["..", ".", "%2e%2e", "%2E", ".%2e"] {
        assert_eq!(route(&Method::POST, &format!("groups/{dots}/:send")), Err(400), "{dots}");
        assert_eq!(route(&Method::HEAD, &format!("users/{dots}")), Err(400), "{dots}");
        assert_eq!(route(&Method::HEAD, &format!("connections/{dots}")), Err(400), "{dots}");
    }
    assert_eq!(route(&Method::POST, "groups//:send"), Err(400));
    assert_eq!(route(&Method::POST, "groups/%FF/:send"), Err(400));
    assert_eq!(route(&Method::POST, "groups/a%0Ab/:send"), Err(400));
}

#[test]
fn wrong_methods_are_405_and_unknown_paths_404() {
    for (method, below) in [
        (Method::GET, ":send"),
        (Method::GET, ":execute"),
        (Method::PUT, "groups/a"),
        (Method::DELETE, "users/a"),
        (Method::PUT, "connections/a"),
        (Method::GET, "groups/a/connections/b"),
        (Method::POST, "groups/a/connections"),
        (Method::GET, "users/a/groups"),
    ] {
        assert_eq!(route(&method, below), Err(405), "{method} {below}");
    }
    for below in ["unknown", "groups", ":invoke", "connections/a/:closeConnections"] {
        assert_eq!(route(&Method::POST, below), Err(404), "{below}");
    }
    assert_eq!(at(&Method::GET, "/api/hubs/chat"), Err(405));
    assert_eq!(at(&Method::GET, "/api/v1-preview/hub/chat"), Err(404));
}

#[test]
fn the_access_key_route_exists_under_both_prefixes() {
    for path in ["/api/auth/accessKey", "/api/v1/auth/accessKey"] {
        assert_eq!(Route::of(&Method::GET, path).unwrap(), Route::AccessKey);
        assert_eq!(at(&Method::POST, path), Err(405));
    }
}

#[test]
fn invalid_hub_names_are_refused() {
    assert!(at(&Method::POST, "/api/hubs/c`,.[]9/:send").is_ok());
    for hub in ["1chat", "..", "%2e%2e", "a%2Fb", "a%3Fb", "a%23b", "%F0%9F%98%80", ""] {
        assert_eq!(at(&Method::POST, &format!("/api/hubs/{hub}/:send")), Err(400), "{hub}");
    }
    assert_eq!(at(&Method::POST, "/api/hubs"), Err(404));
}

#[test]
fn fixed_parts_ignore_case_encoding_and_a_slash_at_the_end_but_names_do_not() {
    let sends = Ok(Operation::Send(Target::Everyone));
    for path in ["/api/hubs/chat/%3Asend", "/API/HUBS/chat/:SEND", "/Api/V1/hubs/chat/:Send/"] {
        assert_eq!(at(&Method::POST, path), sends, "{path}");
    }
    let (connection, group) = ("c".to_owned(), "Groups".to_owned());
    let added = Operation::AddToGroup { connection, group };
    assert_eq!(route(&Method::PUT, "GROUPS/Groups/%63onnections/c/"), Ok(added));
    let group = |name: &str| Ok(Operation::Send(Target::Group(name.to_owned())));
    assert_eq!(route(&Method::POST, "Groups/:Send/%3aSEND"), group(":Send"));
    assert_eq!(route(&Method::POST, "Groups/USERS"), group("USERS"));
    assert_eq!(at(&Method::GET, "/API/auth/accesskey"), Err(200));

    for path in ["/api//hubs/chat/:send", "/api/v2/hubs/chat/:send", "/api/hubs/chat/:send//"] {
        assert_eq!(at(&Method::POST, path), Err(404), "{path}");
    }
    // An empty name is not the resource above it.
    assert_eq!(route(&Method::DELETE, "users/u/groups/"), Err(400));
    assert_eq!(route(&Method::DELETE, "Users/u/Groups/"), Err(400));
}

#[test]
fn a_refresh_has_a_connection_id_or_its_token_in_the_body() {
    let refresh = |connection: Option<&str>| {
        Ok(Operation::Refresh { connection: connection.map(str::to_owned) })
    };

    for below in
        ["connections/:refreshAuth", "connections/:REFRESHAUTH", "connections/%3ArefreshAuth"]
    {
        assert_eq!(route(&Method::POST, below), refresh(None), "{below}");
        assert_eq!(route(&Method::DELETE, below), Err(405), "{below}");
    }
    for below in ["connections/c/:refreshAuth", "Connections/c/%3Arefreshauth/"] {
        assert_eq!(route(&Method::POST, below), refresh(Some("c")), "{below}");
    }
}
