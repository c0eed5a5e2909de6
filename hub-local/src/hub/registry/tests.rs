use super::*;
use crate::delivery::outbox::Outbox;

/// Member type for tests with users only.
#[derive(Debug)]
enum NoMember {}

impl Member for NoMember {
    fn id(&self) -> &str {
        match *self {}
    }

    fn user(&self) -> Option<&str> {
        match *self {}
    }

    fn protocol(&self) -> Protocol {
        match *self {}
    }

    fn outbox(&self) -> &Outbox {
        match *self {}
    }

    fn close_slow(self: &Arc<Self>) {
        match **self {}
    }
}

/// An open connection of a user, without a transport.
#[derive(Debug)]
struct OpenConnection {
    id: &'static str,
    user: &'static str,
}

impl Member for OpenConnection {
    fn id(&self) -> &str {
        self.id
    }

    fn user(&self) -> Option<&str> {
        Some(self.user)
    }

    fn protocol(&self) -> Protocol {
        Protocol::Json
    }

    fn outbox(&self) -> &Outbox {
        unreachable!("memberships send nothing")
    }

    fn close_slow(self: &Arc<Self>) {
        unreachable!("memberships close nothing")
    }
}

#[test]
fn all_connections_of_a_user_join_a_group_or_none() {
    let (hour, now) = (Duration::from_secs(3600), Instant::now());
    for (room, ttl) in [(1, None), (2, None), (2, Some(hour)), (1, Some(Duration::ZERO))] {
        let quota = Quota::new(10, room);
        let mut registry = Registry::new(Arc::clone(&quota));
        for id in ["c1", "c2"] {
            registry.insert(&Arc::new(OpenConnection { id, user: "ada" }));
        }

        let refused = registry.add_user_to_group("ada", "g", ttl, now);

        assert_eq!(refused, Err(QuotaExceeded::Total(room)), "{ttl:?}");
        assert!(registry.group("g").is_empty() && registry.joined.is_empty());
        assert!(!registry.is_user_in_group("ada", "g", now));
        assert_eq!(quota.used(), 0);
    }
}

#[test]
fn a_failed_join_of_a_user_leaves_earlier_members_in_the_group() {
    let quota = Quota::new(10, 2);
    let mut registry = Registry::new(Arc::clone(&quota));
    for id in ["c1", "c2"] {
        registry.insert(&Arc::new(OpenConnection { id, user: "ada" }));
    }
    registry.add_to_group("c1", "g").unwrap();

    let refused = registry.add_user_to_group("ada", "g", None, Instant::now());

    assert_eq!(refused, Err(QuotaExceeded::Total(2)));
    let members: Vec<_> = registry.group("g").iter().map(|it| it.id).collect();
    assert_eq!((members, quota.used()), (vec!["c1"], 1));
}

#[test]
fn expired_memberships_free_space_without_a_send_to_the_group() {
    let quota = Quota::new(10, 1500);
    let (mut registry, now) = (Registry::<NoMember>::new(Arc::clone(&quota)), Instant::now());
    let minute = Some(Duration::from_secs(60));
    let mut add = |user: usize, now| {
        let added = registry.add_user_to_group(&format!("u{user}"), "g", minute, now);
        added.or_else(|_| {
            registry.remove_expired(now);
            registry.add_user_to_group(&format!("u{user}"), "g", minute, now)
        })
    };

    for user in 0..1500 {
        assert_eq!(add(user, now), Ok(()));
    }
    assert_eq!(add(1500, now), Err(QuotaExceeded::Total(1500)));
    assert_eq!(add(0, now), Ok(()), "an existing membership is renewed");
    assert_eq!(quota.used(), 1500);

    let later = now + Duration::from_secs(61);
    assert_eq!(add(1500, later), Ok(()));
    assert_eq!((quota.used(), registry.timed, registry.users.len()), (1, 1, 1));
}

#[test]
fn expired_memberships_are_removed_while_others_are_added() {
    let quota = Quota::new(10, usize::MAX);
    let (mut registry, mut now) = (Registry::<NoMember>::new(Arc::clone(&quota)), Instant::now());

    for user in 0..100_000 {
        now += Duration::from_secs(1);
        let minute = Some(Duration::from_secs(60));
        let group = format!("g{user}");
        registry.add_user_to_group(&format!("u{user}"), &group, minute, now).unwrap();
        assert!(quota.used() <= MIN_SWEEP_SIZE + 1);
    }

    assert!(registry.users.len() <= MIN_SWEEP_SIZE + 1);
}

