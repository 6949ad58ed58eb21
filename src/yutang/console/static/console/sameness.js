// Side by side: m, n and l choose a decision and lead to its reason; "." goes to the next pair.
(() => {
  const form = document.getElementById("decide");
  if (!form) return;
  const reason = form.elements.reason;
  const choose = () => { reason.required = form.elements.decision.value !== "later"; };
  form.addEventListener("change", choose);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    if (event.target.type === "text" || event.target.type === "search") return;
    if (event.key === ".") { document.getElementById("next")?.click(); return; }
    const choice = form.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (!choice) return;
    event.preventDefault();
    choice.checked = true;
    choose();
    reason.focus();
  });
})();
