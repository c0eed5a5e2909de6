//! A generic hub has the bounds itself, or by a trait of the user.

use std::marker::PhantomData;

use hub_runtime::prelude::*;

use crate::support::Bench;

trait Store: Send + Sync + 'static {}

struct Memory;

impl Store for Memory {}

struct Chat<T, U>(T, PhantomData<fn() -> U>);

#[serverless_hub]
impl<T: Store, U: 'static> Chat<T, U> {
    async fn join(&self, _ctx: &Context<Self>) {}
}

struct Board<T>(T);

#[serverless_hub]
impl<T> Board<T>
where
    T: Clone + Send + Sync + 'static,
{
    async fn draw(&self) {}
}

#[test]
fn a_generic_hub_has_its_methods() {
    assert_eq!(Bench::new(Chat::<_, u8>(Memory, PhantomData)).names(), ["join"]);
    assert_eq!(Bench::new(Board(1)).names(), ["draw"]);
}
