use std::{
    fs,
    path::{Path, PathBuf},
};

use hub_core::{Context, HubResult};
use hub_macros::{hub_client, serverless_hub};
use serde_json::{Value, json};

use super::*;
use crate::SignalR;

#[hub_client(crate = crate)]
trait BoardClient {
    /// A line was drawn.
    async fn drawn(&self, line_id: u64, points: &[i32]);
    async fn may_clear(&self, user: &str) -> bool;
}

struct Board;

/// A board for drawings.
#[serverless_hub(client = BoardClient, crate = crate)]
impl Board {
    /// Draws a line, and */ returns its id.
    ///
    /// # Arguments
    ///
    /// * `points` - the points,
    ///   at least two
    /// - `delete`: whether to delete the others
    async fn draw(
        &self,
        _ctx: &Context<Self>,
        points: Vec<i32>,
        delete: Option<bool>,
        r#new: Option<String>,
    ) -> HubResult<u64> {
        let _ = (points, delete, r#new);
        Ok(1)
    }

    async fn clear(&self) {}
}

fn board() -> HubApp {
    let service =
        "Endpoint=http://127.0.0.1:1;AccessKey=0123456789abcdef0123456789abcdef;Version=1.0;";
    let signalr = SignalR::from_connection_string(service).unwrap();
    HubApp::builder().signalr(signalr).hub(Board).build().unwrap()
}

/// A new folder, which is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("typescript-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_hub_becomes_a_javascript_module_with_declarations() {
    let folder = Folder::new("bytes");

    let changed = board().typescript().javascript().write(folder.0.join("board.js")).unwrap();

    assert!(changed);
    let (code, helpers) = (include_str!("samples/board.js"), include_str!("helpers.js"));
    assert_eq!(folder.read("board.d.ts"), include_str!("samples/board.d.ts"));
    assert_eq!(folder.read("board.js"), format!("{code}{helpers}"));
}

#[test]
fn a_file_with_the_same_content_is_not_written_again() {
    let folder = Folder::new("unchanged");
    let path = folder.0.join("board.ts");
    let app = board();
    assert!(app.write_typescript(&path).unwrap());
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    let before = fs::metadata(&path).unwrap().modified().unwrap();

    assert!(!app.write_typescript(&path).unwrap());

    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
    assert_eq!(app.typescript().diff(&path).unwrap(), None);
}

#[test]
fn a_stale_file_has_a_difference_and_stays() {
    let folder = Folder::new("stale");
    let path = folder.0.join("board.ts");
    let module = board().typescript();
    module.write(&path).unwrap();
    let stale = folder.read("board.ts").replace("  clear(): Promise<void>;\n", "");
    fs::write(&path, &stale).unwrap();

    let diff = module.diff(&path).unwrap().unwrap();

    let changed: Vec<_> = diff.lines().filter(|line| line.starts_with(['-', '+'])).collect();
    assert_eq!(changed, ["+  clear(): Promise<void>;"]);
    assert_eq!(folder.read("board.ts"), stale);
}

#[test]
fn a_path_that_cannot_be_written_is_one_clear_line() {
    let folder = Folder::new("paths");
    let (module, js) = (board().typescript(), board().typescript().javascript());
    let path = |name: &str| folder.0.join(name);
    fs::create_dir(path("folder.ts")).unwrap();
    let shown = |name: &str| path(name).display().to_string();

    for (module, name, wanted) in [
        (&module, "folder.ts", format!("`{}` is a folder: name a file in it", shown("folder.ts"))),
        (&module, "missing/a.ts", format!("cannot write `{}`: ", shown("missing/a.ts"))),
        (&module, "a.d.ts", format!("the name `{}` must end in .ts or .mts", shown("a.d.ts"))),
        (
            &module,
            "a.js",
            format!(
                "`{}` is the name of a JavaScript file: use `--js` or `TypeScript::javascript`",
                shown("a.js")
            ),
        ),
        (
            &js,
            "a.ts",
            format!("the name `{}` of a JavaScript file must end in .js or .mjs", shown("a.ts")),
        ),
    ] {
        let text = module.write(path(name)).unwrap_err().to_string();

        assert!(text.starts_with(&wanted) && !text.contains('\n'), "{text}");
    }
}

