// A click on a column's head sorts the rows by it, upwards, then downwards.
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows].at(-1).cells;
  for (const [column, head] of [...heads].entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent || "row";
    button.addEventListener("click", () => {
      const order = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      for (const each of heads) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order);
      sort(table.tBodies[0], column, order === "ascending" ? 1 : -1);
    });
    head.replaceChildren(button);
  }
}

// Numbers by value, without what stands behind them ("0.0273†", "0.06 ± 0.01"), and before words.
function sort(body, column, sign) {
  const keyed = [...body.rows].map((row) => {
    const text = row.cells[column].textContent;
    return { row, text, number: parseFloat(text.replaceAll(",", "")) };
  });
  keyed.sort((a, b) => {
    const words = Number.isNaN(a.number) - Number.isNaN(b.number);
    if (words) return words;
    if (!Number.isNaN(a.number) && a.number !== b.number) return sign * (a.number - b.number);
    return sign * a.text.localeCompare(b.text, undefined, { numeric: true });
  });
  body.append(...keyed.map(({ row }) => row));
}
