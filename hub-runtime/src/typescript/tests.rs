mod emitted;

use std::{
    fs,
    path::{Path, PathBuf},
};

use hub_core::{Context, HubResult};
use hub_macros::{hub_client, serverless_hub};

use super::*;
use crate::SignalR;

#[hub_client(crate = crate)]
trait BoardClient {
    /// A line was drawn.
    async fn drawn(&self, line_id: u64, points: &[i32]);
    async fn may_clear(&self, user: &str) -> bool;
}

struct Board;

/// A board for drawings.
#[serverless_hub(client = BoardClient, crate = crate)]
impl Board {
    /// Draws a line, and */ returns its id.
    ///
    /// # Arguments
    ///
    /// * `points` - the points,
    ///   at least two
    /// - `delete`: whether to delete the others
    async fn draw(
        &self,
        _ctx: &Context<Self>,
        points: Vec<i32>,
        delete: Option<bool>,
        r#new: Option<String>,
    ) -> HubResult<u64> {
        let _ = (points, delete, r#new);
        Ok(1)
    }

    async fn clear(&self) {}
}

fn board() -> HubApp {
    let service =
        "Endpoint=http://127.0.0.1:1;AccessKey=0123456789abcdef0123456789abcdef;Version=1.0;";
    let signalr = SignalR::from_connection_string(service).unwrap();
    HubApp::builder().signalr(signalr).hub(Board).build().unwrap()
}

/// A new folder, which is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("typescript-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_hub_becomes_a_javascript_module_with_declarations() {
    let folder = Folder::new("bytes");

    let changed = board().typescript().javascript().write(folder.0.join("board.js")).unwrap();

    assert!(changed);
    let (code, helpers) = (include_str!("samples/board.js"), include_str!("helpers.js"));
    assert_eq!(folder.read("board.d.ts"), include_str!("samples/board.d.ts"));
    assert_eq!(folder.read("board.js"), format!("{code}{helpers}"));
}

#[test]
fn a_file_with_the_same_content_is_not_written_again() {
    let folder = Folder::new("unchanged");
    let path = folder.0.join("board.ts");
    let app = board();
    assert!(app.write_typescript(&path).unwrap());
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    let before = fs::metadata(&path).unwrap().modified().unwrap();

    assert!(!app.write_typescript(&path).unwrap());

    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
    assert_eq!(app.typescript().diff(&path).unwrap(), None);
}

#[test]
fn a_stale_file_has_a_difference_and_stays() {
    let folder = Folder::new("stale");
    let path = folder.0.join("board.ts");
    let module = board().typescript();
    module.write(&path).unwrap();
    let stale = folder.read("board.ts").replace("  clear(): Promise<void>;\n", "");
    fs::write(&path, &stale).unwrap();

    let diff = module.diff(&path).unwrap().unwrap();

    let changed: Vec<_> = diff.lines().filter(|line| line.starts_with(['-', '+'])).collect();
    assert_eq!(changed, ["+  clear(): Promise<void>;"]);
    assert_eq!(folder.read("board.ts"), stale);
}

#[test]
fn a_path_that_cannot_be_written_is_one_clear_line() {
    let folder = Folder::new("paths");
    let (module, js) = (board().typescript(), board().typescript().javascript());
    let path = |name: &str| folder.0.join(name);
    fs::create_dir(path("folder.ts")).unwrap();
    let shown = |name: &str| path(name).display().to_string();

    for (module, name, wanted) in [
        (&module, "folder.ts", format!("`{}` is a folder: name a file in it", shown("folder.ts"))),
        (&module, "missing/a.ts", format!("cannot write `{}`: ", shown("missing/a.ts"))),
        (&module, "a.d.ts", format!("the name `{}` must end in .ts or .mts", shown("a.d.ts"))),
        (
            &module,
            "a.js",
            format!(
                "`{}` is the name of a JavaScript file: use `--js` or `TypeScript::javascript`",
                shown("a.js")
            ),
        ),
        (
            &js,
            "a.ts",
            format!("the name `{}` of a JavaScript file must end in .js or .mjs", shown("a.ts")),
        ),
    ] {
        let text = module.write(path(name)).unwrap_err().to_string();

        assert!(text.starts_with(&wanted) && !text.contains('\n'), "{text}");
    }
}

#[test]
fn paths_of_declarations_are_beside_the_module() {
    let module = board().typescript().javascript();

    assert_eq!(module.declarations(Path::new("a/b.js")), Ok("a/b.d.ts".into()));
    assert_eq!(module.declarations(Path::new("b.mjs")), Ok("b.d.mts".into()));
}

#[test]
fn no_file_is_written_if_the_declarations_cannot_be_written() {
    let folder = Folder::new("both");
    let module = board().typescript().javascript();
    let path = folder.0.join("a.js");
    fs::create_dir(folder.0.join("a.d.ts")).unwrap();

    let text = module.write(&path).unwrap_err().to_string();

    assert!(text.ends_with("a.d.ts` is a folder: name a file in it"), "{text}");
    assert!(!path.exists());
}
