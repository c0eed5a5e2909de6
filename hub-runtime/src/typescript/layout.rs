//! Breaks text into lines of 80 columns, as Prettier does: the outermost group that does not fit is broken first
//! (Philip Wadler, "A prettier printer").

const WIDTH: usize = 80;

/// Text with places for line breaks.
#[derive(Clone, Debug)]
pub(super) enum Doc {
    Text(String),
    /// A space, or a line break if the group is broken.
    Line,
    /// Nothing, or a line break if the group is broken.
    SoftLine,
    /// Always a line break.
    HardLine,
    All(Vec<Self>),
    Group(Vec<Self>),
    Indent(Vec<Self>),
    /// The first if the group is broken, otherwise the second.
    IfBroken(Vec<Self>, &'static str),
}

impl Doc {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Puts `separator` between the documents.
    pub(super) fn join(docs: impl IntoIterator<Item = Self>, separator: &[Self]) -> Self {
        let mut all = Vec::new();
        for doc in docs {
            if !all.is_empty() {
                all.extend_from_slice(separator);
            }
            all.push(doc);
        }
        Self::All(all)
    }

    /// Whether the document always contains a line break.
    pub(super) fn breaks(&self) -> bool {
        match self {
            Self::HardLine => true,
            Self::All(docs) | Self::Group(docs) | Self::Indent(docs) => {
                docs.iter().any(Self::breaks)
            }
            _ => false,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Flat,
    Broken,
}

type Command<'a> = (usize, Mode, &'a Doc);

/// Prints the document.
pub(super) fn print(doc: &Doc) -> String {
    let mut out = String::new();
    let mut column = 0;
    let mut commands: Vec<Command<'_>> = vec![(0, Mode::Broken, doc)];
    while let Some((indent, mode, doc)) = commands.pop() {
        match doc {
            Doc::Text(text) => {
                out.push_str(text);
                column += text.chars().count();
            }
            Doc::Line if mode == Mode::Flat => {
                out.push(' ');
                column += 1;
            }
            Doc::SoftLine if mode == Mode::Flat => {}
            Doc::Line | Doc::SoftLine | Doc::HardLine => {
                out.truncate(out.trim_end_matches(' ').len());
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', indent));
                column = indent;
            }
            Doc::All(docs) => push(&mut commands, indent, mode, docs),
            Doc::Indent(docs) => push(&mut commands, indent + 2, mode, docs),
            Doc::Group(docs) => {
                let fits = !doc.breaks()
                    && (mode == Mode::Flat || fits(docs, &commands, WIDTH.saturating_sub(column)));
                let mode = if fits { Mode::Flat } else { Mode::Broken };
                push(&mut commands, indent, mode, docs);
            }
            Doc::IfBroken(docs, _) if mode == Mode::Broken => {
                push(&mut commands, indent, mode, docs);
            }
            Doc::IfBroken(_, flat) => {
                out.push_str(flat);
                column += flat.chars().count();
            }
        }
    }
    // Lines without text have no indentation.
    let lines: Vec<_> = out.split('\n').map(str::trim_end).collect();
    lines.join("\n")
}

fn push<'a>(commands: &mut Vec<Command<'a>>, indent: usize, mode: Mode, docs: &'a [Doc]) {
    commands.extend(docs.iter().rev().map(|doc| (indent, mode, doc)));
}

/// Whether the documents fit on the rest of the line, with what follows up to its first possible line break.
fn fits<'a>(docs: &'a [Doc], rest: &[Command<'a>], width: usize) -> bool {
    let mut left = width;
    let mut commands: Vec<(Mode, &'a Doc)> =
        docs.iter().rev().map(|doc| (Mode::Flat, doc)).collect();
    let mut rest = rest.iter().rev();
    loop {
        let (mode, doc) = match commands.pop() {
            Some(command) => command,
            None => match rest.next() {
                Some((_, mode, doc)) => (*mode, *doc),
                None => return true,
            },
        };
        let mut inside =
            |mode, docs: &'a [Doc]| commands.extend(docs.iter().rev().map(|doc| (mode, doc)));
        let width = match doc {
            Doc::Text(text) => text.chars().count(),
            Doc::Line if mode == Mode::Flat => 1,
            Doc::SoftLine if mode == Mode::Flat => 0,
            Doc::Line | Doc::SoftLine | Doc::HardLine => return true,
            Doc::All(docs) | Doc::Indent(docs) => {
                inside(mode, docs);
                0
            }
            Doc::Group(docs) => {
                inside(if doc.breaks() { Mode::Broken } else { mode }, docs);
                0
            }
            Doc::IfBroken(docs, _) if mode == Mode::Broken => {
                inside(mode, docs);
                0
            }
            Doc::IfBroken(_, flat) => flat.chars().count(),
        };
        let Some(still) = left.checked_sub(width) else { return false };
        left = still;
    }
}
