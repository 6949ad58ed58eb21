// Keyboard: "/" searches, "g" then a letter goes to a page. A form marked data-auto sends itself when a choice changes.
(() => {
  const pages = { t: "/", c: "/connect/", o: "/pool/", p: "/persons/", s: "/segments/", l: "/plans/", r: "/campaigns/", e: "/settings/" };
  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    if (event.key === "/") { event.preventDefault(); document.getElementById("search")?.focus(); return; }
    if (event.key === "g") { going = Date.now(); return; }
    if (Date.now() - going < 1200 && pages[event.key]) location.href = pages[event.key];
    going = 0;
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-auto]");
    if (form && event.target.tagName === "SELECT") form.requestSubmit();
  });
  // When a fast-forward has arrived, the page is asked for again: every number on it is then of the new moment.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id !== "clock" || event.detail.serverResponse.includes("hx-get")) return;
    if (document.querySelector("main textarea, main input[type=password], main input[type=text]")) return;
    event.detail.shouldSwap = false;
    location.reload();
  });
  // Empty choices stay out of the address.
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-auto]")) return;
    for (const field of event.target.elements) if (field.name && field.value === "") field.disabled = true;
  });
})();
