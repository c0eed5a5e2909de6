//! The text of the files: for each hub its methods and those of its clients, then the types, then the helpers.

use super::{
    Form, Protocol,
    contract::{Argument, Call, Contract, Hub},
    definitions::Names,
    jsdoc,
    layout::{
        Doc::{self, Group, HardLine, IfBroken, Indent, Line, SoftLine},
        print,
    },
    names::{self, Taken},
    printer::{self, Parameter, Within},
    types::{Definition, Object, Type},
};

const CALLER: &str =
    "/** A connection that calls hub methods: `HubConnection` of `@microsoft/signalr`. */
export interface HubCaller {
  invoke<T>(method: string, ...args: unknown[]): Promise<T>;
}";

const RECEIVER: &str =
    "/** A connection that the server calls: `HubConnection` of `@microsoft/signalr`. */
export interface HubReceiver {
  on(method: string, handler: (...args: any[]) => unknown): void;
  off(method: string, handler: (...args: any[]) => unknown): void;
}";

const ANSWER: &str = "/** An answer to the server, now or later. It is never `undefined`. */
export type HubAnswer<T> = (T & ({} | null)) | Promise<T & ({} | null)>;";

/// The content of the files: of the module, and of the declarations of a JavaScript module.
pub(super) struct Module {
    pub(super) code: String,
    pub(super) declarations: Option<String>,
}

/// One hub under the name that its types and functions have.
struct Named<'a> {
    name: String,
    hub: &'a Hub,
}

/// Writes the module of all hubs.
///
/// # Errors
/// When two hubs have the same name in TypeScript, or a method of a client cannot be registered.
pub(super) fn write(contract: &Contract, protocol: Protocol, form: Form) -> Result<Module, String> {
    let mut taken = Taken::new();
    let hubs = named(&contract.hubs, &mut taken)?;
    let names = Names::new(&contract.schemas, protocol, &mut taken);
    let has_clients = hubs.iter().any(|each| !each.hub.client.is_empty());

    let mut declarations = Sections::new(protocol, form);
    let mut code = Sections::new(protocol, form);
    for each in &hubs {
        each.write(&names, form, &mut declarations, &mut code);
    }
    let used = hubs.iter().flat_map(|each| each.types(&names)).collect::<Vec<_>>();
    for (name, definition) in names.used(used.iter()) {
        declarations.add(print(&self::definition(name, definition)));
    }
    declarations.add(CALLER.to_owned());
    if has_clients {
        declarations.add(RECEIVER.to_owned());
        declarations.add(ANSWER.to_owned());
    }
    let helpers = match form {
        Form::TypeScript => include_str!("helpers.ts"),
        Form::JavaScript => include_str!("helpers.js"),
    };
    let mut helpers = has_clients.then(|| helpers.trim_end().to_owned());
    Ok(match form {
        Form::TypeScript => {
            helpers.take().into_iter().for_each(|helpers| declarations.add(helpers));
            Module { code: declarations.finish(), declarations: None }
        }
        Form::JavaScript => {
            helpers.take().into_iter().for_each(|helpers| code.add(helpers));
            Module { code: code.finish(), declarations: Some(declarations.finish()) }
        }
    })
}

fn named<'a>(hubs: &'a [Hub], taken: &mut Taken) -> Result<Vec<Named<'a>>, String> {
    let mut all: Vec<Named<'a>> = Vec::new();
    for hub in hubs {
        if let Some(call) = hub.client.iter().find(|call| names::is_inherited(&call.name)) {
            return Err(format!(
                "pages cannot register the method `{}` of the clients of the hub `{}`, because every object of JavaScript has such a member: rename it with `#[hub(rename = \"…\")]`",
                call.name, hub.name
            ));
        }
        let name = names::hub(&hub.name);
        if let Some(other) = all.iter().find(|other| other.name == name) {
            return Err(format!(
                "the hubs `{}` and `{}` have the same name in TypeScript, `{name}`: rename one with `#[serverless_hub(name = \"…\")]`",
                other.hub.name, hub.name
            ));
        }
        all.push(Named { name, hub });
    }
    for each in &all {
        for kind in ["Hub", "Client"] {
            let name = format!("{}{kind}", each.name);
            if !taken.take_exactly(&name) {
                return Err(format!(
                    "the hub `{}` has a type `{name}` in TypeScript, which another hub has: rename one with `#[serverless_hub(name = \"…\")]`",
                    each.hub.name
                ));
            }
        }
    }
    Ok(all)
}

/// Parts of a file, with empty lines between them.
struct Sections(Vec<String>);

impl Sections {
    fn new(protocol: Protocol, form: Form) -> Self {
        let protocol = match protocol {
            Protocol::Json => "",
            Protocol::MessagePack => " --protocol messagepack",
        };
        let form = if form == Form::JavaScript { " --js" } else { "" };
        let command = format!("typescript PATH{protocol}{form}");
        Self(vec![format!(
            "// Generated from the hubs of the app: `{command}`,\n// or `HubApp::typescript` in code. The next run overwrites changes.\n/* eslint-disable */"
        )])
    }

