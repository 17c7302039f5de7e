// While a what-if is computed, say so: it takes longer than a click.
"use strict";
document.getElementById("whatif")?.addEventListener("submit", (event) => {
  if (event.submitter?.value !== "download") document.getElementById("working").hidden = false;
});
