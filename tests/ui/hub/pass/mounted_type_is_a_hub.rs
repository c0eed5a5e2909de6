//! A type with an annotated block can be mounted, even if the block is empty.

use hub_runtime::prelude::*;

use crate::support::Bench;

#[derive(Default)]
struct Chat;

#[serverless_hub]
impl Chat {}

#[test]
fn the_hub_has_the_name_of_the_type() {
    let _ = HubApp::builder().hub(Chat);

    assert_eq!(Chat::NAME, "Chat");
    assert!(Bench::new(Chat).rows().is_empty());
}
