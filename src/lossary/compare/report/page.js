"use strict";
// Charts in the page's own colours, tables that sort, lines that copy. Data come as JSON and become text, never markup.
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const NARROW = 600;
  let printing = false;

  // ── charts ────────────────────────────────────────────────────────────────────────────────────────────────────────

  const isColor = (key) => key === "color" || key.endsWith("color");

  /** A copy in which every colour that is a name of the page's is what it stands for now. */
  function painted(value, styles, key = "") {
    if (typeof value === "string") {
      const name = isColor(key) && /^var\((--[a-z]+)\)$/.exec(value);
      return name ? styles.getPropertyValue(name[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((each) => painted(each, styles, key));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, painted(each, styles, name)]));
  }

  function wrapped(text, columns) {
    const lines = [""];
    for (const word of text.split(" ")) {
      if (lines.at(-1).length + word.length > columns) lines.push("");
      lines[lines.length - 1] += `${word} `;
    }
    return lines;
  }

  /** On a narrow page names stand above their rows, not beside them. */
  function fitted(layout, width) {
    if (width >= NARROW) return layout;
    const lines = wrapped(layout.xaxis.title.text, width / 8);
    layout.xaxis.title.text = lines.join("<br>");
    layout.height += 18 * (lines.length - 1);
    layout.margin.b += 18 * (lines.length - 1);
    if (!layout.meta) return layout;
    layout.height += 20 * layout.meta.rows;
    layout.yaxis.showticklabels = false;
    for (const each of layout.annotations) if (each.name === "above") each.visible = true;
    return layout;
  }

  function hidden(name) {
    const pressed = document.querySelectorAll(`button[data-chart="${name}"][aria-pressed="false"]`);
    return new Set([...pressed].map((button) => button.dataset.group));
  }

  function draw(name) {
    const place = document.getElementById(`chart-${name}`);
    const width = printing ? Math.min(640, place.clientWidth) : place.clientWidth;
    const figure = painted(figures[name], getComputedStyle(document.documentElement));
    const off = hidden(name);
    for (const trace of figure.data) if (off.has(trace.legendgroup)) trace.visible = false;
    Plotly.react(place, figure.data, { ...fitted(figure.layout, width), width }, { displayModeBar: false });
  }

  const drawAll = () => Object.keys(figures).forEach(draw);

  let waiting;
  const drawSoon = () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(drawAll);
  };

  drawAll();
  scheme.addEventListener("change", drawAll);
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) drawSoon();
    width = innerWidth;
  });

  for (const button of document.querySelectorAll(".legend button")) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") === "false"));
      draw(button.dataset.chart);
    });
  }

  // ── tables ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Numbers before words, words by the alphabet, and what is missing last in either direction. */
  function order(one, other) {
    const numbers = [Number(one), Number(other)];
    if (numbers.every(Number.isFinite)) return numbers[0] - numbers[1];
    return one.localeCompare(other);
  }

  function sort(table, header) {
    const descending = header.getAttribute("aria-sort") === "ascending";
    const column = header.cellIndex;
    const body = table.tBodies[0];
    const value = (row) => row.cells[column]?.dataset.value ?? "";
    const rows = [...body.rows];
    const [known, missing] = [rows.filter((row) => value(row)), rows.filter((row) => !value(row))];
    known.sort((one, other) => order(value(one), value(other)) * (descending ? -1 : 1));
    body.append(...known, ...missing);
    for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    document.getElementById("sorted").textContent =
      `sorted by ${header.textContent}, ${descending ? "descending" : "ascending"}`;
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    for (const header of table.tHead.rows[0].cells) {
      header.querySelector("button")?.addEventListener("click", () => sort(table, header));
    }
  }

  // ── code ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  function select(element) {
    const range = document.createRange();
    range.selectNodeContents(element);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  }

  for (const button of document.querySelectorAll(".copy")) {
    const code = button.parentElement.querySelector("code");
    const label = button.firstChild;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
      } catch {
        select(code); // where the clipboard is closed to pages, the line is selected, ready to be copied by hand
        if (!document.execCommand("copy")) return;
      }
      label.textContent = "Copied";
      setTimeout(() => (label.textContent = "Copy"), 1500);
    });
  }

  // ── paper ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  const how = document.querySelector(".how");
  addEventListener("beforeprint", () => {
    printing = true;
    document.documentElement.classList.add("printing");
    how.open = true;
    drawAll();
  });
  addEventListener("afterprint", () => {
    printing = false;
    document.documentElement.classList.remove("printing");
    how.open = false;
    drawAll();
  });
})();
