// The theme: what the reader chose here before, else what the system prefers. In the head, so that nothing flashes.
"use strict";
(() => {
  const root = document.documentElement;
  const kept = (() => { try { return localStorage.getItem("theme"); } catch { return null; } })();
  if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  const isDark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const label = () => { button.textContent = isDark() ? "Light" : "Dark"; };
    button.hidden = false;
    label();
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      try { localStorage.setItem("theme", root.dataset.theme); } catch { /* a private window forgets it */ }
      label();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && document.activeElement?.classList.contains("term")) document.activeElement.blur();
    });
    const form = document.querySelector("form.slices");
    form?.addEventListener("change", (event) => {
      if (event.target.name === "dimension") form.querySelector("[name=value]")?.remove();
      if (event.target.name !== "known" || event.target.value === "" || event.target.checkValidity()) form.submit();
    });
  });
})();
