/* The phone's one script. Pages use it by `window.yutang`:
 *
 *   call(name, arguments)  acts in WeCom's client (`sendChatMessage` …), after both signatures were accepted; a promise of
 *                          its answer. Rejected with an Error whose `cancelled` says that its user turned back.
 *   inWeCom                whether there is such a client here
 *   copy(text)             puts a text where it can be pasted from
 *   record(url, body)      what must reach the house once: kept on the phone under an id made here (`body.id`), sent when
 *                          there is a network, again until it is answered. A promise of "sent" or "waiting".
 *   toast(text)            says something for a moment
 */
(() => {
  "use strict";
  const yutang = (window.yutang = {});
  const here = document.body.dataset;
  const byId = (id) => document.getElementById(id);
  const SCRIPTS = ["https://res.wx.qq.com/open/js/jweixin-1.2.0.js", "https://open.work.weixin.qq.com/wwopen/js/jwxwork-1.0.0.js"];
  const NUMBERS = ["line", "card", "followUp", "batch"]; // by which an item says what it is
  const CALLS = ["getContext", "getCurExternalContact", "getCurExternalChat", "sendChatMessage", "shareToExternalContact",
    "shareToExternalChat", "openEnterpriseChat", "navigateToAddCustomer"];

  // Saying something ---------------------------------------------------------------------------------------------------
  let fading = 0;
  yutang.toast = (text) => {
    const toast = byId("toast");
    toast.textContent = text;
    toast.hidden = false;
    clearTimeout(fading);
    fading = setTimeout(() => { toast.hidden = true; }, 4000);
  };

  // WeCom's client -----------------------------------------------------------------------------------------------------
  yutang.inWeCom = Boolean(window.wx && window.wx.invoke) || /wxwork/i.test(navigator.userAgent);
  let ready = null;

  const script = (address) => new Promise((done, failed) => {
    const tag = document.createElement("script");
    tag.src = address;
    tag.onload = done;
    tag.onerror = () => failed(new Error(address));
    document.head.append(tag);
  });

  const signed = async () => {
    if (!(window.wx && window.wx.config)) for (const address of SCRIPTS) await script(address);
    const url = location.href.split("#")[0];
    const answer = await fetch(`${here.sign}?url=${encodeURIComponent(url)}&corp=${encodeURIComponent(here.corp)}`, { headers: { Accept: "application/json" } });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.sentence || told.error);
    const wx = window.wx;
    await new Promise((done, failed) => {
      wx.ready(done);
      wx.error((said) => failed(new Error(said.errMsg)));
      wx.config({ beta: true, debug: false, appId: told.corp, jsApiList: CALLS, ...told.config });
    });
    await new Promise((success, failed) => wx.agentConfig({
      corpid: told.corp, agentid: String(told.agent), jsApiList: CALLS, ...told.agentConfig, success,
      fail: (said) => failed(new Error(said.errMsg)),
    }));
    return wx;
  };

  yutang.call = async (name, given) => {
    ready = ready || signed();
    let wx;
    try {
      wx = await ready;
    } catch (error) {
      ready = null; // the next tap asks for new signatures
      throw error;
    }
    return new Promise((done, failed) => wx.invoke(name, given || {}, (said) => {
      const text = said.err_msg || said.errMsg || "";
      if (text === `${name}:ok`) return done(said);
      const error = new Error(text);
      error.cancelled = /:cancel/.test(text);
      failed(error);
    }));
  };

  yutang.copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch (error) { // no permission, or no https: the old way
      const field = document.createElement("textarea");
      field.value = text;
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    yutang.toast(byId("toast").dataset.copied);
  };

  // What must reach the house once -------------------------------------------------------------------------------------
  const opened = () => new Promise((done, failed) => {
    const asked = indexedDB.open("yutang", 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore("queue", { keyPath: "order", autoIncrement: true });
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => failed(asked.error);
  });
  let database = null;
  const inQueue = async (mode, act) => {
    database = database || opened();
    const transaction = (await database).transaction("queue", mode);
    const asked = act(transaction.objectStore("queue"));
    return new Promise((done, failed) => {
      transaction.oncomplete = () => done(asked.result);
      transaction.onerror = () => failed(transaction.error);
    });
  };
  const waiting = async () => (await inQueue("readonly", (queue) => queue.getAll())).filter((one) => one.who === here.who);

  const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const cookie = (name) => (document.cookie.match(`(?:^|; )${name}=([^;]*)`) || [])[1] || "";

  yutang.record = async (url, body) => {
    const kept = { who: here.who, url, body: { ...body, id: newId(), at: new Date().toISOString() } };
    await inQueue("readwrite", (queue) => queue.add(kept));
    await flush();
    return (await waiting()).some((one) => one.body.id === kept.body.id) ? "waiting" : "sent";
  };

  let flushing = null;
  let problem = "";
  const flush = () => {
    flushing = flushing || send().finally(() => { flushing = null; });
    return flushing.then(tell);
  };
  const send = async () => {
    for (const one of await waiting()) {
      let answer;
      try {
        answer = await fetch(one.url, {
          method: "POST", body: JSON.stringify(one.body), signal: AbortSignal.timeout ? AbortSignal.timeout(15000) : undefined,
          headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": cookie("csrftoken") },
        });
      } catch (error) {
        return; // no network: it stays
      }
      if (answer.status === 401) { location.assign(here.in); return; }
      if (answer.status >= 500 || answer.status === 408 || answer.status === 429) return;
      if (!answer.ok) problem = (await answer.json().catch(() => ({}))).sentence || String(answer.status);
      await inQueue("readwrite", (queue) => queue.delete(one.order));
      const keeper = navigator.serviceWorker && navigator.serviceWorker.controller;
      if (keeper) keeper.postMessage({ again: location.href.split("#")[0] });
    }
  };
  /* A page that was kept does not know what was recorded since. */
  const mark = (one) => {
    for (const place of document.querySelectorAll(`[data-record="${one.url}"]`)) {
      for (const name of NUMBERS) {
        const item = one.body[name] && [...place.querySelectorAll("[data-item]")].find((each) => each.dataset[name] === one.body[name]);
        if (item) item.dataset.done = one.body.result;
      }
      if (one.body.all) for (const each of place.querySelectorAll("[data-item]:not([data-done])")) each.dataset.done = one.body.result;
    }
  };
  const tell = async () => {
    const kept = await waiting();
    kept.forEach(mark);
    const left = kept.length;
    const net = byId("net");
    const parts = [];
    if (!navigator.onLine) parts.push(net.dataset.offline);
    if (left) parts.push(`${left} ${net.dataset.waiting}`);
    if (problem) parts.push(net.dataset.problem + problem);
    net.textContent = parts.join(" · ");
    net.classList.toggle("need", Boolean(problem));
    net.hidden = !parts.length;
  };
  yutang.flush = flush;

  // A page's own taps --------------------------------------------------------------------------------------------------
  /* A button with `data-result` records it at the address of the nearest `data-record`; of the item around it, if any,
   * with the item's own numbers (`data-line`, `data-card` …) and what was written into its `data-words`, without which a
   * button that `data-needs-words` says so. What was recorded shows at once. */
  const recordTap = async (button) => {
    const item = button.closest("[data-item]");
    const place = button.closest("[data-record]");
    const items = item ? [item] : "all" in button.dataset ? [...place.querySelectorAll("[data-item]:not([data-done])")] : [];
    const body = { result: button.dataset.result };
    const words = item && item.querySelector("[data-words]");
    if (words && words.value.trim()) body.text = words.value.trim();
    else if ("needsWords" in button.dataset) {
      yutang.toast(button.dataset.needsWords);
      return words.focus();
    }
    if (button.dataset.days) body.days = Number(button.dataset.days);
    for (const name of NUMBERS) if (item && item.dataset[name]) body[name] = item.dataset[name];
    if ("all" in button.dataset) body.all = true;
    for (const one of items) one.dataset.done = button.dataset.result;
    if (words) button.closest("details").open = false;
    if ("once" in button.dataset) { button.disabled = true; button.textContent = button.dataset.onceSaid; }
    await yutang.record(place.dataset.record, body);
  };

  /* Whether an item's words may still go out, and with what beside them, asked at the tap, since the page may be hours old;
   * it says so if not. Null: nobody answered. */
  const leave = async (item) => {
    let answer, told;
    try {
      answer = await fetch(`${item.closest("[data-leave]").dataset.leave}?card=${item.dataset.card}`, { headers: { Accept: "application/json" } });
      told = await answer.json();
    } catch (error) {
      return null;
    }
    if (answer.status === 401) location.assign(here.in);
    else if (!told.allowed) yutang.toast(told.sentence);
    return told.allowed ? told : false;
  };

  /* `data-share`: the text of that id goes to the customer `data-external`, prefilled in WeCom (named customers from 4.1.10
   * on, doc 96997), and is recorded as sent when WeCom says so. Elsewhere, and where WeCom will not, it is copied, and a
   * button asks whether it was sent. */
  const share = async (button) => {
    const text = byId(button.dataset.share).textContent.trim();
    const item = button.closest("[data-item]");
    const toPaste = async () => { await yutang.copy(text); item.dataset.copied = ""; };
    if (!yutang.inWeCom) { // browsers let nothing be copied that waited for a network: it is taken back
      const [allowed] = await Promise.all([leave(item), toPaste()]);
      if (allowed === false) delete item.dataset.copied;
      return undefined;
    }
    button.disabled = true;
    const allowed = await leave(item);
    button.disabled = false;
    if (!allowed) {
      if (allowed === null) yutang.toast(byId("net").dataset.offline);
      return undefined;
    }
    const to = button.dataset.external ? { externalUserIds: [button.dataset.external] } : {};
    try {
      const beside = (allowed.attachments || []).length ? { attachments: allowed.attachments } : {};
      await yutang.call("shareToExternalContact", { ...to, text: { content: text }, ...beside });
    } catch (error) {
      if (!error.cancelled) {
        await toPaste();
        yutang.toast(byId("toast").dataset.failed + error.message);
      }
      return undefined;
    }
    return recordTap(item.querySelector("[data-result=sent]"));
  };

  /* WeCom gives pages no way to open its 群发助手 (doc 94313 has no such call): we close, and its notice is on top. */
  const toAssistant = () => {
    if (window.wx && window.wx.closeWindow) window.wx.closeWindow();
    else yutang.toast(byId("toast").dataset.assistant);
  };

  document.addEventListener("click", (event) => {
    const on = (what) => event.target.closest(`[data-${what}]`);
    const button = on("copy") || event.target.closest("button[data-assistant]") || on("share") || event.target.closest("button[data-result]");
    if (!button) return;
    if ("copy" in button.dataset) yutang.copy(byId(button.dataset.copy).textContent.trim());
    else if ("assistant" in button.dataset) toAssistant();
    else if ("share" in button.dataset) share(button);
    else recordTap(button);
  });

  addEventListener("online", flush);
  addEventListener("offline", tell);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) flush(); });
  setInterval(async () => { if ((await waiting()).length) flush(); }, 20000);
  if ("serviceWorker" in navigator && isSecureContext) {
    navigator.serviceWorker.register(here.worker).then(() => navigator.serviceWorker.ready).then((one) => {
      if (!here.who) one.active.postMessage("forget");
    });
  }
  if (yutang.inWeCom && document.querySelector("[data-share]")) { // so that the tap need not wait for it
    ready = signed();
    ready.catch(() => { ready = null; });
  }
  tell().then(flush); // what waits shows as done before a poor network has answered
})();
