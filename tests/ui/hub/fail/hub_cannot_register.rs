//! A registered hub is created without arguments and is not generic.

use hub_runtime::prelude::*;

struct Generic<T>(T);

#[serverless_hub(register)]
impl<T: Send + Sync + 'static> Generic<T> {}

struct NoDefault(u8);

#[serverless_hub(register)]
impl NoDefault {}

struct Made;

fn made(_number: u8) -> Made {
    Made
}

#[serverless_hub(register = made)]
impl Made {}

struct Quoted;

#[serverless_hub(register = "quoted")]
impl Quoted {}

fn main() {}
