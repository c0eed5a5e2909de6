//! The attributes of serverless SignalR hubs. Applications use them through `hub-runtime`, which
//! documents them together with the types that they name.

mod attr;
mod case;
mod client;
mod errors;
mod hub;
mod keys;
mod misplaced;
mod options;
mod paths;
#[cfg(test)]
mod snapshot;
mod types;

use proc_macro::TokenStream;

/// Makes the methods of an inherent `impl` block callable by SignalR clients.
///
/// Every `async fn` with `&self` in the block is a hub method; its client name is in camel case.
/// `on_connected` and `on_disconnected` handle the connection events, `negotiate` handles the route of
/// the same name. Functions without `self` are not hub methods. No method is rewritten.
///
/// Keys, all optional:
///
/// - `name = "chat"`: the hub's name; defaults to the type's. Letters, digits, `_`, `.` and `,`.
/// - `connection = "ChatSignalR"`: the name of the setting with the hub's connection string; defaults
///   to `AzureSignalRConnectionString`.
/// - `client = ChatClient`: the `#[hub_client]` trait that the clients implement.
/// - `rename_all = "camelCase"`: how method names become client names, in serde's spellings.
/// - `register`: `HubApp::builder().discover()` mounts the hub of any linked crate. The hub is created
///   by `Default`, or by the function of `register = path`. Needs the feature `discover`.
/// - `crate = path`: the path of the runtime crate; defaults to `::hub_runtime`.
#[proc_macro_attribute]
pub fn serverless_hub(args: TokenStream, item: TokenStream) -> TokenStream {
    hub::expand(args.into(), &item.into()).into()
}

/// Makes a trait of the methods that clients implement.
///
/// `async fn f(&self, …)` becomes a method that sends a message; with a return type it invokes the
/// method of one connection and waits for its result. The trait is implemented for every proxy of a
/// hub with `client = …`.
///
/// Keys, both optional: `rename_all = "camelCase"` and `crate = path`, as for `#[serverless_hub]`.
#[proc_macro_attribute]
pub fn hub_client(args: TokenStream, item: TokenStream) -> TokenStream {
    client::expand(args.into(), &item.into()).into()
}

/// Puts a filter in front of a hub method, or of all methods of a block: `#[filter(SignedIn)]`.
///
/// The expression is evaluated once, when the hub is mounted. Filters stack; the block's run first,
/// then the method's from top to bottom. On a block, write it below `#[serverless_hub]`. Anywhere
/// else it is an error.
///
/// A filter cannot depend on `cfg_attr`; write two versions of the method under `#[cfg(…)]`. On a
/// block, where the compiler applies the condition before any macro runs, only a condition that
/// holds can be refused.
#[proc_macro_attribute]
pub fn filter(_args: TokenStream, item: TokenStream) -> TokenStream {
    misplaced::filter(&item.into()).into()
}

/// Options of a method or a parameter.
///
/// - `#[hub(rename = "Send")]` on a method of a hub or a client: its name on the wire.
/// - `#[hub(fallback)]` on one method of a hub: it receives every event without a method of its own.
///   It takes no arguments by position; `ctx.invocation()` has them, with the event's name.
/// - `#[hub(arguments)]` on a parameter: all arguments as one value, a tuple or a list.
/// - `#[hub(body)]` on a parameter: the whole message as one value, with the members `type`, `target`,
///   `arguments` and `invocationId`.
///
/// A method that takes the arguments or the body as one value takes none by position.
#[proc_macro_attribute]
pub fn hub(_args: TokenStream, item: TokenStream) -> TokenStream {
    misplaced::hub(&item.into()).into()
}

/// Marks a parameter of a hub method as taken from the call and never from the client's arguments:
/// `#[from_context] user: User`.
#[proc_macro_attribute]
pub fn from_context(_args: TokenStream, item: TokenStream) -> TokenStream {
    misplaced::from_context(&item.into()).into()
}
