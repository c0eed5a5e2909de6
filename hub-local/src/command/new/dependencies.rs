//! How an app depends on this project: on a registry, a repository, or files of this machine.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::languages::Language;

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The source of `hub-runtime`. No version is on the registry before the first release; then this is `version = "0.1"`.
const RUNTIME: &str = concat!("git = \"", env!("CARGO_PKG_REPOSITORY"), "\"");
/// The package for npm that an app starts. It uses a package for each platform.
const MAIN_PACKAGE: &str = "hub-local";

/// What names this project in an app.
#[derive(Debug)]
pub(super) struct Dependencies {
    /// The lines of the manifest.
    lines: String,
    /// The paragraph of the README on what does not work with files of this machine; empty without them.
    limits: String,
}

impl Dependencies {
    /// The dependencies on files at `paths`, or on published packages if there are none.
    pub(super) fn of(language: Language, paths: &[PathBuf]) -> Result<Self, String> {
        let published = published(language);
        if paths.is_empty() {
            return Ok(Self { lines: published, limits: String::new() });
        }
        let lines = match language {
            Language::Rust => of_checkout(one(paths)?)?,
            Language::Node => of_packages(paths)?,
            Language::Python => toml(&of_wheel(one(paths)?)?),
        };
        Ok(Self { limits: limits(language, &lines, &published), lines })
    }

    pub(super) fn lines(&self) -> &str {
        &self.lines
    }

    pub(super) fn limits(&self) -> &str {
        &self.limits
    }
}

/// The dependency on published packages.
fn published(language: Language) -> String {
    match language {
        Language::Rust => RUNTIME.to_owned(),
        Language::Node => format!("    \"{MAIN_PACKAGE}\": \"{VERSION}\""),
        Language::Python => toml(&format!("hub-local=={VERSION}")),
    }
}

/// What does not work in an app with these lines, and what to write in their place.
fn limits(language: Language, lines: &str, published: &str) -> String {
    let published = published.trim();
    let text = match language {
        Language::Rust => format!(
            "`Cargo.toml` names a folder of the machine on which the app was made. So `Dockerfile` fails on each machine, and `.github/workflows/ci.yml` fails on other machines. Before you use them, write `{published}` in both lines of `Cargo.toml` in the place of `{lines}`."
        ),
        Language::Node => format!(
            "`package.json` names files of the machine on which the app was made. So `Dockerfile` fails on each machine, and `.github/workflows/ci.yml` fails on other machines. Before you use them, write `{published}` in `package.json` in the place of the lines with `file:`, delete `package-lock.json` and run `npm install`."
        ),
        Language::Python => format!(
            "`pyproject.toml` names a file of the machine on which the app was made. So `.github/workflows/ci.yml` fails on other machines. Before you use it, write `{published}` in `pyproject.toml` in the place of `{lines}`."
        ),
    };
    format!("This app was made with `--path`: {text}\n\n")
}

/// The only path.
fn one(paths: &[PathBuf]) -> Result<&Path, String> {
    match paths {
        [path] => Ok(path),
        _ => Err("--path can be repeated for `--lang node` only".to_owned()),
    }
}

/// The absolute path of a file or folder, as text.
fn absolute(path: &Path) -> Result<String, String> {
    let shown = path.display();
    if !path.exists() {
        return Err(format!("--path: {shown} does not exist"));
    }
    let absolute =
        std::path::absolute(path).map_err(|error| format!("--path: {shown}: {error}"))?;
    let text = absolute.to_str().map(str::to_owned);
    text.ok_or_else(|| format!("--path: {shown} is no valid text, which a manifest must be"))
}

fn of_checkout(path: &Path) -> Result<String, String> {
    let runtime = path.join("hub-runtime");
    if path.exists() && !runtime.join("Cargo.toml").is_file() {
        return Err(format!(
            "--path: {} is no checkout of {}: it has no hub-runtime/Cargo.toml",
            path.display(),
            env!("CARGO_PKG_REPOSITORY"),
        ));
    }
    absolute(path)?;
    Ok(format!("path = {}", toml(&absolute(&runtime)?)))
}

fn of_packages(paths: &[PathBuf]) -> Result<String, String> {
    // In the order of npm, which sorts them at the next change.
    let mut sources = BTreeMap::new();
    for path in paths {
        let source = format!("file:{}", absolute(path)?);
        let name = package_name(path)?;
        if sources.contains_key(&name) {
            return Err(format!("--path: the package {name} is given twice; name it once"));
        }
        sources.insert(name, source);
    }
    if !sources.contains_key(MAIN_PACKAGE) {
        return Err(format!(
            "--path: the package {MAIN_PACKAGE} is missing, of which the others are parts; add a --path with its file, such as {MAIN_PACKAGE}-{VERSION}.tgz, or its folder"
        ));
    }
    let line = |(name, source)| format!("    \"{name}\": {}", Value::from(source));
    Ok(sources.into_iter().map(line).collect::<Vec<_>>().join(",\n"))
}

