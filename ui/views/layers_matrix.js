// Moves through the cells of matrices by arrow keys, says what a cell is, and chooses its layer for all inside views.
// `js_on_load` of a gr.HTML: `element`, `watch` are given.
const cells = (table) => [...table.querySelectorAll("td[data-row]")];
let reached = null;

function begin() {
  for (const table of element.querySelectorAll(".matrix table")) {
    const first = cells(table)[0];
    if (first) first.tabIndex = 0;
  }
  mark();
}

function mark() {
  for (const row of element.querySelectorAll(".matrix tbody tr")) {
    row.classList.toggle("chosen", row.sectionRowIndex === lab.selected.layer);
  }
}

function tell(cell) {
  const told = element.querySelector(".told");
  const table = cell.closest(".matrix");
  if (!told) return;
  told.textContent = fill(told.dataset.cell, {
    title: table.querySelector("figcaption").textContent,
    row: cell.dataset.row, column: cell.dataset.column, value: cell.textContent,
  });
}

function reach(cell) {
  if (!cell) return;
  for (const one of cells(cell.closest("table"))) one.tabIndex = one === cell ? 0 : -1;
  reached = cell;
  cell.focus();
  tell(cell);
}

function choose(cell) {
  tell(cell);
  const layer = Number(cell.dataset.row);
  if (layer > 0) lab.select({ layer });
}

element.addEventListener("click", (event) => {
  const cell = event.target.closest("td[data-row]");
  if (cell) { reach(cell); choose(cell); }
});
element.addEventListener("pointerover", (event) => {
  const cell = event.target.closest("td[data-row]");
  if (cell && event.pointerType === "mouse") tell(cell);
});
element.addEventListener("keydown", (event) => {
  const cell = event.target.closest("td[data-row]");
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  if (!cell || (!step && event.key !== "Enter" && event.key !== " ")) return;
  event.preventDefault();
  if (!step) return choose(cell);
  const [row, column] = [Number(cell.dataset.row) + step[0], Number(cell.dataset.column) + step[1]];
  reach(cell.closest("table").querySelector(`td[data-row="${row}"][data-column="${column}"]`));
});
document.addEventListener("lab-select", () => { if (element.isConnected) mark(); });
watch("value", () => setTimeout(begin));
begin();
