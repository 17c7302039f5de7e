// Charts, drawn by D3 from the table or list beside them: the same numbers, so nothing can differ.
"use strict";
const WIDTH = 640, ROW = 27, GAP = 7;

function tableOf(figure) {
  return [...figure.closest("section").querySelectorAll("tbody tr")].map((row) =>
    Object.fromEntries([...row.cells].map((cell) => [cell.dataset.name, {
      text: cell.innerText.trim() || cell.textContent.trim(), raw: Number(cell.dataset.raw) }])));
}

function canvas(figure, height, width) {
  figure.replaceChildren();
  return d3.select(figure).append("svg").attr("viewBox", `0 0 ${width} ${height}`)
    .attr("role", "img").attr("aria-label", `${figure.dataset.label}. The numbers are in the table beside it.`);
}

const widthOf = (figure) => Math.max(320, Math.min(1600, figure.clientWidth || WIDTH));
const short = d3.format("~s");
const signed = (value) => (value < 0 ? "−" : "") + d3.format(".3~s")(Math.abs(value)).replace("G", "bn");

// Causes from the top: each bar begins where the one before ended, and the last is the whole gap.
function waterfall(figure) {
  const width = widthOf(figure), left = Math.min(120, width * 0.28), right = 64;
  let at = 0;
  const bars = tableOf(figure).map((row) => {
    const from = at; at += row.amount.raw;
    return { label: row.cause.text, from, to: at, amount: row.amount.raw, text: row.amount.text,
      kind: row.amount.raw >= 0 ? "missing" : "gained" };
  });
  bars.push({ label: "whole gap", from: 0, to: at, amount: at, text: d3.format(",.0f")(at), kind: "whole" });
  const height = bars.length * ROW + 22;
  const x = d3.scaleLinear(d3.extent([0, ...bars.flatMap((bar) => [bar.from, bar.to])]), [left, width - right]).nice(5);
  const svg = canvas(figure, height, width);
  const ticks = svg.append("g").attr("class", "axis").attr("transform", `translate(0,${height - 20})`);
  ticks.call(d3.axisBottom(x).ticks(width < 450 ? 3 : 6).tickFormat(short).tickSize(3));
  const row = svg.selectAll("g.bar").data(bars).join("g").attr("class", "bar").attr("transform", (_, i) => `translate(0,${i * ROW})`);
  row.append("text").attr("x", left - 8).attr("y", ROW / 2 + 3).attr("text-anchor", "end").text((bar) => bar.label);
  row.append("rect").attr("class", (bar) => bar.kind).attr("x", (bar) => Math.min(x(bar.from), x(bar.to)))
    .attr("width", (bar) => Math.max(1, Math.abs(x(bar.to) - x(bar.from)))).attr("y", GAP / 2).attr("height", ROW - GAP)
    .append("title").text((bar) => `${bar.label}: ${bar.text}`);
  row.append("text").attr("class", "soft").attr("y", ROW / 2 + 3).attr("x", (bar) => Math.max(x(bar.from), x(bar.to)) + 5).text((bar) => signed(bar.amount));
  row.filter((_, i) => i < bars.length - 1).append("line").attr("class", "link")
    .attr("x1", (bar) => x(bar.to)).attr("x2", (bar) => x(bar.to)).attr("y1", ROW - GAP / 2).attr("y2", ROW + GAP / 2);
}

// What can be read on a part's colour, in both themes.
const PALE = new Set(["waiting", "still_there", "moot", "returned_acknowledged"]);
const BRIGHT = new Set(["at_risk", "accepted_untouched", "recycled", "lost", "within_60", "over_60", "elsewhere", "clock_suspect"]);
const groundOf = (name) => (PALE.has(name) ? "on-pale" : BRIGHT.has(name) ? "on-bright" : "on-deep");

// Bars made of parts, one below the other.
function stacked(figure, rows, { isShare, left }) {
  const width = widthOf(figure), most = d3.max(rows, (row) => d3.sum(row.parts, (part) => part.raw)) || 1;
  const tall = rows.length === 1 ? 36 : ROW;
  const svg = canvas(figure, rows.length * tall, width);
  rows.forEach((row, index) => {
    const whole = isShare ? d3.sum(row.parts, (part) => part.raw) || 1 : most;
    const x = d3.scaleLinear([0, whole], [left, width]);
    const group = svg.append("g").attr("transform", `translate(0,${index * tall})`);
    if (row.label) group.append("text").attr("x", 0).attr("y", tall / 2 + 4).text(row.label);
    let at = 0;
    for (const part of row.parts.filter((each) => each.raw > 0)) {
      const from = x(at), to = x(at += part.raw);
      group.append("rect").attr("class", `s-${part.name}`).attr("x", from).attr("width", Math.max(0.5, to - from - 1)).attr("y", 3).attr("height", tall - 6)
        .append("title").text(`${part.label}: ${d3.format(",")(part.raw)} (${d3.format(".1%")(part.raw / d3.sum(row.parts, (each) => each.raw))})`);
      if (to - from > 34) group.append("text").attr("class", `inside ${groundOf(part.name)}`).attr("x", (from + to) / 2).attr("y", tall / 2 + 4).attr("text-anchor", "middle").text(d3.format(",")(part.raw));
    }
  });
}

function legend(figure, parts) {
  const list = d3.select(figure).insert("ul", "svg").attr("class", "legend").attr("aria-hidden", "true");
  const item = list.selectAll("li").data(parts).join("li");
  item.append("svg").attr("class", "swatch").attr("viewBox", "0 0 10 10").append("rect").attr("class", (part) => `s-${part.name}`).attr("width", 10).attr("height", 10).attr("rx", 2);
  item.append("span").text((part) => ` ${part.label}`);
}

function parts(figure) {
  const items = [...figure.closest("section").querySelectorAll(".states li")].map((item) => ({
    name: item.dataset.name, label: item.dataset.name.replaceAll("_", " "), raw: Number(item.dataset.raw) }));
  if (d3.sum(items, (item) => item.raw)) stacked(figure, [{ parts: items }], { isShare: true, left: 0 });
}

function bands(figure) {
  const names = { within_5: "0-5 min", within_15: "5-15 min", within_60: "15-60 min", over_60: "60+ min", unanswered: "no answer yet", clock_suspect: "clocks disagree" };
  const rows = tableOf(figure).map((row) => ({ label: `${row.from_team.text} → ${row.to_team.text}`,
    parts: Object.keys(names).map((name) => ({ name, label: names[name], raw: row[name].raw })) }));
  stacked(figure, rows, { isShare: true, left: Math.min(225, widthOf(figure) * 0.42) });
  legend(figure, Object.keys(names).map((name) => ({ name, label: names[name] })));
}

function funnel(figure) {
  const names = { advanced: "advanced", still_there: "still there", returned: "returned", elsewhere: "elsewhere", lost: "lost" };
  const rows = tableOf(figure).map((row) => ({ label: row.stage.text, parts: Object.keys(names).map((name) => ({ name, label: names[name], raw: row[name].raw })) }));
  stacked(figure, rows, { isShare: false, left: 92 });
  legend(figure, Object.keys(names).map((name) => ({ name, label: names[name] })));
}

const KINDS = { waterfall, parts, bands, funnel };

function drawAll(within = document) {
  for (const figure of within.querySelectorAll("[data-chart]")) KINDS[figure.dataset.chart](figure);
}

drawAll();
new ResizeObserver(() => drawAll()).observe(document.getElementById("panels"));
window.drawAll = drawAll;
