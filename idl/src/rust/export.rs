//! What a module exports for each class that it can create.

use super::dispatch::dispatcher_for;
use super::naming::{identifier, snake_case};
use super::selection::Selection;
use crate::model::Class;
use proc_macro2::TokenStream;
use quote::quote;

pub(super) fn items(selection: &Selection) -> TokenStream {
    let created = selection
        .classes
        .iter()
        .filter(|class| selection.is_created(class));
    created.map(|class| class_items(class)).collect()
}

fn class_items(class: &Class) -> TokenStream {
    let name = &class.name;
    let class_trait = identifier(name);
    let object = identifier(&format!("{name}Object"));
    let function = identifier(&snake_case(name));
    let create = identifier(&format!("create_{}", snake_case(name)));
    let function_doc = format!(" The class {name}, implemented by `T`. For `export_module!`.");
    let object_doc = format!(" Lets the host call a [`{name}`] by operation names.");
    let invoke = match dispatcher_for(class) {
        Some(dispatcher) => quote!(#dispatcher(&self.0, operation, wire::Arguments::new(params))),
        None => {
            quote! {
                let arguments = wire::Arguments::new(params);
                Err(Error::no_such_operation(operation, arguments.count()))
            }
        }
    };
    quote! {
        #[doc = #function_doc]
        pub fn #function<T: #class_trait>() -> Class {
            Class::new(#name, #create::<T>)
        }

        fn #create<T: #class_trait>(
            context: ElementContext,
            params: Value,
        ) -> Result<Box<dyn Object>> {
            let params = wire::read("constructorParams", params)?;
            Ok(Box::new(#object(<T as #class_trait>::create(context, params)?)))
        }

        #[doc = #object_doc]
        struct #object<T>(T);

        impl<T: #class_trait> Object for #object<T> {
            fn invoke(
                &self,
                operation: &str,
                params: Value,
            ) -> Result<Value> {
                #invoke
            }

            fn element(&self) -> &dyn Element {
                &self.0
            }
        }
    }
}
