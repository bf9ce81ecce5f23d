// Three conveniences; the page says everything without them.

// A chosen tab is remembered, where the browser lets a page do that.
for (const tabs of document.querySelectorAll("[data-remember]")) {
  const key = "likeforlike-" + tabs.dataset.remember;
  const storage = (() => { try { return window.localStorage; } catch { return null; } })();
  const chosen = storage && storage.getItem(key);
  const tab = [...tabs.querySelectorAll("input")].find((input) => input.value === chosen);
  if (tab) tab.checked = true;
  tabs.addEventListener("change", (event) => storage && storage.setItem(key, event.target.value));
}

// Paper cannot be clicked.
const closed = [];
addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("details:not([open], .source)")) { one.open = true; closed.push(one); }
});
addEventListener("afterprint", () => { for (const one of closed.splice(0)) one.open = false; });

// The amortisation slider: 1 to 100,000 steps, 20 places a decade.
const data = document.getElementById("amortisation-data");
const slider = document.getElementById("amortisation-slider");
if (data && slider) {
  const records = JSON.parse(data.textContent);
  const [range, withImport, batch] = ["range", "import", "batch"].map((id) => document.getElementById("slider-" + id));
  const batches = [...new Set(records.map((one) => one.batch))];
  for (const size of batches) batch.add(new Option(size.toLocaleString("en"), size));
  document.getElementById("slider-batches").hidden = batches.length < 2;
  const digits = (value) => value.toLocaleString("en", { minimumSignificantDigits: 3, maximumSignificantDigits: 3 });
  const text = (seconds) => seconds < 1 ? digits(1000 * seconds) + "\u00a0ms" : digits(seconds) + "\u00a0s";

  const seconds = (one, steps) =>
    one.first + (withImport.checked ? one.import : 0) + (steps > 1 ? one.second + (steps - 2) * one.step : 0);

  const show = () => {
    const exact = 10 ** (range.value / 20);
    const steps = Math.round(exact / 10 ** Math.max(0, Math.floor(Math.log10(exact)) - 1)) * 10 ** Math.max(0, Math.floor(Math.log10(exact)) - 1);
    const ranked = records.filter((one) => String(one.batch) === batch.value)
      .map((one) => ({ ...one, total: seconds(one, steps) })).sort((one, other) => one.total - other.total);
    const longest = ranked[ranked.length - 1].total;
    document.getElementById("slider-steps").textContent = steps.toLocaleString("en");
    range.setAttribute("aria-valuetext", steps.toLocaleString("en") + " steps");
    document.getElementById("slider-told").textContent =
      `After ${steps.toLocaleString("en")} ${steps === 1 ? "step" : "steps"} ${ranked[0].variant} is ahead, with ${text(ranked[0].total)} in all.`;
    document.getElementById("slider-ranking").replaceChildren(...ranked.map((one) => {
      const [line, name, bar, time] = ["li", "span", "i", "span"].map((tag) => document.createElement(tag));
      name.textContent = one.variant;
      bar.className = one.mode;
      bar.style.width = 100 * one.total / longest + "%";
      time.textContent = text(one.total);
      line.append(name, bar, time);
      return line;
    }));
  };
  slider.addEventListener("input", show);
  slider.hidden = false;
  show();
}
