//! What somebody may try who means harm, and what comes of it: an answer that says no, never a panic,
//! a hang or memory that nobody bounds. After each attack the service serves others as before.
//!
//! | | Attack | Test |
//! |---|---|---|
//! | 1 | a token without a signature | `tokens::a_token_with_alg_none_is_refused_everywhere` |
//! | 2 | a token that says RS256, signed with the key as HMAC | `tokens::a_token_that_says_rs256_is_refused_though_the_key_signed_it` |
//! | 3 | a token for another audience | `tokens::a_token_for_another_audience_is_refused_everywhere` |
//! | 4 | a token a second past the leeway | `tokens::a_token_is_refused_a_second_after_expiry_and_leeway` |
//! | 5 | a key that was taken away | `tokens::the_second_key_is_accepted_and_refused_once_it_is_removed` |
//! | 11 | groups that look like paths | `names::groups_that_look_like_paths_are_names_or_refused`, from client to client `tests/wire/groups_and_users.rs` |
//! | 12 | line ends in a user id | `names::no_line_end_gets_into_a_user_id` |
//! | 13 | a page of another origin | `pages::an_evil_page_gets_nowhere_without_a_token_of_its_own` |
//! | 14 | a star beside credentials | `pages::no_answer_has_a_star_beside_credentials` |
//! | 15 | a client that does not read | `slow_reader::a_slow_reader_is_closed_with_a_reason_and_its_memory_is_bounded` |
//! | 16 | a text of 4 GB, as it says | `bombs::a_declared_length_of_4_gib_is_refused_in_every_place`, `hub-local/tests/command/attacks.rs` |
//! | 17 | JSON 10,000 levels deep | `bombs::json_ten_thousand_levels_deep_harms_nothing_at_any_entrance` |
//! | 18 | frames without an end, too long, packed | `bombs::bomb_frames_end_the_connection` and its neighbours |
//! | 19 | an upstream at a metadata address | `upstream::link_local_and_metadata_addresses_are_no_upstream_in_any_spelling` |
//! | 20 | an upstream that redirects | `upstream::a_redirect_of_an_upstream_is_not_followed` |

mod bombs;
mod floods;
mod memberships;
mod names;
mod pages;
mod requests;
mod slow_reader;
mod tokens;
mod upstream;

use std::{net::SocketAddr, time::Duration};

use hub_local::Limits;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Handle,
    time::timeout,
};

use crate::support::{App, Fixture, eventually};

/// Longer than anything here takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service behind a socket.
struct Served {
    fixture: Fixture,
    address: SocketAddr,
    /// How many tasks there were before anybody came.
    tasks: usize,
}

impl Served {
    async fn new(limits: Limits) -> Self {
        Self::with(App::silent(), limits).await
    }

    async fn with(app: App, limits: Limits) -> Self {
        let fixture = Fixture::with(app, limits);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(fixture.service.serve(listener));
        Self { fixture, address, tasks: tasks() }
    }

    async fn connect(&self) -> Raw {
        Raw(TcpStream::connect(self.address).await.unwrap())
    }

    /// A request without a body on a socket of its own: the head of the answer.
    async fn ask(&self, head: &str) -> String {
        let mut socket = self.connect().await;
        socket.write(format!("{head}\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await;
        socket.rest().await
    }

    /// Others are served.
    async fn serves(&self) {
        let answer = self.ask("GET /api/health HTTP/1.1").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Nothing is left of those who came: no client, and no task.
    async fn is_calm(&self) {
        eventually(|| self.fixture.service.counters().connections == 0).await;
        eventually(|| tasks() <= self.tasks).await;
    }
}

/// The tasks that live in the runtime of this test.
fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// A socket on which anything may be said.
struct Raw(TcpStream);

impl Raw {
    /// Writes, unless the peer has closed.
    async fn write(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    /// What comes until the peer closes.
    async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let reading = self.0.read_to_end(&mut bytes);
        // A reset is an end, too.
        assert!(timeout(PATIENCE, reading).await.is_ok(), "the service closes the socket");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
