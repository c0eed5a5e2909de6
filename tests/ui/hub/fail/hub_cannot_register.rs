//! What registers is made without arguments, and is one type.

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
