use bytes::Bytes;
use imbl::{OrdMap, OrdSet, Vector};

use super::Kind;

/// What a key holds that is no string. Cloning shares all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Collection {
    Hash(OrdMap<Bytes, Bytes>),
    Set(OrdSet<Bytes>),
    List(Vector<Bytes>),
}

impl Collection {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Collection::Hash(_) => Kind::Hash,
            Collection::Set(_) => Kind::Set,
            Collection::List(_) => Kind::List,
        }
    }
}

/// One of the three, seen as what it is.
pub(super) trait Contents: Default {
    fn of(collection: &Collection) -> Option<&Self>;
    fn of_mut(collection: &mut Collection) -> Option<&mut Self>;
    fn into_collection(self) -> Collection;
    fn is_empty(&self) -> bool;
}

macro_rules! contents {
    ($variant:ident, $type:ty) => {
        impl Contents for $type {
            fn of(collection: &Collection) -> Option<&Self> {
                if let Collection::$variant(contents) = collection { Some(contents) } else { None }
            }
            fn of_mut(collection: &mut Collection) -> Option<&mut Self> {
                if let Collection::$variant(contents) = collection { Some(contents) } else { None }
            }
            fn into_collection(self) -> Collection {
                Collection::$variant(self)
            }
            fn is_empty(&self) -> bool {
                <$type>::is_empty(self)
            }
        }
    };
}

contents!(Hash, OrdMap<Bytes, Bytes>);
contents!(Set, OrdSet<Bytes>);
contents!(List, Vector<Bytes>);
