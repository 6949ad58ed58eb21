/* Yutang web snippet: first party, no cookies, nothing before consent.
<script src="/w.js" data-key="wk_" defer></script>, then yutang.consent("analytics").
data-consent="granted": consent was given before. data-page="no": no page view of its own. */
(function (w, d, n) {
  var said = d.currentScript.dataset, url = new URL("/v1/batch", d.currentScript.src).href;
  var kept = {}, on, busy, timer, wait = 1000; // kept: where storage is refused
  var refused = n.globalPrivacyControl || n.doNotTrack == 1;

  function get(name) {
    try { return JSON.parse(localStorage.getItem("yt_" + name)) || kept[name]; } catch (e) { return kept[name]; }
  }
  function put(name, value) {
    try { localStorage.setItem("yt_" + name, JSON.stringify(value)); } catch (e) { kept[name] = value; }
  }
  function id() {
    return w.crypto && crypto.randomUUID ? crypto.randomUUID() : Date.now() + "-" + Math.random() + Math.random();
  }
  function who() {
    if (!get("who")) put("who", { anonymousId: id() });
    return get("who");
  }
  function campaign() {
    var found = {};
    new URLSearchParams(location.search).forEach(function (value, name) {
      if (/^utm_/.test(name)) found[name == "utm_campaign" ? "name" : name.slice(4)] = value;
    });
    if (found.source) put("utm", found);
    return get("utm");
  }
  function say(type, more) {
    if (!on) return;
    var message = Object.assign({ type: type, messageId: id(), timestamp: new Date().toISOString() }, who(), more);
    message.context = {
      page: { path: location.pathname, title: d.title, referrer: d.referrer.split(/[?#]/)[0] },
      campaign: campaign(), consent: { categoryPreferences: { analytics: true } }
    };
    put("queue", queue().concat(message).slice(-100));
    soon(50);
  }
  function queue() { return get("queue") || []; }
  function soon(ms) { clearTimeout(timer); timer = setTimeout(send, ms); }
  function part() {
    var size = 0;
    return queue().filter(function (one, i) { return (size += JSON.stringify(one).length) < 3e4 || !i; });
  }
  function body(batch) {
    return JSON.stringify({ batch: batch, writeKey: said.key, sentAt: new Date().toISOString() });
  }
  function again(ms) { wait = Math.min(wait * 2, 6e4); soon(Math.max(wait, ms || 0)); }
  function send() {
    var batch = part(), ids = batch.map(function (one) { return one.messageId; });
    if (!on || busy || !batch[0]) return;
    busy = 1;
    fetch(url, { method: "POST", body: body(batch), keepalive: true, credentials: "omit" }).then(function (answer) {
      busy = 0;
      if (answer.status > 499 || answer.status == 429) return again(1e3 * answer.headers.get("retry-after"));
      put("queue", queue().filter(function (one) { return ids.indexOf(one.messageId) < 0; }));
      wait = 1000; soon(0);
    }).catch(function () { busy = 0; again(); });
  }
  // Nobody hears this answer, so the queue stays: what arrives twice counts once.
  w.addEventListener("pagehide", function () { if (on && part()[0]) n.sendBeacon(url, body(part())); });

  var yutang = w.yutang = {
    consent: function (granted) {
      if (granted === false) {
        on = 0; kept = {};
        ["queue", "who", "utm"].forEach(function (name) { try { localStorage.removeItem("yt_" + name); } catch (e) {} });
      } else if (!refused && !on && (granted === "analytics" || granted === true)) {
        on = 1;
        if (said.page != "no") yutang.page();
        soon(50);
      }
    },
    page: function (name, properties) { say("page", { name: name, properties: properties }); },
    track: function (event, properties) { say("track", { event: event, properties: properties }); },
    identify: function (userId, traits) {
      if (on) { put("who", Object.assign(who(), { userId: userId })); say("identify", { traits: traits }); }
    },
    reset: function () { if (on) put("who", { anonymousId: id() }); }
  };
  if (said.consent == "granted") yutang.consent(true);
})(window, document, navigator);
