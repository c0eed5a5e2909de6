//! A hub whose fields cannot be shared between calls is refused at the type.

#![allow(unused)]

use std::cell::RefCell;

use hub_runtime::prelude::*;

struct Chat {
    rooms: RefCell<Vec<String>>,
}

#[serverless_hub]
impl Chat {
    async fn join(&self, room: String) {
        self.rooms.borrow_mut().push(room);
    }
}

fn main() {}
