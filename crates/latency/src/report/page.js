"use strict";
// The page is complete without this. With it, tables can be sorted, and what is folded is unfolded on paper.

const words = new Intl.Collator("en", { numeric: true });

// Numbers before words, nothing last; equals keep their order.
function compared(one, other, direction) {
  const [a, b] = [one, other].map((cell) => cell.dataset.value);
  if (a !== undefined && b !== undefined) return direction * (Number(a) - Number(b));
  if (a !== undefined || b !== undefined) return a === undefined ? 1 : -1;
  const [c, d] = [one, other].map((cell) => cell.textContent.replace("–", ""));
  if (c === "" || d === "") return (c === "") - (d === "");
  return direction * words.compare(c, d);
}

function sort(table, header) {
  const descending = header.getAttribute("aria-sort") === "ascending";
  const headers = [...table.tHead.rows[0].cells];
  for (const other of headers) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const at = headers.indexOf(header);
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => compared(a.cells[at], b.cells[at], descending ? -1 : 1));
  table.tBodies[0].append(...rows);
}

for (const table of document.querySelectorAll("table.sortable")) {
  for (const header of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(table, header));
    header.append(button);
  }
}

// A cell that is nowhere on the screen may be in the row that someone looks for.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const details of folded) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of folded) details.open = false;
});