    fn add(&mut self, section: String) {
        self.0.push(section);
    }

    fn finish(self) -> String {
        format!("{}\n", self.0.join("\n\n"))
    }
}

impl Named<'_> {
    fn write(&self, names: &Names, form: Form, declarations: &mut Sections, code: &mut Sections) {
        let (name, hub) = (&self.name, self.hub);
        if !hub.methods.is_empty() {
            let docs = if hub.docs.is_empty() { "The methods of the hub." } else { &hub.docs };
            let rows = hub.methods.iter().map(|call| method(call, names, Direction::FromClient));
            declarations.add(print(&interface(&format!("{name}Hub"), docs, rows.collect())));
            let docs = format!("Returns the methods of the hub `{}` as functions.", hub.name);
            let typed = [("connection", "HubCaller")];
            let body = creator_body(&hub.methods);
            let head = (&*format!("create{name}Hub"), &typed[..], &*format!("{name}Hub"));
            function(&docs, head, &body, form, declarations, code);
        }
        if !hub.client.is_empty() {
            let docs = format!("The methods that the hub `{}` calls.", hub.name);
            let rows =
                hub.client.iter().map(|call| method(call, names, Direction::to_client(call)));
            declarations.add(print(&interface(&format!("{name}Client"), &docs, rows.collect())));
            let docs = format!(
                "Registers a handler for each method that the hub `{}` calls. Reconnects keep\nthem. The returned function removes them.",
                hub.name
            );
            let client = format!("{name}Client");
            let typed = [("connection", "HubReceiver"), ("handlers", &*client)];
            let body = register_body(&hub.client);
            let head = (&*format!("register{name}Client"), &typed[..], "() => void");
            function(&docs, head, &body, form, declarations, code);
        }
    }

    fn types(&self, names: &Names) -> Vec<Type> {
        let mut types = Vec::new();
        let of_hub = self.hub.methods.iter().map(|call| (call, Direction::FromClient));
        let of_client = self.hub.client.iter().map(|call| (call, Direction::to_client(call)));
        for (call, direction) in of_hub.chain(of_client) {
            types.extend(call.arguments.iter().map(|each| direction.argument(each, names)));
            types.extend(call.result.iter().map(|result| direction.result(result, names)));
        }
        types
    }
}

/// Who calls a method.
#[derive(Clone, Copy)]
enum Direction {
    FromClient,
    /// A message to clients.
    Message,
    /// A method of a client that returns a client result.
    Question,
}

impl Direction {
    fn to_client(call: &Call) -> Self {
        if call.result.is_some() { Self::Question } else { Self::Message }
    }

    fn argument(self, argument: &Argument, names: &Names) -> Type {
        match self {
            Self::FromClient => names.received(&argument.schema),
            Self::Message => names.sent(&argument.schema),
            Self::Question => names.asked(&argument.schema),
        }
    }

    fn result(self, result: &serde_json::Value, names: &Names) -> Type {
        match self {
            Self::FromClient => names.sent(result),
            Self::Message | Self::Question => names.received(result),
        }
    }
}

/// A method in an interface, with its docs.
fn method(call: &Call, names: &Names, direction: Direction) -> Doc {
    let known: Vec<_> = call.arguments.iter().map(|argument| &*argument.name).collect();
    let has_rest = call.arguments.iter().any(|argument| argument.rest);
    let (mut docs, of_parameters) = jsdoc::split(&call.docs, &known, has_rest);
    let parameters = parameters(&call.arguments, names, direction);
    let mut tags = Vec::new();
    for (argument, parameter) in call.arguments.iter().zip(&parameters) {
        let text = of_parameters.iter().find(|(name, _)| *name == argument.name || argument.rest);
        let notes = parameter.of.notes();
        let text = text.map(|(_, docs)| &**docs).into_iter().chain(notes);
        let text = text.collect::<Vec<_>>().join(" ");
        if !text.is_empty() {
            tags.push(format!("@param {} - {text}", parameter.name));
        }
    }
    let result = call.result.as_ref().map(|result| direction.result(result, names));
    let notes = result.as_ref().map(Type::notes).unwrap_or_default();
    if !notes.is_empty() {
        tags.push(format!("@returns {}", notes.join(" ")));
    }
    if !tags.is_empty() {
        docs = format!("{docs}\n\n{}", tags.join("\n"));
    }
    let result = match (direction, result) {
        (Direction::FromClient, None | Some(Type::Null)) => Doc::text("Promise<void>"),
        (Direction::FromClient, Some(result)) => printer::wrapped("Promise", &result),
        (_, None) => Doc::text("void"),
        (_, Some(result)) => printer::wrapped("HubAnswer", &result),
    };
    let mut row = jsdoc::comment(&docs);
    row.push(printer::signature(&names::method(&call.name), &parameters, result));
    Doc::All(row)
}

