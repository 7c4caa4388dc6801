// What several views use: `ui/views/scripts.py` puts it before theirs.
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place);
const made = (tag, name, text) => Object.assign(document.createElement(tag), { className: name ?? "", textContent: text ?? "" });
const heading = (text, scope) => Object.assign(made("th", "", text), { scope });

// A row of texts, of which the first is its heading.
function tableRow(cells) {
  const row = made("tr");
  row.append(...cells.map((text, i) => (i ? made("td", "", text) : heading(text, "row"))));
  return row;
}

// A table of texts; `name` is what screen readers call it.
function numbersTable(name, heads, rows = []) {
  const table = made("table", "numbers");
  table.setAttribute("aria-label", name);
  table.createTHead().insertRow().append(...heads.map((text) => heading(text, "col")));
  table.createTBody().append(...rows.map(tableRow));
  return table;
}
