/* Beside a chat: who it is (`chat.html`), and one tap that sends (`_person.html`). */
(() => {
  "use strict";
  const { yutang } = window;
  const beside = document.getElementById("beside");
  const words = beside.dataset;
  const show = (id, shown) => { document.getElementById(id).hidden = !shown; };
  const cookie = (name) => (document.cookie.match(`(?:^|; )${name}=([^;]*)`) || [])[1] || "";
  const recorded = async (url, body, said) => yutang.toast(await yutang.record(url, body) === "sent" ? said : words.later);

  // Who it is ----------------------------------------------------------------------------------------------------------
  const trouble = (text) => {
    show("waiting", false);
    document.querySelector("#trouble p").textContent = text;
    show("trouble", true);
  };
  const look = async () => {
    show("trouble", false);
    show("waiting", true);
    if (!yutang.inWeCom) return trouble(words.outside);
    let external;
    try {
      const context = await yutang.call("getContext");
      if (/^group_chat/.test(context.entry || "")) return trouble(words.group);
      external = (await yutang.call("getCurExternalContact")).userId;
    } catch (error) {
      return trouble(navigator.onLine ? words.failed + error.message : words.offline);
    }
    let answer;
    try {
      answer = await fetch(`${words.person}?corp=${encodeURIComponent(document.body.dataset.corp)}`, {
        method: "POST", body: new URLSearchParams({ external }), headers: { "X-CSRFToken": cookie("csrftoken") },
      });
    } catch (error) {
      return trouble(words.offline);
    }
    if (answer.redirected) return location.assign(answer.url); // logged out meanwhile
    document.getElementById("person").innerHTML = await answer.text();
    show("waiting", false);
  };

  // One tap ------------------------------------------------------------------------------------------------------------
  const say = async (button) => {
    button.disabled = true;
    try {
      if (button.dataset.ask) {
        const answer = await fetch(`${button.dataset.ask}?script=${encodeURIComponent(button.dataset.say)}`, { headers: { Accept: "application/json" } });
        const told = await answer.json();
        if (!told.allowed) return yutang.toast(told.sentence);
        for (const [index, call] of told.calls.entries()) { // what was sent is sent, also where the rest was not
          try {
            await yutang.call("sendChatMessage", { ...call, enterChat: index === told.calls.length - 1 });
          } catch (error) {
            if (!index) throw error;
            if (!error.cancelled) yutang.toast(document.getElementById("toast").dataset.failed + error.message);
            break;
          }
        }
      }
      await recorded(button.dataset.sent, { script: button.dataset.say }, words.said);
      button.textContent = words.said;
      button.dataset.over = "";
    } catch (error) {
      if (!error.cancelled) yutang.toast(navigator.onLine ? document.getElementById("toast").dataset.failed + error.message : words.offline);
    } finally {
      button.disabled = "over" in button.dataset;
    }
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-say], [data-again], [data-retry]");
    if (!button || button.disabled) return;
    if ("say" in button.dataset) say(button);
    else if ("retry" in button.dataset) look();
    else {
      const place = button.closest("[data-record]");
      button.disabled = true;
      recorded(place.dataset.record, { external: place.dataset.external }, button.dataset.againSaid);
    }
  });
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-note]");
    if (!form) return;
    event.preventDefault();
    const said = Object.fromEntries(new FormData(form));
    if (!said.note.trim() && !said.days) return;
    if (said.note.trim()) {
      const line = document.createElement("p");
      line.className = "why";
      line.textContent = said.note.trim();
      document.getElementById("remarks").prepend(line);
    }
    recorded(form.dataset.note, said, words.noted);
    form.reset();
  });
  if (words.person) look();
})();