fn parameters(arguments: &[Argument], names: &Names, direction: Direction) -> Vec<Parameter> {
    let last_required = arguments.iter().rposition(|argument| !argument.optional);
    let mut taken = Vec::new();
    let parameter = |(at, argument): (usize, &Argument)| {
        let of = direction.argument(argument, names);
        if argument.rest {
            let of = if names.is_list(&of) { of } else { Type::Array(Box::new(Type::Unknown)) };
            return Parameter { name: "args".to_owned(), optional: false, rest: true, of };
        }
        let mut name = names::parameter(&argument.name);
        while taken.contains(&name) {
            name.push('_');
        }
        taken.push(name.clone());
        let optional = argument.optional && last_required.is_none_or(|last| at > last);
        Parameter { name, optional, rest: false, of }
    };
    arguments.iter().enumerate().map(parameter).collect()
}

fn interface(name: &str, docs: &str, rows: Vec<Doc>) -> Doc {
    let mut doc = jsdoc::comment(docs);
    let rows = Doc::join(rows, &[Doc::text(";"), HardLine]);
    doc.push(Doc::text(format!("export interface {name} {{")));
    doc.push(Indent(vec![HardLine, rows, Doc::text(";")]));
    doc.extend([HardLine, Doc::text("}")]);
    Doc::All(doc)
}

/// The declaration of a type: an interface for an object.
fn definition(name: &str, definition: &Definition) -> Doc {
    let Definition { docs, of } = definition;
    let object = match of {
        Type::Object(object) if !object.is_empty() => Some(object),
        _ => None,
    };
    if let Some(object @ Object { .. }) = object {
        return interface(name, docs, printer::rows(object));
    }
    let docs = jsdoc::with_notes(docs, &of.notes());
    let mut doc = jsdoc::comment(&docs);
    let alias = format!("export type {name} = ");
    doc.push(Doc::text(alias));
    doc.push(printer::of(of, Within::Annotation));
    doc.push(Doc::text(";"));
    Doc::All(doc)
}

/// Adds a function: to a TypeScript module with its types, to a JavaScript module and to its declarations.
fn function(
    docs: &str,
    (name, parameters, result): (&str, &[(&str, &str)], &str),
    body: &Doc,
    form: Form,
    declarations: &mut Sections,
    code: &mut Sections,
) {
    let head = |before: &str, types: bool| {
        let list = parameters.iter().map(|(name, of)| match types {
            true => Doc::text(format!("{name}: {of}")),
            false => Doc::text(*name),
        });
        let list = Doc::join(list, &[Doc::text(","), Line]);
        let list = [SoftLine, list, IfBroken(vec![Doc::text(",")], "")];
        let mut head = vec![Doc::text(format!("{before} {name}("))];
        head.extend([Indent(list.to_vec()), SoftLine, Doc::text(")")]);
        if types {
            head.push(Doc::text(format!(": {result}")));
        }
        let mut doc = jsdoc::comment(docs);
        doc.push(Group(head));
        doc
    };
    let with_body = |mut head: Vec<Doc>| {
        head.extend([Doc::text(" {"), Indent(vec![HardLine, body.clone()]), HardLine]);
        head.push(Doc::text("}"));
        print(&Doc::All(head))
    };
    match form {
        Form::TypeScript => declarations.add(with_body(head("export function", true))),
        Form::JavaScript => {
            let mut declaration = head("export declare function", true);
            declaration.push(Doc::text(";"));
            declarations.add(print(&Doc::All(declaration)));
            code.add(with_body(head("export function", false)));
        }
    }
}

/// Braces around lines.
fn block(before: &str, rows: impl Iterator<Item = Doc>, after: &str) -> Doc {
    let rows = Doc::join(rows, &[HardLine]);
    let begin = Doc::text(format!("{before}{{"));
    Doc::All(vec![begin, Indent(vec![HardLine, rows]), HardLine, Doc::text(format!("}}{after}"))])
}

fn creator_body(methods: &[Call]) -> Doc {
    let rows = methods.iter().map(|call| {
        let (list, spread) =
            if call.arguments.is_empty() { ("()", None) } else { ("(...args)", Some("...args")) };
        let name = Doc::text(names::text(&call.name));
        let arguments = std::iter::once(name).chain(spread.map(Doc::text));
        let arguments = Doc::join(arguments, &[Doc::text(","), Line]);
        let arguments = [SoftLine, arguments, IfBroken(vec![Doc::text(",")], "")];
        let invoke = Group(vec![
            Doc::text("connection.invoke("),
            Indent(arguments.to_vec()),
            SoftLine,
            Doc::text(")"),
        ]);
        let head = Doc::text(format!("{}: {list} =>", names::member(&call.name)));
        Doc::All(vec![Group(vec![head, Group(vec![Indent(vec![Line, invoke])])]), Doc::text(",")])
    });
    block("return ", rows, ";")
}

fn register_body(client: &[Call]) -> Doc {
    let rows = client.iter().map(|call| {
        let kind = if call.result.is_some() { "question" } else { "message" };
        Doc::text(format!("{}: \"{kind}\",", names::member(&call.name)))
    });
    block("return register(connection, handlers, ", rows, ");")
}
