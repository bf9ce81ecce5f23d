// The samples leave the page as files that are made when they are asked for.
{
  const COLUMNS = ["model", "size", "phase", "variant", "launch", "round", "sample", "seconds"];

  async function unpacked() {
    const text = JSON.parse(document.getElementById("samples").textContent);
    const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
  }

  const seconds = (cell, sample) => Number((sample * cell.unit_s).toPrecision(12));
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

  function csv({ cells }) {
    const lines = [COLUMNS.join()];
    for (const cell of cells) {
      const place = [cell.model, cell.size, cell.phase, cell.variant].map(quoted).join();
      const launches = cell.rounds_of_launches.flatMap((length, launch) => Array(length).fill(launch + 1));
      cell.rounds.forEach((samples, round) => samples.forEach((sample, index) => {
        lines.push([place, launches[round] ?? 1, round + 1, index + 1, seconds(cell, sample)].join());
      }));
    }
    return `${lines.join("\n")}\n`;
  }

  function json({ run, cells }) {
    const plain = cells.map(({ unit_s, rounds, ...cell }) => ({
      ...cell,
      rounds_s: rounds.map((samples) => samples.map((sample) => seconds({ unit_s }, sample))),
    }));
    return JSON.stringify({ run, cells: plain });
  }

  for (const [id, make, type] of [["download-csv", csv, "text/csv"], ["download-json", json, "application/json"]]) {
    const link = document.getElementById(id);
    link.addEventListener("click", async (event) => {
      if (link.href.startsWith("blob:")) return; // made already: now the browser saves it
      event.preventDefault();
      link.href = URL.createObjectURL(new Blob([make(await unpacked())], { type }));
      link.click();
    });
  }
  document.getElementById("download").hidden = false;
}
