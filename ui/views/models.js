// The list of models: a click or Enter on a row chooses it. The rows are buttons, so that keys need nothing more.
element.addEventListener("click", (event) => {
  const row = event.target.closest("button[data-model]");
  if (!row || !element.contains(row)) return;
  for (const other of element.querySelectorAll("button[data-model]")) {
    other.toggleAttribute("aria-current", other === row);
    if (other === row) other.setAttribute("aria-current", "true");
  }
  trigger("choose", { model: row.dataset.model });
});
