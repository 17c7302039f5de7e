// Numbers that move: when the server says so, the panels that changed are put in place of those before.
"use strict";
(() => {
  const panels = document.getElementById("panels");
  if (!panels?.dataset.live) return;
  let stamp = panels.dataset.stamp, busy = false, movedAt = null, again = false;

  const say = (text, isOn) => {
    const dot = document.getElementById("dot"), moved = document.getElementById("moved");
    dot?.classList.toggle("on", isOn);
    dot?.classList.toggle("off", !isOn);
    if (dot) dot.title = isOn ? "Live: numbers move while events arrive" : "Not live";
    if (moved) moved.textContent = text;
  };
  const ago = () => {
    if (!movedAt) return "· live";
    const seconds = Math.round((Date.now() - movedAt) / 1000);
    return seconds < 60 ? `· live, changed here ${seconds} s ago` : `· live, changed here ${Math.round(seconds / 60)} min ago`;
  };

  async function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(panels.dataset.panels, { headers: { Accept: "text/html" } });
      if (!answer.ok) return;
      const fresh = document.createElement("div");
      fresh.innerHTML = await answer.text();  // our own template: what events brought is escaped in it
      put(fresh);
      movedAt = Date.now();
    } finally {
      busy = false;
      if (again) { again = false; refresh(); }
    }
  }

  function put(fresh) {
    const before = new Map([...panels.children].map((panel) => [panel.dataset.panel, panel]));
    for (const next of [...fresh.children]) {
      const old = before.get(next.dataset.panel);
      if (old && old.dataset.stamp === next.dataset.stamp && next.dataset.panel !== "strip") continue;
      if (old && old.contains(document.activeElement) && next.dataset.panel !== "strip") {
        keepFocus(old, next);
        continue;
      }
      keepOpen(old, next);
      if (old) old.replaceWith(next); else panels.append(next);
      window.drawAll(next);
      if (next.dataset.panel !== "strip") next.classList.add("moved");
    }
    const there = new Set([...fresh.children, ...panels.children].map((panel) => panel.dataset.panel));
    for (const [name, panel] of before) if (!there.has(name)) panel.remove();
  }

  function keepOpen(old, next) {
    old?.querySelectorAll("details").forEach((each, index) => {
      const same = next.querySelectorAll("details")[index];
      if (same) same.open = each.open;
    });
  }

  // Somebody is reading with the keyboard here: the link at the same place has the focus afterwards.
  function keepFocus(old, next) {
    const stops = (panel) => [...panel.querySelectorAll("a, summary, [tabindex]")];
    const place = stops(old).indexOf(document.activeElement);
    keepOpen(old, next);
    old.replaceWith(next);
    window.drawAll(next);
    stops(next)[place]?.focus({ preventScroll: true });
  }

  const events = new EventSource(panels.dataset.live);
  events.addEventListener("state", (event) => {
    const state = JSON.parse(event.data);
    if (state.problem) { say(`· ${state.problem}. Next: ${state.next}`, false); return; }
    say(state.notice ? `· ${state.notice.split("; ").at(-1)}` : ago(), !state.notice);
    if (state.stamp && state.stamp !== stamp) { stamp = state.stamp; refresh().then(() => say(ago(), !state.notice)); }
  });
  events.onerror = () => say("· the page is not served any more; it tries again", false);
  setInterval(() => { if (document.getElementById("dot")?.classList.contains("on")) say(ago(), true); }, 5000);
})();
