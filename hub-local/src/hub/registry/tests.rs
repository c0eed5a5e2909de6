use super::*;
use crate::delivery::{
    frame::Frame,
    outbox::{Outbox, Pushed},
};

/// Users join groups without any connection.
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

    fn send(self: &Arc<Self>, _: Frame) -> Pushed {
        match **self {}
    }

    fn close_slow(self: &Arc<Self>) {
        match **self {}
    }
}

#[test]
fn what_is_over_makes_room_also_where_nobody_sends_to_the_group() {
    let budget = Budget::new(10, 1500);
    let (mut registry, now) = (Registry::<NoMember>::new(Arc::clone(&budget)), Instant::now());
    let minute = Some(Duration::from_secs(60));
    let mut add = |user: usize, now| {
        let added = registry.add_user_to_group(&format!("u{user}"), "g", minute, now);
        added.or_else(|_| {
            registry.make_room(now);
            registry.add_user_to_group(&format!("u{user}"), "g", minute, now)
        })
    };

    for user in 0..1500 {
        assert_eq!(add(user, now), Ok(()));
    }
    assert_eq!(add(1500, now), Err(Full::All(1500)));
    assert_eq!(add(0, now), Ok(()), "who is in already stays in");
    assert_eq!(budget.taken(), 1500);

    let later = now + Duration::from_secs(61);
    assert_eq!(add(1500, later), Ok(()));
    assert_eq!((budget.taken(), registry.timed, registry.users.len()), (1, 1, 1));
}

#[test]
fn memberships_that_are_over_are_found_while_others_are_added() {
    let budget = Budget::new(10, usize::MAX);
    let (mut registry, mut now) = (Registry::<NoMember>::new(Arc::clone(&budget)), Instant::now());

    for user in 0..100_000 {
        now += Duration::from_secs(1);
        let minute = Some(Duration::from_secs(60));
        let group = format!("g{user}");
        registry.add_user_to_group(&format!("u{user}"), &group, minute, now).unwrap();
        assert!(budget.taken() <= FEW + 1);
    }

    assert!(registry.groups.len() <= FEW + 1 && registry.users.len() <= FEW + 1);
}

#[test]
fn a_user_is_in_so_many_groups_and_all_are_given_back() {
    let budget = Budget::new(10, usize::MAX);
    let (mut registry, now) = (Registry::<NoMember>::new(Arc::clone(&budget)), Instant::now());
    let mut add =
        |group: &str| registry.add_user_to_group("ada", group, Some(Duration::from_secs(60)), now);

    for group in 0..10 {
        assert_eq!(add(&group.to_string()), Ok(()));
    }
    assert_eq!(add("another"), Err(Full::One(10)));
    assert_eq!(add("3"), Ok(()), "again is no more");

    registry.remove_user_from_group("ada", "3");
    assert_eq!(budget.taken(), 9);
    registry.remove_user_from_all_groups("ada");
    assert_eq!((budget.taken(), registry.timed), (0, 0));
    assert!(registry.groups.is_empty() && registry.users.is_empty());
}

#[test]
fn long_names_count_several_times_and_are_given_back_so() {
    let budget = Budget::new(100, 100);
    let (mut registry, now) = (Registry::<NoMember>::new(Arc::clone(&budget)), Instant::now());
    let minute = Some(Duration::from_secs(60));
    let long = "\u{1f600}".repeat(1024);
    let mut add = |user: &str, group: &str| registry.add_user_to_group(user, group, minute, now);

    assert_eq!(add("ada", &long), Ok(()));
    assert_eq!(budget.taken(), 33);
    assert_eq!(add(&long, &long), Ok(()));
    assert_eq!(budget.taken(), 33 + 65);
    assert_eq!(add("bob", &long), Err(Full::All(100)));
    assert_eq!((add("bob", "g"), add("bob", "h")), (Ok(()), Ok(())));

    let later = now + Duration::from_secs(61);
    assert!(registry.group(&long, later).is_empty());
    assert_eq!(budget.taken(), 2);
    registry.remove_user_from_group("bob", "g");
    registry.make_room(later);
    assert_eq!((budget.taken(), registry.timed), (0, 0));
}

#[test]
fn memory_for_many_groups_and_users_is_given_back_when_they_are_gone() {
    let budget = Budget::new(10, usize::MAX);
    let (mut registry, now) = (Registry::<NoMember>::new(Arc::clone(&budget)), Instant::now());
    let name = |number: usize| number.to_string();
    for number in 0..10_000 {
        let (user, group) = (name(number), name(number));
        registry.add_user_to_group(&user, &group, None, now).unwrap();
    }

    for number in 10..10_000 {
        registry.remove_user_from_group(&name(number), &name(number));
    }

    assert_eq!((registry.users.len(), registry.groups.len(), budget.taken()), (10, 10, 10));
    assert!(registry.users.capacity() <= 128 && registry.groups.capacity() <= 128);
}

#[test]
fn memory_of_groups_and_users_that_many_were_in_is_given_back_when_few_are_left() {
    let budget = Budget::new(usize::MAX, usize::MAX);
    let (mut registry, now) = (Registry::<NoMember>::new(Arc::clone(&budget)), Instant::now());
    let name = |number: usize| number.to_string();
    let (minute, hour) = (Some(Duration::from_secs(60)), Some(Duration::from_hours(1)));
    for number in 0..1000 {
        let ttl = if number < 10 { hour } else { minute };
        registry.add_user_to_group(&name(number), "left", hour, now).unwrap();
        registry.add_user_to_group(&name(number), "over", ttl, now).unwrap();
        registry.add_user_to_group("ada", &name(number), hour, now).unwrap();
    }

    for number in 10..1000 {
        registry.remove_user_from_group(&name(number), "left");
        registry.remove_user_from_group("ada", &name(number));
    }
    registry.group("over", now + Duration::from_secs(61));

    for group in ["left", "over"] {
        let users = &registry.groups[group].users;
        assert!(users.len() == 10 && users.capacity() <= 128, "{group}: {}", users.capacity());
    }
    let groups = &registry.users["ada"].groups;
    assert!(groups.len() == 10 && groups.capacity() <= 128, "{}", groups.capacity());
    assert_eq!(budget.taken(), 30);
}

#[test]
fn a_user_who_cannot_join_and_whose_other_groups_are_over_is_not_kept() {
    let budget = Budget::new(1, 3);
    let (mut registry, now) = (Registry::<NoMember>::new(Arc::clone(&budget)), Instant::now());
    let minute = Some(Duration::from_secs(60));
    assert_eq!(registry.add_user_to_group("ada", "g", minute, now), Ok(()));

    let (long, later) = ("g".repeat(1024), now + Duration::from_secs(61));
    let refused = registry.add_user_to_group("ada", &long, minute, later);

    assert_eq!(refused, Err(Full::All(3)));
    assert!(registry.users.is_empty() && registry.groups.is_empty());
    assert_eq!(budget.taken(), 0);
}

#[test]
fn where_no_group_is_allowed_nobody_is_in_one() {
    let mut registry = Registry::<NoMember>::new(Budget::new(0, usize::MAX));

    let refused = registry.add_user_to_group("ada", "g", None, Instant::now());

    assert_eq!(refused, Err(Full::One(0)));
    assert!(registry.users.is_empty() && registry.groups.is_empty());
}
