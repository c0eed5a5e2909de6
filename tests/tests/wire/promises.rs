//! Every test that the documents name exists.
//!
//! In the documents, a code span such as `local::order::a_test` names a Rust test by the path of its
//! module, and `loop.test.js: a title` names a Node test.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The documents that name tests for their promises.
const DOCUMENTS: [&str; 4] =
    ["docs/delivery.md", "docs/reliability.md", "docs/threats.md", "docs/values.md"];

/// The source folder of each test program, and of each crate with unit tests.
const ROOTS: [(&str, &str); 11] = [
    ("local", "tests/tests/local"),
    ("wire", "tests/tests/wire"),
    ("macros", "tests/tests/macros"),
    ("faults", "tests/tests/faults"),
    ("command", "hub-local/tests/command"),
    ("hub_core", "hub-core/src"),
    ("hub_load", "hub-load/src"),
    ("hub_local", "hub-local/src"),
    ("hub_macros", "hub-macros/src"),
    ("hub_net", "hub-net/src"),
    ("hub_runtime", "hub-runtime/src"),
];

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The code spans of a document, without its fenced blocks.
fn spans(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|part| part.split('`').skip(1).step_by(2)).collect()
}

fn is_rust_test(span: &str) -> bool {
    let word = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_lowercase())
            && part.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_')
    };
    span.contains("::") && span.split("::").all(word)
}

/// Checks that the file of a module contains a function with a test attribute.
fn check_rust(span: &str) -> Result<(), String> {
    let parts: Vec<_> = span.split("::").collect();
    let [first, modules @ .., name] = parts.as_slice() else { return Err("no path".to_owned()) };
    let folder = ROOTS.iter().find(|(root, _)| root == first);
    let mut path = root().join(folder.ok_or("no test program or crate of this name")?.1);
    path.extend(modules);
    let file = source(&path).ok_or("no such module")?;
    let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let is_function = |line: &&str| line.contains(&format!("fn {name}("));
    let at = lines.iter().position(is_function).ok_or("no such function")?;
    let mut above = lines.iter().take(at).rev().take_while(|line| line.starts_with("#["));
    let is_test = |line: &&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
    // A macro can generate tests from a list of functions, one for each kind of service.
    let (alone, at_start) = (format!("{name};"), format!("{name} at start "));
    let is_listed = || lines.iter().any(|line| *line == alone || line.starts_with(&at_start));
    let is_test = above.any(is_test) || is_listed();
    is_test.then_some(()).ok_or_else(|| "not a test".to_owned())
}

/// The file of a module. An inline module `tests` is in the file of its parent.
fn source(module: &Path) -> Option<PathBuf> {
    let inline = module.file_name().is_some_and(|name| name == "tests").then(|| module.parent());
    let places = [Some(module), inline.flatten()].into_iter().flatten();
    let mut files = places.flat_map(|it| [it.with_extension("rs"), it.join("mod.rs")]);
    files.find(|file| file.is_file())
}

/// Checks that a file contains the title of a test or of a group of tests.
fn check_node(file: &str, title: &str) -> Result<(), String> {
    let path = root().join("tests/e2e").join(file);
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let named = ["\"", "`"].iter().any(|quote| text.contains(&format!("{quote}{title}{quote}")));
    named.then_some(()).ok_or_else(|| "no such title".to_owned())
}

#[test]
fn every_test_in_the_documents_exists() {
    let (mut problems, mut found) = (Vec::new(), 0);
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for span in spans(&text) {
            let checked = match span.split_once(": ") {
                Some((file, title)) if file.ends_with(".test.js") => check_node(file, title),
                _ if is_rust_test(span) => check_rust(span),
                _ => continue,
            };
            found += 1;
            if let Err(problem) = checked {
                problems.push(format!("{document}: `{span}`: {problem}"));
            }
        }
    }

    assert!(problems.is_empty(), "{problems:#?}");
    assert!(found > 60, "only {found} tests are named");
}

#[test]
fn unknown_test_names_are_detected() {
    for (span, problem) in [
        ("local::order::no_such_test", "no such function"),
        ("local::order::asking", "not a test"),
        ("local::nowhere::one_connection_has_one_upstream_call_at_a_time", "no such module"),
        ("elsewhere::a", "no test program or crate of this name"),
    ] {
        assert!(is_rust_test(span));
        assert_eq!(check_rust(span), Err(problem.to_owned()), "{span}");
    }
    assert_eq!(check_rust("local::order::connections_do_not_wait_for_each_other"), Ok(()));
    assert_eq!(check_node("loop.test.js", "no such title"), Err("no such title".to_owned()));
}
