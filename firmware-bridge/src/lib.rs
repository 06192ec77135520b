//! What the bridge does that no board is needed for: it builds for the host too, where its tests run.
#![cfg_attr(not(test), no_std)]
