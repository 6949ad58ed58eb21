// A new broadcast: bytes and the bubble while typing; the slider's effect from the curve that the dry run brought.
(() => {
  const form = document.getElementById("broadcast");
  if (!form) return;
  const by = (id) => document.getElementById(id);
  const text = by("text");
  const slider = by("hold_out");

  const write = () => {
    const way = by("channel")?.selectedOptions[0]?.dataset ?? {};
    const size = way.characters ? text.value.length : new TextEncoder().encode(text.value).length;
    by("bytes").textContent = size.toLocaleString("en");
    if (way.most) by("most").textContent = Number(way.most).toLocaleString("en");
    if (way.unit) by("unit").textContent = way.unit;
    by("bubble").textContent = text.value;
  };

  const money = (value) => {
    const sample = by("sign")?.dataset.sample ?? "1,234.50";
    return sample.replace(/[\d.,]+/, value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 }));
  };

  const place = (share, point) => {
    const figure = document.querySelector("#effect-curve svg.curve");
    const mark = figure?.querySelector("#curve-mark");
    if (!mark) return;
    const reach = Number(figure.dataset.reach) * 100;
    const shown = point?.relative != null;
    mark.setAttribute("cx", shown ? `${(100 * share) / reach}%` : "-10");
    mark.setAttribute("cy", shown ? String(110 - (100 * point.relative) / Number(figure.dataset.top)) : "-10");
  };

  const slide = () => {
    const share = Number(slider.value);
    by("share").textContent = String(share);
    const source = by("points");
    if (!source) return;
    const point = JSON.parse(source.textContent).find((one) => one.share === share);
    const said = by("effect").dataset;
    if (share === 0) by("effect").textContent = said.none;
    else if (!point || point.money == null) by("effect").textContent = said.few;
    else
      by("effect").textContent = said.says
        .replace("{money}", money(point.money))
        .replace("{percent}", point.relative == null ? "–" : `${(point.relative * 100).toFixed(1)} %`)
        .replace("{held}", point.held.toLocaleString("en"));
    place(share, point);
  };

  const arrived = () => {
    const source = by("curve-source");
    if (source) {
      const open = document.querySelector("#effect-curve details")?.open;
      by("effect-curve").replaceChildren(...source.childNodes);
      const table = document.querySelector("#effect-curve details");
      if (table && open) table.open = true;
      source.remove();
    }
    slide();
  };

  text.addEventListener("input", write);
  by("channel")?.addEventListener("change", write);
  // Typing has asked for a dry run already; leaving the field must not ask again and close the confirmation.
  text.addEventListener("change", (event) => event.stopPropagation());
  slider.addEventListener("input", slide);
  form.addEventListener("input", () => { const launch = by("launch"); if (launch) launch.open = false; });
  document.body.addEventListener("htmx:afterSwap", (event) => { if (event.target.id === "preview") arrived(); });
  write();
})();
