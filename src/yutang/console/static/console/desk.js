// Keyboard of the service desk: j and k go to the next and the one before, r writes, Ctrl + Enter sends; q, or / in an
// empty answer, opens the quick replies, where arrows choose, Enter inserts at the cursor and Esc goes back to writing.
(() => {
  const said = () => { const list = document.querySelector("ol.said"); if (list) list.scrollTop = list.scrollHeight; };
  let count = document.querySelectorAll("ol.said li").length;
  said();
  document.addEventListener("htmx:afterSwap", () => {
    const now = document.querySelectorAll("ol.said li").length;
    if (now !== count) said();
    count = now;
  });
  const step = (by) => {
    const link = document.querySelector(by > 0 ? "[data-following]" : "[data-before]");
    if (link) { location.href = link.href; return; }
    const talks = [...document.querySelectorAll("[data-talk]")];
    if (!talks.length) return;
    const at = talks.indexOf(document.activeElement);
    talks[Math.min(Math.max(at + by, 0), talks.length - 1)].focus();
  };
  const replies = document.querySelector("details.replies");
  const rows = () => (replies ? [...replies.querySelectorAll("li:not([hidden])")] : []);
  const choose = (row) => {
    for (const one of rows()) one.toggleAttribute("data-chosen", one === row);
    if (row) row.scrollIntoView({ block: "nearest" });
  };
  const find = () => {
    const wanted = replies.querySelector("[data-find]").value.trim().toLowerCase();
    for (const one of replies.querySelectorAll("li")) one.hidden = !one.textContent.toLowerCase().includes(wanted);
    choose(rows()[0]);
  };
  const openReplies = () => {
    replies.open = true;
    replies.querySelector("[data-find]").value = "";
    find();
    replies.querySelector("[data-find]").focus();
  };
  const insert = (row) => {
    const text = document.getElementById("text");
    text.setRangeText(row.querySelector("small").textContent, text.selectionStart, text.selectionEnd, "end");
    replies.open = false;
    text.focus();
  };
  if (replies) {
    replies.addEventListener("input", find);
    replies.addEventListener("click", (event) => {
      const link = event.target.closest("[data-insert]");
      if (!link) return;
      event.preventDefault();
      insert(link.closest("li"));
    });
    replies.addEventListener("keydown", (event) => {
      if (!event.target.matches("[data-find]")) return;
      const at = rows().findIndex((one) => "chosen" in one.dataset);
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        const to = at + (event.key === "ArrowDown" ? 1 : -1);
        choose(rows()[Math.min(Math.max(to, 0), rows().length - 1)]);
      } else if (event.key === "Enter") {
        if (at >= 0) insert(rows()[at]);
      } else if (event.key === "Escape") {
        replies.open = false;
        document.getElementById("text").focus();
      } else return;
      event.preventDefault();
    });
  }
  document.addEventListener("keydown", (event) => {
    const text = document.getElementById("text");
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter" && event.target === text) { text.form.requestSubmit(); return; }
    if (replies && event.key === "/" && event.target === text && !text.value) { event.preventDefault(); openReplies(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    if (event.key === "j") step(1);
    if (event.key === "k") step(-1);
    if (event.key === "q" && replies) { event.preventDefault(); openReplies(); }
    if (event.key === "r" && text) { event.preventDefault(); text.focus(); }
  });
  // Sent once: a second press while it is under way does nothing.
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form.reply")) return;
    if (event.target.dataset.sent) { event.preventDefault(); return; }
    event.target.dataset.sent = "yes";
  });
})();
