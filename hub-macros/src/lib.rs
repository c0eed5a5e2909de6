//! The attribute macros of serverless SignalR hubs. Applications use them through `hub-runtime`, which
//! documents them together with the related types.

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
/// `on_connected`, `on_disconnected` and `on_refreshed` handle the connection events, `negotiate` handles the
/// negotiate route, and `refresh` handles the refresh route. Functions without `self` are not hub methods. The macro does not rewrite methods.
///
/// Keys, all optional:
///
/// - `name = "chat"`: the hub's name, of letters, digits, `_`, `.` and `,`; defaults to the type's name.
/// - `connection = "ChatSignalR"`: the name of the setting with the hub's connection string; defaults
///   to `AzureSignalRConnectionString`.
/// - `client = ChatClient`: the `#[hub_client]` trait that the clients implement.
/// - `rename_all = "camelCase"`: how method names become client names, in serde's spellings.
/// - `exact_names`: the members of objects match the names of struct fields exactly. Without this key, they match
///   in any ASCII case if no field matches exactly.
/// - `register`: lets `HubApp::builder().discover()` find and mount the hub, from any linked crate. The
///   hub is created by `Default`, or by the function in `register = path`. Needs the feature `discover`.
/// - `crate = path`: the path of the runtime crate; defaults to `::hub_runtime`.
#[proc_macro_attribute]
pub fn serverless_hub(args: TokenStream, item: TokenStream) -> TokenStream {
    hub::expand(args.into(), &item.into()).into()
}

/// Turns a trait of client methods into typed calls from the hub to its clients.
///
/// `async fn f(&self, …)` becomes a method that sends a message. With a return type, it becomes a method
/// that invokes the client method on one connection and waits for the result. The trait is implemented
/// for every proxy of a hub with `client = …`.
///
/// Keys, both optional: `rename_all = "camelCase"` and `crate = path`, as for `#[serverless_hub]`.
#[proc_macro_attribute]
pub fn hub_client(args: TokenStream, item: TokenStream) -> TokenStream {
    client::expand(args.into(), &item.into()).into()
}

/// Adds a filter that runs before a hub method, or before all methods of a block:
/// `#[filter(SignedIn)]`.
///
/// The expression is evaluated once, when the hub is mounted. Filters of the block run
/// first, then filters of the method, from top to bottom. On a block, write the attribute below
/// `#[serverless_hub]`. In any other place the attribute is a compile error.
///
/// `#[cfg_attr(…, filter(…))]` is an error; write two versions of the method under `#[cfg(…)]`
/// instead. On a block, the compiler evaluates the condition before the macro runs, so the error
/// occurs only if the condition is true.
#[proc_macro_attribute]
pub fn filter(_args: TokenStream, item: TokenStream) -> TokenStream {
    misplaced::filter(&item.into()).into()
}

/// Options of a method or a parameter.
///
/// - `#[hub(rename = "Send")]` on a method of a hub or a client: the method's name on the wire.
/// - `#[hub(fallback)]` on one method of a hub: the method receives every event for which the hub has no
///   method. It has no positional parameters; `ctx.invocation()` returns the event's name and arguments.
/// - `#[hub(exact_names)]` on a method of a hub: the members of its arguments match the names of struct fields
///   exactly. Without this key, they match in any ASCII case if no field matches exactly.
/// - `#[hub(arguments)]` on a parameter: all arguments as one value, a tuple or a list.
/// - `#[hub(body)]` on a parameter: the whole message as one value, with the members `type`, `target`,
///   `arguments` and `invocationId`.
///
/// A method with such a parameter cannot have positional parameters.
#[proc_macro_attribute]
pub fn hub(_args: TokenStream, item: TokenStream) -> TokenStream {
    misplaced::hub(&item.into()).into()
}

/// Marks a parameter of a hub method as extracted from the call, not from the client's arguments:
/// `#[from_context] user: User`.
#[proc_macro_attribute]
pub fn from_context(_args: TokenStream, item: TokenStream) -> TokenStream {
    misplaced::from_context(&item.into()).into()
}
