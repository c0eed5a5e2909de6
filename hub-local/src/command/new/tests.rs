//! Tests of the whole command, in temporary folders.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use super::*;

/// An empty folder with a space in its path, removed at the end of a test.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("hub-local new {} a b {number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(fs::canonicalize(path).unwrap())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn new(folder: &Path, language: Language) -> Result<(), String> {
    named(folder, language, None)
}

fn named(folder: &Path, language: Language, name: Option<&str>) -> Result<(), String> {
    let folder = folder.to_owned();
    let arguments = NewArgs { folder, lang: None, name: name.map(str::to_owned), path: Vec::new() };
    match create(&arguments, language) {
        Ok(_) => Ok(()),
        Err(Failure::Usage(text) | Failure::Failed(text)) => Err(text),
        Err(other) => panic!("{other:?}"),
    }
}

/// All files below a folder, with their contents.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.clone(), fs::read_to_string(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn each_app_has_its_name_and_no_mark_is_left() {
    for lang in [Language::Rust, Language::Node, Language::Python] {
        let scratch = Scratch::new();
        let folder = scratch.path().join("my-app");

        new(&folder, lang).unwrap();

        let files = files(&folder);
        let names: Vec<_> = files
            .iter()
            .map(|(path, _)| path.strip_prefix(&folder).unwrap().to_str().unwrap())
            .collect();
        for name in [".env", ".gitignore", ".github/workflows/ci.yml", "Dockerfile", "README.md"] {
            assert!(names.contains(&name), "{lang} has no {name}");
        }
        for (path, text) in &files {
            let marks = text.split('@').skip(1).step_by(2);
            let is_mark =
                |part: &str| !part.is_empty() && part.chars().all(|it| it.is_ascii_uppercase());
            let left: Vec<_> = marks.filter(|part| is_mark(part)).collect();
            assert!(left.is_empty(), "{}: {left:?}", path.display());
            let is_minified = path.ends_with("signalr.min.js");
            assert!(is_minified || text.ends_with('\n'), "{}", path.display());
            assert!(!text.ends_with("\n\n"), "{}", path.display());
        }
        let manifest = files.iter().find(|(path, _)| path.ends_with("README.md")).unwrap();
        assert!(manifest.1.starts_with("# my-app\n"));
    }
}

#[test]
fn only_the_readme_of_an_app_with_a_path_says_what_the_path_prevents() {
    let packages = Scratch::new();
    let file = |name: &str| {
        let path = packages.path().join(name);
        fs::write(&path, "").unwrap();
        path
    };
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (package, wheel) = (file("hub-local-0.1.0.tgz"), file("hub_local-0.1.0-py3-none-any.whl"));
    for (language, path, manifest, has_image) in [
        (Language::Rust, checkout, "`Cargo.toml` names a folder", true),
        (Language::Node, package, "`package.json` names files", true),
        (Language::Python, wheel, "`pyproject.toml` names a file", false),
    ] {
        let readme = |path: Vec<PathBuf>| {
            let apps = Scratch::new();
            let folder = apps.path().join("my-app");
            let arguments = NewArgs { folder: folder.clone(), lang: None, name: None, path };
            create(&arguments, language).unwrap();
            fs::read_to_string(folder.join("README.md")).unwrap()
        };
        let (with, without) = (readme(vec![path]), readme(Vec::new()));

        let (before, after) =
            with.split_once("## Deploy\n\nThis app was made with `--path`: ").unwrap();
        let (limits, after) = after.split_once("\n\n").unwrap();
        assert_eq!(format!("{before}## Deploy\n\n{after}"), without);
        assert!(limits.starts_with(manifest), "{limits}");
        assert_eq!(limits.contains("`Dockerfile` fails"), has_image, "{limits}");
        assert!(limits.contains("`.github/workflows/ci.yml`"), "{limits}");
        let published = Dependencies::of(language, &[]).unwrap();
        assert!(limits.contains(&format!("write `{}` in ", published.lines().trim())), "{limits}");
    }
}

