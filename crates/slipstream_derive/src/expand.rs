//! The code that the derive writes down: a struct that holds the fields' codecs, and what it does with them.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Error, Result};

use crate::attributes::crate_path;
use crate::shape::{Variant, variants_of};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    if let Some(parameter) = input.generics.params.first() {
        let message =
            "`NetworkCodec` can't be derived for generic types: use a type without parameters, or implement it";
        return Err(Error::new_spanned(parameter, message));
    }
    let crate_path = crate_path(&input.attrs)?;
    let net = quote!(#crate_path::__codec);
    let variants = variants_of(input, &net)?;

    let name = &input.ident;
    let codec = format_ident!("__{}Codec", name);
    let fields: Vec<_> = variants.iter().flat_map(|variant| &variant.fields).collect();
    let names: Vec<_> = fields.iter().map(|field| &field.codec).collect();
    let types = fields.iter().map(|field| &field.codec_type);
    let makes = fields.iter().map(|field| &field.make);
    let coder = match &input.data {
        Data::Enum(_) => coder_of_enum(&net, &variants),
        _ => coder_of_struct(&net, &variants),
    };
    let (quantize, dequantize) = match &input.data {
        Data::Enum(_) => (quantize_enum(&net, &variants), dequantize_enum(&net, &variants)),
        _ => (quantize_struct(&net, &variants), dequantize_struct(&net, &variants)),
    };
    let result = quote!(::core::result::Result);

    Ok(quote! {
        const _: () = {
            #[doc(hidden)]
            #[allow(missing_docs, non_camel_case_types)]
            pub struct #codec {
                #(#names: #types,)*
            }

            #[automatically_derived]
            impl #net::WordCoder for #codec {
                #coder

                fn max_error(&self) -> ::core::option::Option<f32> {
                    #net::greatest_error(&[#(&self.#names),*])
                }
            }

            #[automatically_derived]
            #[allow(unused_variables)]
            impl #net::FieldCodec<#name> for #codec {
                fn quantize(
                    &self,
                    value: &#name,
                    entities: &mut #net::NameEntities<'_>,
                    words: &mut ::std::vec::Vec<u32>,
                ) -> #result<(), #net::RecordError> {
                    #quantize
                    #result::Ok(())
                }

                fn dequantize(
                    &self,
                    words: &[u32],
                    entities: &mut #net::ResolveEntities<'_>,
                ) -> #result<#name, #net::RecordError> {
                    #dequantize
                }
            }

            #[automatically_derived]
            impl #net::NetworkCodec for #name {
                type Codec = #codec;

                fn codec() -> #codec {
                    #codec { #(#names: #makes,)* }
                }
            }
        };
    })
}

/// Words to bits: the functions of `WordCoder`, by those of `generated.rs` that end in `suffix`.
fn coder(
    net: &TokenStream,
    describe: &TokenStream,
    length: &TokenStream,
    suffix: &str,
    parts: &TokenStream,
) -> TokenStream {
    let (write, read) = (format_ident!("write_{suffix}"), format_ident!("read_{suffix}"));
    quote! {
        fn describe(&self) -> ::std::string::String {
            #describe
        }

        fn length(&self, words: &[u32]) -> usize {
            #net::#length(#parts, words)
        }

        fn write(
            &self,
            baseline: ::core::option::Option<#net::Baseline<'_>>,
            words: &[u32],
            writer: &mut #net::BitWriter,
        ) {
            #net::#write(#parts, baseline, words, writer);
        }

        fn read(
            &self,
            baseline: ::core::option::Option<#net::Baseline<'_>>,
            reader: &mut #net::BitReader<'_>,
            words: &mut ::std::vec::Vec<u32>,
        ) -> ::core::result::Result<(), #net::RecordError> {
            #net::#read(#parts, baseline, reader, words)
        }
    }
}

