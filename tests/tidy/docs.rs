//! Whether what is public is described in whole sentences.

use super::names::{head, is_test};
use super::project::{Project, Source};
use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprLit, Lit, Meta, Visibility};

/// The fewest words that say more than a name does.
const FEWEST: usize = 4;

/// The public items, fields and variants whose documentation does not begin with a sentence. That there is some is for the
/// lint `missing_docs` to demand.
pub fn sentences(project: &Project) -> Vec<String> {
    project.code().flat_map(of_source).collect()
}

fn of_source(source: &Source) -> Vec<String> {
    let mut reader = Reader { all: false, wrong: Vec::new() };
    reader.visit_file(&source.syntax);
    let say = |(line, text): (usize, String)| {
        format!(
            "{}:{line}: write a sentence of {FEWEST} words or more that ends with a full stop: `{text}`",
            source.path
        )
    };
    reader.wrong.into_iter().map(say).collect()
}

/// The documentation that attributes hold, a line each.
fn documentation(attributes: &[Attribute]) -> Vec<String> {
    let text = |attribute: &Attribute| match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    };
    attributes.iter().filter_map(text).collect()
}

fn is_sentence(paragraph: &str) -> bool {
    paragraph.split_whitespace().count() >= FEWEST && paragraph.ends_with('.')
}

struct Reader {
    /// Whether what has no visibility of its own is public: variants of an enum, methods of a trait.
    all: bool,
    wrong: Vec<(usize, String)>,
}

impl Reader {
    fn judge(&mut self, node: &impl ToTokens, public: bool, at: proc_macro2::Span) {
        let lines = documentation(&head(node).0);
        let paragraph = lines.split(String::is_empty).next().unwrap_or_default().join(" ");
        if public && !lines.is_empty() && !is_sentence(&paragraph) {
            self.wrong.push((at.start().line, paragraph));
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        use syn::Item::{Const, Enum, Fn, Static, Struct, Trait, Type, Union};
        let (attributes, visibility) = head(item);
        if is_test(&attributes) {
            return;
        }
        let public = matches!(visibility, Visibility::Public(_));
        let name = match item {
            Const(item) => Some(&item.ident),
            Enum(item) => Some(&item.ident),
            Fn(item) => Some(&item.sig.ident),
            Static(item) => Some(&item.ident),
            Struct(item) => Some(&item.ident),
            Trait(item) => Some(&item.ident),
            Type(item) => Some(&item.ident),
            Union(item) => Some(&item.ident),
            _ => None,
        };
        if let Some(name) = name {
            self.judge(item, public, name.span());
        }
        let before = std::mem::replace(&mut self.all, public && matches!(item, Enum(_) | Trait(_)));
        visit::visit_item(self, item);
        self.all = before;
    }

    fn visit_impl_item_fn(&mut self, method: &'ast syn::ImplItemFn) {
        self.judge(
            method,
            matches!(method.vis, Visibility::Public(_)) && !is_test(&method.attrs),
            method.sig.ident.span(),
        );
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.judge(item, matches!(item.vis, Visibility::Public(_)), item.ident.span());
    }

    fn visit_trait_item_fn(&mut self, method: &'ast syn::TraitItemFn) {
        self.judge(method, self.all, method.sig.ident.span());
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        self.judge(variant, self.all, variant.ident.span());
        visit::visit_variant(self, variant);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if let Some(name) = &field.ident {
            self.judge(field, self.all || matches!(field.vis, Visibility::Public(_)), name.span());
        }
    }
}
