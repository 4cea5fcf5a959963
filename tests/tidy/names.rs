//! What code names: every path of a file, in full, wherever it stands.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::ToTokens;
use std::collections::BTreeMap;
use syn::parse::{ParseStream, Parser};
use syn::visit::{self, Visit};
use syn::{Attribute, UseTree, Visibility};

/// A path that the code names.
pub struct Name {
    /// Its parts: those of the library begin with `crate`, a glob ends with `*`; `async` alone where code is.
    pub path: Vec<String>,
    /// The line it stands in, from 1.
    pub line: usize,
}

/// The paths that a file's code names, what stands under `#[cfg(test)]` left out: in `use` trees, expressions, types,
/// attributes and what macros are given. Paths relative to `module` are made absolute, and first parts that a `use`
/// brought in are written out.
pub fn names(file: &syn::File, module: &[String]) -> Vec<Name> {
    let mut reader = Reader { module: module.to_vec(), found: Vec::new(), aliases: BTreeMap::new() };
    if !is_test(&file.attrs) {
        reader.visit_file(file);
    }
    let Reader { found, aliases, .. } = reader;
    found.into_iter().map(|name| Name { path: written_out(name.path, &aliases), ..name }).collect()
}

/// The attributes and the visibility that an item, a field, a variant or a statement begins with.
pub fn head(node: &impl ToTokens) -> (Vec<Attribute>, Visibility) {
    let parse = |input: ParseStream<'_>| {
        let head = (input.call(Attribute::parse_outer)?, input.parse()?);
        input.parse::<TokenStream>().map(|_| head)
    };
    parse.parse2(node.to_token_stream()).expect("what was parsed before")
}

/// Whether one of these attributes leaves code to tests alone.
pub fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.to_token_stream().to_string().replace(' ', "").contains("[cfg(test)]"))
}

/// How many `use` a name may come through.
const DEEPEST: usize = 8;

fn written_out(mut path: Vec<String>, aliases: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    for _ in 0..DEEPEST {
        let Some(full) = aliases.get(&path[0]).filter(|full| full[0] != path[0]) else { break };
        path.splice(..1, full.iter().cloned());
    }
    path
}

struct Reader {
    module: Vec<String>,
    found: Vec<Name>,
    aliases: BTreeMap<String, Vec<String>>,
}

impl Reader {
    fn name(&mut self, path: Vec<String>, at: Span) {
        let path = self.absolute(path);
        self.found.push(Name { path, line: at.start().line });
    }

    /// A path of the library from `crate` on, other paths as they are.
    fn absolute(&self, path: Vec<String>) -> Vec<String> {
        let crate_name = || "crate".to_owned();
        if path[0] == "dlgforge" {
            return [vec![crate_name()], path[1..].to_vec()].concat();
        }
        let relative = path.iter().take_while(|part| matches!(part.as_str(), "self" | "super")).count();
        if relative == 0 {
            return path;
        }
        let up = path[..relative].iter().filter(|part| *part == "super").count();
        let above = self.module.len().saturating_sub(up);
        [&[crate_name()], &self.module[..above], &path[relative..]].concat()
    }

    fn imports(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        let (path, alias, at) = match tree {
            UseTree::Path(path) => return self.imports(&with(&path.ident), &path.tree),
            UseTree::Group(group) => return group.items.iter().for_each(|tree| self.imports(before, tree)),
            UseTree::Glob(glob) => ([before, &["*".to_owned()]].concat(), None, glob.star_token.span),
            UseTree::Name(name) => (with(&name.ident), None, name.ident.span()),
            UseTree::Rename(name) => (with(&name.ident), Some(name.rename.to_string()), name.ident.span()),
        };
        let itself = path.len() > 1 && path.last().is_some_and(|last| last == "self");
        let path = self.absolute(if itself { before.to_vec() } else { path });
        let alias = alias.or_else(|| path.last().cloned()).filter(|alias| alias != "*" && alias != "_");
        self.aliases.extend(alias.map(|alias| (alias, path.clone())));
        self.found.push(Name { path, line: at.start().line });
    }

    /// The paths in tokens that nothing has parsed; `before` is what stands in front of a group of imports.
    fn tokens(&mut self, before: &[String], tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        let (mut path, mut open) = (before.to_vec(), !before.is_empty());
        while let Some(token) = tokens.next() {
            let at = token.span();
            match token {
                TokenTree::Ident(name) => {
                    if name == "async" {
                        self.found.push(Name { path: vec![name.to_string()], line: at.start().line });
                    }
                    if !open {
                        path.clear();
                    }
                    path.push(name.to_string());
                    open = false;
                    let goes_on = matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == ':');
                    if path.len() > 1 && !goes_on {
                        self.name(path.clone(), at);
                    }
                }
                TokenTree::Punct(sign) if sign.as_char() == ':' => {
                    open = !path.is_empty()
                        && matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == ':');
                    if open {
                        tokens.next();
                    } else if path.len() > 1 {
                        self.name(std::mem::take(&mut path), at);
                    }
                }
                TokenTree::Punct(sign) if open && sign.as_char() == '*' => {
                    path.push("*".to_owned());
                    open = false;
                    self.name(path.clone(), at);
                }
                TokenTree::Group(group) => {
                    let inside = if open && group.delimiter() == Delimiter::Brace { path.as_slice() } else { &[] };
                    self.tokens(inside, group.stream());
                    (path, open) = (Vec::new(), false);
                }
                TokenTree::Punct(sign) if sign.as_char() == ',' => {
                    (path, open) = (before.to_vec(), !before.is_empty());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => (path, open) = (Vec::new(), false),
            }
        }
    }

    fn awaits(&mut self, token: Option<&syn::Token![async]>) {
        self.found.extend(token.map(|token| Name { path: vec!["async".into()], line: token.span.start().line }));
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_test(&head(item).0) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        if !is_test(&head(item).0) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast syn::Stmt) {
        if !is_test(&head(statement).0) {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.imports(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let parts = path.segments.iter().map(|part| part.ident.to_string()).collect();
            self.name(parts, path.segments[0].ident.span());
        }
        visit::visit_path(self, path);
    }

    fn visit_token_stream(&mut self, tokens: &'ast TokenStream) {
        self.tokens(&[], tokens.clone());
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.awaits(signature.asyncness.as_ref());
        visit::visit_signature(self, signature);
    }

    fn visit_expr_async(&mut self, block: &'ast syn::ExprAsync) {
        self.awaits(Some(&block.async_token));
        visit::visit_expr_async(self, block);
    }

    fn visit_expr_closure(&mut self, closure: &'ast syn::ExprClosure) {
        self.awaits(closure.asyncness.as_ref());
        visit::visit_expr_closure(self, closure);
    }
}
