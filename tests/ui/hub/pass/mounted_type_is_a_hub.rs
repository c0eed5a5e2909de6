//! A type with an annotated block can be mounted, even if the block is empty.

use hub_runtime::prelude::*;

use crate::support::Bench;

#[derive(Default)]
struct Chat;

#[serverless_hub]
impl Chat {}

#[test]
fn the_types_name_is_the_hubs() {
    let _ = HubApp::builder().hub(Chat);

    assert_eq!(Chat::NAME, "Chat");
    assert!(Bench::new(Chat).rows().is_empty());
}
