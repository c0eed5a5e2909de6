//! The blocks of code that are no doc tests.

/// How a block is checked.
pub(super) enum Way {
    /// A test runs it. Its file names the page.
    Run(&'static str),
    /// A file of the repository contains its text.
    SameAs(&'static str),
    /// It is only shown, for this reason.
    Shown(&'static str),
}

use Way::{Run, SameAs, Shown};

const SNIPPETS: &str = "tests/e2e/docs-snippets.test.js";
const GUIDES: &str = "tests/tests/wire/guides.rs";
const PROXIES: &str = "tests/e2e/proxies.js";
const START: &str = "tests/packages/docs-start.test.js";
const NPM: &str = "tests/packages/npm.js";
const PYTHON: &str = "tests/packages/python.js";
const CHAT: &str = "examples/chat/src/hub.rs";
const FIGURE: Way = Shown("a figure, not code");
const OUTPUT: Way = Shown("a line that the command prints; the tests of the inspector read it");
const NO_PROXY: Way =
    Shown("the proxy is not run by the tests; docs/proxies.md says which proxies were");

/// Page, start of the block, and how it is checked.
pub(super) const BLOCKS: &[(&str, &str, Way)] = &[
    (
        "README.md",
        "cargo run -p chat",
        Shown("starts the chat and the tests; chat.test.js starts the built chat"),
    ),
    ("README.md", "browser ──── WebSocket", FIGURE),
    ("README.md", "[dependencies]", Run("tests/packages/crates.test.js")),
    ("README.md", "const connection = new signalR.HubConnectionBuilder()", Run(SNIPPETS)),
    ("README.md", "import { createEchoHub }", Run(SNIPPETS)),
    ("README.md", "/// Methods that every page implements.", SameAs(CHAT)),
    ("README.md", "async fn join(", SameAs(CHAT)),
    ("README.md", "/// For moderators only.", SameAs(CHAT)),
    ("README.md", "let bob = hub.user(\"bob\")", SameAs("examples/chat/src/tests.rs")),
    ("docs/start.md", "cd my-app", Run(START)),
    ("docs/start.md", "/// `await connection.invoke(\"shout\"", Run(START)),
    ("docs/start.md", "async shout(", Run(START)),
    ("docs/start.md", "def shout(", Run(START)),
    ("hub-runtime/src/guide/typescript.md", "cargo run -p chat -- typescript", Run(SNIPPETS)),
    ("hub-runtime/src/guide/typescript.md", "import { createChatHub", Run(SNIPPETS)),
    ("hub-runtime/src/guide/asyncapi.md", "cargo run -p chat -- asyncapi", Run(SNIPPETS)),
    ("hub-runtime/src/guide/troubleshooting.md", "Inspect  ", OUTPUT),
    ("docs/inspect.md", "Inspect  ", OUTPUT),
    ("docs/inspect.md", "curl -H", Run(SNIPPETS)),
    ("docs/several-instances.md", "events {}", Run(SNIPPETS)),
    ("docs/several-instances.md", "hub-local start", Run(SNIPPETS)),
    ("docs/several-instances.md", "export AzureSignalRConnectionString=", Run(SNIPPETS)),
    ("docs/reference/app-commands.md", "Usage: ", Run(SNIPPETS)),
    // The test compares parameters, files and features with the templates. Nothing runs against Azure or AWS.
    (
        "docs/azure.md",
        "cargo run --package chat -- deploy-files deploy --container-apps",
        Run(GUIDES),
    ),
    ("docs/azure.md", "az acr build", Run(GUIDES)),
    ("docs/azure.md", "audience=$(az ad app create", Run(GUIDES)),
    ("docs/azure.md", "cargo run --package chat -- deploy-files deploy\n", Run(GUIDES)),
    ("docs/azure.md", "az deployment group create", Run(GUIDES)),
    ("docs/azure.md", "sudo apt-get install", Run(GUIDES)),
    ("docs/azure.md", "key=\n", Run(GUIDES)),
    ("docs/aws.md", "group=chat-lambda", Run(GUIDES)),
    ("docs/aws.md", "sudo apt-get install", Run(GUIDES)),
    ("docs/aws.md", "export AWS_DEFAULT_REGION", Run(GUIDES)),
    ("docs/aws.md", "printf '{\"Variables\"", Run(GUIDES)),
    ("docs/aws.md", "url=$(aws lambda", Run(GUIDES)),
    ("docs/aws.md", "url=${url%/}", Run(GUIDES)),
    ("docs/proxies.md", "map $http_upgrade", Run(PROXIES)),
    ("docs/proxies.md", "defaults\n", Run(PROXIES)),
    ("docs/proxies.md", "app.example {", Run(PROXIES)),
    ("docs/proxies.md", "<VirtualHost *:80>", NO_PROXY),
    ("docs/proxies.md", "http:\n", NO_PROXY),
    ("docs/proxies.md", "use_remote_address: true", NO_PROXY),
    ("docs/proxies.md", "vcl 4.1;", NO_PROXY),
    ("docs/proxies.md", "server.modules +=", NO_PROXY),
    ("docs/proxies.md", "http_port 80", NO_PROXY),
    ("docs/proxies.md", "export default { server:", NO_PROXY),
    (
        "docs/from-csharp.md",
        "public class Message",
        Shown("the app before the port; no .NET SDK in the tests"),
    ),
    (
        "docs/from-csharp.md",
        "const connection = new signalR",
        Shown("the page before and after the port; `show` is its own function"),
    ),
    ("examples/any-language/README.md", "cargo run -p hub-local", Run(SNIPPETS)),
    ("examples/any-language/README.md", "const connection = new signalR", Run(SNIPPETS)),
    (
        "packages/npm/README.md",
        "npx hub-local start",
        Shown("npm-command.test.js starts the installed command with npx"),
    ),
    (
        "packages/npm/README.md",
        "npm install --save-dev",
        Shown("the tests install the packed files instead"),
    ),
    (
        "packages/npm/README.md",
        "import { startHubLocal }",
        Shown("the calls of the complete tests below it"),
    ),
    ("packages/npm/README.md", "// app", Run(NPM)),
    (
        "packages/python/README.md",
        "uvx hub-local start",
        Shown("python.test.js starts the command of the wheel with uvx"),
    ),
    ("packages/python/README.md", "# test_chat.py", Run(PYTHON)),
    ("packages/python/README.md", "# start.py", Run(PYTHON)),
    (
        "hub-local/README.md",
        "npx hub-local start",
        Shown("installs the command in four ways and starts it"),
    ),
    (
        "hub-local/README.md",
        "hub-local new my-app",
        Shown("tests/packages/new-rust.test.js and its siblings write and use the apps"),
    ),
    (
        "hub-local/README.md",
        "services:\n",
        Shown("a Compose file: the tests have no Docker daemon"),
    ),
    (
        "hub-local/README.md",
        "hub-local start --upstream",
        Shown("the tests of the command, `command::record`, run both commands with other ports"),
    ),
    ("hub-local/README.md", "{ \"UpstreamSettings\"", Run(SNIPPETS)),
    ("ARCHITECTURE.md", "application, examples, tests, benches", FIGURE),
    ("ARCHITECTURE.md", "page         hub-local", FIGURE),
    (
        "benches/README.md",
        "benches/compare",
        Shown("measures for ten minutes, beside other software"),
    ),
];
