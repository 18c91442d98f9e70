//! Text and panels in one style.

use bevy::prelude::*;

/// Behind text, so that it reads over any scene.
pub(super) const PANEL: Color = Color::srgba(0.02, 0.025, 0.045, 0.62);
pub(super) const BRIGHT: Color = Color::srgb(0.93, 0.95, 0.98);
pub(super) const DIM: Color = Color::srgb(0.60, 0.65, 0.73);
pub(super) const GOOD: Color = Color::srgb(0.30, 0.90, 0.50);
pub(super) const WARN: Color = Color::srgb(1.00, 0.72, 0.22);
pub(super) const BAD: Color = Color::srgb(1.00, 0.27, 0.24);

/// A piece of text that does not wrap.
pub(super) fn label(text: impl Into<String>, size: f32, color: Color) -> (Text, TextFont, TextColor, TextLayout) {
    (Text::new(text), TextFont::from_font_size(size), TextColor(color), TextLayout::no_wrap())
}

/// A rounded dark panel with the given layout.
pub(super) fn panel(layout: Node) -> (Node, BackgroundColor) {
    let node = Node { border_radius: BorderRadius::all(px(7)), ..layout };
    (node, BackgroundColor(PANEL))
}

/// Writes a text if it is another one; unchanged text costs no layout.
pub(super) fn write(text: &mut Mut<Text>, new: String) {
    text.set_if_neq(Text(new));
}

/// Shows or hides a node.
pub(super) fn show(visibility: &mut Mut<Visibility>, shown: bool) {
    let wanted = if shown { Visibility::Inherited } else { Visibility::Hidden };
    visibility.set_if_neq(wanted);
}

/// Makes the interface as large as the window: drawn for 720 lines, readable in a window of half that.
pub(super) fn scale_interface(windows: Query<&Window>, mut scale: ResMut<UiScale>) {
    let Some(window) = windows.iter().next() else { return };
    let wanted = (window.height() / 720.0).clamp(0.7, 2.0);
    if (scale.0 - wanted).abs() > 0.01 {
        scale.0 = wanted;
    }
}
