"use strict";
// Without this script the page is whole: every row is shown, in the order that its text speaks of.
{
  const UNITS = { ns: 1e-9, µs: 1e-6, ms: 1e-3, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };
  const status = document.createElement("p"); // tells a screen reader what a click has done
  status.className = "unseen";
  status.setAttribute("role", "status");
  document.body.append(status);

  // ---- Tables are sorted by the figures as they are shown, each lane within itself: lanes are never ranked together.

  function valueOf(row, { cellIndex, dataset }) {
    const cell = row.cells[cellIndex];
    if (dataset.sort === "text") return cell.textContent.trim();
    const found = /^[<≤]?\s*([-−]?[\d.,]+)\s*(\S*)/.exec((cell.firstChild ?? cell).textContent.trim());
    return found ? Number(found[1].replaceAll(",", "").replace("−", "-")) * (UNITS[found[2]] ?? 1) : NaN;
  }

  function compare(one, other, sign) {
    if (typeof one === "string") return sign * one.localeCompare(other, "en", { numeric: true });
    if (Number.isNaN(one) || Number.isNaN(other)) return Number.isNaN(one) - Number.isNaN(other); // no value: last
    return sign * (one - other);
  }

  function sort(table, head) {
    const direction = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    for (const one of table.tHead.querySelectorAll("[aria-sort]")) one.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", direction);
    for (const body of table.tBodies) {
      const rows = [...body.rows].filter((row) => !row.querySelector("th[scope=rowgroup]"));
      const values = new Map(rows.map((row) => [row, valueOf(row, head)]));
      rows.sort((one, other) => compare(values.get(one), values.get(other), direction === "ascending" ? 1 : -1));
      body.append(...rows);
    }
    status.textContent = `sorted by ${head.innerText.replace(/\s+/g, " ").trim()}, ${direction}`;
  }

  for (const head of document.querySelectorAll("th[data-sort]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    head.append(button);
    if (head.dataset.sorted) head.setAttribute("aria-sort", head.dataset.sorted);
    button.addEventListener("click", () => sort(head.closest("table"), head));
  }

  // ---- A filter marks what it hides; the style sheet hides what is marked.

  const CHOICES = ["model", "phase", "lane", "machine", "preset"];
  const MARKED = [...CHOICES, "text"].map((name) => `[data-not-${name}]`).join();
  const controls = document.querySelector("fieldset.filter");
  const rowsOf = (part) => [...part.querySelectorAll("tr[data-row]")];
  const isHidden = (row) => row.closest(MARKED) !== null;

  function filter() {
    for (const name of CHOICES.filter((one) => controls.elements[one])) {
      const wanted = controls.elements[name].value;
      for (const part of document.querySelectorAll(`[data-${name}]`)) {
        part.toggleAttribute(`data-not-${name}`, wanted !== "" && part.dataset[name] !== wanted);
      }
    }
    const words = controls.elements.text.value.toLowerCase().split(/[\s,]+/).filter(Boolean);
    const rows = rowsOf(document);
    for (const row of rows) {
      const isNamed = words.length === 0 || words.some((word) => row.dataset.row.toLowerCase().includes(word));
      row.toggleAttribute("data-not-text", !isNamed);
    }
    for (const part of document.querySelectorAll("[data-block], [data-block] tbody")) {
      const own = rowsOf(part);
      part.hidden = own.length > 0 && own.every(isHidden); // a table, or a lane of it, without a row left
    }
    const num = rows.filter((row) => !isHidden(row)).length;
    controls.querySelector("output").value = `${num.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows`;
  }

  if (controls) {
    controls.hidden = false;
    controls.addEventListener("input", filter);
    controls.querySelector("button").addEventListener("click", () => {
      for (const one of controls.querySelectorAll("select, input")) one.value = "";
      filter();
    });
    filter(); // a browser may have kept what was chosen before a reload
  }
}
