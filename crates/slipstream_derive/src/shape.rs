//! What a type consists of, and what codes it.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Error, Fields, Ident, Index, Member, Result, Type};

use crate::attributes::Coding;

/// A struct, or one variant of an enum.
pub(crate) struct Variant {
    /// The path that builds and matches it.
    pub(crate) path: TokenStream,
    /// Its name, as text.
    pub(crate) label: String,
    /// The fields that travel.
    pub(crate) fields: Vec<Field>,
    /// Those that do not.
    pub(crate) skipped: Vec<Member>,
}

/// A field that travels.
pub(crate) struct Field {
    /// Its name, or its number in a tuple.
    pub(crate) member: Member,
    /// The same, as text.
    pub(crate) label: String,
    /// Its type.
    pub(crate) ty: Type,
    /// The codec's field that holds its codec.
    pub(crate) codec: Ident,
    /// A local that holds its value.
    pub(crate) value: Ident,
    /// The type of its codec.
    pub(crate) codec_type: TokenStream,
    /// Makes its codec.
    pub(crate) make: TokenStream,
}

/// The variants of an enum, or the only one of a struct.
pub(crate) fn variants_of(input: &DeriveInput, net: &TokenStream) -> Result<Vec<Variant>> {
    let name = &input.ident;
    let mut reader = Reader { net, count: 0 };
    match &input.data {
        Data::Struct(data) => Ok(vec![reader.variant(quote!(#name), name, &data.fields)?]),
        Data::Enum(data) if data.variants.is_empty() => {
            Err(Error::new(name.span(), "an enum without variants has no value that could travel"))
        }
        Data::Enum(data) => {
            let variants = data.variants.iter().map(|variant| {
                refuse_attributes(&variant.attrs)?;
                let ident = &variant.ident;
                reader.variant(quote!(#name::#ident), ident, &variant.fields)
            });
            variants.collect()
        }
        Data::Union(data) => {
            Err(Error::new(data.union_token.span, "a union has no fields of its own: use a struct or an enum"))
        }
    }
}

fn refuse_attributes(attributes: &[Attribute]) -> Result<()> {
    match attributes.iter().find(|attribute| attribute.path().is_ident("net")) {
        Some(attribute) => Err(Error::new(attribute.span(), "`#[net(...)]` belongs on a field, not on a variant")),
        None => Ok(()),
    }
}

/// Reads fields, and numbers those that travel through all variants.
struct Reader<'a> {
    net: &'a TokenStream,
    count: usize,
}

impl Reader<'_> {
    fn variant(&mut self, path: TokenStream, name: &Ident, fields: &Fields) -> Result<Variant> {
        let mut variant = Variant { path, label: name.unraw().to_string(), fields: Vec::new(), skipped: Vec::new() };
        for (index, field) in fields.iter().enumerate() {
            let member = match &field.ident {
                Some(ident) => Member::Named(ident.clone()),
                None => Member::Unnamed(Index::from(index)),
            };
            let Some((codec_type, make)) = self.codec(&field.ty, &Coding::of(&field.attrs)?) else {
                variant.skipped.push(member);
                continue;
            };
            variant.fields.push(Field {
                label: field.ident.as_ref().map_or_else(|| index.to_string(), |ident| ident.unraw().to_string()),
                member,
                ty: field.ty.clone(),
                codec: format_ident!("__codec_{}", self.count),
                value: format_ident!("__value_{}", self.count),
                codec_type,
                make,
            });
            self.count += 1;
        }
        Ok(variant)
    }

    /// The type of a field's codec and what makes it; none where the field does not travel.
    fn codec(&self, ty: &Type, coding: &Coding) -> Option<(TokenStream, TokenStream)> {
        let net = self.net;
        let (parameter, value) = match coding {
            Coding::Skip => return None,
            Coding::Own => {
                return Some((
                    quote_spanned!(ty.span()=> <#ty as #net::NetworkCodec>::Codec),
                    quote_spanned!(ty.span()=> <#ty as #net::NetworkCodec>::codec()),
                ));
            }
            Coding::Serde => return Some((quote!(#net::SerdeField), quote!(#net::SerdeField))),
            Coding::Codec(codec) => {
                return Some((quote!(#codec), quote!(<#codec as ::core::default::Default>::default())));
            }
            Coding::Quantised { range, step, typical, steady } => {
                let typical = typical.as_ref().map(|change| quote!(.typical(#change)));
                let steady = steady.then(|| quote!(.steady()));
                (quote!(#net::Quantised), quote!(#net::Quantised::new(#range, #step) #typical #steady))
            }
            Coding::Typical(change) => (quote!(#net::Typical), quote!(#net::Typical(#change))),
            Coding::Bits(bits) => (quote!(#net::Bits), quote!(#net::Bits(#bits))),
            Coding::Flags => (quote!(#net::Flags), quote!(#net::Flags)),
        };
        Some((
            quote_spanned!(ty.span()=> <#ty as #net::CodedBy<#parameter>>::Codec),
            quote_spanned!(ty.span()=> <#ty as #net::CodedBy<#parameter>>::coded_by(#value)),
        ))
    }
}
