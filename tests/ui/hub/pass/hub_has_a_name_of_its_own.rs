//! The hub name is the type's name or the value of the key `name`.

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub]
impl Chat {}

struct Größe;

#[serverless_hub(name = "app.Sizes_2")]
impl Größe {}

struct Renamed<T>(T);

#[serverless_hub(name = "generic")]
impl<T: Send + Sync + 'static> Renamed<T> {}

#[test]
fn the_block_names_the_hub() {
    assert_eq!(Chat::NAME, "Chat");
    assert_eq!(Größe::NAME, "app.Sizes_2");
    assert_eq!(Renamed::<u8>::NAME, "generic");
    let _ = Renamed(Größe).0;
}
