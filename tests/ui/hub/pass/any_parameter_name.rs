//! Parameters whose names without the leading underscores are no identifiers.

use hub_runtime::prelude::*;

use crate::support::Bench;

struct Names;

#[serverless_hub]
impl Names {
    async fn digits(&self, _1: u8, _0x: u8) -> HubResult<u8> {
        Ok(_1 + _0x)
    }

    async fn keywords(&self, _self: u8, _super: u8, _crate: u8) -> HubResult<Vec<u8>> {
        Ok(vec![_self, _super, _crate])
    }

    async fn raw(&self, _type: u8, r#match: u8, _übung: u8, __: u8) -> HubResult<Vec<u8>> {
        Ok(vec![_type, r#match, _übung, __])
    }
}

#[test]
fn the_name_of_a_parameter_may_be_a_digit_or_a_keyword_behind_an_underscore() {
    let names = Bench::new(Names);

    assert_eq!(names.invoke("digits", "[1,2]").unwrap(), "3");
    assert_eq!(names.invoke("keywords", "[1,2,3]").unwrap(), "[1,2,3]");
    assert_eq!(names.invoke("raw", "[1,2,3,4]").unwrap(), "[1,2,3,4]");
    assert!(names.invoke("digits", r#"["a",2]"#).unwrap_err().contains('1'));
}
