//! A hub name must be valid for the service and in paths.

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub(name = "my chat")]
impl Chat {}

struct Unquoted;

#[serverless_hub(name = chat)]
impl Unquoted {}

struct Größe;

#[serverless_hub]
impl Größe {}

fn main() {}
