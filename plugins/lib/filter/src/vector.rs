//! Images that are described and not stored: SVG, and text, which is drawn as SVG too.
//!
//! resvg reads and draws them: it runs no scripts, and what it would load from elsewhere is left out. It has no bound for what a
//! small document can make of itself by references, so that is counted first.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write,
    sync::{Arc, OnceLock},
};

use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{
        ImageHrefResolver, Options, Tree,
        fontdb::Database,
        roxmltree::{Document, Node},
    },
};

use crate::image::{Image, KEPT};

/// Bytes of a document.
const LARGEST: usize = 1 << 20;
/// Elements, with those that are drawn again by reference.
const MOST_ELEMENTS: usize = 10_000;
/// Elements within each other, references followed.
const DEEPEST: usize = 64;
/// Letters of a label. No tile shows so many.
const LONGEST: usize = 200;
/// Height of a label's letters, units of its own document, of which it is [`BAR`] high.
const LETTERS: f32 = 22.0;
const BAR: f32 = 32.0;
/// What is left free to the left and right of its text.
const MARGIN: f32 = 10.0;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum NoPicture {
    /// Not SVG, or not as it should be.
    #[error("{0}")]
    Malformed(String),
    /// Too much to be drawn.
    #[error(
        "more than {LARGEST} bytes, {MOST_ELEMENTS} elements or {DEEPEST} elements within each other, with what they refer to"
    )]
    TooMuch,
    /// What filters compute has no bound.
    #[error("filter effects are not drawn")]
    Filter,
    /// Text cannot be drawn.
    #[error("no font is installed")]
    NoFont,
}

/// Whether bytes of no other kind of image may be SVG.
pub(crate) fn is_svg(bytes: &[u8]) -> bool {
    let head = bytes.get(..bytes.len().min(4096)).unwrap_or_default();
    head.windows(4).any(|part| part == b"<svg")
}

/// Draws a document so that its longer side has as many pixels as are kept of an image.
pub(crate) fn render(bytes: &[u8]) -> Result<Image, NoPicture> {
    if bytes.len() > LARGEST {
        return Err(NoPicture::TooMuch);
    }
    let malformed = |error: &dyn ToString| NoPicture::Malformed(error.to_string());
    let text = std::str::from_utf8(bytes).map_err(|error| malformed(&error))?;
    let document = Document::parse(text).map_err(|error| malformed(&error))?;
    Cost::new(&document)?.check()?;
    let tree = Tree::from_xmltree(&document, &options()).map_err(|error| malformed(&error))?;
    let size = tree.size();
    let scale = KEPT as f32 / size.width().max(size.height());
    draw(&tree, (size.width() * scale, size.height() * scale), scale)
}

/// Text on a dark bar that is `aspect` times as wide as it is high; what does not fit is cut off.
///
/// # Errors
/// [`NoPicture::NoFont`]; [`NoPicture::Malformed`] for what cannot be drawn at all
pub(crate) fn label(text: &str, aspect: f32) -> Result<Image, NoPicture> {
    let width = (BAR * aspect).clamp(1.0, KEPT as f32);
    let room = width - 2.0 * MARGIN;
    let mut letters: Vec<char> = text
        .chars()
        .take(LONGEST)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let options = options();
    if options.fontdb.is_empty() {
        return Err(NoPicture::NoFont);
    }
    let mut is_cut = false;
    loop {
        let shown: String = letters.iter().collect();
        let shown = shown.trim();
        let end = if is_cut { "…" } else { "" };
        let document = bar(&format!("{shown}{end}"), width);
        let tree = Tree::from_str(&document, &options)
            .map_err(|error| NoPicture::Malformed(error.to_string()))?;
        let needed = tree.root().children().last().map_or(0.0, |text| {
            let bounds = text.abs_bounding_box();
            if is_text(text) {
                bounds.right() - MARGIN
            } else {
                0.0
            }
        });
        if needed <= room || letters.is_empty() {
            let height = KEPT as f32 / (width / BAR).max(1.0);
            let scale = (height / BAR).min(4.0);
            return draw(&tree, (width * scale, BAR * scale), scale);
        }
        is_cut = true;
        // As many as would fit if all were of the same width, and at least one less.
        let fitting = (letters.len() as f32 * room.max(0.0) / needed) as usize;
        letters.truncate(fitting.min(letters.len() - 1));
    }
}