#[test]
fn a_folder_with_files_is_refused_and_stays_as_it_is() {
    let scratch = Scratch::new();
    let folder = scratch.path().join("my-app");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("README.md"), "mine").unwrap();

    let text = new(&folder, Language::Node).unwrap_err();

    assert!(text.contains("is not empty: it contains README.md. Nothing was changed"), "{text}");
    assert_eq!(files(&folder), [(folder.join("README.md"), "mine".to_owned())]);
}

#[test]
fn an_empty_folder_and_an_empty_repository_are_used() {
    for entry in [None, Some(".git")] {
        let scratch = Scratch::new();
        let folder = scratch.path().join("my-app");
        fs::create_dir(&folder).unwrap();
        entry.iter().for_each(|entry| fs::create_dir(folder.join(entry)).unwrap());

        new(&folder, Language::Python).unwrap();

        assert!(folder.join("app/hub.py").is_file());
    }
}

#[test]
fn a_file_in_the_way_is_refused_and_stays_as_it_is() {
    let scratch = Scratch::new();
    let file = scratch.path().join("my-app");
    fs::write(&file, "mine").unwrap();

    let text = new(&file, Language::Rust).unwrap_err();

    assert!(text.ends_with("exists and is not a folder; choose another name"), "{text}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    for below in ["below", "below/my-app"] {
        let text = new(&file.join(below), Language::Rust).unwrap_err();
        let expected = format!("{} is not a folder; choose another place", file.display());
        assert_eq!(text, expected);
    }
}

#[test]
fn a_missing_parent_is_refused_and_not_made() {
    let scratch = Scratch::new();

    let text = new(&scratch.path().join("apps/my-app"), Language::Rust).unwrap_err();

    assert!(text.contains("apps does not exist; make it first"), "{text}");
    assert!(!scratch.path().join("apps").exists());
}

#[test]
fn an_invalid_name_writes_nothing() {
    let scratch = Scratch::new();

    for name in ["My App", "crate"] {
        let text = new(&scratch.path().join(name), Language::Rust).unwrap_err();
        assert!(text.contains("cannot be the name of an app"), "{text}");
    }
    assert_eq!(files(scratch.path()), []);
}

#[test]
fn the_option_name_frees_the_name_of_the_folder() {
    let scratch = Scratch::new();
    let folder = scratch.path().join("My App");
    named(&folder, Language::Rust, Some("my-app")).unwrap();

    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    assert!(manifest.contains("name = \"my-app\""), "{manifest}");
}

#[cfg(unix)]
#[test]
fn a_link_to_an_empty_folder_is_followed_and_a_broken_one_is_refused() {
    let scratch = Scratch::new();
    let (target, link, broken) =
        (scratch.path().join("target"), scratch.path().join("my-app"), scratch.path().join("gone"));
    fs::create_dir(&target).unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    std::os::unix::fs::symlink(scratch.path().join("nothing"), &broken).unwrap();

    new(&link, Language::Node).unwrap();
    let text = new(&broken, Language::Node).unwrap_err();

    let manifest = fs::read_to_string(target.join("package.json")).unwrap();
    assert!(manifest.contains("\"name\": \"my-app\""), "{manifest}");
    assert!(text.contains("is a symbolic link to a place that does not exist"), "{text}");
}

#[test]
fn an_error_in_the_middle_removes_what_was_written() {
    let scratch = Scratch::new();
    let (fresh, empty) = (scratch.path().join("fresh"), scratch.path().join("empty"));
    fs::create_dir(&empty).unwrap();
    let too_long = "x".repeat(300);
    let written =
        [("a.txt", "a".to_owned()), ("b/c/d.txt", "d".to_owned()), (&*too_long, String::new())];

    for folder in [&fresh, &empty] {
        let text = write::write(&Folder::check(folder).unwrap(), &written).unwrap_err();
        assert!(text.ends_with("; what was written before has been removed"), "{text}");
    }

    assert!(!fresh.exists());
    assert_eq!(fs::read_dir(&empty).unwrap().count(), 0);
}

