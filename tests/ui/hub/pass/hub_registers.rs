//! A registered hub is created by `Default` or by a function.

use hub_core::registry;
use hub_runtime::prelude::*;

#[derive(Default)]
struct Plain;

#[serverless_hub(register)]
impl Plain {}

struct Made<T>(T);

impl Made<u8> {
    fn with_seven() -> Self {
        Self(7)
    }
}

#[serverless_hub(name = "Made", register = Self::with_seven)]
impl Made<u8> {
    async fn number(&self) -> HubResult<u8> {
        Ok(self.0)
    }
}

#[test]
fn registered_hubs_are_found_in_order_and_made_when_mounted() {
    let all = registry::registered();

    let names: Vec<_> = all.iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["Made", "Plain"]);
    let made = all[0].mount();
    assert!(all[0].is(&*made) && !all[1].is(&*made));
    let value = made.value();
    assert_eq!(value.downcast_ref::<Made<u8>>().unwrap().0, 7);
    assert!(all[0].module.ends_with("hub_registers"), "{}", all[0].module);
}
