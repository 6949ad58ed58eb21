// A file that is too large is told before it is sent: the door would only hang up on it.
(() => {
  document.addEventListener("htmx:beforeRequest", (event) => {
    const field = event.detail.elt;
    if (field.type !== "file" || !field.dataset.most) return;
    const size = [...field.files].reduce((sum, file) => sum + file.size, 0);
    const said = document.getElementById("too-large");
    said.hidden = size <= Number(field.dataset.most);
    if (said.hidden) return;
    event.preventDefault();
    field.value = "";
    said.scrollIntoView({ block: "nearest" });
  });
})();