#[test]
fn a_file_that_appears_in_the_meantime_is_not_overwritten() {
    let scratch = Scratch::new();
    let folder = Folder::check(scratch.path()).unwrap();
    fs::write(scratch.path().join("b.txt"), "mine").unwrap();

    let written = [("a.txt", "a".to_owned()), ("b.txt", "b".to_owned())];
    let text = write::write(&folder, &written).unwrap_err();

    assert!(text.contains("b.txt: "), "{text}");
    assert_eq!(files(scratch.path()), [(scratch.path().join("b.txt"), "mine".to_owned())]);
}

#[test]
fn an_app_below_another_manifest_is_a_workspace_of_its_own() {
    let scratch = Scratch::new();
    let outside = scratch.path().join("outside");
    fs::create_dir(scratch.path().join("project")).unwrap();
    fs::write(scratch.path().join("project/Cargo.toml"), "[workspace]\n").unwrap();
    let inside = scratch.path().join("project/inside");

    new(&outside, Language::Rust).unwrap();
    new(&inside, Language::Rust).unwrap();

    let manifest = |folder: &Path| fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    assert!(!manifest(&outside).contains("[workspace]"));
    assert!(manifest(&inside).ends_with("\n[workspace]\n"));
}

#[cfg(unix)]
#[test]
fn a_link_above_a_new_folder_does_not_hide_the_manifest_above() {
    let scratch = Scratch::new();
    let (apps, link) = (scratch.path().join("project/apps"), scratch.path().join("apps"));
    fs::create_dir_all(&apps).unwrap();
    fs::write(scratch.path().join("project/Cargo.toml"), "[workspace]\n").unwrap();
    std::os::unix::fs::symlink(&apps, &link).unwrap();

    new(&link.join("my-app"), Language::Rust).unwrap();

    let manifest = fs::read_to_string(apps.join("my-app/Cargo.toml")).unwrap();
    assert!(manifest.ends_with("\n[workspace]\n"), "{manifest}");
}

#[test]
fn the_next_commands_start_with_the_folder_unless_it_is_the_current_one() {
    let scratch = Scratch::new();
    let spaced = scratch.path().join("it's new");
    let text = next(Language::Rust, &Folder::check(&spaced).unwrap(), 3);
    assert!(text.contains("Next:\n  cd "), "{text}");
    #[cfg(unix)]
    assert!(text.contains("/it'\\''s new'\n  cargo test\n  cargo run\n"), "{text}");

    let enter = |path: &str| Folder::check(Path::new(path)).unwrap().enter();
    assert_eq!(enter("my-app-that-does-not-exist").unwrap(), "cd my-app-that-does-not-exist");
    assert_eq!(enter("-x").unwrap(), "cd -- -x");
}

#[test]
fn the_language_is_that_of_the_package() {
    let environment = Scratch::new();
    fs::write(environment.path().join("pyvenv.cfg"), "").unwrap();
    let (inside, outside) = (environment.path().join("bin/hub-local"), Path::new("/bin/hub-local"));

    for (package, program, language) in [
        (None, None, Language::Rust),
        (Some("other"), Some(outside), Language::Rust),
        (Some("npm"), Some(outside), Language::Node),
        (Some("npm"), Some(&*inside), Language::Node),
        (Some("pypi"), Some(outside), Language::Python),
        (None, Some(&*inside), Language::Python),
    ] {
        assert_eq!(Language::of_package(package, program), language, "{package:?} {program:?}");
    }
}

#[test]
fn a_python_package_outside_of_an_environment_selects_python() {
    for packages in [
        "lib/python3.13/site-packages",
        "lib64/python3.13/site-packages",
        "lib/python3.13/dist-packages",
        "lib/python/site-packages",
        "Lib/site-packages",
        "site-packages",
        "",
    ] {
        let prefix = Scratch::new();
        let folder = prefix.path().join(packages);
        let program = prefix.path().join("bin/hub-local");
        let language = || Language::of_package(None, Some(&program));
        fs::create_dir_all(folder.join("other-1.0.dist-info")).unwrap();
        fs::create_dir_all(folder.join("hub_local")).unwrap();
        assert_eq!(language(), Language::Rust, "{packages}");

        fs::create_dir(folder.join("hub_local-0.1.0.dist-info")).unwrap();

        assert_eq!(language(), Language::Python, "{packages}");
    }
}
