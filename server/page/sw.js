// Keeps the page itself, so that it opens while the server is away and says so. Answers of the API and photos are never
// kept here; thumbnails that were seen come from the browser's own cache.
//
// The server writes `const PAGE` above this: the version of the page's files, their addresses, and those of the HTML.

const OURS = `twobranch ${self.registration.scope} `; // other servers may be on this origin, under another path
const SHELL = `${OURS}${PAGE.version}`;
const AWAY = [502, 504]; // what a proxy says for a server that is not there

self.addEventListener("install", (event) => event.waitUntil(keep()));
self.addEventListener("activate", (event) => event.waitUntil(begin()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(self.registration.scope)) return;
  const path = new URL(request.url).pathname.slice(new URL(self.registration.scope).pathname.length);
  if (request.mode === "navigate" && PAGE.pages.includes(path)) event.respondWith(opened(event, path));
  else if (PAGE.files.includes(path)) event.respondWith(file(request)); // of this version only
});

async function keep() {
  const cache = await caches.open(SHELL);
  await cache.addAll(PAGE.files);
  for (const page of PAGE.pages) await cache.put(addressOf(page), await html(page));
  await self.skipWaiting();
}

/** The HTML of a page. Throws where it is of another version, or it is the login instead. */
async function html(page) {
  const response = await fetch(addressOf(page), { cache: "no-cache" });
  const text = await response.clone().text();
  if (!response.ok || response.redirected || !text.includes(PAGE.version)) throw new Error(`${page} is not to be had`);
  return response;
}

async function begin() {
  for (const name of await caches.keys()) if (name.startsWith(OURS) && name !== SHELL) await caches.delete(name);
  await self.registration.navigationPreload?.enable(); // the page is asked for while this worker starts
  await self.clients.claim();
}

/** A page as the server has it; without a server the one that was kept. */
async function opened(event, page) {
  try {
    const response = (await event.preloadResponse) ?? (await fetch(event.request));
    if (!AWAY.includes(response.status)) return response;
  } catch {
    // nobody answers
  }
  return (await kept(addressOf(page))) ?? Response.error();
}

const file = async (request) => (await kept(request)) ?? fetch(request);

const kept = async (request) => (await caches.open(SHELL)).match(request);

const addressOf = (page) => new URL(page, self.registration.scope).href;