fn coder_of_struct(net: &TokenStream, variants: &[Variant]) -> TokenStream {
    let names = variants.iter().flat_map(|variant| &variant.fields).map(|field| &field.codec);
    let labels = variants.iter().flat_map(|variant| &variant.fields).map(|field| &field.label);
    let parts = quote!(&[#(&self.#names),*]);
    let describe = quote!(#net::describe_fields(&[#(#labels),*], #parts));
    let coder = coder(net, &describe, &quote!(fields_length), "fields", &parts);
    quote! {
        #coder

        fn continues_motion(&self) -> bool {
            #net::any_continues_motion(#parts)
        }
    }
}

fn coder_of_enum(net: &TokenStream, variants: &[Variant]) -> TokenStream {
    let parts = variants.iter().map(|variant| {
        let names = variant.fields.iter().map(|field| &field.codec);
        quote!(&[#(&self.#names),*])
    });
    let labels = variants.iter().map(|Variant { label, fields, .. }| {
        let fields = fields.iter().map(|field| &field.label);
        quote!((#label, &[#(#fields),*]))
    });
    let parts = quote!(&[#(#parts),*]);
    let describe = quote!(#net::describe_variants(&[#(#labels),*], #parts));
    coder(net, &describe, &quote!(variant_length), "variant", &parts)
}

fn quantize_struct(net: &TokenStream, variants: &[Variant]) -> TokenStream {
    let variants = variants.iter().map(|variant| {
        let (pattern, quantize) = (pattern(variant), quantize_fields(net, variant));
        quote!(let #pattern = value; #quantize)
    });
    quote!(#(#variants)*)
}

fn quantize_enum(net: &TokenStream, variants: &[Variant]) -> TokenStream {
    let arms = (0..).zip(variants).map(|(index, variant)| {
        let index = Literal::u32_suffixed(index);
        let (pattern, quantize) = (pattern(variant), quantize_fields(net, variant));
        quote!(#pattern => { words.push(#index); #quantize })
    });
    quote!(match value { #(#arms)* })
}

fn dequantize_struct(net: &TokenStream, variants: &[Variant]) -> TokenStream {
    let variants = variants.iter().map(|variant| dequantize_fields(net, variant));
    quote!(let __rest = words; #(#variants)*)
}

fn dequantize_enum(net: &TokenStream, variants: &[Variant]) -> TokenStream {
    let arms = (0..).zip(variants).map(|(index, variant)| {
        let index = Literal::u32_suffixed(index);
        let dequantize = dequantize_fields(net, variant);
        quote!(#index => { #dequantize })
    });
    quote! {
        let (__variant, __rest) = #net::split_variant(words)?;
        match __variant {
            #(#arms)*
            _ => ::core::result::Result::Err(#net::no_variant()),
        }
    }
}

/// Takes the values of the fields that travel; tuples have their members by number.
fn pattern(Variant { path, fields, .. }: &Variant) -> TokenStream {
    let members = fields.iter().map(|field| &field.member);
    let values = fields.iter().map(|field| &field.value);
    quote!(#path { #(#members: #values,)* .. })
}

fn quantize_fields(net: &TokenStream, Variant { fields, .. }: &Variant) -> TokenStream {
    let types = fields.iter().map(|field| &field.ty);
    let codecs = fields.iter().map(|field| &field.codec);
    let values = fields.iter().map(|field| &field.value);
    quote!(#(#net::FieldCodec::<#types>::quantize(&self.#codecs, #values, entities, words)?;)*)
}

fn dequantize_fields(net: &TokenStream, Variant { path, fields, skipped, .. }: &Variant) -> TokenStream {
    let steps = fields.iter().map(|field| {
        let (ty, codec, value) = (&field.ty, &field.codec, &field.value);
        quote! {
            let (__part, __rest) = #net::WordCoder::split(&self.#codec, __rest);
            let #value = #net::FieldCodec::<#ty>::dequantize(&self.#codec, __part, entities)?;
        }
    });
    let members = fields.iter().map(|field| &field.member);
    let values = fields.iter().map(|field| &field.value);
    quote! {
        #(#steps)*
        ::core::result::Result::Ok(#path {
            #(#members: #values,)*
            #(#skipped: ::core::default::Default::default(),)*
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(code: &str) -> Result<String> {
        Ok(expand(&syn::parse_str(code)?)?.to_string())
    }

    #[test]
    fn what_is_right_expands() -> Result<()> {
        for code in [
            "struct Nothing;",
            "struct Pair(#[net(flags)] u8, #[net(typical = 3)] u16);",
            "struct Turret {
                #[net(range = -180.0..180.0, step = 0.1, typical = 1.5, steady)] yaw: f32,
                #[net(bits = 8)] pitch: f32,
                #[net(skip)] local: Handle,
            }",
            "enum State {
                Idle,
                Moving { #[net(serde)] to: Place, r#type: u8 },
                Turning(#[net(codec = Mine)] f32),
            }",
        ] {
            syn::parse_str::<syn::File>(&expanded(code)?)?;
        }
        Ok(())
    }

    #[test]
    fn generated_code_finds_its_crate() -> Result<()> {
        assert!(expanded("struct A(u8);")?.contains(":: bevy_slipstream :: __codec :: NetworkCodec"));
        for path in ["::elsewhere", "\"::elsewhere\""] {
            let code = expanded(&format!("#[net(crate = {path})] struct A(u8);"))?;
            assert!(code.contains(":: elsewhere :: __codec :: NetworkCodec"), "{code}");
        }
        expanded("#[net(crate = crate::inner)] struct A(u8);")?;
        Ok(())
    }

    #[test]
    fn a_raw_name_is_told_without_its_mark() -> Result<()> {
        assert!(expanded("struct A { r#type: u8 }")?.contains("\"type\""));
        Ok(())
    }

    fn told(code: &str) -> String {
        expanded(code).map_or_else(|error| error.to_string(), |_| "nothing".to_owned())
    }

    #[test]
    fn a_wrong_attribute_of_a_field_is_told() {
        for (attribute, expected) in [
            ("range = 0.0..1.0", "`range` needs a `step`"),
            ("step = 0.1", "`step` needs a `range`"),
            ("step = 0.1, bits = 3", "`step` needs a `range`"),
            ("range = 0.0..1.0, step = 0.1, bits = 3", "`range` and `bits` exclude each other"),
            ("skip, serde", "`serde` and `skip` exclude each other"),
            ("bits = 8, typical = 1", "`typical` goes with `range`"),
            ("bits = 8, steady", "`steady` goes with `range`"),
            ("bits = 8, bits = 9", "`bits` is given twice"),
            ("precision = 8", "`precision` is unknown: known are"),
            ("crate = b", "`crate` belongs on the type"),
        ] {
            let told = told(&format!("struct A(#[net({attribute})] f32);"));
            assert!(told.contains(expected), "{attribute}: {told}");
        }
        assert!(told("struct A(#[net(bits = 8)] #[net(bits = 9)] f32);").contains("`bits` is given twice"));
    }

    #[test]
    fn a_wrong_type_is_told() {
        for (code, expected) in [
            ("#[net(bits = 8)] struct A(f32);", "`bits` does not belong on the type"),
            ("enum A { #[net(skip)] B }", "belongs on a field, not on a variant"),
            ("enum A {}", "an enum without variants"),
            ("struct A<T>(T);", "can't be derived for generic types"),
            ("union A { b: u8 }", "a union"),
        ] {
            let told = told(code);
            assert!(told.contains(expected), "{code}: {told}");
        }
    }
}
