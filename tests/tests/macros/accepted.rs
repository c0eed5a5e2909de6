//! Code that the macros accept, with one file for each rule. The files with refused code are in the
//! folder `fail`. The accepted files are modules of this binary and not separate programs, so they
//! are compiled once, follow the workspace's lints and can run.

#![allow(
    clippy::duplicate_underscore_argument,
    clippy::just_underscores_and_digits,
    clippy::let_and_return,
    clippy::needless_arbitrary_self_type,
    clippy::needless_lifetimes,
    reason = "the tests contain unusual code"
)]

#[path = "../../ui/hub/pass"]
mod hub {
    mod any_parameter_name;
    mod argument_is_deserialize;
    mod argument_is_owned;
    mod arguments_as_one_value;
    mod attribute_keys;
    mod attributes_are_kept;
    mod context_of_this_hub;
    mod error_says_what_a_client_may_read;
    mod fallback_answers_the_rest;
    mod future_is_send;
    mod helpers_in_a_plain_block;
    mod hub_has_a_name_of_its_own;
    mod hub_is_generic;
    mod hub_registers;
    mod injected_value_is_from_context;
    mod macro_makes_the_whole_block;
    mod mounted_type_is_a_hub;
    mod names_differ;
    mod receiver_is_shared;
    mod refresh_is_reserved;
    mod reserved_names;
    mod return_is_nothing_or_a_result;
}

#[path = "../../ui/client/pass"]
mod client {
    mod argument_is_serialize;
    mod client_result_from_one;
    mod names_differ;
}

#[path = "../../ui/filter/pass"]
mod filter {
    mod expression_is_a_filter;
    mod on_a_method_and_on_the_block;
    mod under_cfg;
}
