// What went wrong at the authenticator is said on the page; allauth would write it to the console.
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  document.getElementById("trouble")?.classList.remove("hidden");
});