/// The module of a contract with these hubs and schemas.
fn module(
    hubs: &Value,
    sent: &Value,
    received: &Value,
    protocol: Protocol,
) -> Result<String, String> {
    let contract = json!({"hubs": hubs, "schemas": {"sent": sent, "received": received}});
    let contract = serde_json::from_value(contract).unwrap();
    module::write(&contract, protocol, Form::TypeScript).map(|module| module.code)
}

/// The module of a hub `h` with a method that returns the schema and a method that takes it.
fn of_schemas(sent: &Value, received: &Value, protocol: Protocol) -> String {
    let refer = |schemas: &Value| -> Vec<Value> {
        let names = schemas.as_object().unwrap().keys();
        names.map(|name| json!({"name": "v", "schema": {"$ref": format!("#/x/{name}")}})).collect()
    };
    let hub = json!({"name": "h", "client": [], "methods": [
        {"name": "take", "arguments": refer(received)},
        {"name": "get", "arguments": [], "result": {"prefixItems": refer(sent).iter().map(|each| &each["schema"]).collect::<Vec<_>>(), "type": "array"}},
    ]});
    module(&json!([hub]), sent, received, protocol).unwrap()
}

fn hub(name: &str) -> Value {
    json!({"name": name, "methods": [{"name": "a", "arguments": []}], "client": []})
}

#[test]
fn hubs_with_the_same_name_in_typescript_are_refused() {
    let none = json!({});
    let both = |names: [&str; 2]| {
        module(&json!(names.map(hub)), &none, &none, Protocol::Json).unwrap_err()
    };

    assert_eq!(
        both(["chat", "ChatHub"]),
        "the hubs `chat` and `ChatHub` have the same name in TypeScript, `Chat`: rename one with `#[serverless_hub(name = \"…\")]`"
    );
    assert!(module(&json!([hub("a.b"), hub("a.c")]), &none, &none, Protocol::Json).is_ok());
}

#[test]
fn a_type_that_is_read_in_another_form_than_it_is_written_has_two_names() {
    let schema = |required: &[&str]| {
        json!({
            "Order": {"type": "object", "properties": {"note": {"type": "string"}}, "required": required},
            "Cart": {"type": "object", "properties": {"order": {"$ref": "#/x/Order"}}, "required": ["order"]},
            "Point": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]},
        })
    };

    let code = of_schemas(&schema(&["note"]), &schema(&[]), Protocol::Json);

    for wanted in [
        "  take(v: CartInput, v_: OrderInput, v__: Point): Promise<void>;\n",
        "  get(): Promise<[Cart, Order, Point]>;\n",
        "export interface CartInput {\n  order: OrderInput;\n}\n",
        "export interface Order {\n  note: string;\n}\n",
        "export interface OrderInput {\n  note?: string;\n}\n",
    ] {
        assert!(code.contains(wanted), "{wanted}{code}");
    }
}

#[test]
fn generic_types_are_named_after_their_parameters() {
    let page = |items: Value| json!({"type": "object", "properties": {"items": {"type": "array", "items": items}}, "required": ["items"]});
    let sent = json!({
        "Note": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        "Page": page(json!({"$ref": "#/x/Note"})),
        "Page2": page(json!({"type": ["integer", "null"]})),
        "Thing": {"type": "string", "enum": ["a"]},
        "Thing2": {"type": "object", "properties": {"b": {"type": "string"}}},
    });

    let code = of_schemas(&sent, &json!({}), Protocol::Json);

    for name in [
        "interface PageOfNote {",
        "interface PageOfOptionalNumber {",
        "type Thing = ",
        "interface Thing2 {",
    ] {
        assert!(code.contains(&format!("export {name}")), "{name} {code}");
    }
}

