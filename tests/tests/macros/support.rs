//! A mounted hub whose outbound messages are recorded. Its calls need no service and no runtime crate.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use hub_core::{
    Category, Hub, HubError, InvocationParts, NegotiateRequest, Negotiation, Payload, Query,
    RefreshRequest, Reply,
    mounted::{MethodInfo, Mounted, MountedHub},
    outbound::{Change, Check, InvokeError, MemberPage, Outbound, SendError, Target},
};

/// A mounted hub with a recorder of its outbound messages.
pub(crate) struct Bench<H: Hub> {
    mounted: Arc<Mounted<H>>,
    recorder: Arc<Recorder>,
}

impl<H: Hub> Bench<H> {
    pub(crate) fn new(hub: H) -> Self {
        Self { mounted: Arc::new(Mounted::new(hub)), recorder: Arc::default() }
    }

    pub(crate) fn hub(&self) -> &H {
        self.mounted.hub()
    }

    /// The names in the method table, in the order of the table.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.rows().iter().map(|method| method.name).collect()
    }

    pub(crate) fn rows(&self) -> &[MethodInfo] {
        self.mounted.methods()
    }

    /// The sent messages, as `target.event[arguments]`.
    pub(crate) fn sent(&self) -> Vec<String> {
        self.recorder.sent.lock().unwrap().clone()
    }

    /// Invokes a method as user `ada`. Returns the encoded result, or the error text for the client.
    pub(crate) fn invoke(&self, event: &str, arguments: &str) -> Result<String, String> {
        self.call(Category::Message, event, Some("ada"), arguments, None)
    }

    /// Invokes a method as a connection without a user.
    pub(crate) fn invoke_anonymously(
        &self,
        event: &str,
        arguments: &str,
    ) -> Result<String, String> {
        self.call(Category::Message, event, None, arguments, None)
    }

    pub(crate) fn connect(&self) -> Result<String, String> {
        self.call(Category::Connected, "connected", Some("ada"), "[]", None)
    }

    pub(crate) fn disconnect(&self, error: Option<&str>) -> Result<String, String> {
        self.call(Category::Disconnected, "disconnected", Some("ada"), "[]", error)
    }

    /// Calls `negotiate`. Returns `None` if the hub has no such method.
    pub(crate) fn negotiate(&self) -> Option<Result<Negotiation, HubError>> {
        let request = NegotiateRequest::new(HeaderMap::new(), Query::default());
        Some(block_on(Arc::clone(&self.mounted).negotiate(request)?))
    }

    /// Calls `refresh`. Returns `None` if the hub has no such method.
    pub(crate) fn refresh(&self) -> Option<Result<Negotiation, HubError>> {
        let request = NegotiateRequest::new(HeaderMap::new(), Query::default());
        let hub = Arc::clone(&self.mounted);
        Some(block_on(hub.refresh(RefreshRequest::new(request))?))
    }

    pub(crate) fn report_refresh(&self) -> Result<String, String> {
        self.call(Category::Refreshed, "refreshed", Some("ada"), "[]", None)
    }

    fn call(
        &self,
        category: Category,
        event: &str,
        user: Option<&str>,
        arguments: &str,
        error: Option<&str>,
    ) -> Result<String, String> {
        let parts = InvocationParts {
            user_id: user.map(Arc::from),
            arguments: Bytes::copy_from_slice(arguments.as_bytes()),
            error: error.map(Box::from),
            invocation_id: Some("1".to_owned()),
            ..InvocationParts::new(H::NAME.to_ascii_lowercase(), category, event, "c1")
        };
        let row = self.mounted.find(category, event).ok_or("unknown method")?;
        let hub = Arc::clone(&self.mounted);
        let outbound = Arc::clone(&self.recorder) as Arc<dyn Outbound>;
        let reply = block_on(hub.call(Some(row), parts, outbound, Arc::from("hub")).outcome);
        match reply.map_err(|error| shown(&error))? {
            Reply::Completion(framed) => {
                let begins = b"{\"type\":3,\"invocationId\":\"1\",\"result\":";
                let result = framed.strip_prefix(begins).unwrap();
                let result = result.strip_suffix(b"}\x1e").unwrap();
                Ok(String::from_utf8(result.to_vec()).unwrap())
            }
            _ => Ok(String::new()),
        }
    }
}

/// The error text for the client. The runtime replaces an internal error by an error id.
fn shown(error: &HubError) -> String {
    if error.is_internal() { "internal".to_owned() } else { error.text().to_owned() }
}

/// Runs a future that needs neither timers nor I/O.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[derive(Default)]
struct Recorder {
    sent: Mutex<Vec<String>>,
}

impl Recorder {
    fn remember(&self, target: &str, payload: &Payload) {
        let arguments = std::str::from_utf8(payload.json_arguments()).unwrap();
        self.sent.lock().unwrap().push(format!("{target}.{}{arguments}", payload.target()));
    }
}

#[async_trait]
impl Outbound for Recorder {
    async fn send(&self, _: &str, target: Target, payload: Payload) -> Result<(), SendError> {
        self.remember(&format!("{target:?}"), &payload);
        Ok(())
    }

    /// Returns `true` as the result of every client.
    async fn invoke(
        &self,
        _: &str,
        connection_id: &str,
        payload: Payload,
        _: Option<Duration>,
    ) -> Result<Bytes, InvokeError> {
        self.remember(connection_id, &payload);
        Ok(Bytes::from_static(b"true"))
    }

    async fn change(&self, _: &str, _: Change) -> Result<(), SendError> {
        Ok(())
    }

    async fn check(&self, _: &str, _: Check) -> Result<bool, SendError> {
        Ok(true)
    }

    async fn members(&self, _: &str, _: &str, _: Option<String>) -> Result<MemberPage, SendError> {
        Ok(MemberPage::new(Vec::new(), None))
    }
}
