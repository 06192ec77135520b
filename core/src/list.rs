//! Lists of bounded length, which are read as slices. What holds them is not part of the interface.

/// Defines a list of at most so many items.
macro_rules! list {
    ($(#[$attribute:meta])* $visibility:vis $name:ident of $item:ty, at most $capacity:expr) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Default, PartialEq)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        pub struct $name(heapless::Vec<$item, { $capacity }>);

        impl $name {
            /// An empty list.
            #[must_use]
            $visibility const fn new() -> Self {
                Self(heapless::Vec::new())
            }

            /// Appends an item; returns whether there was room for it.
            #[must_use]
            $visibility fn push(&mut self, item: $item) -> bool {
                self.0.push(item).is_ok()
            }
        }

        impl core::ops::Deref for $name {
            type Target = [$item];

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }

        impl<'a> IntoIterator for &'a $name {
            type Item = &'a $item;
            type IntoIter = core::slice::Iter<'a, $item>;

            fn into_iter(self) -> Self::IntoIter {
                self.0.iter()
            }
        }
    };
}

pub(crate) use list;
