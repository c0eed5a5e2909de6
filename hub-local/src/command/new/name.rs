//! Names of apps: valid for cargo, npm and pip.

use super::languages::Language;

const MAX_CHARACTERS: usize = 64;

const RULE: &str = "a name has 1 to 64 characters: lowercase letters (a to z), digits, `-` and `_`; the first is a letter, the last is a letter or a digit";

/// The packages of this project.
const OWN: [&str; 6] =
    ["hub-core", "hub-load", "hub-local", "hub-macros", "hub-net", "hub-runtime"];
/// Names that Windows reserves for devices.
const DEVICES: [&str; 4] = ["aux", "con", "nul", "prn"];
/// Keywords of Rust, which cannot be names of crates.
const KEYWORDS: [&str; 51] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];
/// Crates of the compiler, and folders of cargo's target folder.
const OF_CARGO: [&str; 9] =
    ["alloc", "build", "core", "deps", "examples", "incremental", "proc-macro", "std", "test"];

/// The name of an app.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// Checks a name.
    pub(super) fn check(name: &str, language: Language) -> Result<Self, String> {
        if !is_valid(name) {
            let shown: String =
                name.chars().map(|it| if it.is_control() { '\u{fffd}' } else { it }).collect();
            return Err(format!("`{shown}` cannot be the name of an app: {RULE}{}", advice(name)));
        }
        match taken(name, language) {
            Some(reason) => Err(format!(
                "`{name}` cannot be the name of an app: {reason}; choose another folder, or a name with --name"
            )),
            None => Ok(Self(name.to_owned())),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_valid(name: &str) -> bool {
    let is_inner =
        |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, '-' | '_');
    name.len() <= MAX_CHARACTERS
        && name.chars().all(is_inner)
        && name.starts_with(|it: char| it.is_ascii_lowercase())
        && name.ends_with(|it: char| it.is_ascii_alphanumeric())
}

/// How to get a valid name.
fn advice(name: &str) -> String {
    if name.contains('\\') && !cfg!(windows) {
        return ". Paths of this system are separated by `/`".to_owned();
    }
    let words = name.to_lowercase();
    let words = words.split(|it: char| !it.is_ascii_lowercase() && !it.is_ascii_digit());
    let nearest = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-");
    let nearest = nearest.trim_start_matches(|it: char| !it.is_ascii_lowercase());
    if is_valid(nearest) { format!(". For example --name {nearest}") } else { String::new() }
}

/// Why a valid name is not possible.
fn taken(name: &str, language: Language) -> Option<String> {
    let form = name.replace('_', "-");
    let is_device = DEVICES.contains(&name)
        || matches!(
            name.as_bytes(),
            [b'c', b'o', b'm', b'0'..=b'9'] | [b'l', b'p', b't', b'0'..=b'9']
        );
    if OWN.contains(&&*form) {
        return Some("this project has a package of this name".to_owned());
    }
    if is_device {
        return Some("Windows reserves it".to_owned());
    }
    if dependencies(language).contains(&&*form) {
        return Some("the app depends on a package of this name, or its tools do".to_owned());
    }
    match language {
        Language::Rust if KEYWORDS.contains(&name) => Some("it is a keyword of Rust".to_owned()),
        Language::Rust if OF_CARGO.contains(&&*form) => Some("cargo reserves it".to_owned()),
        Language::Node if form == "node-modules" => Some("npm reserves it".to_owned()),
        Language::Rust | Language::Node | Language::Python => None,
    }
}

/// The packages that an app with their name would replace or exclude, besides [`OWN`]. For Rust and Node they are those in
/// the manifest. An environment of Python has one package of a name: there, these are also the packages that those in the
/// manifest depend on (some only with older versions of Python, or on Windows), and the tools that install them.
fn dependencies(language: Language) -> &'static [&'static str] {
    match language {
        Language::Rust => {
            &["axum", "dotenvy", "serde", "serde-json", "tokio", "tracing-subscriber"]
        }
        // Those of a platform are in the manifest if they are given with --path.
        Language::Node => &[
            "hub-local-darwin-arm64",
            "hub-local-darwin-x64",
            "hub-local-linux-arm64",
            "hub-local-linux-x64",
            "hub-local-win32-x64",
        ],
        Language::Python => &[
            "aiohappyeyeballs",
            "aiohttp",
            "aiosignal",
            "async-timeout",
            "attrs",
            "colorama",
            "exceptiongroup",
            "frozenlist",
            "idna",
            "iniconfig",
            "msgpack",
            "multidict",
            "orjson",
            "packaging",
            "pip",
            "pluggy",
            "propcache",
            "pygments",
            "pysignalr",
            "pytest",
            "python-dotenv",
            "setuptools",
            "tomli",
            "typing-extensions",
            "uv",
            "websockets",
            "wheel",
            "yarl",
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str, language: Language) -> String {
        Name::check(name, language).unwrap_err()
    }

    #[test]
    fn names_that_cargo_npm_and_pypi_accept_are_valid() {
        for name in ["a", "my-app", "my_app", "app2", "z9", &"a".repeat(64)] {
            for language in [Language::Rust, Language::Node, Language::Python] {
                assert_eq!(Name::check(name, language).unwrap().as_str(), name);
            }
        }
    }

    #[test]
    fn other_characters_are_refused_with_the_rule() {
        let too_long = "a".repeat(65);
        for name in [
            "", "-app", "app-", "_a", "a_", "1app", "a b", "App", "ä", "a.b", "a/b", "\u{1}",
            "@x/y", &too_long,
        ] {
            let text = refusal(name, Language::Python);
            assert!(
                text.contains(
                    "1 to 64 characters: lowercase letters (a to z), digits, `-` and `_`"
                ),
                "{text}"
            );
            assert!(!text.contains('\u{1}'), "{text}");
        }
    }

    #[test]
    fn a_similar_name_is_proposed_if_there_is_one() {
        assert!(refusal("My App", Language::Rust).ends_with("For example --name my-app"));
        assert!(refusal("2_Chat.rs", Language::Rust).ends_with("For example --name chat-rs"));
        assert!(!refusal("用户", Language::Rust).contains("--name"));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_of_windows_is_explained_elsewhere() {
        assert!(refusal("C:\\apps\\chat", Language::Rust).ends_with("are separated by `/`"));
    }

    #[test]
    fn reserved_names_are_refused_with_the_reason() {
        for (name, language, reason) in [
            ("hub-runtime", Language::Rust, "this project has a package"),
            ("hub_local", Language::Node, "this project has a package"),
            ("com1", Language::Node, "Windows reserves it"),
            ("nul", Language::Python, "Windows reserves it"),
            ("test", Language::Rust, "cargo reserves it"),
            ("std", Language::Rust, "cargo reserves it"),
            ("proc_macro", Language::Rust, "cargo reserves it"),
            ("crate", Language::Rust, "keyword of Rust"),
            ("async", Language::Rust, "keyword of Rust"),
            ("serde_json", Language::Rust, "the app depends on"),
            ("node_modules", Language::Node, "npm reserves it"),
            ("hub-local-linux-x64", Language::Node, "the app depends on"),
            ("python_dotenv", Language::Python, "the app depends on"),
            ("pip", Language::Python, "the app depends on"),
            ("typing_extensions", Language::Python, "the app depends on"),
        ] {
            let text = refusal(name, language);
            assert!(text.contains(reason) && text.contains("--name"), "{text}");
        }
        assert!(Name::check("async", Language::Node).is_ok());
        assert!(Name::check("tokio", Language::Python).is_ok());
    }

    #[test]
    fn the_packages_in_the_manifests_are_refused() {
        let rust = include_str!("../../../templates/rust/manifest.toml");
        let of_rust = rust.split("dependencies]").skip(1).flat_map(str::lines);
        let of_rust = of_rust.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name);
        let python = include_str!("../../../templates/python/pyproject.toml");
        let of_python = python.split('"').filter_map(|text| text.split_once(">=")).map(|it| it.0);
        let all = of_rust.map(|name| (name, Language::Rust));
        let all: Vec<_> = all.chain(of_python.map(|name| (name, Language::Python))).collect();

        assert!(all.len() >= 11, "{all:?}");
        for (name, language) in all.into_iter().filter(|(name, _)| !name.is_empty()) {
            let text = refusal(name, language);
            assert!(text.contains("package of this name"), "{text}");
        }
    }
}