fn is_text(node: &resvg::usvg::Node) -> bool {
    matches!(node, resvg::usvg::Node::Text(_))
}

fn bar(text: &str, width: f32) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            // What XML cannot have (XML 1.0 §2.2).
            '\u{fffe}' | '\u{ffff}' => {}
            letter => escaped.push(letter),
        }
    }
    let mut svg =
        format!("<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{BAR}'>");
    let _ = write!(
        svg,
        "<rect width='{width}' height='{BAR}' fill='black' fill-opacity='0.5'/>\
         <text x='{MARGIN}' y='24' fill='white' font-family='sans-serif' font-size='{LETTERS}' xml:space='preserve'>{escaped}</text></svg>"
    );
    svg
}

fn draw(tree: &Tree, (width, height): (f32, f32), scale: f32) -> Result<Image, NoPicture> {
    // Both are finite and within what is kept.
    let side = |length: f32| (length.round() as u32).clamp(1, KEPT as u32);
    let mut pixmap = Pixmap::new(side(width), side(height)).ok_or(NoPicture::TooMuch)?;
    resvg::render(
        tree,
        Transform::from_scale(scale, scale),
        &mut pixmap.as_mut(),
    );
    let pixels = pixmap.data().as_chunks::<4>().0.to_vec();
    Ok(Image::from_pixels(
        pixmap.width() as usize,
        pixmap.height() as usize,
        pixels,
    ))
}

/// With the fonts of the system, and without what documents refer to elsewhere.
fn options() -> Options<'static> {
    Options {
        fontdb: fonts(),
        image_href_resolver: ImageHrefResolver {
            resolve_data: Box::new(|_, _, _| None),
            resolve_string: Box::new(|_, _| None),
        },
        ..Options::default()
    }
}

/// Read once, for that takes long where there are many.
fn fonts() -> Arc<Database> {
    static FONTS: OnceLock<Arc<Database>> = OnceLock::new();
    let fonts = FONTS.get_or_init(|| {
        let mut fonts = Database::new();
        fonts.load_system_fonts();
        // Names that documents use for any font of a kind have to be those of fonts that there are.
        let known = |name: &str| {
            let mut faces = fonts.faces();
            faces.any(|face| face.families.iter().any(|(family, _)| family == name))
        };
        let first = fonts.faces().next().and_then(|face| face.families.first());
        let fallback = first.map(|(family, _)| family.clone()).unwrap_or_default();
        let chosen = |names: &[&str]| {
            let name = names.iter().find(|name| known(name));
            name.map_or(fallback.clone(), |name| (*name).to_owned())
        };
        let sans = chosen(&["DejaVu Sans", "Noto Sans", "Liberation Sans", "Arial"]);
        let serif = chosen(&[
            "DejaVu Serif",
            "Noto Serif",
            "Liberation Serif",
            "Times New Roman",
        ]);
        let mono = chosen(&["DejaVu Sans Mono", "Noto Sans Mono", "Liberation Mono"]);
        fonts.set_cursive_family(&serif);
        fonts.set_fantasy_family(&sans);
        fonts.set_sans_serif_family(sans);
        fonts.set_serif_family(serif);
        fonts.set_monospace_family(mono);
        Arc::new(fonts)
    });
    fonts.clone()
}

/// Counts what a document has drawn: each element, and again what it refers to (`use`, patterns, masks, markers, clip
/// paths), wherever it does so.
struct Cost<'a> {
    root: Node<'a, 'a>,
    by_id: HashMap<&'a str, Node<'a, 'a>>,
    /// What style sheets refer to, each once, which may be meant for any element.
    styled: Vec<Node<'a, 'a>>,
    known: HashMap<Node<'a, 'a>, usize>,
}

