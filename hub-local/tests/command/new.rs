//! `hub-local new` as a process. What the apps do is tested by tests/packages/new.test.js.

use std::fs;

use tokio::process::Command;

use crate::process::{Folder, command};

/// Runs the command in a folder to its end: exit code, standard output and standard error.
async fn run(mut command: Command, folder: &Folder, arguments: &[&str]) -> (i32, String, String) {
    let done = command.current_dir(folder.path()).args(arguments).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

#[tokio::test]
async fn the_next_commands_are_printed() {
    let folder = Folder::new("new-next");

    let (code, out, errors) = run(command(), &folder, &["new", "my-app"]).await;

    assert_eq!(code, 0, "{errors}");
    let expected =
        "Next:\n  cd my-app\n  cargo test\n  cargo run\n\nThen open http://127.0.0.1:7071";
    assert!(out.starts_with("Created an app in Rust with 17 files: my-app\n"), "{out}");
    assert!(out.contains(expected), "{out}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn the_current_folder_gives_the_name() {
    let folder = Folder::new("new-here");
    fs::create_dir(folder.path().join("chat")).unwrap();
    let mut here = command();
    here.arg("new");

    let done = here.current_dir(folder.path().join("chat")).args([".", "--lang", "node"]).output();
    let done = done.await.unwrap();

    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(!String::from_utf8(done.stdout).unwrap().contains("  cd "));
    let manifest = fs::read_to_string(folder.path().join("chat/package.json")).unwrap();
    assert!(manifest.contains("\"name\": \"chat\""), "{manifest}");
}

#[tokio::test]
async fn the_package_selects_the_language() {
    for (package, file) in [("npm", "package.json"), ("pypi", "pyproject.toml"), ("", "Cargo.toml")]
    {
        let folder = Folder::new(&format!("new-package-{package}"));
        let mut command = command();
        command.env("HUB_LOCAL_PACKAGE", package);

        let (code, ..) = run(command, &folder, &["new", "my-app"]).await;

        assert_eq!(code, 0);
        assert!(folder.path().join("my-app").join(file).is_file(), "{package}");
    }
}

#[tokio::test]
async fn refusals_have_their_exit_codes_and_write_nothing() {
    let folder = Folder::new("new-refused");
    fs::write(folder.path().join("taken"), "mine").unwrap();
    for (arguments, expected, part) in [
        (&["new"][..], 2, "<FOLDER>"),
        (&["new", "my-app", "--lang", "go"], 2, "[possible values: rust, node, python]"),
        (&["new", "My App"], 2, "For example --name my-app"),
        (&["new", "test"], 2, "cargo reserves it"),
        (&["new", "test"], 2, "Usage: hub-local new [OPTIONS] <FOLDER>"),
        (&["new", "taken/my-app"], 1, "taken is not a folder"),
        (&["new", "taken"], 1, "exists and is not a folder"),
        (&["new", "."], 1, "is not empty: it contains taken"),
        (&["new", "none/my-app"], 1, "does not exist; make it first"),
        (&["new", "my-app", "--path", "none"], 1, "--path: none does not exist"),
        (&["new", ""], 2, "a value is required for '<FOLDER>'"),
    ] {
        let (code, out, errors) = run(command(), &folder, arguments).await;

        assert_eq!((code, &*out), (expected, ""), "{arguments:?}: {errors}");
        assert!(errors.starts_with("error: ") && errors.contains(part), "{errors}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(folder.path().join("taken")).unwrap(), "mine");
}

#[tokio::test]
async fn without_the_tools_of_the_language_the_app_is_written_with_a_warning() {
    for (lang, tool) in [("rust", "`cargo`"), ("node", "`node`"), ("python", "`python3`")] {
        let folder = Folder::new(&format!("new-without-{lang}"));
        let mut command = command();
        command.env("PATH", folder.path());

        let (code, _, errors) = run(command, &folder, &["new", "my-app", "--lang", lang]).await;

        assert_eq!(code, 0);
        let start = format!("warning: {tool} was not found, but the app needs ");
        assert!(errors.starts_with(&start) && errors.contains("https://"), "{errors}");
        assert!(folder.path().join("my-app/README.md").is_file());
    }
}

#[tokio::test]
async fn a_limit_of_the_system_in_the_middle_leaves_nothing() {
    let folder = Folder::new("new-limit");
    let mut shell = Command::new("sh");
    // Files of at most 8 KiB or 16 KiB, depending on the shell; one file of the app has 46 KiB.
    shell.args([
        "-c",
        "trap '' XFSZ; ulimit -f 16; exec \"$0\" new my-app",
        env!("CARGO_BIN_EXE_hub-local"),
    ]);

    let (code, out, errors) = run(shell, &folder, &[]).await;

    assert_eq!((code, &*out), (1, ""), "{errors}");
    assert!(
        errors.contains("signalr.min.js: ") && errors.ends_with("has been removed\n"),
        "{errors}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_without_permission_is_an_error() {
    let folder = Folder::new("new-permission");

    let (code, _, errors) = run(command(), &folder, &["new", "/sys/my-app"]).await;

    assert_eq!(code, 1);
    assert!(errors.starts_with("error: cannot write /sys/my-app: "), "{errors}");
    assert!(errors.ends_with("; nothing was written\n"), "{errors}");
}
