"use strict";
// Without this script the page is whole: every row is shown, in the order that its text speaks of.
{
  const UNITS = { ns: 1e-9, µs: 1e-6, ms: 1e-3, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };
  const status = document.createElement("p");
  status.className = "unseen";
  status.setAttribute("role", "status");
  document.body.append(status);

  function valueOf(row, column, kind) {
    const cell = row.cells[column];
    if (kind === "text") return cell.textContent.trim();
    const found = /^[<≤]?\s*(-?[\d.,]+)\s*(\S*)/.exec((cell.firstChild ?? cell).textContent.trim());
    return found ? Number(found[1].replaceAll(",", "")) * (UNITS[found[2]] ?? 1) : NaN;
  }

  function compare(one, other, sign) {
    if (typeof one === "string") return sign * one.localeCompare(other, "en", { numeric: true });
    if (Number.isNaN(one) || Number.isNaN(other)) return Number.isNaN(one) - Number.isNaN(other); // no value: last
    return sign * (one - other);
  }

  function sort(table, head) {
    const direction = head.ariaSort === "ascending" ? "descending" : "ascending";
    const [column, kind] = [head.cellIndex, head.dataset.sort];
    for (const one of table.tHead.querySelectorAll("[aria-sort]")) one.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", direction);
    for (const body of table.tBodies) { // a lane is sorted within itself: lanes are never ranked together
      const rows = [...body.rows].filter((row) => !row.querySelector("th[scope=rowgroup]"));
      const values = new Map(rows.map((row) => [row, valueOf(row, column, kind)]));
      rows.sort((a, b) => compare(values.get(a), values.get(b), direction === "ascending" ? 1 : -1));
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

  const controls = document.querySelector("fieldset.filter");
  const rowsOf = (part) => [...part.querySelectorAll("tr[data-row]")];

  function filter() {
    const words = controls.elements.text.value.toLowerCase().split(/[\s,]+/).filter(Boolean);
    for (const name of ["model", "phase", "lane", "machine", "preset"]) {
      const wanted = controls.elements[name]?.value;
      if (wanted === undefined) continue;
      for (const one of document.querySelectorAll(`[data-${name}]`)) {
        one.toggleAttribute(`data-not-${name}`, wanted !== "" && one.dataset[name] !== wanted);
      }
    }
    for (const row of rowsOf(document)) {
      const isNamed = words.length === 0 || words.some((word) => row.dataset.row.toLowerCase().includes(word));
      row.toggleAttribute("data-not-text", !isNamed);
    }
    // A table, or a lane of one, goes when none of its rows is left.
    for (const part of document.querySelectorAll("[data-block], [data-block] tbody")) {
      const rows = rowsOf(part);
      part.hidden = rows.length > 0 && rows.every(isFiltered);
    }
    count();
  }

  const HIDDEN = ["model", "phase", "lane", "machine", "preset", "text"].map((name) => `[data-not-${name}]`).join();
  const isFiltered = (row) => row.closest(HIDDEN) !== null;

  function count() {
    const rows = rowsOf(document);
    const shown = rows.filter((row) => !isFiltered(row)).length;
    controls.querySelector("output").value = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows`;
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
