//! The empty table that stands beside errors, so that the rest of the program sees a hub and stays
//! quiet.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

use super::{
    expand::{Parts, implementation},
    model::HubDef,
};

pub(crate) fn table(hub: &HubDef) -> TokenStream {
    let site = Span::mixed_site();
    let parts = Parts {
        methods: TokenStream::new(),
        negotiate: quote_spanned!(site=> __hub::None),
        filters: quote_spanned!(site=> __hub::Filters::new()),
        attributes: None,
        imports: None,
        registration: None,
    };
    implementation(hub, &parts)
}
