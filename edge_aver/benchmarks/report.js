// Sorts a table by the column whose heading is pressed; what was not measured stays last. Without scripts the page is whole.
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of head.parentNode.cells) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => row.cells[head.cellIndex].dataset.v;
      const numbers = [...body.rows].every((row) => value(row) === undefined || value(row) !== "" && !isNaN(value(row)));
      body.append(...[...body.rows].sort((one, two) => {
        const [a, b] = [value(one), value(two)];
        if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
        const order = numbers ? a - b : a.localeCompare(b, "en", { numeric: true });
        return down ? -order : order;
      }));
    });
  }
}
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
  // Browsers repeat a table's head on each page, but not the buttons in it.
  for (const button of document.querySelectorAll("th button")) button.before(...button.childNodes);
});
addEventListener("afterprint", () => {
  for (const button of document.querySelectorAll("th button"))
    button.append(...[...button.parentNode.childNodes].filter((part) => part !== button));
});
