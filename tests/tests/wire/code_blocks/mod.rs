//! Each block of code on the site is compiled, run, compared with a file, or listed with the reason why it is only shown.

mod table;

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use self::table::{BLOCKS, Way};

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The path of a relative link, from the root of the repository.
fn resolve(target: &str, file: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in Path::new(file).parent().unwrap().join(target).components() {
        match part {
            Component::ParentDir => {
                parts.pop();
            }
            other => parts.push(other.as_os_str().to_str().unwrap().to_owned()),
        }
    }
    parts.join("/")
}

/// The pages of the site.
fn pages() -> Vec<String> {
    let summary = read("docs/SUMMARY.md");
    let targets = summary.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
    targets.map(|target| resolve(target, "docs/SUMMARY.md")).collect()
}

/// The pages whose Rust examples are doc tests.
fn doc_tested() -> Vec<String> {
    let sources =
        ["tests/src/doc_pages.rs", "hub-runtime/src/guide/mod.rs", "hub-local/src/lib.rs"];
    let mut pages = Vec::new();
    for source in sources {
        let text = read(source);
        let paths =
            text.split("include_str!(\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        pages.extend(paths.map(|path| resolve(path, source)));
    }
    pages
}

/// A fenced block: its info string and its text, without indentation.
#[derive(Debug)]
struct Block {
    info: String,
    text: String,
}

fn blocks(text: &str) -> Vec<Block> {
    let (mut found, mut open): (Vec<Block>, Option<(Block, usize)>) = (Vec::new(), None);
    for line in text.lines() {
        let trimmed = line.trim_start();
        let fence = trimmed.strip_prefix("```");
        open = match (open, fence) {
            (None, Some(info)) => {
                let block = Block { info: info.trim().to_owned(), text: String::new() };
                Some((block, line.len() - trimmed.len()))
            }
            (Some((block, _)), Some("")) => {
                found.push(block);
                None
            }
            (Some((mut block, indent)), _) => {
                block.text += line.get(indent..).unwrap_or_default();
                block.text.push('\n');
                Some((block, indent))
            }
            (None, None) => None,
        };
    }
    assert!(open.is_none(), "a block has no end");
    found
}

/// Whether rustdoc compiles a block of a page with doc tests.
fn is_rust(info: &str) -> bool {
    let mut words = info.split(',');
    matches!(words.next(), Some("" | "rust" | "no_run" | "should_panic"))
        && words.all(|word| word != "ignore")
}

/// What is wrong with the way of a block.
fn check(page: &str, block: &Block, way: &Way) -> Result<(), String> {
    match way {
        Way::Run(test) if !read(test).contains(page) => {
            Err(format!("{test} does not read the page"))
        }
        Way::SameAs(file) if !read(file).contains(block.text.trim_end()) => {
            Err(format!("{file} does not contain the block"))
        }
        Way::Shown(reason) if reason.len() < 10 => Err("no reason".to_owned()),
        _ => Ok(()),
    }
}

#[test]
fn every_block_of_code_is_compiled_run_compared_or_listed() {
    let compiled = doc_tested();
    let (mut problems, mut used, mut count) = (Vec::new(), vec![false; BLOCKS.len()], 0);
    for page in pages() {
        for block in blocks(&read(&page)) {
            let start = block.text.lines().next().unwrap_or_default().to_owned();
            let name = format!("{page}, ```{}, `{start}`", block.info);
            let is_compiled = compiled.contains(&page) && is_rust(&block.info);
            let row = BLOCKS
                .iter()
                .position(|(of, text, _)| *of == page && block.text.trim_start().starts_with(text));
            match row {
                None if is_compiled => count += 1,
                None => problems.push(format!(
                    "{name}: not compiled, and no row of tests/tests/wire/code_blocks/table.rs begins so"
                )),
                Some(_) if is_compiled => problems.push(format!("{name}: compiled already, remove its row")),
                Some(row) => {
                    used[row] = true;
                    problems.extend(check(&page, &block, &BLOCKS[row].2).err().map(|it| format!("{name}: {it}")));
                }
            }
        }
    }
    let unused = BLOCKS.iter().zip(used).filter(|(_, used)| !used);
    problems.extend(
        unused.map(|((page, start, _), _)| format!("{page}: no block begins with `{start}`")),
    );

    assert!(problems.is_empty(), "{problems:#?}");
    assert!(count > 35, "only {count} blocks are compiled");
}

#[test]
fn pages_with_doc_tests_are_on_the_site() {
    let pages = pages();
    let missing: Vec<_> = doc_tested().into_iter().filter(|page| !pages.contains(page)).collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn blocks_are_found_with_their_text() {
    let found = blocks("a\n```sh\nb\n```\n1. c\n\n   ```rust,ignore\n   d\n     e\n   ```\n");

    let texts: Vec<_> = found.iter().map(|it| (it.info.as_str(), it.text.as_str())).collect();
    assert_eq!(texts, [("sh", "b\n"), ("rust,ignore", "d\n  e\n")]);
    assert!(is_rust("") && is_rust("rust,no_run") && !is_rust("rust,ignore") && !is_rust("sh"));
}

#[test]
fn wrong_ways_are_detected() {
    let block = Block { info: "sh".to_owned(), text: "not in the README\n".to_owned() };
    let problem = |way| check("docs/no-such-page.md", &block, &way).unwrap_err();

    assert!(problem(Way::SameAs("README.md")).contains("does not contain the block"));
    assert!(problem(Way::Run("tests/e2e/chat.test.js")).contains("does not read the page"));
    assert_eq!(problem(Way::Shown("")), "no reason");
}
