//! The text of modules for given contracts.

use serde_json::{Value, json};

use super::*;

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
    assert!(packed.starts_with(
        "// Generated from the hubs of the app: `typescript PATH --protocol messagepack`,\n"
    ));
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

/// `new(…)` in an interface is a construct signature.
#[test]
fn a_method_with_the_name_new_is_in_quotes_in_interfaces() {
    let calls = json!([{"name": "new", "arguments": []}]);
    let hubs = json!([{"name": "h", "methods": calls, "client": calls}]);

    let code = module(&hubs, &json!({}), &json!({}), Protocol::Json).unwrap();

    for wanted in [
        "export interface HHub {\n  \"new\"(): Promise<void>;\n}",
        "export interface HClient {\n  \"new\"(): void;\n}",
        "    new: () => connection.invoke(\"new\"),\n",
        "    new: \"message\",\n",
    ] {
        assert!(code.contains(wanted), "{wanted}{code}");
    }
}

/// The client finds them in its empty table of handlers.
#[test]
fn a_client_method_that_every_object_has_is_refused() {
    for name in ["constructor", "Constructor", "__proto__"] {
        let calls = json!([{"name": name, "arguments": []}]);
        let hub = |methods: &Value, client: &Value| json!([{"name": "h", "methods": methods, "client": client}]);
        let code = |hubs| module(&hubs, &json!({}), &json!({}), Protocol::Json);

        assert!(code(hub(&calls, &json!([]))).is_ok());
        assert_eq!(
            code(hub(&json!([]), &calls)).unwrap_err(),
            format!(
                "pages cannot register the method `{name}` of the clients of the hub `h`, because every object of JavaScript has such a member: rename it with `#[hub(rename = \"…\")]`"
            )
        );
    }
}

#[test]
fn types_with_the_same_text_are_written_once_and_keep_their_notes() {
    let id = json!({"description": "An id.", "anyOf": [
        {"type": "integer", "format": "uint8"},
        {"type": "integer", "format": "uint64"},
        {"type": "number"},
    ]});
    let sent = json!({"Id": id});

    let code = of_schemas(&sent, &json!({}), Protocol::Json);

    let wanted =
        "/**\n * An id.\n *\n * Integers beyond 2^53 are rounded.\n */\nexport type Id = number;\n";
    assert!(code.contains(wanted), "{code}");
}

#[test]
fn a_map_beside_an_enum_has_an_index_that_fits_all_fields() {
    let variant = |name: &str| json!({"type": "object", "properties": {name: {"type": "string"}}, "required": [name]});
    let sent = json!({"Choice": {
        "type": "object",
        "properties": {"id": {"type": "boolean"}},
        "required": ["id"],
        "oneOf": [variant("a"), variant("b")],
        "unevaluatedProperties": {"type": "number"},
    }});

    let code = of_schemas(&sent, &json!({}), Protocol::Json);

    let wanted = "export type Choice =\n  | { a: string; id: boolean; [key: string]: number | boolean | string }\n  | { b: string; id: boolean; [key: string]: number | boolean | string };\n";
    assert!(code.contains(wanted), "{code}");
}

#[test]
fn a_reference_without_a_definition_is_unknown() {
    let missing = json!({"$ref": "#/x/Missing"});
    let sent = json!({
        "A": {"type": "object", "properties": {"a": {"anyOf": [missing, {"type": "null"}]}}, "required": ["a"]},
        "B": {"type": "array", "items": missing},
    });
    let hubs = json!([{"name": "h", "client": [], "methods": [
        {"name": "get", "arguments": [], "result": missing},
        {"name": "all", "arguments": [], "result": {"type": "array", "prefixItems": [{"$ref": "#/x/A"}, {"$ref": "#/x/B"}]}},
    ]}]);

    let code = module(&hubs, &sent, &json!({}), Protocol::Json).unwrap();

    for wanted in
        ["  get(): Promise<unknown>;\n", "  a: unknown;\n", "export type B = unknown[];\n"]
    {
        assert!(code.contains(wanted), "{wanted}{code}");
    }
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
