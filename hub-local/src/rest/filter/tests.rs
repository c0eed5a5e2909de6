use super::*;

/// The ids of the connections that the filter matches: `c1` is ada in `g`, `c2` is bob in `g` and `it's`,
/// `c3` is anonymous.
fn found(text: &str) -> Vec<&'static str> {
    let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    let known: HashMap<&str, HashSet<String>> =
        HashMap::from([("g", set(&["c1", "c2"])), ("it's", set(&["c2"]))]);
    let groups = filter.groups().into_iter();
    let groups = groups.map(|it| (it, known.get(it).cloned().unwrap_or_default())).collect();
    [("c1", Some("ada")), ("c2", Some("bob")), ("c3", None)]
        .into_iter()
        .filter(|(id, user)| filter.finds(id, *user, &groups))
        .map(|(id, _)| id)
        .collect()
}

#[test]
fn fields_are_compared() {
    assert_eq!(found("userId eq 'ada'"), ["c1"]);
    assert_eq!(found("userId ne 'ada'"), ["c2", "c3"]);
    assert_eq!(found("userId eq null"), ["c3"]);
    assert_eq!(found("userId ne null"), ["c1", "c2"]);
    assert_eq!(found("connectionId in ('c1','c3', 'c9')"), ["c1", "c3"]);
    assert_eq!(found("USERID EQ 'ada'"), ["c1"]);
    assert_eq!(found("userId eq 'Ada'"), [""; 0]);
    assert_eq!(found("startswith(connectionId, 'c')"), ["c1", "c2", "c3"]);
    assert_eq!(found("startswith(userId,'b')"), ["c2"]);
}

#[test]
fn group_conditions_work_and_doubled_quotes_are_escapes() {
    assert_eq!(found("'g' in groups"), ["c1", "c2"]);
    assert_eq!(found("'it''s' in groups"), ["c2"]);
    assert_eq!(found("'absent' in groups"), [""; 0]);
    assert_eq!(found("not ('g' in groups)"), ["c3"]);
}

#[test]
fn and_binds_tighter_than_or_and_not_tighter_than_both() {
    assert_eq!(found("userId eq 'ada' or userId eq 'bob' and userId eq 'x'"), ["c1"]);
    assert_eq!(found("(userId eq 'ada' or userId eq 'bob') and userId eq 'x'"), [""; 0]);
    assert_eq!(found("not userId eq 'ada' and 'g' in groups"), ["c2"]);
    assert_eq!(found("not not (userId eq 'ada')"), ["c1"]);
}

#[test]
fn parse_errors_contain_the_position() {
    let error = |text| Filter::parse(text).unwrap_err().to_string();

    assert!(error("age gt 5").starts_with("`age` is unexpected at character 1; a filter"));
    assert!(error("userId gt 'a'").starts_with("`gt` is unexpected at character 8"));
    assert!(error("userId eq 'a").starts_with("an unterminated string at character 11"));
    assert!(error("userId eq 'ä' and").starts_with("the end is unexpected at character 18"));
    assert!(error("userId = 'a'").starts_with("`=` is unexpected at character 8"));
    for bad in [
        "",
        "userId",
        "userId eq",
        "userId eq ada",
        "userId in ()",
        "userId in ('a'",
        "'g' in group",
        "'g'",
        "(userId eq 'a'",
        "userId eq 'a')",
        "userId eq 'a' userId eq 'b'",
        "startswith(userId 'a')",
        "contains(userId, 'a')",
        "userId eq 'a' and or userId eq 'b'",
        "userId eq 'a",
        "\u{0}",
    ] {
        assert!(Filter::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn nesting_has_a_bound() {
    let nested = |times: usize| format!("{}userId eq 'a'{}", "(".repeat(times), ")".repeat(times));

    assert!(Filter::parse(&nested(32)).is_ok());
    assert!(Filter::parse(&nested(33)).is_err());
    assert!(Filter::parse(&"not ".repeat(100_000)).is_err());
}
