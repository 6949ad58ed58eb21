/* Keeps the phone's pages for when there is no network: those that say so (`X-Yutang-Keep`, whose value is whose it is). */
"use strict";
const FILES = "yutang-files-{version}";
const PAGES = "yutang-pages";
const PATIENCE = 4000; // ms, after which a page that is kept is shown instead

self.addEventListener("install", (event) => event.waitUntil(self.skipWaiting()));
self.addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.startsWith("yutang-files-") && name !== FILES) await caches.delete(name);
  await self.clients.claim();
})()));
self.addEventListener("message", (event) => {
  if (event.data === "forget") event.waitUntil(caches.delete(PAGES));
  else if (event.data.again) event.waitUntil(fetch(event.data.again).then((answer) => keep({ url: event.data.again }, answer), () => {}));
});
self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  if (url.pathname.includes("/static/")) event.respondWith(file(event.request));
  else if (event.request.mode === "navigate" && url.pathname.startsWith("/m/")) event.respondWith(page(event.request));
});

async function file(request) {
  const files = await caches.open(FILES);
  const kept = await files.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await files.put(request, answer.clone());
  return answer;
}

async function page(request) {
  const kept = await (await caches.open(PAGES)).match(request.url);
  const asked = fetch(request).then((answer) => keep(request, answer));
  if (!kept) return asked;
  const late = new Promise((done) => { setTimeout(() => done(kept.clone()), PATIENCE); });
  return Promise.race([asked.catch(() => kept.clone()), late]);
}

async function keep(request, answer) {
  const who = answer.headers.get("X-Yutang-Keep");
  if (!answer.ok || answer.redirected || who === null) return answer;
  let pages = await caches.open(PAGES);
  const before = (await pages.matchAll())[0];
  if (before && before.headers.get("X-Yutang-Keep") !== who) {
    await caches.delete(PAGES);
    pages = await caches.open(PAGES);
  }
  await pages.put(request.url, answer.clone());
  return answer;
}
