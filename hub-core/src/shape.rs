//! The types of a hub's methods and of its clients' methods, for the contract.
//!
//! Macro expansions pass the types of each method to `shape!`. Without the feature `schema`, `shape!` ignores
//! the types. With the feature, types that implement `JsonSchema` have their own schema, and all other types
//! have the schema `true`, which allows any value.

/// The generated schemas, and the definitions that they refer to.
#[derive(Debug, Default)]
pub struct Schemas {
    #[cfg(feature = "schema")]
    pub(crate) generators: schema::Generators,
    /// The names of types that do not implement `JsonSchema`.
    #[cfg(feature = "schema")]
    pub(crate) without_schema: std::collections::BTreeSet<&'static str>,
}

#[cfg(feature = "schema")]
impl Schemas {
    /// Schemas of draft-07, and not of draft 2020-12.
    #[must_use]
    pub fn draft07() -> Self {
        Self { generators: schema::Generators::draft07(), ..Self::default() }
    }
}

/// The types of one call.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    #[cfg(feature = "schema")]
    pub types: fn(&mut Schemas) -> schema::Types,
}

/// Ignores the types.
#[cfg(not(feature = "schema"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __shape {
    ($($types:tt)*) => {
        $crate::shape::Shape {}
    };
}

/// Generates the schemas of the types of a method.
#[cfg(feature = "schema")]
#[doc(hidden)]
#[macro_export]
macro_rules! __shape {
    (hub [$($(#[$condition:meta])* $argument:ty,)*] -> $result:ty) => {
        $crate::shape::Shape {
            types: |schemas| {
                #[allow(unused_imports)]
                use $crate::shape::schema::{
                    AnyOptional as _, AnyReceived as _, AnyReply as _, KnownOptional as _,
                    KnownReceived as _, KnownReply as _, Probe, Types,
                };
                #[allow(unused_mut)]
                let mut types = Types::new();
                $($(#[$condition])* {
                    let schema = (&&Probe::<$argument>::NEW).received(schemas);
                    types.argument(schema, (&&Probe::<$argument>::NEW).optional());
                })*
                types.result = (&&Probe::<$result>::NEW).reply(schemas);
                types
            },
        }
    };
    (client [$($(#[$condition:meta])* $argument:ty,)*] $(-> $answer:ty)?) => {
        $crate::shape::Shape {
            types: |schemas| {
                #[allow(unused_imports)]
                use $crate::shape::schema::{
                    AnyReceived as _, AnySent as _, KnownReceived as _, KnownSent as _, Probe, Types,
                };
                #[allow(unused_mut)]
                let mut types = Types::new();
                $($(#[$condition])* {
                    let schema = (&&Probe::<$argument>::NEW).sent(schemas);
                    types.argument(schema, false);
                })*
                $(types.result = $crate::__private::Some((&&Probe::<$answer>::NEW).received(schemas));)?
                types
            },
        }
    };
}

/// Generation of schemas.
#[cfg(feature = "schema")]
pub mod schema {
    use std::{any::type_name, marker::PhantomData};

    use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
    use serde_json::{Map, Value};

    use super::Schemas;
    use crate::args::HubArg;

    /// The path of the definitions of values that the app reads.
    pub(crate) const RECEIVED: &str = "/schemas/received";
    /// The path of the definitions of values that the app writes. A type may have another schema here than in the
    /// definitions of values that the app reads.
    pub(crate) const SENT: &str = "/schemas/sent";

    /// The schemas of one call.
    #[derive(Debug, Default)]
    pub struct Types {
        pub(crate) arguments: Vec<ArgumentType>,
        /// The schema of the result. `None` if there is no result.
        pub result: Option<Value>,
    }

    #[derive(Debug)]
    pub(crate) struct ArgumentType {
        pub(crate) schema: Value,
        /// Whether the argument may be omitted at the end of the list.
        pub(crate) optional: bool,
    }

    impl Types {
        /// Creates an empty list.
        #[must_use]
        pub fn new() -> Self {
            Self::default()
        }

        /// Adds an argument.
        pub fn argument(&mut self, schema: Value, optional: bool) {
            self.arguments.push(ArgumentType { schema, optional });
        }
    }

    #[derive(Debug)]
    pub(crate) struct Generators {
        received: SchemaGenerator,
        sent: SchemaGenerator,
    }

    impl Default for Generators {
        fn default() -> Self {
            Self::of(&SchemaSettings::draft2020_12())
        }
    }

    impl Generators {
        pub(crate) fn draft07() -> Self {
            Self::of(&SchemaSettings::draft07())
        }

        fn of(settings: &SchemaSettings) -> Self {
            let at = |path: &'static str| {
                settings.clone().with(|settings| settings.definitions_path = path.into())
            };
            Self {
                received: at(RECEIVED).for_deserialize().into_generator(),
                sent: at(SENT).for_serialize().into_generator(),
            }
        }

        /// The schemas that other schemas refer to: of received values, and of sent values.
        pub(crate) fn definitions(&mut self) -> (Map<String, Value>, Map<String, Value>) {
            (self.received.take_definitions(true), self.sent.take_definitions(true))
        }
    }

    /// The schema of a type. The generator transforms definitions itself, but not schemas without a definition.
    fn schema_of<T: JsonSchema + ?Sized>(generator: &mut SchemaGenerator) -> Value {
        let mut schema = generator.subschema_for::<T>();
        for transform in generator.transforms_mut() {
            transform.transform(&mut schema);
        }
        schema.into()
    }

    /// Selects an implementation by the traits of `T` (autoref specialisation): `(&&probe).method()` finds
    /// the `Known…` trait, implemented for `&Probe`, before the `Any…` trait, implemented for `Probe`.
    #[derive(Debug)]
    pub struct Probe<T: ?Sized>(PhantomData<fn() -> PhantomData<T>>);

    impl<T: ?Sized> Probe<T> {
        /// The probe.
        pub const NEW: Self = Self(PhantomData);
    }

    /// A value that the app reads.
    pub trait KnownReceived {
        fn received(&self, schemas: &mut Schemas) -> Value;
    }

    impl<T: JsonSchema + ?Sized> KnownReceived for &Probe<T> {
        fn received(&self, schemas: &mut Schemas) -> Value {
            schema_of::<T>(&mut schemas.generators.received)
        }
    }

    /// A value that the app reads, without a schema.
    pub trait AnyReceived {
        fn received(&self, schemas: &mut Schemas) -> Value;
    }

    impl<T: ?Sized> AnyReceived for Probe<T> {
        fn received(&self, schemas: &mut Schemas) -> Value {
            any::<T>(schemas)
        }
    }

    /// A value that the app writes.
    pub trait KnownSent {
        fn sent(&self, schemas: &mut Schemas) -> Value;
    }

    impl<T: JsonSchema + ?Sized> KnownSent for &Probe<T> {
        fn sent(&self, schemas: &mut Schemas) -> Value {
            schema_of::<T>(&mut schemas.generators.sent)
        }
    }

    /// A value that the app writes, without a schema.
    pub trait AnySent {
        fn sent(&self, schemas: &mut Schemas) -> Value;
    }

    impl<T: ?Sized> AnySent for Probe<T> {
        fn sent(&self, schemas: &mut Schemas) -> Value {
            any::<T>(schemas)
        }
    }

    /// The result of a method.
    pub trait KnownReply {
        fn reply(&self, schemas: &mut Schemas) -> Option<Value>;
    }

    impl KnownReply for &Probe<()> {
        fn reply(&self, _: &mut Schemas) -> Option<Value> {
            None
        }
    }

    impl<T: JsonSchema, E> KnownReply for &Probe<Result<T, E>> {
        fn reply(&self, schemas: &mut Schemas) -> Option<Value> {
            Some(schema_of::<T>(&mut schemas.generators.sent))
        }
    }

    /// The result of a method, without a schema.
    pub trait AnyReply {
        fn reply(&self, schemas: &mut Schemas) -> Option<Value>;
    }

    impl<T: ?Sized> AnyReply for Probe<T> {
        fn reply(&self, schemas: &mut Schemas) -> Option<Value> {
            Some(any::<T>(schemas))
        }
    }

    /// The schema of any value, for a type without a schema.
    fn any<T: ?Sized>(schemas: &mut Schemas) -> Value {
        schemas.without_schema.insert(inner(ok_type(type_name::<T>())));
        Value::Bool(true)
    }

    /// `T` of `Result<T, E>`, otherwise the name.
    fn ok_type(name: &str) -> &str {
        let Some(types) = name.strip_prefix("core::result::Result<") else { return name };
        let mut depth = 0;
        let end = types.char_indices().find(|(_, letter)| {
            match letter {
                '<' | '(' | '[' => depth += 1,
                '>' | ')' | ']' => depth -= 1,
                _ => {}
            }
            *letter == ',' && depth == 0
        });
        end.map_or(name, |(end, _)| &types[..end])
    }

    /// The name without references, and without the boxes, lists and options around the type.
    fn inner(name: &str) -> &str {
        let outer = ["alloc::boxed::Box<", "alloc::vec::Vec<", "core::option::Option<"];
        let mut name = name;
        loop {
            let list = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            let wrapped =
                outer.iter().find_map(|outer| name.strip_prefix(outer)?.strip_suffix('>'));
            let Some(rest) = name.strip_prefix('&').or(list).or(wrapped) else { return name };
            name = rest;
        }
    }

    /// Whether an argument is optional.
    pub trait KnownOptional {
        fn optional(&self) -> bool;
    }

    impl<T: HubArg> KnownOptional for &Probe<T> {
        fn optional(&self) -> bool {
            T::is_optional()
        }
    }

    /// The fallback for types that cannot be arguments. The compiler reports them in the method table.
    pub trait AnyOptional {
        fn optional(&self) -> bool {
            false
        }
    }

    impl<T: ?Sized> AnyOptional for Probe<T> {}

    #[cfg(test)]
    mod tests {
        use std::fmt;

        use super::*;

        #[test]
        fn a_type_is_named_without_what_is_around_it() {
            let name = inner(type_name::<&[Vec<Option<Box<fmt::Error>>>]>());

            assert_eq!(name, "core::fmt::Error");
        }

        #[test]
        fn a_result_is_named_after_its_value() {
            let name = ok_type(type_name::<Result<Vec<(u8, Option<bool>)>, fmt::Error>>());

            assert_eq!(name, "alloc::vec::Vec<(u8, core::option::Option<bool>)>");
            assert_eq!(ok_type("u8"), "u8");
        }
    }
}