impl<'a> Cost<'a> {
    fn new(document: &'a Document<'a>) -> Result<Self, NoPicture> {
        let mut by_id = HashMap::new();
        let mut styled = HashSet::new();
        for node in document.descendants().filter(Node::is_element) {
            match node.tag_name().name() {
                "filter" => return Err(NoPicture::Filter),
                // In pieces, where there are comments between.
                "style" => {
                    let pieces = node.children().filter_map(|piece| piece.text());
                    styled.extend(pieces.flat_map(references));
                }
                _ => {}
            }
            if let Some(id) = node.attribute("id") {
                by_id.entry(id).or_insert(node);
            }
        }
        let styled = styled.into_iter().filter_map(|id| target(&by_id, id));
        Ok(Self {
            root: document.root_element(),
            styled: styled.collect(),
            by_id,
            known: HashMap::new(),
        })
    }

    fn check(mut self) -> Result<(), NoPicture> {
        let count = self.of(self.root, 0)?;
        (count <= MOST_ELEMENTS)
            .then_some(())
            .ok_or(NoPicture::TooMuch)
    }

    fn of(&mut self, node: Node<'a, 'a>, depth: usize) -> Result<usize, NoPicture> {
        if let Some(count) = self.known.get(&node) {
            return Ok(*count);
        }
        if depth > DEEPEST {
            return Err(NoPicture::TooMuch);
        }
        let mut count = 1usize;
        let mut targets = self.styled.clone();
        for attribute in node.attributes() {
            let by_id = &self.by_id;
            match attribute.name() {
                "href" => {
                    let id = attribute.value().strip_prefix('#');
                    targets.extend(id.and_then(|id| target(by_id, id)));
                }
                _ => {
                    targets.extend(references(attribute.value()).filter_map(|id| target(by_id, id)))
                }
            }
        }
        let children = node.children().filter(Node::is_element);
        for next in children.chain(targets) {
            count = count.saturating_add(self.of(next, depth + 1)?);
            if count > MOST_ELEMENTS {
                return Err(NoPicture::TooMuch);
            }
        }
        self.known.insert(node, count);
        Ok(count)
    }
}

/// What has this id and is drawn where it is referred to; gradients are no shapes.
fn target<'a>(by_id: &HashMap<&str, Node<'a, 'a>>, id: &str) -> Option<Node<'a, 'a>> {
    let found = by_id.get(id).copied();
    found.filter(|target| !target.tag_name().name().ends_with("Gradient"))
}

