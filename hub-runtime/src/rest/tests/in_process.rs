//! Messages to a service in this process.

use std::pin::Pin;

use hub_core::outbound::Recipients;

use super::{super::transport::InProcess, *};

/// A service in this process that records what it gets.
#[derive(Default)]
struct Near {
    messages: Mutex<Vec<String>>,
    requests: Mutex<Vec<String>>,
    /// Whether a sender waits forever.
    is_full: bool,
}

#[async_trait]
impl Transport for Near {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, SendError> {
        self.requests.lock().unwrap().push(request.uri().path().to_owned());
        Ok(Response::builder().status(202).body(Bytes::new()).unwrap())
    }

    fn in_process(&self) -> Option<&dyn InProcess> {
        Some(self)
    }
}

impl InProcess for Near {
    fn send<'a>(
        &'a self,
        hub: &'a str,
        to: Recipients<'a>,
        message: &'a Payload,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            let sent = format!("{hub} {to:?} {}", message.target());
            self.messages.lock().unwrap().push(sent);
            if self.is_full {
                std::future::pending::<()>().await;
            }
        })
    }
}

fn near(is_full: bool) -> (RestOutbound, Arc<Near>) {
    let service = Arc::new(Near { is_full, ..Near::default() });
    let key = SignIn::Key("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH".into());
    let transport = Arc::clone(&service) as Arc<dyn Transport>;
    let base = "http://x.example".to_owned();
    let client = RestClient::new(transport, base, key, Clock::start(), RestOptions::default());
    let rest = RestOutbound {
        name: String::new(),
        client,
        tokens: unsealed(),
        is_json_only: AtomicBool::default(),
    };
    (rest, service)
}

#[tokio::test]
async fn a_plain_message_needs_no_request() {
    let (rest, service) = near(false);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();

    for target in [
        Target::All,
        Target::AllExcept(names(&["c1"])),
        Target::GroupExcept("g".to_owned(), names(&["c1"])),
        Target::Users(names(&["ada", "bob"])),
        Target::Connection("c1".to_owned()),
    ] {
        rest.send("chat", target, payload()).await.unwrap();
    }

    assert_eq!(
        *service.messages.lock().unwrap(),
        [
            "chat All { excluded: [] } changed",
            "chat All { excluded: [\"c1\"] } changed",
            "chat Group { group: \"g\", excluded: [\"c1\"] } changed",
            "chat User(\"ada\") changed",
            "chat User(\"bob\") changed",
            "chat Connection(\"c1\") changed",
        ]
    );
    assert!(service.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_message_near_a_limit_is_a_request_and_has_its_checks() {
    let (rest, service) = near(false);
    let large = payload_of("x".repeat(300 * 1024));
    let excluded = vec!["connection".to_owned(); 100];

    rest.send("chat", Target::All, large).await.unwrap();
    rest.send("chat", Target::AllExcept(excluded), payload()).await.unwrap();
    let too_large = rest.send("chat", Target::All, payload_of("x".repeat(1 << 20))).await;

    assert!(matches!(too_large, Err(SendError::TooLarge { .. })), "{too_large:?}");
    assert_eq!(*service.requests.lock().unwrap(), ["/api/hubs/chat/:send"; 2]);
    assert!(service.messages.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_sender_waits_for_a_service_in_this_process_until_the_timeout() {
    let (rest, _) = near(true);

    let sent = rest.send("chat", Target::All, payload()).await;

    assert!(matches!(sent, Err(SendError::TimedOut(time)) if time.as_secs() == 100), "{sent:?}");
}
