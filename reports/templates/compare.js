// Any two runs of the index side by side, by the rule of harness/compare.py.
{
  const { margin, runs } = JSON.parse(document.getElementById("data").textContent);
  const controls = document.querySelector("fieldset.compare");
  const warning = document.getElementById("compare-warning");
  const place = document.getElementById("compare-table");
  const MARKS = { slower: "▲", faster: "▼", "no change shown": "=", "too wide to say": "?" };
  const DIGITS = { minimumSignificantDigits: 3, maximumSignificantDigits: 3 };
  const text = (value) => value.toLocaleString("en", DIGITS);

  function verdict(low, high, floor) {
    if (Math.log(low) > floor) return "slower";
    if (Math.log(high) < -floor) return "faster";
    return low >= 1 / (1 + margin) && high <= 1 + margin ? "no change shown" : "too wide to say";
  }

  function element(name, content, attributes = {}) {
    const made = document.createElement(name);
    made.append(...[content].flat());
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  const figure = (value, low, high) =>
    element("td", [text(value), element("span", `${text(low)} – ${text(high)}`, { class: "range" })]);

  function row(key, [ratio, low, high, floor], [newRatio, newLow, newHigh, newFloor]) {
    const ends = [newLow / high, newHigh / low];
    const word = verdict(...ends, Math.max(floor, newFloor));
    const told = element("td", `${MARKS[word]} ${word}`, { class: `text ${word.replaceAll(" ", "-")}` });
    return element("tr", [
      element("th", key.split("|")[1], { scope: "row" }),
      figure(ratio, low, high),
      figure(newRatio, newLow, newHigh),
      figure(newRatio / ratio, ...ends),
      told,
    ]);
  }

  const shared = (old, later) => Object.keys(later.cells).filter((key) => old.cells[key]?.[4] === later.cells[key][4]);

  function show() {
    const [old, later] = ["old", "new"].map((name) => runs[controls.elements[name].selectedIndex]);
    const both = shared(old, later);
    const others = old.machine === later.machine ? "" : `These are other machines: ${old.machine}; ${later.machine}.`;
    warning.textContent = both.length ? others : "These runs have no ratio to the same baseline in common.";
    warning.hidden = warning.textContent === "";
    const heads = ["variant", "old ratio", "new ratio", "change", "verdict"];
    const head = element("tr", heads.map((name) => element("th", name, { scope: "col", class: name === "verdict" ? "text" : "" })));
    const places = [...new Set(both.map((key) => key.split("|")[0]))];
    const bodies = places.map((where) => element("tbody", [
      element("tr", element("th", where, { scope: "rowgroup", colspan: heads.length })),
      ...both.filter((key) => key.startsWith(`${where}|`)).map((key) => row(key, old.cells[key], later.cells[key])),
    ]));
    place.replaceChildren(element("table", [element("thead", head), ...bodies]));
    place.hidden = both.length === 0;
  }

  if (runs.length > 1) {
    for (const name of ["old", "new"]) {
      const options = runs.map((run) => element("option", `${run.id}, ${run.preset}`));
      controls.elements[name].append(...options);
    }
    const before = runs.findIndex((run, index) => index > 0 && run.machine === runs[0].machine && shared(run, runs[0]).length);
    controls.elements.new.selectedIndex = 0;
    controls.elements.old.selectedIndex = Math.max(1, before);
    controls.hidden = false;
    controls.addEventListener("input", show);
    show();
  }
}