/// The names in `url(#name)`.
fn references(text: &str) -> impl Iterator<Item = &str> {
    text.split("url(").skip(1).filter_map(|rest| {
        let name = rest.split(')').next()?;
        name.trim_matches(|letter: char| letter == '"' || letter == '\'' || letter.is_whitespace())
            .strip_prefix('#')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn svg(inner: &str) -> String {
        format!(
            "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' width='20' height='10'>{inner}</svg>"
        )
    }

    fn refusal(inner: &str) -> NoPicture {
        render(svg(inner).as_bytes()).expect_err(inner)
    }

    #[test]
    fn shapes_have_their_colours_and_nothing_is_where_none_is() {
        let image = render(svg("<rect width='10' height='10' fill='#f00'/>").as_bytes()).unwrap();
        assert_eq!(image.aspect_ratio(), 2.0);
        let sampler = image.at(200.0, 100.0).unwrap();
        assert_eq!(sampler.colour(0.2, 0.5), [255.0, 0.0, 0.0, 255.0]);
        assert_eq!(sampler.colour(0.8, 0.5), [0.0; 4]);
    }

    #[test]
    fn what_grows_by_references_is_refused() {
        let mut bomb = String::from("<g id='l0'><rect width='1' height='1'/></g>");
        for level in 1..9 {
            let uses = format!("<use xlink:href='#l{}'/>", level - 1).repeat(10);
            let _ = write!(bomb, "<g id='l{level}'>{uses}</g>");
        }
        assert!(matches!(refusal(&bomb), NoPicture::TooMuch));
        let mut patterns = String::from("<pattern id='p0' width='1' height='1'/>");
        for level in 1..9 {
            let fills = format!("<rect style='fill: url( \"#p{}\" )'/>", level - 1).repeat(10);
            let _ = write!(
                patterns,
                "<pattern id='p{level}' width='1' height='1'>{fills}</pattern>"
            );
        }
        assert!(matches!(refusal(&patterns), NoPicture::TooMuch));
        let styled = format!(
            "<style>g {{ mask: url(#m) }}</style><mask id='m'>{}</mask>{}",
            "<rect/>".repeat(200),
            "<g/>".repeat(200)
        );
        assert!(matches!(refusal(&styled), NoPicture::TooMuch));
        assert!(matches!(
            refusal("<g id='a'><use href='#a'/></g>"),
            NoPicture::TooMuch
        ));
        assert!(matches!(
            refusal(&"<g>".repeat(70)),
            NoPicture::Malformed(_)
        ));
        assert!(matches!(
            refusal(&format!("{}{}", "<g>".repeat(70), "</g>".repeat(70))),
            NoPicture::TooMuch
        ));
        assert!(matches!(
            refusal("<filter id='f'><feTurbulence numOctaves='999999999'/></filter>"),
            NoPicture::Filter
        ));
        let entities =
            "<!DOCTYPE svg [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]>";
        assert!(render(format!("{entities}{}", svg("<text>&b;</text>")).as_bytes()).is_err());
        assert!(matches!(
            render(&vec![b' '; LARGEST + 1]),
            Err(NoPicture::TooMuch)
        ));
    }

    #[test]
    fn documents_that_take_long_to_understand_are_refused_at_once() {
        // As deep as a document may be: whoever goes down each step runs out of stack.
        let deep = format!("{}{}", "<g>".repeat(140_000), "</g>".repeat(140_000));
        assert!(render(svg(&deep).as_bytes()).is_err());
        let many = "url(#x)".repeat(60_000);
        let styled = format!(
            "<style>g<!-- -->{many}</style><g id='x'/>{}",
            "<g/>".repeat(9_000)
        );
        assert!(matches!(refusal(&styled), NoPicture::TooMuch));
        let wide = format!("<g id='x'/><g style='{many}'/>");
        assert!(matches!(refusal(&wide), NoPicture::TooMuch));
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        let image = render(svg("<image href='file:///etc/hostname' width='20' height='10'/><image href='http://127.0.0.1:1/x.png' width='20' height='10'/>").as_bytes()).unwrap();
        assert_eq!(image.at(20.0, 10.0).unwrap().colour(0.5, 0.5), [0.0; 4]);
    }

    /// Columns of a label in which there is something bright.
    fn bright(text: &str, aspect: f32) -> (f64, f64) {
        let image = label(text, aspect).unwrap();
        let sampler = image.at(1000.0, 1000.0 / f64::from(aspect)).unwrap();
        let is_bright = |column: &usize| {
            let x = (*column as f64 + 0.5) / 1000.0;
            (0..50).any(|row| sampler.colour(x, (f64::from(row) + 0.5) / 50.0)[0] > 128.0)
        };
        let columns: Vec<usize> = (0..1000).filter(is_bright).collect();
        let place = |column: Option<&usize>| column.map_or(0.0, |column| *column as f64 / 1000.0);
        (place(columns.first()), place(columns.last()))
    }

    #[test]
    fn labels_are_drawn_from_the_left_and_cut_to_their_place() {
        let (first, last) = bright("Ada", 10.0);
        assert!(first > 0.02 && first < 0.06 && last < 0.3, "{first} {last}");
        for text in [
            "Zoë Müller & <b>Söhne</b> %s",
            "漢字かな交じり文",
            "שלום עולם",
            "🙂 smile",
            &"letters ".repeat(100),
            "a\u{0}\u{1b}[31mb\u{ffff}",
        ] {
            let (first, last) = bright(text, 5.0);
            assert!(
                first > 0.03 && last > first && last < 0.97,
                "{text}: {first} {last}"
            );
        }
        // Markup is text.
        assert!(bright("<tspan>x</tspan>", 10.0).1 > 0.4);
        assert_eq!(bright("", 10.0), (0.0, 0.0));
        // As narrow as a tile may be.
        assert!(label("Ada", 0.1).is_ok() && label("Ada", 1e9).is_ok());
    }
}
