// Keeps the page, so that it loads without a network. The build fills in what there is to keep.

// Other copies of the page, below other paths of the same origin, have the same caches at hand: each keeps to its own. No
// scope has a space in it.
const PREFIX = `scopething ${self.registration.scope} `;
const CACHE = PREFIX + "VERSION";
const KEPT = ["FILES"];

self.addEventListener("install", (event) => {
  const keep = async () => (await caches.open(CACHE)).addAll(KEPT.map((name) => new Request(name, { cache: "reload" })));
  event.waitUntil(keep());
});

self.addEventListener("activate", (event) => {
  const forget = async () => {
    const names = await caches.keys();
    await Promise.all(names.filter((name) => name.startsWith(PREFIX) && name !== CACHE).map((name) => caches.delete(name)));
  };
  event.waitUntil(forget());
});

self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET") return;
  const answer = async () => {
    const kept = await (await caches.open(CACHE)).match(event.request, { ignoreSearch: true });
    return kept ?? fetch(event.request);
  };
  event.respondWith(answer());
});
