//! The files of an app, with its name and its dependencies.

use super::{dependencies::Dependencies, languages::Language, name::Name};

/// A file: its path in the app, and the template in the folder `templates`.
type Template = (&'static str, &'static str);

macro_rules! templates {
    ($($name:ident { $($path:literal $file:literal)* })*) => {
        $(const $name: &[Template] =
            &[$(($path, include_str!(concat!("../../../templates/", $file))),)*];)*
    };
}

// The files have other names in `templates`, because a folder with a Cargo.toml is not packed with this crate, and git
// would follow a .gitignore.
templates! {
    RUST {
        "Cargo.toml" "rust/manifest.toml"
        "src/main.rs" "rust/main.rs"
        "src/hub.rs" "rust/hub.rs"
        "src/page.rs" "rust/page.rs"
        "src/settings.rs" "rust/settings.rs"
        "src/tests.rs" "rust/tests.rs"
        "page/index.html" "page/index.html"
        "page/app.css" "page/app.css"
        "page/app.js" "page/app.js"
        "page/signalr.min.js" "page/signalr.min.js"
        "page/signalr.min.js.LICENSE.txt" "page/signalr.min.js.LICENSE.txt"
        ".env" "rust/env"
        ".gitignore" "rust/gitignore"
        ".dockerignore" "rust/dockerignore"
        ".github/workflows/ci.yml" "rust/ci.yml"
        "Dockerfile" "rust/Dockerfile"
        "README.md" "rust/README.md"
    }
    NODE {
        "package.json" "node/package.json"
        "src/main.js" "node/main.js"
        "src/app.js" "node/app.js"
        "src/hub.js" "node/hub.js"
        "src/signalr.js" "node/signalr.js"
        "test/hub.test.js" "node/hub.test.js"
        "page/index.html" "page/index.html"
        "page/app.css" "page/app.css"
        "page/app.js" "page/app.js"
        ".env" "node/env"
        ".gitignore" "node/gitignore"
        ".dockerignore" "node/dockerignore"
        ".github/workflows/ci.yml" "node/ci.yml"
        "Dockerfile" "node/Dockerfile"
        "README.md" "node/README.md"
    }
    PYTHON {
        "pyproject.toml" "python/pyproject.toml"
        "app/__init__.py" "python/init.py"
        "app/__main__.py" "python/main.py"
        "app/hub.py" "python/hub.py"
        "app/server.py" "python/server.py"
        "app/signalr.py" "python/signalr.py"
        "app/page/index.html" "page/index.html"
        "app/page/app.css" "page/app.css"
        "app/page/app.js" "page/app.js"
        "app/page/signalr.min.js" "page/signalr.min.js"
        "app/page/signalr.min.js.LICENSE.txt" "page/signalr.min.js.LICENSE.txt"
        "tests/test_hub.py" "python/test_hub.py"
        ".env" "python/env"
        ".gitignore" "python/gitignore"
        ".dockerignore" "python/dockerignore"
        ".github/workflows/ci.yml" "python/ci.yml"
        "Dockerfile" "python/Dockerfile"
        "README.md" "python/README.md"
    }
}

/// The version of the official client, which the inspector has too.
const SIGNALR: &str = include_str!("../../../inspector/signalr.version");
/// Cargo counts an app in the folder of another workspace as part of it, unless the app is a workspace itself.
const WORKSPACE: &str = "\n# The app is no part of the workspace above it.\n[workspace]\n";

/// The files of an app: path and content. `is_below_manifest` is whether a folder above has a Cargo.toml.
pub(super) fn files(
    language: Language,
    name: &Name,
    dependencies: &Dependencies,
    is_below_manifest: bool,
) -> Vec<(&'static str, String)> {
    let templates = match language {
        Language::Rust => RUST,
        Language::Node => NODE,
        Language::Python => PYTHON,
    };
    let values = [
        ("@NAME@", name.as_str()),
        ("@LIMITS@\n", dependencies.limits()),
        ("@DEPENDENCIES@", dependencies.lines()),
        ("@RUST@", env!("CARGO_PKG_RUST_VERSION")),
        ("@SIGNALR@", SIGNALR.trim()),
        ("@REPOSITORY@", env!("CARGO_PKG_REPOSITORY")),
        ("@WORKSPACE@\n", if is_below_manifest { WORKSPACE } else { "" }),
    ];
    let filled = |text: &str| {
        values.iter().fold(text.to_owned(), |text, (mark, value)| text.replace(mark, value))
    };
    templates.iter().map(|(path, text)| (*path, filled(text))).collect()
}
