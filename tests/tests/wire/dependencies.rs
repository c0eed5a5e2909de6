//! Every direct dependency is documented, and all crates of the repository forbid unsafe code.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All manifests of the repository.
fn manifests() -> Vec<(PathBuf, String)> {
    fn visit(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name());
            let is_built = name == "target" || name == "node_modules" || name == ".git";
            if entry.file_type().unwrap().is_dir() && !is_built {
                visit(&path, found);
            } else if name == "Cargo.toml" {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    visit(&root(), &mut found);
    found.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

/// The dependencies of a manifest, without the crates of the repository.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    let mut is_table = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_table = line.ends_with("dependencies]");
        } else if is_table
            && let Some((name, value)) = line.split_once('=')
            && !line.starts_with('#')
            && !value.contains("path = ")
        {
            named.insert(name.trim().trim_end_matches(".workspace").to_owned());
        }
    }
    named
}

#[test]
fn each_direct_dependency_is_listed_with_its_reason() {
    let ours: BTreeSet<_> = manifests()
        .iter()
        .filter_map(|(_, text)| text.lines().find_map(|line| line.strip_prefix("name = ")))
        .map(|name| name.trim_matches('"').to_owned())
        .collect();
    let used: BTreeSet<_> = manifests()
        .iter()
        .flat_map(|(_, text)| dependencies(text))
        .filter(|name| !ours.contains(name))
        .collect();
    let page = read(&root().join("docs/dependencies.md"));
    let listed: BTreeSet<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once(" | "))
        .filter(|(_, reason)| reason.len() > 10)
        .flat_map(|(names, _)| names.split([',', '`', ' ']))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();

    assert!(used.len() > 40, "{used:?}");
    let missing: Vec<_> = used.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&used).collect();
    assert!(missing.is_empty(), "add them to docs/dependencies.md: {missing:?}");
    assert!(gone.is_empty(), "no longer used: {gone:?}");
}

#[test]
fn unsafe_code_is_forbidden_in_every_crate() {
    let workspace = read(&root().join("Cargo.toml"));
    assert!(workspace.contains("\nunsafe_code = \"forbid\"\n"), "{workspace}");

    for (path, manifest) in manifests() {
        if manifest.contains("\n[package]") || manifest.starts_with("[package]") {
            let is_forbidden = manifest.contains("[lints]\nworkspace = true")
                || manifest.contains("unsafe_code = \"forbid\"");
            assert!(is_forbidden, "{}", path.display());
        }
    }
}
