// Keyboard: "/" searches, "g" then a letter goes to a page. Sliders show their value as they move.
(() => {
  const pages = { t: "/", o: "/pool/", p: "/persons/", s: "/segments/", l: "/plans/", r: "/campaigns/" };
  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    if (event.key === "/") { event.preventDefault(); document.getElementById("search")?.focus(); return; }
    if (event.key === "g") { going = Date.now(); return; }
    if (Date.now() - going < 1200 && pages[event.key]) location.href = pages[event.key];
    going = 0;
  });
})();
