//! Hubs that linked crates register. They are not mounted until the app calls `discover()`.

use std::{any::TypeId, fmt};

/// Macro expansions submit their entries through this crate.
pub use ::inventory;

use crate::{
    Hub,
    mounted::{Mounted, MountedHub},
};

/// A hub with `#[serverless_hub(register)]`.
pub struct Registered {
    /// The hub's name.
    pub name: &'static str,
    /// The module of the block.
    pub module: &'static str,
    type_id: fn() -> TypeId,
    mount: fn() -> Box<dyn MountedHub>,
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registered({} in {})", self.name, self.module)
    }
}

inventory::collect!(Registered);

impl Registered {
    /// Creates the entry of a hub. `mount` creates and mounts the hub's value.
    #[must_use]
    pub const fn new<H: Hub>(module: &'static str, mount: fn() -> Box<dyn MountedHub>) -> Self {
        Self { name: H::NAME, module, type_id: TypeId::of::<H>, mount }
    }

    /// Creates the hub's value and its filters.
    #[must_use]
    pub fn mount(&self) -> Box<dyn MountedHub> {
        (self.mount)()
    }

    /// Whether a mounted hub has the registered type.
    #[must_use]
    pub fn is(&self, hub: &dyn MountedHub) -> bool {
        (*hub.value()).type_id() == (self.type_id)()
    }
}

/// All registered hubs of the program, sorted by name and module.
#[must_use]
pub fn registered() -> Vec<&'static Registered> {
    let mut all: Vec<_> = inventory::iter::<Registered>().collect();
    all.sort_by_key(|entry| (entry.name, entry.module));
    all
}

/// Mounts the hub that `make` creates.
pub fn mounted<H: Hub>(make: fn() -> H) -> Box<dyn MountedHub> {
    Box::new(Mounted::new(make()))
}
