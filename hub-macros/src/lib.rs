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

/// Makes an inherent `impl` block the remote surface of a hub.
///
/// Every `async fn` with `&self` in the block is a method that clients may call; its name to
/// clients is in camel case. `on_connected` and `on_disconnected` answer the connection's events,
/// `negotiate` the route of the same name. Functions without `self` are left alone. No method is
/// rewritten.
///
/// Keys, all optional:
///
/// - `name = "chat"`: the hub's name, when it is not the type's. Letters, digits, `_`, `.` and `,`.
/// - `connection = "ChatSignalR"`: the setting that names the hub's service, when it is not
///   `AzureSignalRConnectionString`.
/// - `client = ChatClient`: the `#[hub_client]` trait of what the clients implement.
/// - `rename_all = "camelCase"`: how method names become client names, in serde's spellings.
/// - `register`: linked into a program, the hub can be mounted by `HubApp::builder().discover()`. It is
///   made by `Default`, or by the function of `register = path`. Needs the feature `discover`.
/// - `crate = path`: where the runtime crate is, when it is not `::hub_runtime`.
#[proc_macro_attribute]
pub fn serverless_hub(args: TokenStream, item: TokenStream) -> TokenStream {
    hub::expand(args.into(), &item.into()).into()
}

/// Makes a trait the typed face of the clients.
///
/// `async fn f(&self, …)` becomes a method that sends; with a return type it asks one connection
/// and waits for its answer. The trait is implemented for every proxy of a hub that names it.
///
/// Keys, both optional: `rename_all = "camelCase"` and `crate = path`, as for `#[serverless_hub]`.
#[proc_macro_attribute]
pub fn hub_client(args: TokenStream, item: TokenStream) -> TokenStream {
    client::expand(args.into(), &item.into()).into()
}

/// Puts a filter in front of a hub method, or of all methods of a block: `#[filter(SignedIn)]`.
///
/// The expression is evaluated once, when the hub is mounted. Filters stack; the block's run first,
/// then the method's from top to bottom. On a block it stands below `#[serverless_hub]`. Anywhere
/// else it is an error.
///
/// A filter cannot depend on `cfg_attr`; write two versions of the method under `#[cfg(…)]`. On a
/// block, where the compiler applies the condition before any macro runs, only a condition that
/// holds can be refused.
#[proc_macro_attribute]
pub fn filter(_args: TokenStream, item: TokenStream) -> TokenStream {
    misplaced::filter(&item.into()).into()
}

/// Says more about a method or a parameter.
///
/// - `#[hub(rename = "Send")]` on a method of a hub or a client: its name for the other side.
/// - `#[hub(fallback)]` on one method of a hub: it answers every event that no other method does. It
///   takes no arguments by position; `ctx.invocation()` has them, with the event's name.
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