#[test]
fn names_that_a_file_needs_get_a_number() {
    let text = json!({"type": "string"});
    let sent = json!({"Promise": text, "HHub": text, "a b": text, "1": text});

    let code = of_schemas(&sent, &json!({}), Protocol::Json);

    assert!(code.contains("get(): Promise<[_1, HHub2, Promise2, AB]>;"), "{code}");
}

#[test]
fn dates_and_bytes_follow_the_protocol() {
    let properties = json!({
        "at": {"type": "string", "format": "date-time", "x-hub": "timestamp"},
        "file": {"type": ["string", "null"], "x-hub": "binary"},
        "text": {"type": "string", "format": "date-time"},
    });
    let sent = json!({"Log": {"type": "object", "properties": properties, "required": ["at", "file", "text"]}});
    let of = |protocol| of_schemas(&sent, &json!({}), protocol);

    let (json, packed) = (of(Protocol::Json), of(Protocol::MessagePack));

    let text = "  /** A date is RFC 3339 text. */\n  text: string;\n";
    assert!(
        packed.contains(&format!("  at: Date;\n  file: Uint8Array | null;\n{text}")),
        "{packed}"
    );
    let docs = "  /** A date is RFC 3339 text. */\n  at: string;\n  /** Bytes are Base64 text. */\n  file: string | null;\n";
    assert!(json.contains(&format!("{docs}{text}")), "{json}");
    assert!(packed.starts_with("// Generated from the hubs of the app by its command `typescript PATH --protocol messagepack`.\n"));
}

/// The REST operation that asks a client takes JSON only.
#[test]
fn arguments_of_questions_have_the_form_of_json_in_both_protocols() {
    let log = json!({"Log": {"type": "object", "properties": {"at": {"type": "string", "x-hub": "timestamp"}}, "required": ["at"]}});
    let argument = json!([{"name": "log", "schema": {"$ref": "#/x/Log"}}]);
    let hubs = json!([{"name": "h", "methods": [], "client": [
        {"name": "tell", "arguments": argument},
        {"name": "ask", "arguments": argument, "result": {"$ref": "#/x/Log"}},
    ]}]);

    let packed = module(&hubs, &log, &log, Protocol::MessagePack).unwrap();
    let json = module(&hubs, &log, &log, Protocol::Json).unwrap();

    assert!(
        packed.contains("  tell(log: Log): void;\n  ask(log: LogJson): HubAnswer<Log>;\n"),
        "{packed}"
    );
    assert!(json.contains("  tell(log: Log): void;\n  ask(log: Log): HubAnswer<Log>;\n"), "{json}");
}

#[test]
fn malformed_schemas_become_types_without_a_panic() {
    for schema in [
        json!(null),
        json!([1]),
        json!({"$ref": 1, "oneOf": {}, "enum": [], "type": [1, "x"]}),
        json!({"$ref": "#/%e4%/~2"}),
        json!({"enum": [{"a": 1}, null]}),
        json!({"type": "array", "prefixItems": []}),
        json!({"properties": {"": false}, "required": 1, "additionalProperties": 1}),
        json!({"allOf": [{"oneOf": []}, false]}),
    ] {
        let hub = json!({"name": "h", "client": [], "methods": [
            {"name": "", "arguments": [{"name": "", "schema": schema, "rest": true}], "result": schema},
        ]});

        module(&json!([hub]), &json!({"a": schema}), &json!({}), Protocol::Json).unwrap();
    }
}

#[test]
fn paths_of_declarations_are_beside_the_module() {
    let module = board().typescript().javascript();

    assert_eq!(module.declarations(Path::new("a/b.js")), Ok("a/b.d.ts".into()));
    assert_eq!(module.declarations(Path::new("b.mjs")), Ok("b.d.mts".into()));
}