/// The name of a package in a file of `npm pack` (`hub-local-0.1.0.tgz`) or in a folder with a package.json.
fn package_name(path: &Path) -> Result<String, String> {
    let name = if path.is_dir() {
        let text = fs::read_to_string(path.join("package.json")).unwrap_or_default();
        let manifest: Value = serde_json::from_str(&text).unwrap_or_default();
        manifest.get("name").and_then(Value::as_str).map(str::to_owned)
    } else {
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let stem = file.strip_suffix(".tgz").unwrap_or_default();
        let is_version = |rest: &str| rest.starts_with(|digit: char| digit.is_ascii_digit());
        let ends = stem.match_indices('-').find(|(at, _)| is_version(&stem[at + 1..]));
        ends.map(|(at, _)| stem[..at].to_owned())
    };
    name.filter(|name| name == MAIN_PACKAGE || name.starts_with("hub-local-")).ok_or_else(|| {
        format!(
            "--path: {} is no package hub-local: name a file of `npm pack` such as hub-local-{VERSION}.tgz, or the folder of the package",
            path.display()
        )
    })
}

fn of_wheel(path: &Path) -> Result<String, String> {
    let text = absolute(path)?;
    let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !path.is_file() || !file.starts_with("hub_local-") || !file.ends_with(".whl") {
        return Err(format!(
            "--path: {} is no wheel of hub-local: name a file such as hub_local-{VERSION}-py3-none-any.whl",
            path.display()
        ));
    }
    Ok(format!("hub-local @ {}", file_url(&text)))
}

/// The `file:` URL of an absolute path.
fn file_url(path: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~')
        .remove(b'/')
        .remove(b':');
    let path = if cfg!(windows) { path.replace('\\', "/") } else { path.to_owned() };
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("file://{slash}{}", percent_encoding::utf8_percent_encode(&path, KEPT))
}

/// A string of TOML. Its escapes are those of JSON.
fn toml(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(language: Language, paths: &[&Path]) -> Result<String, String> {
        let paths: Vec<_> = paths.iter().map(|path| path.to_path_buf()).collect();
        Dependencies::of(language, &paths).map(|it| it.lines)
    }

    fn checkout() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    #[test]
    fn without_a_path_the_packages_are_the_published_ones() {
        assert!(lines(Language::Rust, &[]).unwrap().starts_with("git = \"https://"));
        assert_eq!(
            lines(Language::Node, &[]).unwrap(),
            format!("    \"hub-local\": \"{VERSION}\"")
        );
        assert_eq!(lines(Language::Python, &[]).unwrap(), format!("\"hub-local=={VERSION}\""));
    }

    #[test]
    fn a_checkout_is_a_path_dependency() {
        let line = lines(Language::Rust, &[&checkout()]).unwrap();

        assert!(line.starts_with("path = \"") && line.ends_with("hub-runtime\""), "{line}");
        let text = lines(Language::Rust, &[Path::new(env!("CARGO_MANIFEST_DIR"))]).unwrap_err();
        assert!(text.contains("it has no hub-runtime/Cargo.toml"), "{text}");
        let text = lines(Language::Rust, &[Path::new("/nowhere at all")]).unwrap_err();
        assert_eq!(text, "--path: /nowhere at all does not exist");
        let text = lines(Language::Rust, &[&checkout(), &checkout()]).unwrap_err();
        assert!(text.contains("for `--lang node` only"), "{text}");
    }

    #[test]
    fn packed_packages_and_wheels_are_named_by_their_paths() {
        let folder = super::super::tests::Scratch::new();
        let file = |name: &str| {
            let path = folder.path().join(name);
            fs::write(&path, "").unwrap();
            path
        };
        let (main, platform) = (file("hub-local-0.1.0.tgz"), file("hub-local-linux-x64-0.1.0.tgz"));
        let (wheel, other) =
            (file("hub_local-0.1.0-py3-none-linux_x86_64.whl"), file("other-1.0.tgz"));
        let place = folder.path().display();

        let lines_of_both = lines(Language::Node, &[&platform, &main]).unwrap();
        assert_eq!(
            lines_of_both,
            format!(
                "    \"hub-local\": \"file:{place}/hub-local-0.1.0.tgz\",\n    \"hub-local-linux-x64\": \"file:{place}/hub-local-linux-x64-0.1.0.tgz\""
            )
        );
        let twice = lines(Language::Node, &[&main, &platform, &main]).unwrap_err();
        assert_eq!(twice, "--path: the package hub-local is given twice; name it once");
        let part = lines(Language::Node, &[&platform]).unwrap_err();
        assert!(part.starts_with("--path: the package hub-local is missing"), "{part}");
        let line = lines(Language::Python, &[&wheel]).unwrap();
        assert!(line.starts_with("\"hub-local @ file:///") && line.contains("a%20b"), "{line}");
        assert!(lines(Language::Node, &[&other]).unwrap_err().contains("is no package hub-local"));
        assert!(
            lines(Language::Node, &[folder.path()])
                .unwrap_err()
                .contains("is no package hub-local")
        );
        assert!(
            lines(Language::Python, &[&main]).unwrap_err().contains("is no wheel of hub-local")
        );
    }

    #[test]
    fn the_folder_of_a_package_is_named_by_its_manifest() {
        let folder = super::super::tests::Scratch::new();
        fs::write(folder.path().join("package.json"), "{\"name\":\"hub-local\"}").unwrap();

        let line = lines(Language::Node, &[folder.path()]).unwrap();

        assert!(line.starts_with("    \"hub-local\": \"file:/"), "{line}");
    }

    #[test]
    fn quotes_and_backslashes_in_a_path_are_escaped() {
        assert_eq!(toml("C:\\my \"apps\""), r#""C:\\my \"apps\"""#);
    }
}
