//! Computations that take longer than others should wait.

/// Computes something beside the thread of whoever waits for it.
#[cfg(not(target_family = "wasm"))]
pub(crate) async fn offload<T: Default + Send + 'static>(compute: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(compute).await.unwrap_or_default()
}

/// A page has one thread.
#[cfg(target_family = "wasm")]
pub(crate) async fn offload<T>(compute: impl FnOnce() -> T) -> T {
    std::future::ready(compute()).await
}
