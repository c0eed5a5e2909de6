//! The types of a hub's methods and of its clients' methods, for the contract.
//!
//! Expansions name every type in `shape!`. Without the feature `schema` the macro drops them, so that
//! nothing is compiled; with it, types that implement `JsonSchema` give their schema, and all others
//! the schema that allows anything.

/// Schemas that have been made, and those that others refer to.
#[derive(Debug, Default)]
pub struct Schemas {
    #[cfg(feature = "schema")]
    pub(crate) generators: schema::Generators,
}

/// The types of one call.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    #[cfg(feature = "schema")]
    pub types: fn(&mut Schemas) -> schema::Types,
}

/// Drops the types.
#[cfg(not(feature = "schema"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __shape {
    ($($types:tt)*) => {
        $crate::shape::Shape {}
    };
}

/// Says what the types of a hub's method, or of a client's, look like.
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

/// What the macro makes of the types.
#[cfg(feature = "schema")]
pub mod schema {
    use std::marker::PhantomData;

    use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
    use serde_json::{Map, Value};

    use super::Schemas;
    use crate::args::HubArg;

    /// Where the contract holds what the app reads, and what it writes. One type may look different in
    /// the two.
    pub(crate) const RECEIVED: &str = "/schemas/received";
    pub(crate) const SENT: &str = "/schemas/sent";

    /// The schemas of one call.
    #[derive(Debug, Default)]
    pub struct Types {
        pub(crate) arguments: Vec<ArgumentType>,
        /// `None` when nothing is answered.
        pub result: Option<Value>,
    }

    #[derive(Debug)]
    pub(crate) struct ArgumentType {
        pub(crate) schema: Value,
        /// Whether it may be left out at the end.
        pub(crate) optional: bool,
    }

    impl Types {
        /// No argument and no result yet.
        #[must_use]
        pub fn new() -> Self {
            Self::default()
        }

        /// The next argument.
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
            let at = |path: &'static str| {
                SchemaSettings::draft2020_12()
                    .with(|settings| settings.definitions_path = path.into())
            };
            Self {
                received: at(RECEIVED).for_deserialize().into_generator(),
                sent: at(SENT).for_serialize().into_generator(),
            }
        }
    }

    impl Generators {
        /// The schemas that others refer to: what is received, and what is sent.
        pub(crate) fn definitions(&mut self) -> (Map<String, Value>, Map<String, Value>) {
            (self.received.take_definitions(true), self.sent.take_definitions(true))
        }
    }

    /// Asks a type what it knows of itself. `(&&probe).method()` finds the `Known…` trait, on `&Probe`,
    /// before the `Any…` one, on `Probe`.
    #[derive(Debug)]
    pub struct Probe<T: ?Sized>(PhantomData<fn() -> PhantomData<T>>);

    impl<T: ?Sized> Probe<T> {
        /// The question.
        pub const NEW: Self = Self(PhantomData);
    }

    /// What the app reads.
    pub trait KnownReceived {
        fn received(&self, schemas: &mut Schemas) -> Value;
    }

    impl<T: JsonSchema + ?Sized> KnownReceived for &Probe<T> {
        fn received(&self, schemas: &mut Schemas) -> Value {
            schemas.generators.received.subschema_for::<T>().into()
        }
    }

    /// What the app reads, whatever it is.
    pub trait AnyReceived {
        fn received(&self, _: &mut Schemas) -> Value {
            Value::Bool(true)
        }
    }

    impl<T: ?Sized> AnyReceived for Probe<T> {}

    /// What the app writes.
    pub trait KnownSent {
        fn sent(&self, schemas: &mut Schemas) -> Value;
    }

    impl<T: JsonSchema + ?Sized> KnownSent for &Probe<T> {
        fn sent(&self, schemas: &mut Schemas) -> Value {
            schemas.generators.sent.subschema_for::<T>().into()
        }
    }

    /// What the app writes, whatever it is.
    pub trait AnySent {
        fn sent(&self, _: &mut Schemas) -> Value {
            Value::Bool(true)
        }
    }

    impl<T: ?Sized> AnySent for Probe<T> {}

    /// What a method answers.
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
            Some(schemas.generators.sent.subschema_for::<T>().into())
        }
    }

    /// What a method answers, whatever it is.
    pub trait AnyReply {
        fn reply(&self, _: &mut Schemas) -> Option<Value> {
            Some(Value::Bool(true))
        }
    }

    impl<T: ?Sized> AnyReply for Probe<T> {}

    /// Whether an argument may be left out.
    pub trait KnownOptional {
        fn optional(&self) -> bool;
    }

    impl<T: HubArg> KnownOptional for &Probe<T> {
        fn optional(&self) -> bool {
            T::is_optional()
        }
    }

    /// What is no argument says nothing here: the table says why.
    pub trait AnyOptional {
        fn optional(&self) -> bool {
            false
        }
    }

    impl<T: ?Sized> AnyOptional for Probe<T> {}
}