#[test]
fn the_group_limit_of_a_user_is_freed_by_leaving() {
    let quota = Quota::new(10, usize::MAX);
    let (mut registry, now) = (Registry::<NoMember>::new(Arc::clone(&quota)), Instant::now());
    let mut add =
        |group: &str| registry.add_user_to_group("ada", group, Some(Duration::from_secs(60)), now);

    for group in 0..10 {
        assert_eq!(add(&group.to_string()), Ok(()));
    }
    assert_eq!(add("another"), Err(QuotaExceeded::PerMember(10)));
    assert_eq!(add("3"), Ok(()), "a repeated join does not count");

    registry.remove_user_from_group("ada", "3");
    assert_eq!(quota.used(), 9);
    registry.remove_user_from_all_groups("ada");
    assert_eq!((quota.used(), registry.timed), (0, 0));
    assert!(registry.groups.is_empty() && registry.users.is_empty());
}

#[test]
fn long_names_count_several_times_when_added_and_removed() {
    let quota = Quota::new(100, 100);
    let (mut registry, now) = (Registry::<NoMember>::new(Arc::clone(&quota)), Instant::now());
    let minute = Some(Duration::from_secs(60));
    let long = "\u{1f600}".repeat(1024);
    let mut add = |user: &str, group: &str| registry.add_user_to_group(user, group, minute, now);

    assert_eq!(add("ada", &long), Ok(()));
    assert_eq!(quota.used(), 33);
    assert_eq!(add(&long, &long), Ok(()));
    assert_eq!(quota.used(), 33 + 65);
    assert_eq!(add("bob", &long), Err(QuotaExceeded::Total(100)));
    assert_eq!((add("bob", "g"), add("bob", "h")), (Ok(()), Ok(())));

    registry.remove_user_from_group("ada", &long);
    assert_eq!(quota.used(), 65 + 2);
    registry.remove_user_from_group("bob", "g");
    registry.remove_expired(now + Duration::from_secs(61));
    assert_eq!((quota.used(), registry.timed), (0, 0));
}

#[test]
fn memory_of_users_whose_memberships_ended_is_freed() {
    let quota = Quota::new(10, usize::MAX);
    let (mut registry, now) = (Registry::<NoMember>::new(Arc::clone(&quota)), Instant::now());
    let name = |number: usize| number.to_string();
    for number in 0..10_000 {
        let (user, group) = (name(number), name(number));
        registry.add_user_to_group(&user, &group, None, now).unwrap();
    }

    for number in 10..10_000 {
        registry.remove_user_from_group(&name(number), &name(number));
    }

    assert_eq!((registry.users.len(), quota.used()), (10, 10));
    assert!(registry.users.capacity() <= 128);
}

#[test]
fn memory_of_left_groups_of_a_user_is_freed() {
    let quota = Quota::new(usize::MAX, usize::MAX);
    let (mut registry, now) = (Registry::<NoMember>::new(Arc::clone(&quota)), Instant::now());
    let hour = Some(Duration::from_hours(1));
    for number in 0..1000 {
        registry.add_user_to_group("ada", &number.to_string(), hour, now).unwrap();
    }

    for number in 10..1000 {
        registry.remove_user_from_group("ada", &number.to_string());
    }

    let groups = &registry.users["ada"].groups;
    assert!(groups.len() == 10 && groups.capacity() <= 128, "{}", groups.capacity());
    assert_eq!(quota.used(), 10);
}

#[test]
fn a_user_whose_last_membership_expired_is_removed_if_a_join_fails() {
    let quota = Quota::new(1, 3);
    let (mut registry, now) = (Registry::<NoMember>::new(Arc::clone(&quota)), Instant::now());
    let minute = Some(Duration::from_secs(60));
    assert_eq!(registry.add_user_to_group("ada", "g", minute, now), Ok(()));

    let (long, later) = ("g".repeat(1024), now + Duration::from_secs(61));
    let refused = registry.add_user_to_group("ada", &long, minute, later);

    assert_eq!(refused, Err(QuotaExceeded::Total(3)));
    assert!(registry.users.is_empty() && registry.groups.is_empty());
    assert_eq!(quota.used(), 0);
}

#[test]
fn a_group_limit_of_zero_allows_no_membership() {
    let mut registry = Registry::<NoMember>::new(Quota::new(0, usize::MAX));

    let refused = registry.add_user_to_group("ada", "g", None, Instant::now());

    assert_eq!(refused, Err(QuotaExceeded::PerMember(0)));
    assert!(registry.users.is_empty() && registry.groups.is_empty());
}
