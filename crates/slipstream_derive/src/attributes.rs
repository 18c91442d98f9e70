//! What `#[net(...)]` says.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Error, Expr, Ident, LitStr, Path, Result, Type, parse_quote};

const KNOWN: &str =
    "known are `range` with `step` and `steady`, `typical`, `bits`, `flags`, `serde`, `codec` and `skip`";

/// How a field travels.
#[expect(clippy::large_enum_variant, reason = "a handful live for one expansion")]
pub(crate) enum Coding {
    /// As its type does by itself.
    Own,
    /// In steps within a range.
    Quantised {
        /// The range.
        range: Expr,
        /// The step.
        step: Expr,
        /// The usual change.
        typical: Option<Expr>,
        /// Whether it mostly goes on as it did.
        steady: bool,
    },
    /// A whole number with a usual change.
    Typical(Expr),
    /// An angle, direction or rotation.
    Bits(Expr),
    /// A set of flags.
    Flags,
    /// Through serde.
    Serde,
    /// By a codec of the user's.
    Codec(Type),
    /// Not at all.
    Skip,
}

/// What was given, with the key that gave it.
type Setting<T> = Option<(Ident, T)>;

#[derive(Default)]
struct Settings {
    range: Setting<Expr>,
    step: Setting<Expr>,
    typical: Setting<Expr>,
    steady: Setting<()>,
    bits: Setting<Expr>,
    flags: Setting<()>,
    serde: Setting<()>,
    codec: Setting<Type>,
    skip: Setting<()>,
}

impl Coding {
    /// Reads a field's attributes.
    pub(crate) fn of(attributes: &[Attribute]) -> Result<Self> {
        let mut settings = Settings::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("net")) {
            attribute.parse_nested_meta(|meta| settings.read(&meta))?;
        }
        settings.choose()
    }
}

impl Settings {
    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let key = meta.path.require_ident()?.clone();
        match key.to_string().as_str() {
            "range" => set(&mut self.range, key, meta.value()?.parse()?),
            "step" => set(&mut self.step, key, meta.value()?.parse()?),
            "typical" => set(&mut self.typical, key, meta.value()?.parse()?),
            "steady" => set(&mut self.steady, key, ()),
            "bits" => set(&mut self.bits, key, meta.value()?.parse()?),
            "flags" => set(&mut self.flags, key, ()),
            "serde" => set(&mut self.serde, key, ()),
            "codec" => set(&mut self.codec, key, meta.value()?.parse()?),
            "skip" => set(&mut self.skip, key, ()),
            "crate" => Err(Error::new(key.span(), "`crate` belongs on the type, not on a field")),
            _ => Err(Error::new(key.span(), format!("`{key}` is unknown: {KNOWN}"))),
        }
    }

    fn choose(self) -> Result<Coding> {
        let ways =
            [key(&self.range), key(&self.bits), key(&self.flags), key(&self.serde), key(&self.codec), key(&self.skip)];
        let ways: Vec<&Ident> = ways.into_iter().flatten().collect();
        if let [one, another, ..] = ways.as_slice() {
            let message = format!("`{one}` and `{another}` exclude each other: a field travels in one way");
            return Err(Error::new(another.span(), message));
        }
        if let (Some(typical), Some(way)) = (key(&self.typical), ways.first().filter(|way| **way != "range")) {
            let message =
                format!("`typical` goes with `range` and `step`, or alone for a whole number; not with `{way}`");
            return Err(Error::new(typical.span(), message));
        }
        if let (Some(steady), None) = (key(&self.steady), &self.range) {
            return Err(Error::new(steady.span(), "`steady` goes with `range` and `step`"));
        }
        let (typical, steady) = (self.typical.map(|(_, change)| change), self.steady.is_some());
        match (self.range, self.step) {
            (Some((_, range)), Some((_, step))) => return Ok(Coding::Quantised { range, step, typical, steady }),
            (Some((range, _)), None) => {
                return Err(Error::new(range.span(), "`range` needs a `step`: `range = -1.0..1.0, step = 0.01`"));
            }
            (None, Some((step, _))) => {
                return Err(Error::new(step.span(), "`step` needs a `range`: `range = -1.0..1.0, step = 0.01`"));
            }
            (None, None) => {}
        }
        Ok(if let Some(change) = typical {
            Coding::Typical(change)
        } else if let Some((_, bits)) = self.bits {
            Coding::Bits(bits)
        } else if let Some((_, codec)) = self.codec {
            Coding::Codec(codec)
        } else if self.flags.is_some() {
            Coding::Flags
        } else if self.serde.is_some() {
            Coding::Serde
        } else if self.skip.is_some() {
            Coding::Skip
        } else {
            Coding::Own
        })
    }
}

/// The crate that generated code refers to.
pub(crate) fn crate_path(attributes: &[Attribute]) -> Result<Path> {
    let mut found: Setting<Path> = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("net")) {
        attribute.parse_nested_meta(|meta| {
            let key = meta.path.require_ident()?.clone();
            if key != "crate" {
                let message = format!("`{key}` does not belong on the type: only `crate` does; give it to a field");
                return Err(Error::new(key.span(), message));
            }
            let value = meta.value()?;
            let path = if value.peek(LitStr) {
                value.parse::<LitStr>()?.parse_with(Path::parse_mod_style)?
            } else {
                value.call(Path::parse_mod_style)?
            };
            set(&mut found, key, path)
        })?;
    }
    Ok(found.map_or_else(|| parse_quote!(::bevy_slipstream), |(_, path)| path))
}

fn set<T>(setting: &mut Setting<T>, key: Ident, value: T) -> Result<()> {
    if setting.is_some() {
        return Err(Error::new(key.span(), format!("`{key}` is given twice")));
    }
    *setting = Some((key, value));
    Ok(())
}

fn key<T>(setting: &Setting<T>) -> Option<&Ident> {
    setting.as_ref().map(|(key, _)| key)
}
