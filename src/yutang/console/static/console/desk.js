// Keyboard of the service desk: j and k go to the next and the one before, r writes, Ctrl + Enter sends.
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
  document.addEventListener("keydown", (event) => {
    const text = document.getElementById("text");
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter" && event.target === text) { text.form.requestSubmit(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    if (event.key === "j") step(1);
    if (event.key === "k") step(-1);
    if (event.key === "r" && text) { event.preventDefault(); text.focus(); }
  });
  // Sent once: a second press while it is under way does nothing.
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form.reply")) return;
    if (event.target.dataset.sent) { event.preventDefault(); return; }
    event.target.dataset.sent = "yes";
  });
})();
