// "Find the nearest store": asks the browser where it is, once, when the visitor says so.
(() => {
  const button = document.getElementById("locate"), said = document.getElementById("located");
  if (!button) return;
  const refused = () => { said.textContent = button.dataset.refused; button.disabled = false; };
  button.addEventListener("click", () => {
    if (!navigator.geolocation) { refused(); return; }
    button.disabled = true;
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => { location.search = `?at=${coords.latitude.toFixed(3)},${coords.longitude.toFixed(3)}`; },
      refused, { timeout: 10000, maximumAge: 600000 },
    );
  });
})();
