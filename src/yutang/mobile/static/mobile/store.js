/* The manager's one tap: ask after what waits. What the policy does not allow is said on top, as every refusal is. */
(() => {
  "use strict";
  const place = document.getElementById("owing");
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-ask]");
    if (!button || !place.contains(button)) return;
    button.disabled = true;
    const gone = await window.yutang.record(place.dataset.chase, { store: place.dataset.store, staff: button.dataset.ask });
    window.yutang.toast(gone === "sent" ? place.dataset.said : place.dataset.later);
  });
})();
